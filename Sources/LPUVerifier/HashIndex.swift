/// Places, which are not negative, by the hashes of what stands there: open addressing in plain
/// memory. Whoever makes one gives its memory back.
struct HashIndex {
    /// The upper bits of the hash, then the place; 0 is free. The slot is told by the lowest of
    /// these bits, so that the table grows without a hash.
    private var table: UnsafeMutableBufferPointer<UInt64>
    private var count = 0
    static var placeBits: Int { 29 }
    private static var placeMask: UInt64 { 1 << placeBits - 1 }

    init() { table = .zeroedPages(capacity: 4096, isLarge: false) }

    func deallocate() { table.deallocatePages() }

    /// The place with the hash that is the sought one, and its slot, or the slot to put it in.
    @inline(__always)
    func find(_ hash: UInt64, _ isSought: (Int32) -> Bool) -> (place: Int32?, slot: Int) {
        let (upper, mask) = (Self.upper(hash), table.count - 1)
        let table = table.baseAddress.unsafelyUnwrapped
        var slot = Int(truncatingIfNeeded: upper >> UInt64(Self.placeBits)) & mask
        while case let entry = table[slot], entry != 0 {
            if entry & ~Self.placeMask == upper {
                let place = Int32(truncatingIfNeeded: entry & Self.placeMask)
                if isSought(place) { return (place, slot) }
            }
            slot = (slot + 1) & mask
        }
        return (nil, slot)
    }

    /// Puts a place where `find` says that it belongs.
    mutating func insert(_ place: Int32, _ hash: UInt64, at slot: Int) {
        precondition(place < Self.placeMask, "a hash index has fewer than 2^29 places")
        table[slot] = Self.upper(hash) | UInt64(place)
        count += 1
        if 4 * count > 3 * table.count { grow() }
    }

    /// Puts a place where another one is.
    mutating func replace(_ place: Int32, at slot: Int) {
        table[slot] = table[slot] & ~Self.placeMask | UInt64(place)
    }

    @inline(__always)
    private static func upper(_ hash: UInt64) -> UInt64 { (hash | 1 << 63) & ~placeMask }

    private mutating func grow() {
        let old = table
        let mask = 2 * old.count - 1
        table = .zeroedPages(capacity: 2 * old.count, isLarge: true)
        for entry in old where entry != 0 {
            var slot = Int(truncatingIfNeeded: entry >> UInt64(Self.placeBits)) & mask
            while table[slot] != 0 { slot = (slot + 1) & mask }
            table[slot] = entry
        }
        old.deallocatePages()
    }
}
