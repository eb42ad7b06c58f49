import LPUMachine
import LPUSchedule
import LPUSupport

/// Everything one chip does: bursts and allocations of all placements, in absolute cycles and
/// rows, queue by queue.
struct ChipTimeline: Sendable {
    let id: ChipID
    let table: UnitTable
    let laneMaps: [[Int16]]
    /// Sorted by queue, then start; row slots are resolved (all are 0, or the burst is unsound).
    private(set) var bursts: [Burst] = []
    /// By burst: what it names exists (law 11), so that the other laws may look it up.
    private(set) var isSound: [Bool] = []
    /// The bursts of each queue.
    private(set) var queues: [Range<Int>] = []
    /// By queue: its bursts are sound and come one after another (laws 1 and 11), so that laws
    /// on the order of its issues have a meaning.
    private(set) var isOrdered: [Bool] = []
    /// By queue: issues of its bursts.
    private(set) var issues: [Int] = []
    /// Bursts of no queue of the chip, or with cycles that cannot be (law 1); nothing else looks
    /// at them.
    private(set) var strays: [Burst] = []
    private(set) var allocations: [Allocation] = []
    /// By allocation: its rows are rows of the chip (law 5).
    private(set) var isInRows: [Bool] = []
    /// The rows that all of it takes.
    private(set) var demand: SRAMDemand

    var chip: Chip { table.chip }

    init(
        _ id: ChipID, _ schedule: Schedule, _ index: PlacementIndex, _ table: UnitTable
    ) {
        self.id = id
        self.table = table
        laneMaps = schedule.laneMaps
        demand = SRAMDemand(on: table.chip)
        let parts = index.uses[id.index].map { use in
            let placement = schedule.placements[use.placement]
            return (placement, schedule.templates[placement.template].chips[use.member])
        }
        deal(parts)
        allocations.reserveCapacity(parts.reduce(0) { $0 + $1.1.allocations.count })
        for (placement, program) in parts {
            for allocation in program.allocations {
                allocations.append(allocation.placed(placement))
            }
        }
        isInRows = allocations.map { problem($0) == nil }
        (isSound, isOrdered, issues) = judgedBursts()
        demand = SRAMDemand(self)
    }

    /// What is told of bursts and queues; in one pass, for bursts are large and many.
    private func judgedBursts() -> (isSound: [Bool], isOrdered: [Bool], issues: [Int]) {
        var (sound, ordered, issues): ([Bool], [Bool], [Int]) = ([], [], [])
        sound.reserveCapacity(bursts.count)
        for range in queues {
            var (isOrdered, count, free) = (true, 0, Int.min)
            for burst in bursts[range] {
                let isSound = isPlain(burst) || addressProblem(burst) == nil
                sound.append(isSound)
                isOrdered = isOrdered && isSound && free <= burst.start.index
                free = burst.lastIssue.index + 1
                count += burst.issueCount
            }
            ordered.append(isOrdered)
            issues.append(count)
        }
        return (sound, ordered, issues)
    }

    /// Deals the bursts out to their queues, then sorts each queue that is not yet in order.
    private mutating func deal(_ parts: [(Placement, ChipProgram)]) {
        func isStray(_ burst: Burst, in placement: Placement) -> Bool {
            let start = burst.start(in: placement)
            return !table.units.indices.contains(burst.queue.index)
                || !isPlain(burst, from: start) && timingProblem(burst, from: start) != nil
        }
        var next = Array(repeating: 0, count: table.units.count + 1)
        for (placement, program) in parts {
            for burst in program.bursts {
                if isStray(burst, in: placement) {
                    strays.append(burst.placed(placement))
                } else {
                    next[burst.queue.index + 1] += 1
                }
            }
        }
        for q in table.units.indices { next[q + 1] += next[q] }
        queues = table.units.indices.map { next[$0]..<next[$0 + 1] }
        let count = next.last ?? 0
        let hasStrays = !strays.isEmpty
        var isSorted = Array(repeating: true, count: table.units.count)
        bursts = Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            for (placement, program) in parts {
                for burst in program.bursts {
                    if hasStrays && isStray(burst, in: placement) { continue }
                    let (queue, burst) = (burst.queue.index, burst.placed(placement))
                    let place = next[queue]
                    if place > queues[queue].lowerBound, buffer[place - 1].start > burst.start {
                        isSorted[queue] = false
                    }
                    buffer.initializeElement(at: place, to: burst)
                    next[queue] += 1
                }
            }
            initialized = count
        }
        for (range, isSorted) in zip(queues, isSorted) where !isSorted {
            bursts[range].sort { $0.start < $1.start }
        }
    }

    /// The unit of a burst.
    func unit(_ burst: Burst) -> Unit { table.units[burst.queue.index] }
}

extension Burst {
    /// In the cycles and rows of `placement`; rows as they are where it does not give a slot.
    func placed(_ placement: Placement) -> Burst {
        var burst = self
        burst.start = start(in: placement)
        if !placement.slots.isEmpty {
            burst.instruction = instruction.resolved(in: placement.slots) ?? instruction
        }
        return burst
    }

    /// When it starts in `placement`. What is far out stays so, and is refused by law 1.
    func start(in placement: Placement) -> Cycle {
        let isNear = (-PlacementIndex.horizon...PlacementIndex.horizon).contains(start.index)
        return Cycle(isNear ? start.index &+ placement.start.index : PlacementIndex.horizon)
    }

    /// Steps from the first issue's address to the lowest and to the highest one.
    var addressSteps: ClosedRange<Int> {
        let a = (Int(inner.count) - 1) * Int(inner.step)
        let b = (Int(outer.count) - 1) * Int(outer.step)
        return min(a, 0) + min(b, 0)...max(a, 0) + max(b, 0)
    }
}

extension Allocation {
    /// In the cycles, rows and values of `placement`; rows of the image are live from cycle 0 on.
    func placed(_ placement: Placement) -> Allocation {
        let horizon = PlacementIndex.horizon
        func moved(_ cycle: Cycle) -> Int {
            min(max(cycle.index, -horizon), horizon) + placement.start.index
        }
        var allocation = self
        allocation.base = placement.resolve(base) ?? base
        allocation.value = ValueID(value.index + placement.valueBase)
        let upper = max(moved(live.upperBound), 0)
        let lower = isImage ? 0 : min(moved(live.lowerBound), upper)
        allocation.live = Cycle(lower)..<Cycle(upper)
        return allocation
    }
}
