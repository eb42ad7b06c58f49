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
    /// In plain memory: these are asked some ten million times for a large model.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        var sequences: UnsafeMutableBufferPointer<UnsafeBufferPointer<Element>>
        var count = 0
        /// Open addressing: upper half of the hash, then the number plus one; 0 is a free place.
        var table: UnsafeMutableBufferPointer<UInt64>
        var hashed = 0
        var block: UnsafeMutableBufferPointer<Element>
        var used = 0
    }
    private static var upper: UInt64 { 0xffff_ffff_0000_0000 }
    private var blocks: [UnsafeMutableBufferPointer<Element>] = []

    init() {
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                sequences: .allocate(capacity: 1024), table: .allocate(capacity: 4096),
                block: .allocate(capacity: 4096)))
        state.pointee.table.initialize(repeating: 0)
        blocks.append(state.pointee.block)
    }

    deinit {
        for block in blocks { block.deallocate() }
        state.pointee.sequences.deallocate()
        state.pointee.table.deallocate()
        state.deallocate()
    }

    var count: Int { state.pointee.count }

    /// The sequence that has a number.
    subscript(id: Int32) -> UnsafeBufferPointer<Element> { state.pointee.sequences[Int(id)] }

    /// The number of a sequence. O(length).
    func intern(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        let hash = Self.hash(sequence)
        let (mask, upper) = (state.pointee.table.count - 1, hash & Self.upper)
        var place = Int(truncatingIfNeeded: hash >> 20) & mask
        while case let entry = state.pointee.table[place], entry != 0 {
            if entry & Self.upper == upper {
                let id = Int32(truncatingIfNeeded: entry) - 1
                if Self.equal(self[id], sequence) { return id }
            }
            place = (place + 1) & mask
        }
        let id = append(sequence)
        state.pointee.table[place] = hash & Self.upper | UInt64(id + 1)
        state.pointee.hashed += 1
        if 2 * state.pointee.hashed > state.pointee.table.count { grow() }
        return id
    }

    /// A new number for a sequence that is kept from `intern` by whoever adds it.
    func add(_ element: Element) -> Int32 {
        withUnsafePointer(to: element) { append(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    func intern(_ sequence: [Element]) -> Int32 { sequence.withUnsafeBufferPointer(intern) }

    func intern(_ element: Element) -> Int32 {
        withUnsafePointer(to: element) { intern(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    private static func hash(_ sequence: UnsafeBufferPointer<Element>) -> UInt64 {
        var hash = UInt64(sequence.count)
        for element in sequence {
            hash = (hash ^ element.word) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
        }
        return (hash &* 0xbf58_476d_1ce4_e5b9) | 1 << 63
    }

    private static func equal(
        _ a: UnsafeBufferPointer<Element>, _ b: UnsafeBufferPointer<Element>
    ) -> Bool {
        guard a.count == b.count else { return false }
        for i in a.indices where a[i] != b[i] { return false }
        return true
    }

    private func append(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        let id = state.pointee.count
        if id == state.pointee.sequences.count {
            let larger = UnsafeMutableBufferPointer<UnsafeBufferPointer<Element>>.allocate(
                capacity: 2 * id)
            _ = larger.initialize(from: state.pointee.sequences)
            state.pointee.sequences.deallocate()
            state.pointee.sequences = larger
        }
        state.pointee.sequences[id] = kept(sequence)
        state.pointee.count = id + 1
        return Int32(id)
    }

    private func kept(_ sequence: UnsafeBufferPointer<Element>) -> UnsafeBufferPointer<Element> {
        if state.pointee.used + sequence.count > state.pointee.block.count {
            state.pointee.block = .allocate(capacity: max(1 << 16, sequence.count))
            state.pointee.used = 0
            blocks.append(state.pointee.block)
        }
        let used = state.pointee.used
        let place = UnsafeMutableBufferPointer(
            rebasing: state.pointee.block[used..<used + sequence.count])
        _ = place.initialize(from: sequence)
        state.pointee.used += sequence.count
        return UnsafeBufferPointer(place)
    }

    /// An entry keeps bits 32 on of its hash, its place needs bits 20 on: it is hashed anew.
    private func grow() {
        let old = state.pointee.table
        let mask = 4 * old.count - 1
        state.pointee.table = .allocate(capacity: 4 * old.count)
        state.pointee.table.initialize(repeating: 0)
        for entry in old where entry != 0 {
            let hash = Self.hash(self[Int32(truncatingIfNeeded: entry) - 1])
            var place = Int(truncatingIfNeeded: hash >> 20) & mask
            while state.pointee.table[place] != 0 { place = (place + 1) & mask }
            state.pointee.table[place] = entry
        }
        old.deallocate()
    }
}
