public import LPUDataflow
public import LPUMachine
public import LPUSchedule
import LPUSupport

/// The judge: decides from the execution contract alone whether a schedule is lawful. It trusts
/// no producer and takes every derived field for a claim.
public struct Verifier: Sendable {
    /// Share nothing between chips that are equal; the certificate is the same.
    public var exhaustive: Bool
    /// Threads to work in; the verdict is the same for any number.
    public var threads: Int
    /// Violations of one law that a verdict shows; the others are counted.
    public var violationsPerLaw: Int

    /// - Requires: `threads` is positive, `violationsPerLaw` too.
    public init(exhaustive: Bool = false, threads: Int = 1, violationsPerLaw: Int = 100) {
        precondition(threads > 0 && violationsPerLaw > 0, "a verifier needs a thread and a line")
        self.exhaustive = exhaustive
        self.threads = threads
        self.violationsPerLaw = violationsPerLaw
    }

    /// Judges laws 1-5, 7-11 and 14, which need no dataflow program, for every issue on every chip.
    /// - Requires: the machine has no problems of its own.
    /// - Complexity: O(b log b) a chip in its bursts b, and O(issues) of MXM, links and of ALU
    ///   chains that change their shape; equal chips count once unless `exhaustive`.
    public func verify(machine: Machine, schedule: Schedule) -> Verdict {
        Verdict(schedule: schedule, reports: structuralReports(machine, schedule))
    }

    /// Judges laws 1-14: those above, and by a symbolic run that the schedule does what `program`
    /// says. The program's digest is a claim of the schedule.
    /// - Requires: the machine has no problems of its own, and the program is legal.
    /// - Complexity: as above, and O(issues + chips * cycles in use).
    public func verify(machine: Machine, schedule: Schedule, program: Program) -> Verdict {
        var reports = structuralReports(machine, schedule)
        let digest = program.digest
        let bursts = reports.map(\.scope.bursts).max() ?? 0
        for i in reports.indices where reports[i].law == .claims && schedule.program != digest {
            reports[i].add("is for program '\(schedule.program)', not for '\(digest)'")
        }
        let run = symbolicRun(
            machine: machine, schedule: schedule, program: program, threads: threads)
        for law in [Law.operandTiming, .provenance, .coverage] {
            var report = LawReport(law, limit: violationsPerLaw)
            report.count(chips: machine.chipCount, bursts: bursts, issues: run.issueCount)
            for violation in run.violations where violation.law == law { report.add(violation) }
            reports.append(report)
        }
        return Verdict(schedule: schedule, reports: Self.sorted(reports))
    }

    /// In the contract's order.
    private static func sorted(_ reports: [LawReport]) -> [LawReport] {
        Law.allCases.compactMap { law in reports.first { $0.law == law } }
    }

    /// The reports of the laws that need no dataflow program, in the contract's order.
    func structuralReports(_ machine: Machine, _ schedule: Schedule) -> [LawReport] {
        let table = UnitTable(machine)
        let index = PlacementIndex(schedule, on: machine)
        let chips = 0..<machine.chipCount
        let representatives = exhaustive ? Array(chips) : index.representatives(schedule)
        let judged = chips.filter { representatives[$0] == $0 }
        let judgements = concurrentMap(count: judged.count, threads: threads) {
            judge(ChipTimeline(ChipID(judged[$0]), schedule, index, table))
        }
        var position = Array(repeating: 0, count: machine.chipCount)
        for (i, chip) in judged.enumerated() { position[chip] = i }
        let ofChip = representatives.map { judgements[position[$0]] }

        var reports = chipLaws.map { LawReport($0.law, limit: violationsPerLaw) }
        for chip in chips {
            for law in reports.indices {
                reports[law].merge(ofChip[chip].reports[law].moved(to: ChipID(chip)))
            }
        }
        if let law = reports.firstIndex(where: { $0.law == .addressRange }) {
            for problem in index.problems { reports[law].add(problem) }
        }
        reports.append(linkPath(machine, ofChip.map(\.traffic)))
        var claims = LawReport(.claims, limit: violationsPerLaw)
        let isSound = reports.allSatisfy { $0.violationCount == 0 }
        ClaimsLaw.judge(schedule, machine, ofChip.map(\.work), isSound: isSound, &claims)
        reports.append(claims)
        return Self.sorted(reports)
    }

    /// What is found on one chip by itself, and what it adds to the laws on all of them.
    private struct Judgement: Sendable {
        var reports: [LawReport]
        var traffic: LinkTraffic
        var work: ClaimedWork
    }

    private func judge(_ timeline: ChipTimeline) -> Judgement {
        let reports = chipLaws.map { law in
            var report = LawReport(law.law, limit: violationsPerLaw)
            report.countChip()
            law.judge(timeline, &report)
            return report
        }
        return Judgement(
            reports: reports, traffic: LinkTraffic(timeline), work: ClaimedWork(timeline))
    }

    private func linkPath(_ machine: Machine, _ traffic: [LinkTraffic]) -> LawReport {
        let reports = concurrentMap(count: machine.chipCount, threads: threads) { chip in
            var report = LawReport(.linkPath, limit: violationsPerLaw)
            LinkPath.judge(ChipID(chip), traffic, machine, &report)
            return report
        }
        var all = LawReport(.linkPath, limit: violationsPerLaw)
        for report in reports { all.merge(report) }
        return all
    }
}
