public import LPUSchedule

/// What the verifier says of a schedule.
public struct Verdict: Hashable, Sendable {
    /// Every violation, or the first ones of a law that is broken too often; sorted.
    public var violations: [Violation]
    /// Laws of which `violations` shows only some, in the contract's order, with how many more
    /// there are.
    public var more: [More]
    /// What was checked; nil iff there is a violation.
    public var certificate: Certificate?

    /// Violations of one law beyond those that are shown.
    public struct More: Hashable, Sendable {
        public var law: Law
        public var count: Int
        public init(law: Law, count: Int) {
            self.law = law
            self.count = count
        }
    }

    /// - Requires: `reports` are in the contract's order, one a law.
    init(schedule: Schedule, reports: [LawReport]) {
        violations = reports.flatMap(\.violations).sorted()
        more = reports.compactMap {
            let count = $0.violationCount - $0.violations.count
            return count > 0 ? More(law: $0.law, count: count) : nil
        }
        certificate =
            violations.isEmpty
            ? Certificate(
                machine: schedule.machine, program: schedule.program, scopes: reports.map(\.scope))
            : nil
    }

    public var isAccepted: Bool { certificate != nil }
}

extension Verdict: CustomStringConvertible {
    /// The certificate, or one line a violation and one a law that has more of them.
    public var description: String {
        if let certificate { return certificate.description }
        let lines =
            violations.map(\.description)
            + more.map { "schedule: error: and \($0.count) more [\($0.law.rawValue)]" }
        return lines.joined(separator: "\n")
    }
}
