/// Plain reads that take a row every cycle: each term goes to its place when it appears there.
///
/// Plain memory: nearly all vectors of a schedule pass here.
final class RowReaders {
    struct Reader {
        /// The next row, and what is from it to the one after.
        var row: UnsafeMutablePointer<Term>
        var step: Int
        /// When the first one appears.
        var start: Int
        /// Rows to come.
        var left: Int32
        /// From the cycle in which one appears to its diagonal.
        var skew: Int32
        /// Its stream's place on a diagonal.
        var lane: Int32
    }
    private var readers: UnsafeMutableBufferPointer<Reader> = .allocate(capacity: 64)
    private(set) var count = 0

    /// Rows that are taken at most before it is looked whether there are more.
    static var longest: Int32 { 64 }

    deinit { readers.deallocate() }

    func append(_ reader: Reader) {
        if count == readers.count {
            let old = readers
            readers = .allocate(capacity: 2 * count)
            _ = readers.moveInitialize(fromContentsOf: old)
            old.deallocate()
        }
        (readers.baseAddress.unsafelyUnwrapped + count).initialize(to: reader)
        count += 1
    }

    /// Puts what appears in `cycle` into its places, diagonals of `width` places each.
    @inline(__always)
    func settle(
        _ cycle: Int, in places: UnsafeMutablePointer<Term>, width: Int, mask: Int
    ) {
        let base = readers.baseAddress.unsafelyUnwrapped
        var (i, count) = (0, self.count)
        while i < count {
            let reader = base + i
            if reader.pointee.start > cycle {
                i += 1
                continue
            }
            let diagonal = (cycle &+ Int(reader.pointee.skew)) & mask
            places[diagonal &* width &+ Int(reader.pointee.lane)] = reader.pointee.row.pointee
            reader.pointee.row += reader.pointee.step
            reader.pointee.left &-= 1
            if reader.pointee.left > 0 {
                i += 1
            } else {
                count -= 1
                reader.pointee = base[count]
            }
        }
        self.count = count
    }
}
