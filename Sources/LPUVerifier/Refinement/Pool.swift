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
        var arena = Arena<Element>()
        /// The number that was given last: lane by lane, what comes next is often the next one.
        var last: Int32 = -1
    }
    /// Where the sequences stand in the arena.
    private let places = Column<Int32>()

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        state.pointee.arena.deallocate()
        state.pointee.index.deallocate()
        state.deallocate()
    }

    var count: Int { places.count }

    /// The sequence that has a number.
    @inline(__always)
    subscript(id: Int32) -> UnsafeBufferPointer<Element> { state.pointee.arena[places[id]] }

    /// The number of a sequence. O(length).
    func intern(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        let next = state.pointee.last + 1
        if next < count, Self.equal(self[next], sequence) {
            state.pointee.last = next
            return next
        }
        let hash = Self.hash(sequence)
        let (place, slot) = state.pointee.index.find(hash) {
            Self.equal(state.pointee.arena[$0], sequence)
        }
        if let place {
            state.pointee.last = state.pointee.arena.number(at: place)
        } else {
            state.pointee.last = append(sequence)
            state.pointee.index.insert(places[state.pointee.last], hash, at: slot)
        }
        return state.pointee.last
    }

    /// A new number for a sequence that is kept from `intern` by whoever adds it.
    func add(_ element: Element) -> Int32 {
        withUnsafePointer(to: element) { append(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    func intern(_ sequence: [Element]) -> Int32 { sequence.withUnsafeBufferPointer(intern) }

    func intern(_ element: Element) -> Int32 {
        withUnsafePointer(to: element) { intern(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    @inline(__always)
    private static func hash(_ sequence: UnsafeBufferPointer<Element>) -> UInt64 {
        var hash = NearHash(UInt64(sequence.count))
        for element in sequence { hash.add(element.word) }
        return hash.value
    }

    @inline(__always)
    private static func equal(
        _ a: UnsafeBufferPointer<Element>, _ b: UnsafeBufferPointer<Element>
    ) -> Bool {
        guard a.count == b.count else { return false }
        for i in a.indices where a[i] != b[i] { return false }
        return true
    }

    private func append(_ sequence: UnsafeBufferPointer<Element>) -> Int32 {
        let id = Int32(places.count)
        places.append(state.pointee.arena.append(sequence, number: id))
        return id
    }
}

/// Sequences one after another in plain memory, each with its number and its length before it; a
/// place is told in words of four bytes.
private struct Arena<Element: PoolElement> {
    private typealias Word = Int32
    /// Of equal length, one after another if a sequence needs more than one.
    private var blocks: UnsafeMutablePointer<UnsafeMutablePointer<Word>>
    private var blockCount = 0
    /// Places that are taken; none is 0.
    private var used = 1
    private static var blockBits: Int { 22 }
    private static var limit: Int { 1 << HashIndex.placeBits - 1 }
    private static var wordsOfElement: Int {
        MemoryLayout<Element>.stride / MemoryLayout<Word>.stride
    }

    init() {
        blocks = .allocate(capacity: 1 << (HashIndex.placeBits - Self.blockBits))
        addBlocks(1)
    }

    func deallocate() {
        for block in 0..<blockCount {
            UnsafeMutableBufferPointer(start: blocks[block], count: 1 << Self.blockBits)
                .deallocatePages()
        }
        blocks.deallocate()
    }

    private mutating func addBlocks(_ count: Int) {
        let words = UnsafeMutableBufferPointer<Word>.zeroedPages(
            capacity: count << Self.blockBits, isLarge: blockCount > 0)
        for i in 0..<count {
            blocks[blockCount] = words.baseAddress.unsafelyUnwrapped + i << Self.blockBits
            blockCount += 1
        }
    }

    @inline(__always)
    private func record(at place: Int32) -> UnsafeMutablePointer<Word> {
        let place = Int(place)
        return blocks[place >> Self.blockBits] + place & (1 << Self.blockBits - 1)
    }

    @inline(__always)
    func number(at place: Int32) -> Int32 { record(at: place)[0] }

    @inline(__always)
    subscript(place: Int32) -> UnsafeBufferPointer<Element> {
        let record = record(at: place)
        let elements = UnsafeRawPointer(record + 2).assumingMemoryBound(to: Element.self)
        return UnsafeBufferPointer(start: elements, count: Int(record[1]))
    }

    /// The place of a sequence that is added.
    mutating func append(_ sequence: UnsafeBufferPointer<Element>, number: Int32) -> Int32 {
        let words = 2 + sequence.count * Self.wordsOfElement
        let end = blockCount << Self.blockBits
        if used + words > end {
            used = end
            let count = (words - 1) >> Self.blockBits + 1
            precondition(end + count << Self.blockBits <= Self.limit, "a pool holds up to 2 GiB")
            addBlocks(count)
        }
        let record = record(at: Int32(used))
        (record[0], record[1]) = (number, Int32(sequence.count))
        let elements = UnsafeMutableRawPointer(record + 2).assumingMemoryBound(to: Element.self)
        _ = UnsafeMutableBufferPointer(start: elements, count: sequence.count)
            .initialize(from: sequence)
        defer { used += words }
        return Int32(used)
    }
}

/// Small elements, each stored once: a pool of sequences of one, which are side by side.
final class ElementPool<Element: PoolElement> {
    private let elements = Column<Element>()
    private let state: UnsafeMutablePointer<State>

    private struct State {
        var index = HashIndex()
        /// The number that was given last, as of a `Pool`.
        var last: Int32 = -1
    }

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        state.pointee.index.deallocate()
        state.deallocate()
    }

    var count: Int { elements.count }

    @inline(__always)
    subscript(id: Int32) -> Element { elements[id] }

    func intern(_ element: Element) -> Int32 {
        let next = state.pointee.last + 1
        if next < count, elements[next] == element {
            state.pointee.last = next
            return next
        }
        var hash = NearHash(0)
        hash.add(element.word)
        let (place, slot) = state.pointee.index.find(hash.value) { elements[$0] == element }
        if let place {
            state.pointee.last = place
        } else {
            state.pointee.last = Int32(count)
            elements.append(element)
            state.pointee.index.insert(state.pointee.last, hash.value, at: slot)
        }
        return state.pointee.last
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
