import LPUMachine
import LPUSchedule
import LPUSupport

/// What one chip adds to the schedule's claims.
struct ClaimedWork: Sendable {
    var bursts: Int
    var issues: Int
    var firstIngress: Int?
    /// The cycle after the last issue.
    var end: Int

    init(_ timeline: ChipTimeline) {
        bursts = timeline.bursts.count + timeline.strays.count
        issues = timeline.bursts.reduce(0) { $0 + $1.issueCount }
        end = timeline.bursts.reduce(0) { max($0, $1.lastIssue.index + 1) }
        let host = timeline.queues[timeline.chip.queue(of: .host).index]
        firstIngress = timeline.bursts[host].first { $0.port == .ingress }?.start.index
    }
}

/// Law 14: the schedule is for this machine; its length and counts are what they are.
enum ClaimsLaw {
    static func judge(
        _ schedule: Schedule, _ machine: Machine, _ work: [ClaimedWork], _ report: inout LawReport
    ) {
        let bursts = work.reduce(0) { $0 + $1.bursts }
        let issues = work.reduce(0) { $0 + $1.issues }
        let begin = work.compactMap(\.firstIngress).min() ?? 0
        let length = max(0, (work.map(\.end).max() ?? 0) - begin)
        report.count(chips: work.count, bursts: bursts, issues: issues)
        if schedule.machine != machine.name {
            report.add("is for machine '\(schedule.machine)', not for '\(machine.name)'")
        }
        let claims = schedule.claims
        for (name, claimed, found) in [
            ("length", claims.length.count, length), ("bursts", claims.burstCount, bursts),
            ("issues", claims.issueCount, issues),
        ] where claimed != found {
            report.add("claims \(name) \(claimed), there are \(found)")
        }
    }
}
