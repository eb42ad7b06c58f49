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
        var index = HashIndex()
        var block: UnsafeMutableBufferPointer<Element>
        var used = 0
    }
    private let sequences = Column<UnsafeBufferPointer<Element>>()
    private var blocks: [UnsafeMutableBufferPointer<Element>] = []

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State(block: .allocate(capacity: 4096)))
        blocks.append(state.pointee.block)
    }

    deinit {
        for block in blocks { block.deallocate() }
        state.pointee.index.deallocate()
        state.deallocate()
    }

    var count: Int { sequences.count }

    /// The sequence that has a number.
    subscript(id: Int32) -> UnsafeBufferPointer<Element> { sequences[id] }

    /// The number of a sequence. O(length).
    func intern(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        let hash = Self.hash(sequence)
        let found = state.pointee.index.find(hash) { Self.equal(self[$0], sequence) }
        if let id = found.number { return id }
        let id = append(sequence)
        state.pointee.index.insert(id, hash, at: found.place)
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
        return hash &* 0xbf58_476d_1ce4_e5b9
    }

    private static func equal(
        _ a: UnsafeBufferPointer<Element>, _ b: UnsafeBufferPointer<Element>
    ) -> Bool {
        guard a.count == b.count else { return false }
        for i in a.indices where a[i] != b[i] { return false }
        return true
    }

    private func append(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        sequences.append(kept(sequence))
        return Int32(sequences.count - 1)
    }

    private func kept(_ sequence: UnsafeBufferPointer<Element>) -> UnsafeBufferPointer<Element> {
        if state.pointee.used + sequence.count > state.pointee.block.count {
            // Each as long as all before it.
            let capacity = min(2 * state.pointee.block.count, 1 << 20)
            state.pointee.block = .allocateLarge(capacity: max(capacity, sequence.count))
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
}

/// Small elements, each stored once: a pool of sequences of one, which are side by side.
final class ElementPool<Element: PoolElement> {
    private let elements = Column<Element>()
    private let index: UnsafeMutablePointer<HashIndex>

    init() {
        index = .allocate(capacity: 1)
        index.initialize(to: HashIndex())
    }

    deinit {
        index.pointee.deallocate()
        index.deallocate()
    }

    var count: Int { elements.count }

    subscript(id: Int32) -> Element { elements[id] }

    func intern(_ element: Element) -> Int32 {
        let word = element.word &* 0x9e37_79b9_7f4a_7c15
        let hash = (word ^ word >> 29) &* 0xbf58_476d_1ce4_e5b9
        let found = index.pointee.find(hash) { elements[$0] == element }
        if let id = found.number { return id }
        let id = Int32(elements.count)
        elements.append(element)
        index.pointee.insert(id, hash, at: found.place)
        return id
    }
}

/// Numbers by the hashes of what they stand for: open addressing in plain memory.
private struct HashIndex {
    /// The upper bits of the hash, then the number plus one; 0 is free. The place is told by the
    /// lowest of these bits, so that the table grows without a hash.
    private var table: UnsafeMutableBufferPointer<UInt64>
    private var count = 0
    private static var numberBits: UInt64 { 29 }
    private static var numberMask: UInt64 { 1 << numberBits - 1 }

    init() {
        table = .allocate(capacity: 4096)
        table.initialize(repeating: 0)
    }

    func deallocate() { table.deallocate() }

    /// The number with the hash that is the sought one, or else its place.
    @inline(__always)
    func find(_ hash: UInt64, _ isSought: (Int32) -> Bool) -> (number: Int32?, place: Int) {
        let (upper, mask) = (Self.upper(hash), table.count - 1)
        var place = Int(truncatingIfNeeded: upper >> Self.numberBits) & mask
        while case let entry = table[place], entry != 0 {
            if entry & ~Self.numberMask == upper {
                let number = Int32(truncatingIfNeeded: entry & Self.numberMask) - 1
                if isSought(number) { return (number, place) }
            }
            place = (place + 1) & mask
        }
        return (nil, place)
    }

    mutating func insert(_ number: Int32, _ hash: UInt64, at place: Int) {
        precondition(number < Self.numberMask - 1, "a pool holds fewer than 2^29 sequences")
        table[place] = Self.upper(hash) | UInt64(number + 1)
        count += 1
        if 2 * count > table.count { grow() }
    }

    private static func upper(_ hash: UInt64) -> UInt64 { (hash | 1 << 63) & ~numberMask }

    private mutating func grow() {
        let old = table
        let mask = 2 * old.count - 1
        table = .allocateLarge(capacity: 2 * old.count)
        table.initialize(repeating: 0)
        for entry in old where entry != 0 {
            var place = Int(truncatingIfNeeded: entry >> Self.numberBits) & mask
            while table[place] != 0 { place = (place + 1) & mask }
            table[place] = entry
        }
        old.deallocate()
    }
}

/// Words by small numbers in plain memory, in pages: few of many numbers may be asked for.
final class NumberMemory {
    private let pages:
        UnsafeMutablePointer<UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt64>?>>
    private static var pageBits: Int { 9 }
    private static var absent: UInt64 { .max }

    init() {
        pages = .allocate(capacity: 1)
        pages.initialize(to: .allocate(capacity: 64))
        pages.pointee.initialize(repeating: nil)
    }

    deinit {
        for page in pages.pointee { page?.deallocate() }
        pages.pointee.deallocate()
        pages.deallocate()
    }

    subscript(number: Int32) -> UInt64? {
        get {
            let page = Int(number) >> Self.pageBits
            guard page < pages.pointee.count, let words = pages.pointee[page] else { return nil }
            let word = words[Int(number) & (1 << Self.pageBits - 1)]
            return word == Self.absent ? nil : word
        }
        set {
            let page = Int(number) >> Self.pageBits
            if page >= pages.pointee.count { grow(to: page + 1) }
            let words = pages.pointee[page] ?? newPage(page)
            words[Int(number) & (1 << Self.pageBits - 1)] = newValue ?? Self.absent
        }
    }

    private func newPage(_ page: Int) -> UnsafeMutablePointer<UInt64> {
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 1 << Self.pageBits)
        words.initialize(repeating: Self.absent, count: 1 << Self.pageBits)
        pages.pointee[page] = words
        return words
    }

    private func grow(to count: Int) {
        let old = pages.pointee
        pages.pointee = .allocate(capacity: max(count, 2 * old.count))
        pages.pointee.initialize(repeating: nil)
        for (page, words) in old.enumerated() { pages.pointee[page] = words }
        old.deallocate()
    }
}
