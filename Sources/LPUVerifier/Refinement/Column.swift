/// Values by number in plain memory, only ever added to or replaced.
final class Column<Value: BitwiseCopyable> {
    private let state: UnsafeMutablePointer<State>

    private struct State {
        var values: UnsafeMutableBufferPointer<Value>
        var count = 0
    }

    init() {
        state = .allocate(capacity: 1)
        state.initialize(to: State(values: .allocate(capacity: 1024)))
    }

    deinit {
        state.pointee.values.deallocate()
        state.deallocate()
    }

    var count: Int { state.pointee.count }

    subscript(number: Int32) -> Value {
        get { state.pointee.values[Int(number)] }
        set { state.pointee.values[Int(number)] = newValue }
    }

    func append(_ value: Value) {
        if state.pointee.count == state.pointee.values.count {
            let larger = UnsafeMutableBufferPointer<Value>.allocateLarge(
                capacity: 2 * state.pointee.count)
            _ = larger.moveInitialize(fromContentsOf: state.pointee.values)
            state.pointee.values.deallocate()
            state.pointee.values = larger
        }
        state.pointee.values.initializeElement(at: state.pointee.count, to: value)
        state.pointee.count += 1
    }

    /// Until the number has a place.
    func append(_ value: Value, upTo number: Int32) {
        while count <= Int(number) { append(value) }
    }

    func removeAll() { state.pointee.count = 0 }
}
