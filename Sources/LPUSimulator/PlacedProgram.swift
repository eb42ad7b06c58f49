import LPUMachine
import LPUSchedule
import LPUSupport

/// A burst of a template as one placement uses it on one chip.
struct PlacedBurst {
    var start: Int32
    var placement: Int32
    /// Which chip of the template.
    var member: Int32
    /// Its number among the bursts of that chip of the template.
    var burst: Int32
    var queue: QueueID
}

/// Every burst of one chip, queue by queue in the order of their starts.
struct PlacedProgram {
    private(set) var bursts: [PlacedBurst] = []
    /// The bursts of each queue.
    private(set) var queues: [Range<Int>] = []
    /// The first burst that starts while its queue is held by the one before.
    private(set) var overlap: (cycle: Int, queue: Int)?

    /// Sorts what `append` brought; O(n log n) in bursts.
    mutating func seal(queueCount: Int, schedule: Schedule) {
        bursts.sort {
            ($0.queue.raw, $0.start, $0.placement, $0.burst)
                < ($1.queue.raw, $1.start, $1.placement, $1.burst)
        }
        var position = 0
        queues = (0..<queueCount).map { queue in
            let first = position
            while position < bursts.count && bursts[position].queue.index == queue {
                if position > first { checkOverlap(position, schedule) }
                position += 1
            }
            return first..<position
        }
    }

    mutating func append(_ burst: PlacedBurst) { bursts.append(burst) }

    private mutating func checkOverlap(_ position: Int, _ schedule: Schedule) {
        let (before, this) = (bursts[position - 1], bursts[position])
        let (burst, placement) = schedule.burst(before)
        let last = placement.start.index + burst.lastIssue.index
        guard last >= this.start else { return }
        let found = (cycle: Int(this.start), queue: this.queue.index)
        if let overlap, overlap <= found { return }
        overlap = found
    }
}

extension Schedule {
    /// The burst of a template, and where it is placed.
    func burst(_ placed: PlacedBurst) -> (burst: Burst, placement: Placement) {
        let placement = placements[Int(placed.placement)]
        let chip = templates[placement.template].chips[Int(placed.member)]
        return (chip.bursts[Int(placed.burst)], placement)
    }

    /// The bursts of every chip; the schedule was checked.
    func placedPrograms(chipCount: Int, queueCount: Int) -> [PlacedProgram] {
        var programs = Array(repeating: PlacedProgram(), count: chipCount)
        for (p, placement) in placements.enumerated() {
            for (member, chip) in placement.chips.enumerated() {
                let bursts = templates[placement.template].chips[member].bursts
                for (b, burst) in bursts.enumerated() {
                    programs[chip.index].append(
                        PlacedBurst(
                            start: Int32(placement.start.index + burst.start.index),
                            placement: Int32(p), member: Int32(member), burst: Int32(b),
                            queue: burst.queue))
                }
            }
        }
        for chip in programs.indices {
            programs[chip].seal(queueCount: queueCount, schedule: self)
        }
        return programs
    }
}
