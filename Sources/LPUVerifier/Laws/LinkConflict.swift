import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 9: a link takes one vector an interval a direction, the host port likewise: for an interval
/// a/b any b+1 vectors in a row span at least a cycles, any two at least floor(a/b).
enum LinkConflict: ChipLaw {
    static let law = Law.linkConflict

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for (queue, range) in timeline.queues.enumerated() {
            for i in range where timeline.bursts[i].port != nil { report.count(timeline.bursts[i]) }
            guard timeline.isOrdered[queue] else { continue }
            switch timeline.table.units[queue] {
            case .link(let link):
                // An unwired link is the affair of law 10.
                guard let axis = timeline.table.machine.topology.axis(of: link) else { continue }
                judge(.send, queue, axis.interval, timeline, &report)
            case .host:
                judge(.ingress, queue, timeline.chip.hostInterval, timeline, &report)
                judge(.egress, queue, timeline.chip.hostInterval, timeline, &report)
            case .memory, .alu, .loadWeights, .matmul, .accumulate, .distributor, .transposer,
                .permutor, .shifter:
                continue
            }
        }
    }

    private static func judge(
        _ port: Port, _ queue: Int, _ interval: Rational, _ timeline: ChipTimeline,
        _ report: inout LawReport
    ) {
        let (span, window) = (interval.numerator, interval.denominator)
        let least = span / window
        // The last `window` vectors, as a ring.
        var recent: [Int] = []
        var count = 0
        var issues = IssueCursor(timeline.bursts[timeline.queues[queue]])
        while let issue = issues.next() {
            guard timeline.bursts[issue.burst].port == port else { continue }
            let unit = timeline.table.units[queue]
            if count > 0, issue.cycle - recent[(count - 1) % window] < least {
                let before = recent[(count - 1) % window]
                report.add(
                    chip: timeline.id, unit: unit, cycle: issue.cycle,
                    "\(port.rawValue) \(issue.cycle - before) cycles after the one of @\(before), "
                        + "less than \(least) (interval \(interval))")
            } else if count >= window, issue.cycle - recent[count % window] < span {
                let first = recent[count % window]
                report.add(
                    chip: timeline.id, unit: unit, cycle: issue.cycle,
                    "\(window + 1) of \(port.rawValue) in a row span \(issue.cycle - first) "
                        + "cycles from @\(first) on, less than \(span) (interval \(interval))")
            }
            if count < window {
                recent.append(issue.cycle)
            } else {
                recent[count % window] = issue.cycle
            }
            count += 1
        }
    }
}

/// What crosses the chip's edge, and which way.
enum Port: String {
    case send, receive, ingress, egress
}

extension Burst {
    /// What of the chip's edge the instruction uses; nil for all others.
    var port: Port? {
        switch instruction {
        case .send: .send
        case .receive: .receive
        case .ingress: .ingress
        case .egress: .egress
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select:
            nil
        }
    }
}
