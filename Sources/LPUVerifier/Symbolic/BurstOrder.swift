import LPUMachine
import LPUSchedule
import LPUSupport

/// The bursts of one chip of a template in the order in which they start.
struct BurstOrder: Sendable {
    /// Those that can be run, by start, queue and number.
    let bursts: [Burst]
    /// The others, and why they cannot.
    private(set) var refusals: [(burst: Burst, message: String)] = []

    init(_ all: [Burst], _ places: [QueuePlace], _ chip: Chip) {
        // Keys are sorted, for bursts are large.
        var keys: [(start: Int, queue: Int32, number: Int32)] = []
        keys.reserveCapacity(all.count)
        for (i, burst) in all.enumerated() {
            if let message = Self.refusal(burst, places, chip) {
                refusals.append((burst, message))
            } else {
                keys.append((burst.start.index, Int32(burst.queue.index), Int32(i)))
            }
        }
        keys.sort {
            $0.start != $1.start
                ? $0.start < $1.start : ($0.queue, $0.number) < ($1.queue, $1.number)
        }
        bursts = keys.map { all[Int($0.number)] }
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
        let bursts: ArraySlice<Burst>
        /// Of the next burst.
        var next: Int

        /// Start and queue of the next burst.
        var key: (start: Int, queue: Int) {
            next < bursts.endIndex
                ? (start + bursts[next].start.index, bursts[next].queue.index) : (.max, .max)
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
        _ order: BurstOrder, _ placement: Int, from start: Int
    ) -> [(burst: Burst, message: String)] {
        func isIn(_ burst: Burst, _ cycles: PartialRangeFrom<Int>) -> Bool {
            let (sum, overflow) = burst.start.index.addingReportingOverflow(start)
            return overflow ? start > 0 : cycles.contains(sum)
        }
        let early = order.bursts.prefix { !isIn($0, 0...) }
        let rest = order.bursts[early.endIndex...]
        let late = rest.reversed().prefix { isIn($0, BurstExpansion.lastCycle...) }.count
        if rest.count > late {
            parts.append(
                Part(
                    placement: placement, start: start, bursts: rest.dropLast(late),
                    next: rest.startIndex))
            find()
        }
        return early.map { ($0, Self.early) }
            + rest.suffix(late).map {
                ($0, Self.late($0.start.index &+ start, $0.inner.span + $0.outer.span))
            }
    }

    /// The next burst and its placement.
    /// - Requires: there is one.
    mutating func pop() -> (burst: Burst, placement: Int) {
        let next = (parts[first].bursts[parts[first].next], parts[first].placement)
        parts[first].next += 1
        find()
        return next
    }

    private mutating func find() {
        var least = (start: Int.max, queue: Int.max)
        for i in parts.indices {
            let key = parts[i].key
            if key < least { (least, first) = (key, i) }
        }
        nextStart = least.start
    }
}
