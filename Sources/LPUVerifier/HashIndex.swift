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
        if 4 * count > 3 * table.count { grow(to: 2 * table.count) }
    }

    /// Puts a place where another one is.
    mutating func replace(_ place: Int32, at slot: Int) {
        table[slot] = table[slot] & ~Self.placeMask | UInt64(place)
    }

    @inline(__always)
    private static func upper(_ hash: UInt64) -> UInt64 { (hash | 1 << 63) & ~placeMask }

    /// Room for so many places.
    mutating func reserve(_ places: Int) {
        var slots = table.count
        while 4 * places > 3 * slots { slots *= 2 }
        if slots > table.count { grow(to: slots) }
    }

    private mutating func grow(to slots: Int) {
        let old = table
        let mask = slots - 1
        table = .zeroedPages(capacity: slots, isLarge: true)
        for entry in old where entry != 0 {
            var slot = Int(truncatingIfNeeded: entry >> UInt64(Self.placeBits)) & mask
            while table[slot] != 0 { slot = (slot + 1) & mask }
            table[slot] = entry
        }
        old.deallocatePages()
    }
}

/// The hash of some words for a `HashIndex`. Where they are one more each than those of another
/// hash, as those of lanes beside one another often are, the slots too are mostly beside one
/// another: a line of the processor's memory holds eight.
struct NearHash {
    private var far: UInt64
    /// The lowest bits of the words, and of their sum.
    private var near: UInt64 = 0
    private var sum: UInt64 = 0
    private static var odd: UInt64 { 0x9e37_79b9_7f4a_7c15 }

    @inline(__always)
    init(_ seed: UInt64) { far = seed }

    @inline(__always)
    mutating func add(_ word: UInt64) {
        far = (far ^ word & ~7) &* Self.odd
        far ^= far >> 29
        near = near << 3 ^ word & 7
        sum &+= word
    }

    @inline(__always)
    var value: UInt64 {
        let (mixed, place) = (far &* 0xbf58_476d_1ce4_e5b9, UInt64(HashIndex.placeBits))
        return (mixed ^ (near &* Self.odd) & 0xff << 56) & ~(7 << place) | (sum & 7) << place
    }
}
