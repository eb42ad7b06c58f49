public import LPUMachine
public import LPUSupport

/// One level of a `Repeat n,d`: `count` issues, `distance` cycles apart, whose address (the row of
/// MEM, the column of loadWeights, the accumulator row) steps by `step`.
@frozen public struct Repeat: Hashable, Sendable {
    public var count: Int32
    public var distance: Int32
    public var step: Int32
    @inlinable public init(count: Int = 1, distance: Int = 1, step: Int = 0) {
        self.count = Int32(count)
        self.distance = Int32(distance)
        self.step = Int32(step)
    }
    /// Not repeated.
    @inlinable public static var once: Repeat { Repeat() }

    /// What it adds to an address, in the order of the issues; where it does not step, once.
    public var offsets: [Int] {
        (0..<(step == 0 ? 1 : Int(count))).map { $0 * Int(step) }
    }
}

/// An instruction with its Repeats: issue (i, j) of `inner.count` x `outer.count` is at
/// `start + i * inner.distance + j * outer.distance`, its address moved by
/// `i * inner.step + j * outer.step`. It holds its queue from the first issue to the last.
@frozen public struct Burst: Hashable, Sendable {
    public var start: Cycle
    public var queue: QueueID
    public var instruction: Instruction
    public var inner: Repeat
    public var outer: Repeat
    /// The dataflow operation that it serves, for people and as a hint: no law trusts it.
    public var op: OpID?

    @inlinable public init(
        start: Cycle, queue: QueueID, _ instruction: Instruction, inner: Repeat = .once,
        outer: Repeat = .once, op: OpID? = nil
    ) {
        self.start = start
        self.queue = queue
        self.instruction = instruction
        self.inner = inner
        self.outer = outer
        self.op = op
    }

    @inlinable public var issueCount: Int { Int(inner.count) * Int(outer.count) }
    /// The cycle of the last issue.
    @inlinable public var lastIssue: Cycle {
        Cycle(
            start.index + (Int(inner.count) - 1) * Int(inner.distance)
                + (Int(outer.count) - 1) * Int(outer.distance))
    }
}
