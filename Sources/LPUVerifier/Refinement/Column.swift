/// Values by number in plain memory, only ever added to or replaced.
///
/// They stand in pages, each twice as long as the one before: none is ever copied.
final class Column<Value: BitwiseCopyable> {
    private let pages: UnsafeMutableBufferPointer<UnsafeMutableBufferPointer<Value>>
    private let state: UnsafeMutablePointer<Int>
    /// Values of the first page.
    private static var first: Int { 1024 }

    init() {
        pages = .allocate(capacity: 22)
        pages.initialize(repeating: UnsafeMutableBufferPointer(start: nil, count: 0))
        state = .allocate(capacity: 1)
        state.initialize(to: 0)
    }

    deinit {
        for page in pages { page.deallocate() }
        pages.deallocate()
        state.deallocate()
    }

    var count: Int { state.pointee }

    @inline(__always)
    subscript(number: Int32) -> Value {
        get {
            let (page, place) = Self.place(Int(number))
            return pages[page].baseAddress.unsafelyUnwrapped[place]
        }
        set {
            let (page, place) = Self.place(Int(number))
            pages[page].baseAddress.unsafelyUnwrapped[place] = newValue
        }
    }

    @inline(__always)
    private static func place(_ number: Int) -> (page: Int, place: Int) {
        let page = (first.leadingZeroBitCount) - (number + first).leadingZeroBitCount
        return (page, number + first - first << page)
    }

    func append(_ value: Value) {
        let (page, place) = Self.place(count)
        if pages[page].isEmpty { pages[page] = .allocateLarge(capacity: Self.first << page) }
        pages[page].initializeElement(at: place, to: value)
        state.pointee += 1
    }

    /// Until the number has a place.
    func append(_ value: Value, upTo number: Int32) {
        while count <= Int(number) { append(value) }
    }

    func removeAll() { state.pointee = 0 }
}
