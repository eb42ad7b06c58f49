import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 5: every allocation is in rows of the chip, and all rows that are ever allocated fit
/// beside the program text.
enum SRAMCapacity: ChipLaw {
    static let law = Law.sramCapacity

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for i in timeline.allocations.indices where !timeline.isInRows[i] {
            let allocation = timeline.allocations[i]
            guard let problem = timeline.problem(allocation) else { continue }
            report.add(
                chip: timeline.id,
                unit: .memory(allocation.hemisphere, slice: Int(allocation.slice)),
                cycle: allocation.live.lowerBound.index, "\(allocation.value): \(problem)")
        }
        report.count(timeline, queues: timeline.queues.indices)
        let demand = timeline.demand
        if demand.rows > demand.capacity {
            report.add(
                chip: timeline.id,
                "demand is \(demand.rows) rows (memory image \(demand.image), working values "
                    + "\(demand.working), program text \(demand.text)), capacity "
                    + "\(demand.capacity), \(demand.rows - demand.capacity) too "
                    + "little; take more chips, fewer users or a shorter context")
        }
    }
}

/// Rows that one chip needs for all it does.
struct SRAMDemand: Sendable {
    let image: Int
    let working: Int
    let capacity: Int
    /// Instructions of program text, those apart that the wait before a queue's first one takes.
    private let instructions: Int
    private var firstStarts: [Int]
    private let chip: Chip

    /// Of a chip that does nothing.
    init(on chip: Chip) {
        (image, working, capacity) = (0, 0, chip.rowCount)
        (instructions, firstStarts) = (0, [])
        self.chip = chip
    }

    init(_ timeline: ChipTimeline) {
        chip = timeline.chip
        var (all, images) = (RowSet(count: chip.rowCount), RowSet(count: chip.rowCount))
        for i in timeline.allocations.indices where timeline.isInRows[i] {
            let rows = timeline.allocations[i].rows(on: chip)
            all.insert(rows)
            if timeline.allocations[i].isImage { images.insert(rows) }
        }
        image = images.count
        working = all.count - image
        capacity = chip.rowCount
        var count = timeline.strays.count
        var starts: [Int] = []
        for queue in timeline.queues where !queue.isEmpty {
            starts.append(timeline.bursts[queue.lowerBound].start.index)
            var free = timeline.bursts[queue.lowerBound].start.index
            for i in queue {
                let burst = timeline.bursts[i]
                count += 1 + Self.waits(burst.start.index - free, timeline.chip)
                free = burst.lastIssue.index + 1
            }
        }
        instructions = count
        firstStarts = starts
    }

    var rows: Int { image + working + text }

    /// Rows of program text: an instruction a burst, and one more wherever the wait before it is
    /// longer than its field.
    var text: Int {
        let all = firstStarts.reduce(instructions) { $0 + Self.waits($1, chip) }
        return (all * chip.instructionBytes + chip.lanes - 1) / chip.lanes
    }

    /// All of it so many cycles later.
    mutating func delay(_ delay: Int) {
        for i in firstStarts.indices { firstStarts[i] += delay }
    }

    /// Instructions that a wait takes beyond the field of the one it is before.
    private static func waits(_ wait: Int, _ chip: Chip) -> Int {
        max(0, wait - 1) / chip.maxWait
    }
}

extension Allocation {
    var rowRange: Range<Int> { Int(base.row)..<Int(base.row) + Int(rows) }
}

extension ChipTimeline {
    /// Why the rows of `allocation` are not rows of the chip; nil if they are.
    func problem(_ allocation: Allocation) -> String? {
        let base = allocation.base
        if base.slot > 0 { return "row slot \(base.slot) is not given by the placement" }
        if allocation.rows < 1 || allocation.run < 1 {
            return "\(allocation.rows) rows in runs of \(allocation.run), less than 1"
        }
        if allocation.slice >= chip.memSlicesPerHemisphere {
            return "slice \(allocation.slice) is named, a side has \(chip.memSlicesPerHemisphere)"
        }
        if base.bank >= chip.banksPerSlice {
            return "bank \(base.bank) is named, a slice has \(chip.banksPerSlice)"
        }
        let end = Int(base.row) + Int(allocation.rows)
        return base.row >= 0 && end <= chip.rowsPerBank
            ? nil : "rows \(base.row)..<\(end) are named, a bank has 0..<\(chip.rowsPerBank)"
    }
}
