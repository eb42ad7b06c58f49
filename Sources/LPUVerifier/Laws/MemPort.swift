import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 3: a MEM slice reads once and writes once a cycle, gather and scatter counted, and in
/// different banks.
enum MemPort: ChipLaw {
    static let law = Law.memPort

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for (queue, range) in timeline.queues.enumerated() {
            guard case .memory = timeline.table.units[queue] else { continue }
            report.count(timeline, queues: [queue])
            // Bursts that may still issue; more than one only where law 1 is broken.
            var active: [Int] = []
            let isOrdered = timeline.isOrdered[queue]
            for i in range {
                let burst = timeline.bursts[i]
                guard let banks = burst.banks else { continue }
                if let read = banks.read, read == banks.write {
                    report.add(
                        chip: timeline.id, unit: timeline.unit(burst), cycle: burst.start.index,
                        "reads and writes bank \(read) in one cycle")
                }
                if isOrdered { continue }
                active.removeAll { timeline.bursts[$0].lastIssue < burst.start }
                for other in active { judge(timeline.bursts[other], burst, timeline, &report) }
                active.append(i)
            }
        }
    }

    private static func judge(
        _ first: Burst, _ second: Burst, _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        guard let a = first.banks, let b = second.banks,
            let cycle = Progression(first).firstCommon(with: Progression(second))
        else { return }
        var problem: String?
        if let read = a.read ?? b.read, read == (a.write ?? b.write) {
            problem = "a read and a write of bank \(read)"
        }
        if a.write != nil && b.write != nil { problem = "two writes" }
        if a.read != nil && b.read != nil { problem = "two reads" }
        guard let problem else { return }
        report.add(
            chip: timeline.id, unit: timeline.unit(second), cycle: second.start.index,
            "\(problem) in cycle \(cycle), by this burst and the burst of \(first.start)")
    }
}

extension Burst {
    /// The banks that a MEM instruction reads and writes.
    fileprivate var banks: (read: UInt8?, write: UInt8?)? {
        guard case .memory(let read, let write) = instruction else { return nil }
        let readBank: UInt8? =
            switch read {
            case .none: nil
            case .read(let row, _), .gather(let row, _, _, _): row.bank
            }
        let writeBank: UInt8? =
            switch write {
            case .none: nil
            case .write(let row, _), .scatter(let row, _, _, _): row.bank
            }
        return (readBank, writeBank)
    }
}
