public import LPUDataflow
public import LPUMachine
public import LPUSchedule
import LPUSupport

/// The judge: decides from the execution contract alone whether a schedule is lawful. It trusts
/// no producer and takes every derived field for a claim.
public struct Verifier: Sendable {
    /// Share nothing between chips and placements that are equal; the verdict is the same.
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

    /// Judges laws 1-5, 7-11 and 14, and 15 where an interval is claimed, which need no dataflow
    /// program, for every issue on every chip.
    /// - Requires: the machine has no problems of its own.
    /// - Complexity: O(b log b) a chip in its bursts b, and O(issues) of MXM, links and of ALU
    ///   chains that change their shape; equal chips count once, also later, unless `exhaustive`.
    public func verify(machine: Machine, schedule: Schedule) -> Verdict {
        Verdict(
            schedule: schedule,
            reports: overload(machine, schedule) ?? structuralReports(machine, schedule))
    }

    /// Judges laws 1-15: those above, and by a symbolic run that the schedule does what `program`
    /// says. The program's digest is a claim of the schedule.
    /// - Requires: the machine has no problems of its own, and the program is legal.
    /// - Complexity: as above, and O(issues + chips * cycles in use); equal placements count once,
    ///   and their values and rows that change each time, unless `exhaustive`.
    public func verify(machine: Machine, schedule: Schedule, program: Program) -> Verdict {
        Verdict(schedule: schedule, reports: reports(machine, schedule, program))
    }

    /// The reports of laws 1-15, in the contract's order.
    func reports(_ machine: Machine, _ schedule: Schedule, _ program: Program) -> [LawReport] {
        if let overload = overload(machine, schedule) { return overload }
        // What the others need of the program, and the laws that need no program: last what can be
        // dealt out to a thread that is done with something else.
        var ((flat, digest), reports) = concurrently(threads: threads) {
            (SymbolicProgram(program), program.digest)
        } _: {
            structuralReports(machine, schedule, users: program.users)
        }
        let bursts = reports.map(\.scope.bursts).max() ?? 0
        for i in reports.indices where reports[i].law == .claims && schedule.program != digest {
            reports[i].add("is for program '\(schedule.program)', not for '\(digest)'")
        }
        let chip = machine.chip
        for i in reports.indices
        where reports[i].law == .claims
            && (program.lanes, program.lanesPerSuperlane) != (chip.lanes, chip.lanesPerSuperlane)
        {
            reports[i].add(
                "its program has \(program.lanes) lanes in superlanes of "
                    + "\(program.lanesPerSuperlane), '\(machine.name)' \(chip.lanes) of "
                    + "\(chip.lanesPerSuperlane)")
        }
        let isLawful = reports.allSatisfy { $0.violationCount == 0 }
        let run = symbolicRun(
            machine: machine, schedule: schedule, flat, threads: threads,
            isLawful: isLawful, isShared: !exhaustive)
        for law in [Law.operandTiming, .provenance, .coverage] {
            var report = LawReport(law, limit: violationsPerLaw)
            report.count(chips: machine.chipCount, bursts: bursts, issues: run.issueCount)
            for violation in run.violations where violation.law == law { report.add(violation) }
            reports.append(report)
        }
        return Self.sorted(reports)
    }

    /// In the contract's order.
    private static func sorted(_ reports: [LawReport]) -> [LawReport] {
        Law.allCases.compactMap { law in reports.first { $0.law == law } }
    }

    /// What is reported of a schedule that has more issues than can be followed; nil of others.
    private func overload(_ machine: Machine, _ schedule: Schedule) -> [LawReport]? {
        guard let chip = PlacementIndex(schedule, on: machine).overload(schedule) else {
            return nil
        }
        var report = LawReport(.claims, limit: violationsPerLaw)
        report.add(
            chip: chip,
            "issues more than \(PlacementIndex.maximumIssues) instructions in a step: nothing else "
                + "is judged")
        return [report]
    }

    /// The reports of the laws that need no dataflow program, in the contract's order.
    func structuralReports(
        _ machine: Machine, _ schedule: Schedule, users: Int? = nil
    ) -> [LawReport] {
        let table = UnitTable(machine)
        let index = PlacementIndex(schedule, on: machine)
        let chips = 0..<machine.chipCount
        let ofChip = judgements(schedule, index, table)

        var reports = chipLaws.map { LawReport($0.law, limit: violationsPerLaw) }
        for chip in chips {
            for law in reports.indices {
                reports[law].merge(ofChip[chip].reports[law])
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
        if schedule.interval != nil {
            var folded = LawReport(.intervalFolded, limit: violationsPerLaw)
            if reports.allSatisfy({ $0.violationCount == 0 }) {
                IntervalFolded.judge(
                    machine, schedule, index, users: users, exhaustive: exhaustive, &folded)
            }
            reports.append(folded)
        }
        return Self.sorted(reports)
    }

    /// Chip by chip. One that does what another does later is not judged again where that one is
    /// without fault, and its text, in which alone the first wait counts, fits here too.
    private func judgements(
        _ schedule: Schedule, _ index: PlacementIndex, _ table: UnitTable
    ) -> [Judgement] {
        let chips = Array(0..<table.machine.chipCount)
        func judged(_ chips: [Int]) -> [Judgement] {
            concurrentMap(count: chips.count, threads: threads) {
                judge(ChipTimeline(ChipID(chips[$0]), schedule, index, table))
            }
        }
        if exhaustive { return judged(chips) }
        let representatives = index.representatives(schedule)
        let originals = chips.filter { representatives[$0].chip == $0 }
        var found: [Judgement?] = chips.map { _ in nil }
        for (chip, judgement) in zip(originals, judged(originals)) { found[chip] = judgement }
        for chip in chips where representatives[chip].chip != chip {
            found[chip] = found[representatives[chip].chip]?.delayed(representatives[chip].delay)
        }
        let others = chips.filter { found[$0] == nil }
        for (chip, judgement) in zip(others, judged(others)) { found[chip] = judgement }
        return found.compactMap(\.self)
    }

    /// What is found on one chip by itself, and what it adds to the laws on all of them.
    private struct Judgement: Sendable {
        var reports: [LawReport]
        var traffic: LinkTraffic
        var work: ClaimedWork
        var demand: SRAMDemand

        /// Of a chip that does the same so many cycles later; nil if that must be judged anew.
        func delayed(_ delay: Int) -> Judgement? {
            guard reports.allSatisfy({ $0.violationCount == 0 }) else { return nil }
            var other = self
            other.demand.delay(delay)
            guard other.demand.rows <= other.demand.capacity else { return nil }
            other.traffic.delay(delay)
            other.work.end += delay
            return other
        }
    }

    private func judge(_ timeline: ChipTimeline) -> Judgement {
        let reports = chipLaws.map { law in
            var report = LawReport(law.law, limit: violationsPerLaw)
            report.countChip()
            law.judge(timeline, &report)
            return report
        }
        return Judgement(
            reports: reports, traffic: LinkTraffic(timeline), work: ClaimedWork(timeline),
            demand: timeline.demand)
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
