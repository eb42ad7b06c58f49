/// What a `Pool` holds: a few bytes, mixed into one word.
protocol PoolElement: BitwiseCopyable, Equatable {
    var word: UInt64 { get }
}

extension Int32: PoolElement {
    var word: UInt64 { UInt64(UInt32(bitPattern: self)) }
}

/// Sequences of small elements, each stored once: equal sequences have one number, given in the
/// order in which they first came. A sequence stays where it is while the pool lives.
final class Pool<Element: PoolElement> {
    private var sequences: [UnsafeBufferPointer<Element>] = []
    private var hashes: [UInt32] = []
    /// Open addressing: a sequence's number plus one, 0 for a free place.
    private var table = [Int32](repeating: 0, count: 1024)
    private var blocks: [UnsafeMutableBufferPointer<Element>] = []
    private var used = 0

    deinit { for block in blocks { block.deallocate() } }

    var count: Int { sequences.count }

    /// The sequence that has a number.
    subscript(id: Int32) -> UnsafeBufferPointer<Element> { sequences[Int(id)] }

    /// The number of a sequence. O(length).
    func intern(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        var hash: UInt64 = UInt64(sequence.count)
        for element in sequence {
            hash = (hash ^ element.word) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
        }
        let short = UInt32(truncatingIfNeeded: hash ^ hash >> 32)
        var place = Int(short) & (table.count - 1)
        while table[place] != 0 {
            let id = Int(table[place] - 1)
            if hashes[id] == short, Self.equal(sequences[id], sequence) { return Int32(id) }
            place = (place + 1) & (table.count - 1)
        }
        sequences.append(kept(sequence))
        hashes.append(short)
        table[place] = Int32(sequences.count)
        if 2 * sequences.count > table.count { grow() }
        return Int32(sequences.count - 1)
    }

    func intern(_ sequence: [Element]) -> Int32 { sequence.withUnsafeBufferPointer(intern) }

    func intern(_ element: Element) -> Int32 {
        withUnsafePointer(to: element) { intern(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    private static func equal(
        _ a: UnsafeBufferPointer<Element>, _ b: UnsafeBufferPointer<Element>
    ) -> Bool {
        guard a.count == b.count else { return false }
        for i in a.indices where a[i] != b[i] { return false }
        return true
    }

    private func kept(_ sequence: UnsafeBufferPointer<Element>) -> UnsafeBufferPointer<Element> {
        if blocks.isEmpty || used + sequence.count > blocks[blocks.count - 1].count {
            blocks.append(.allocate(capacity: max(1 << 14, sequence.count)))
            used = 0
        }
        let place = UnsafeMutableBufferPointer(
            rebasing: blocks[blocks.count - 1][used..<used + sequence.count])
        _ = place.initialize(from: sequence)
        used += sequence.count
        return UnsafeBufferPointer(place)
    }

    private func grow() {
        table = Array(repeating: 0, count: 2 * table.count)
        for (id, hash) in hashes.enumerated() {
            var place = Int(hash) & (table.count - 1)
            while table[place] != 0 { place = (place + 1) & (table.count - 1) }
            table[place] = Int32(id + 1)
        }
    }
}
