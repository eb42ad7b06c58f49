/// Numbers by 64-bit hashes, only ever added to: open addressing in flat memory, which a program
/// with millions of ops fills some times faster than a dictionary.
struct NumberTable: Sendable {
    private struct Place {
        var key: UInt64
        var number: Int32
    }
    private static let free = Place(key: 0, number: -1)
    private var places = [Place](repeating: Self.free, count: 1 << 10)
    private var count = 0

    /// The number at a key, or -1.
    subscript(key: UInt64) -> Int { Int(places[index(of: key)].number) }

    /// Puts a number, which is not negative, in the place of what is there.
    mutating func insert(_ number: Int, at key: UInt64) {
        let index = index(of: key)
        let isNew = places[index].number < 0
        places[index] = Place(key: key, number: Int32(number))
        guard isNew else { return }
        count += 1
        if 2 * count > places.count { grow() }
    }

    /// Where a key is or belongs.
    private func index(of key: UInt64) -> Int {
        let mask = places.count - 1
        var index = Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
        while places[index].number >= 0, places[index].key != key { index = (index + 1) & mask }
        return index
    }

    private mutating func grow() {
        let old = places
        places = Array(repeating: Self.free, count: 4 * old.count)
        for place in old where place.number >= 0 { places[index(of: place.key)] = place }
    }
}
