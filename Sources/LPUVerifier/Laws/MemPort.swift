import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 3: a MEM slice reads once and writes once a cycle, gather and scatter counted, and in
/// different banks; and reads a row when what was written there is to be seen.
enum MemPort: ChipLaw {
    static let law = Law.memPort

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for (queue, range) in timeline.queues.enumerated() {
            guard case .memory = timeline.table.units[queue] else { continue }
            report.count(timeline, queues: [queue])
            // Bursts that may still issue; more than one only where law 1 is broken.
            var active: [Int] = []
            let isOrdered = timeline.isOrdered[queue]
            // One cycle is kept by the banks.
            if isOrdered && timeline.chip.writeToRead > 1 {
                judgeSettling(timeline.bursts[range], timeline, &report)
            }
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

    /// Every read against the writes that a read does not see yet, once a burst. O(issues).
    private static func judgeSettling(
        _ bursts: ArraySlice<Burst>, _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        var recent: [(cycle: Int, seen: Int, bank: Int, rows: Range<Int>)] = []
        var reported: Int?
        var issues = IssueCursor(bursts)
        while let issue = issues.next() {
            recent.removeAll { $0.seen <= issue.cycle }
            let (read, write) = SliceAccess.both(of: bursts[issue.burst].instruction)
            if let read, reported != issue.burst,
                let early = recent.last(where: {
                    $0.bank == read.bank && $0.rows.overlaps(read.rows(step: issue.step))
                })
            {
                reported = issue.burst
                report.add(
                    chip: timeline.id, unit: timeline.unit(bursts[issue.burst]), cycle: issue.cycle,
                    "\(read.verb.rawValue) rows \(early.rows) of bank \(read.bank), which "
                        + "are written in \(Cycle(early.cycle)): a read sees them from "
                        + "\(Cycle(early.seen)) on")
            }
            if let write {
                recent.append(
                    (
                        issue.cycle, issue.cycle + timeline.chip.writeToRead, write.bank,
                        write.rows(step: issue.step)
                    ))
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
