import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 5: every allocation is in rows of the chip, and all rows that are ever allocated fit
/// beside the program text.
enum SRAMCapacity: ChipLaw {
    static let law = Law.sramCapacity

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        let chip = timeline.chip
        for allocation in timeline.allocations {
            guard let problem = timeline.problem(allocation) else { continue }
            report.add(
                chip: timeline.id,
                unit: .memory(allocation.hemisphere, slice: Int(allocation.slice)),
                cycle: allocation.live.lowerBound.index, "\(allocation.value): \(problem)")
        }
        let sound = timeline.allocations.filter { timeline.problem($0) == nil }
        let image = rowCount(sound.filter(\.isImage))
        let working = rowCount(sound) - image
        let text = textRows(timeline, &report)
        let capacity = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice * chip.rowsPerBank
        let demand = image + working + text
        if demand > capacity {
            report.add(
                chip: timeline.id,
                "demand is \(demand) rows (memory image \(image), working values \(working), "
                    + "program text \(text)), capacity \(capacity), \(demand - capacity) too "
                    + "little; take more chips, fewer users or a shorter context")
        }
    }

    /// Rows that the allocations take, each once.
    private static func rowCount(_ allocations: [Allocation]) -> Int {
        let spans = allocations.map { (bank: $0.bankKey, rows: $0.rowRange) }
            .sorted { ($0.bank, $0.rows.lowerBound) < ($1.bank, $1.rows.lowerBound) }
        var count = 0
        var (bank, end) = (-1, 0)
        for span in spans {
            if span.bank != bank { (bank, end) = (span.bank, 0) }
            count += max(0, span.rows.upperBound - max(end, span.rows.lowerBound))
            end = max(end, span.rows.upperBound)
        }
        return count
    }

    /// Rows of program text: an instruction a burst, and one more wherever the wait before it is
    /// longer than its field.
    private static func textRows(_ timeline: ChipTimeline, _ report: inout LawReport) -> Int {
        var instructions = timeline.strays.count
        for queue in timeline.queues {
            var free = 0
            for i in queue {
                let burst = timeline.bursts[i]
                report.count(burst)
                let wait = max(0, burst.start.index - free)
                instructions += 1 + max(0, wait - 1) / timeline.chip.maxWait
                free = burst.lastIssue.index + 1
            }
        }
        let lanes = timeline.chip.lanes
        return (instructions * timeline.chip.instructionBytes + lanes - 1) / lanes
    }
}

extension Allocation {
    /// A number for its slice's bank, for sorting.
    fileprivate var bankKey: Int {
        (Int(hemisphere.rawValue) << 8 | Int(slice)) << 8 | Int(base.bank)
    }

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
