import LPUMachine
import LPUSchedule
import LPUSupport

/// What one law looked at and found, on a chip or on all of them.
struct LawReport: Sendable {
    let law: Law
    /// Violations that are kept: the first ones in their order; all are counted.
    private let limit: Int
    private(set) var scope: Certificate.Scope
    private var kept: [Violation] = []
    private(set) var violationCount = 0

    init(_ law: Law, limit: Int) {
        self.law = law
        self.limit = limit
        scope = Certificate.Scope(law: law, chips: 0, bursts: 0, issues: 0)
    }

    var violations: [Violation] { Array(kept.sorted().prefix(limit)) }

    mutating func countChip() { scope.chips += 1 }

    mutating func count(chips: Int, bursts: Int, issues: Int) {
        scope.chips += chips
        scope.bursts += bursts
        scope.issues += issues
    }

    /// Counts the bursts of queues that the law speaks of.
    mutating func count(_ timeline: ChipTimeline, queues: some Sequence<Int>) {
        for queue in queues {
            count(chips: 0, bursts: timeline.queues[queue].count, issues: timeline.issues[queue])
        }
    }

    /// Counts a burst that the law speaks of.
    mutating func count(_ burst: Burst) {
        scope.bursts += 1
        scope.issues += burst.issueCount
    }

    mutating func add(
        chip: ChipID? = nil, unit: Unit? = nil, cycle: Int? = nil, _ message: String
    ) {
        add(Violation(law, chip: chip, unit: unit, cycle: cycle.map { Cycle($0) }, message))
    }

    mutating func add(_ violation: Violation) {
        violationCount += 1
        keep(violation)
    }

    /// Takes in what the same law found elsewhere.
    mutating func merge(_ other: LawReport) {
        scope.chips += other.scope.chips
        scope.bursts += other.scope.bursts
        scope.issues += other.scope.issues
        violationCount += other.violationCount
        for violation in other.kept { keep(violation) }
    }

    private mutating func keep(_ violation: Violation) {
        kept.append(violation)
        if kept.count >= 2 * max(limit, 64) { kept = violations }
    }
}
