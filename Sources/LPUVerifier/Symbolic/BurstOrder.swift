import LPUMachine
import LPUSchedule
import LPUSupport

/// The bursts of one chip of a template in the order in which they start.
struct BurstOrder: Sendable {
    /// The bursts that can be run, by start, queue and number.
    let numbers: [Int32]
    /// Why others cannot.
    private(set) var refusals: [(number: Int32, message: String)] = []

    init(_ bursts: [Burst], _ places: [QueuePlace], _ chip: Chip) {
        // Keys are sorted, for bursts are large.
        var keys: [(start: Int, queue: Int32, number: Int32)] = []
        keys.reserveCapacity(bursts.count)
        for (i, burst) in bursts.enumerated() {
            if let message = Self.refusal(burst, places, chip) {
                refusals.append((Int32(i), message))
            } else {
                keys.append((burst.start.index, Int32(burst.queue.index), Int32(i)))
            }
        }
        keys.sort {
            $0.start != $1.start
                ? $0.start < $1.start : ($0.queue, $0.number) < ($1.queue, $1.number)
        }
        numbers = keys.map(\.number)
    }

    private static func refusal(_ burst: Burst, _ places: [QueuePlace], _ chip: Chip) -> String? {
        let (inner, outer) = (burst.inner, burst.outer)
        guard inner.count >= 1, outer.count >= 1, inner.count == 1 || inner.distance >= 1,
            outer.count == 1 || outer.distance >= 1
        else { return BurstQueue.early }
        let last = inner.span + outer.span
        guard last < BurstExpansion.lastCycle else {
            return BurstQueue.late(burst.start.index, last)
        }
        guard burst.queue.index < places.count,
            !isMalformed(burst.instruction, on: places[burst.queue.index].unit, chip)
        else { return "this queue's unit has no such instruction" }
        // Issues must come in order, whichever level is the outer one.
        if outer.count > 1 && inner.span >= Int(outer.distance)
            && Int(inner.distance) <= outer.span
        {
            return "a burst whose Repeats interleave is not followed: split it"
        }
        return nil
    }

    private static func isMalformed(
        _ instruction: Instruction, on unit: Unit, _ chip: Chip
    ) -> Bool {
        // The most frequent by far, and nothing of it could be.
        if case (.memory, .memory) = (unit, instruction) { return false }
        return chip.problems(with: instruction, on: unit).contains { $0.kind == .malformed }
    }
}

extension Repeat {
    /// Cycles from the first issue to the last.
    var span: Int { (Int(count) - 1) * Int(distance) }
}

/// The bursts of a chip in all its placements, in the order in which they start.
struct BurstQueue {
    private struct Part {
        let placement: Int
        let start: Int
        let bursts: [Burst]
        let numbers: ArraySlice<Int32>
        /// In `numbers`.
        var next: Int
        /// Of the next burst.
        var key: (start: Int, queue: Int)

        init(_ placement: Int, _ start: Int, _ bursts: [Burst], _ numbers: ArraySlice<Int32>) {
            self.placement = placement
            self.start = start
            self.bursts = bursts
            self.numbers = numbers
            next = numbers.startIndex
            key = (.max, .max)
            prepare()
        }

        mutating func prepare() {
            guard next < numbers.endIndex else { return key = (.max, .max) }
            let number = Int(numbers[next])
            key = (start + bursts[number].start.index, bursts[number].queue.index)
        }
    }
    /// In the order of their placements.
    private var parts: [Part] = []
    /// The part that the next burst is of.
    private var first = 0
    /// Of the next burst; none is as late where there is no next one.
    private(set) var nextStart = Int.max

    static let early = "a burst needs a start from 0 on, counts and distances from 1 on"
    static func late(_ start: Int, _ last: Int) -> String {
        "a burst ends @\(start) + \(last), a symbolic run takes \(1 << 40) cycles"
    }

    /// Those that begin when no cycle is are not taken, and why.
    mutating func add(
        _ bursts: [Burst], _ order: BurstOrder, _ placement: Int, from start: Int
    ) -> [(burst: Burst, message: String)] {
        func isIn(_ number: Int32, _ cycles: PartialRangeFrom<Int>) -> Bool {
            let (sum, overflow) = bursts[Int(number)].start.index.addingReportingOverflow(start)
            return overflow ? start > 0 : cycles.contains(sum)
        }
        let early = order.numbers.prefix { !isIn($0, 0...) }
        let rest = order.numbers[early.endIndex...]
        let late = rest.reversed().prefix { isIn($0, BurstExpansion.lastCycle...) }.count
        if rest.count > late {
            parts.append(Part(placement, start, bursts, rest.dropLast(late)))
            find()
        }
        return early.map { (bursts[Int($0)], Self.early) }
            + rest.suffix(late).map { number in
                let burst = bursts[Int(number)]
                let last = burst.inner.span + burst.outer.span
                return (burst, Self.late(burst.start.index &+ start, last))
            }
    }

    /// The next burst and its placement.
    /// - Requires: there is one.
    mutating func pop() -> (burst: Burst, placement: Int) {
        let number = Int(parts[first].numbers[parts[first].next])
        let next = (parts[first].bursts[number], parts[first].placement)
        parts[first].next += 1
        parts[first].prepare()
        find()
        return next
    }

    private mutating func find() {
        first = 0
        for i in parts.indices where parts[i].key < parts[first].key { first = i }
        nextStart = parts[first].key.start
    }
}
