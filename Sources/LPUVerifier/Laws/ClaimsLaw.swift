import LPUMachine
import LPUSchedule
import LPUSupport

/// What one chip adds to the counts that the schedule claims.
struct ClaimedWork: Sendable {
    /// `false` iff there are bursts whose cycles cannot be (law 1).
    var isCountable: Bool
    var bursts: Int
    var issues: Int
    /// The cycle after the last issue.
    var end: Int

    init(_ timeline: ChipTimeline) {
        isCountable = timeline.strays.isEmpty
        bursts = timeline.bursts.count
        issues = timeline.issues.reduce(0, +)
        end = zip(timeline.queues, timeline.isOrdered).reduce(0) { end, queue in
            // Of a queue in order the last burst ends last.
            timeline.bursts[queue.1 ? queue.0.suffix(1) : queue.0].reduce(end) {
                max($0, $1.lastIssue.index + 1)
            }
        }
    }
}

/// Law 14: the schedule is for this machine; its length, its counts and, where it claims one, its
/// digest are what they are.
enum ClaimsLaw {
    static func judge(
        _ schedule: Schedule, _ machine: Machine, _ work: [ClaimedWork], isSound: Bool,
        _ report: inout LawReport
    ) {
        let bursts = work.reduce(0) { $0 + $1.bursts }
        let issues = work.reduce(0) { $0 + $1.issues }
        let length = work.map(\.end).max() ?? 0
        report.count(chips: work.count, bursts: bursts, issues: issues)
        if schedule.machine != machine.name {
            report.add("is for machine '\(schedule.machine)', not for '\(machine.name)'")
        }
        guard work.allSatisfy(\.isCountable) else { return }
        let claims = schedule.claims
        for (name, claimed, found) in [
            ("length", claims.length.count, length), ("bursts", claims.burstCount, bursts),
            ("issues", claims.issueCount, issues),
        ] where claimed != found {
            report.add("claims \(name) \(claimed), there are \(found)")
        }
        // Only a schedule whose names exist has a text, and so a digest.
        if isSound, let claimed = claims.digest {
            if let problem = schedule.nameProblem {
                return report.add("claims a digest, but has no text: \(problem)")
            }
            let digest = schedule.digest(on: machine)
            if claimed != digest { report.add("claims digest \(claimed), it is \(digest)") }
        }
    }
}
