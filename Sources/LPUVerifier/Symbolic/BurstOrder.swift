import CNumerics
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The bursts of one chip of a template in the order in which they start, in plain memory: queues
/// look into it without counting references.
final class BurstOrder: @unchecked Sendable {
    /// Those that can be run, by start, queue and number.
    let bursts: UnsafeBufferPointer<Burst>
    /// The number of each burst's ALU operation or lane map; -1 where the program has none such.
    let codes: UnsafeBufferPointer<Int32>
    /// The others, and why they cannot.
    let refusals: [(burst: Burst, message: String)]

    init(
        _ all: [Burst], _ places: [QueuePlace], _ chip: Chip, code: (Instruction) -> Int32
    ) {
        var refusals: [(burst: Burst, message: String)] = []
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
        self.refusals = refusals
        let bursts = UnsafeMutableBufferPointer<Burst>.allocateLarge(capacity: keys.count)
        _ = bursts.initialize(from: keys.lazy.map { all[Int($0.number)] })
        let codes = UnsafeMutableBufferPointer<Int32>.allocateLarge(capacity: keys.count)
        _ = codes.initialize(from: bursts.map { code($0.instruction) })
        (self.bursts, self.codes) = (UnsafeBufferPointer(bursts), UnsafeBufferPointer(codes))
    }

    deinit {
        bursts.deallocate()
        codes.deallocate()
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

    /// The unit has no such instruction, or its parts do not go together.
    private static func isMalformed(
        _ instruction: Instruction, on unit: Unit, _ chip: Chip
    ) -> Bool {
        func isUnpaired(_ plane: Int) -> Bool {
            !plane.isMultiple(of: 2) || plane + 1 >= chip.planesPerHemisphere
        }
        return switch (unit, instruction) {
        case (.loadWeights(_, let plane), .loadWeights(_, let tandem)),
            (.matmul(_, let plane), .install(let tandem)):
            tandem && isUnpaired(plane)
        case (.matmul(_, let plane), .matmul(_, let type)):
            type.byteCount > 2 || type == .fp16 && isUnpaired(plane)
        case (.alu, .alu(let operation, _, let b, _, _)):
            (b == nil ? 1 : 2) != operation.operandCount
        case (.memory, .memory), (.accumulate, .accumulate), (.distributor, .distribute),
            (.transposer, .transpose), (.permutor, .permute), (.shifter, .shift),
            (.shifter, .rotate), (.shifter, .select), (.link, .send), (.link, .receive),
            (.host, .ingress), (.host, .egress):
            false
        case (.memory, _), (.loadWeights, _), (.matmul, _), (.accumulate, _), (.alu, _),
            (.distributor, _), (.transposer, _), (.permutor, _), (.shifter, _), (.link, _),
            (.host, _):
            true
        }
    }
}

extension Repeat {
    /// Cycles from the first issue to the last.
    var span: Int { (Int(count) - 1) * Int(distance) }
}

/// The bursts of a chip in all its placements, in the order in which they start.
/// - Requires: the orders that it takes from last longer.
struct BurstQueue {
    private struct Part {
        let placement: PlacedInstance
        let bursts: UnsafeBufferPointer<Burst>
        let codes: UnsafeBufferPointer<Int32>
        /// Where those that are taken end.
        let end: Int
        /// Of the next burst.
        var next: Int

        /// Start and queue of the next burst.
        var key: (start: Int, queue: Int) {
            guard next < end else { return (.max, .max) }
            return (placement.start + bursts[next].start.index, bursts[next].queue.index)
        }
    }
    /// In the order of their placements.
    private var parts: [Part] = []
    /// The part that the next burst is of, and the least key of those before and after it.
    private var first = 0
    private var leastBefore = (start: Int.max, queue: Int.max)
    private var leastAfter = (start: Int.max, queue: Int.max)
    /// Of the next burst; none is as late where there is no next one.
    private(set) var nextStart = Int.max

    static let early = "a burst needs a start from 0 on, counts and distances from 1 on"
    static func late(_ start: Int, _ last: Int) -> String {
        "a burst ends @\(start) + \(last), a symbolic run takes \(BurstExpansion.lastCycle) cycles"
    }

    /// Those that begin when no cycle is are not taken, and why.
    mutating func add(
        _ order: BurstOrder, _ placement: PlacedInstance
    ) -> [(burst: Burst, message: String)] {
        let start = placement.start
        func isIn(_ position: Int, _ cycles: PartialRangeFrom<Int>) -> Bool {
            let (sum, overflow) = order.bursts[position].start.index.addingReportingOverflow(start)
            return overflow ? start > 0 : cycles.contains(sum)
        }
        let positions = order.bursts.indices
        let begin = positions.first { isIn($0, 0...) } ?? positions.endIndex
        let end =
            (begin..<positions.endIndex).last { !isIn($0, BurstExpansion.lastCycle...) }
            .map { $0 + 1 } ?? begin
        if begin < end {
            parts.append(
                Part(
                    placement: placement, bursts: order.bursts, codes: order.codes, end: end,
                    next: begin))
            find()
        }
        return (0..<begin).map { (order.bursts[$0], Self.early) }
            + (end..<positions.endIndex).map {
                let burst = order.bursts[$0]
                return (
                    burst,
                    Self.late(burst.start.index &+ start, burst.inner.span + burst.outer.span)
                )
            }
    }

    /// Takes the next burst, which `body` is called with, its number and its placement.
    /// - Requires: there is one.
    @inline(__always)
    mutating func pop<Result>(_ body: (Burst, _ code: Int32, PlacedInstance) -> Result) -> Result {
        let number = parts[first].next
        let (burst, code) = (parts[first].bursts[number], parts[first].codes[number])
        let placement = parts[first].placement
        parts[first].next += 1
        let key = parts[first].key
        if key < leastBefore && key <= leastAfter {
            nextStart = key.start
        } else {
            find()
        }
        return body(burst, code, placement)
    }

    /// One of the next bursts of the part that the next one is of; fetches a later one.
    @inline(__always)
    func ahead(_ count: Int, _ body: (Burst, PlacedInstance) -> Void) {
        let position = parts[first].next + count
        guard position < parts[first].end else { return }
        fetchAhead(parts[first].bursts.baseAddress.unsafelyUnwrapped + position + count)
        body(parts[first].bursts[position], parts[first].placement)
    }

    private mutating func find() {
        var least = (start: Int.max, queue: Int.max)
        for i in parts.indices {
            let key = parts[i].key
            if key < least { (least, first) = (key, i) }
        }
        nextStart = least.start
        (leastBefore, leastAfter) = ((.max, .max), (.max, .max))
        for i in parts.indices {
            if i < first { leastBefore = min(leastBefore, parts[i].key) }
            if i > first { leastAfter = min(leastAfter, parts[i].key) }
        }
    }

    private func min(
        _ a: (start: Int, queue: Int), _ b: (start: Int, queue: Int)
    ) -> (start: Int, queue: Int) { a < b ? a : b }
}
