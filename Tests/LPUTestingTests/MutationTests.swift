import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUTesting
import LPUVerifier
import Testing

/// Breaks lawful schedules one way each: every mutant is refused by a law, or gives equal bytes.
@Suite struct MutationTests {
    /// A lawful schedule that mutants are made of.
    struct Original {
        var random: RandomProgram
        var schedule: Schedule
        var machine: Machine
    }

    /// A mutant and the laws that refuse it.
    struct Trial {
        var original: Int
        var mutation: Mutation
        var mutant: Schedule
        var seed: UInt64
        var laws: [Law] = []
    }

    @Test func `every mutant is refused or gives equal bytes`() throws {
        let perKind = isLong ? 640 : 20
        let originals = try self.originals(count: isLong ? 64 : 8, machine: groqchip, chips: 1)
        let linked = try self.originals(
            count: isLong ? 16 : 3, machine: Machine.preset(named: "node8")!, chips: 2)
        var table = MutationTable()
        for mutation in Mutation.allCases {
            let parents = mutation == .swappedTransfers ? linked : originals
            var trials = self.trials(of: mutation, perKind, parents)
            #expect(trials.count == perKind, "\(mutation) applies to too few schedules")
            judge(&trials, parents)
            for trial in trials {
                table.count(trial.mutation, laws: trial.laws)
                guard trial.laws.isEmpty else { continue }
                let differences = try self.differences(trial, parents[trial.original])
                #expect(
                    differences.isEmpty,
                    "\(mutation), mutant \(trial.seed) of \(parents[trial.original].random.seed)")
                print(
                    "survivor:", mutation, "mutant", trial.seed, "of program",
                    parents[trial.original].random.seed, change(trial, parents[trial.original]))
            }
        }
        print(table)
    }

    /// Lawful schedules of the first random programs, list and random in turn.
    private func originals(count: Int, machine: Machine, chips: Int) throws -> [Original] {
        var originals: [Original] = []
        var seed: UInt64 = 1_000
        while originals.count < count {
            seed += 1
            let random = RandomProgram(seed: seed, chips: chips, opCount: 6...12)
            let program = random.program
            let strategy: Strategy = seed % 2 == 0 ? .list : .random(seed: seed)
            guard
                let schedule = try? LPUScheduler.schedule(
                    program, digest: program.digest, for: machine, strategy: strategy),
                brokenLaws(schedule, program, on: machine).isEmpty
            else { continue }
            originals.append(Original(random: random, schedule: schedule, machine: machine))
        }
        return originals
    }

    private func trials(
        of mutation: Mutation, _ count: Int, _ originals: [Original]
    ) -> [Trial] {
        var trials: [Trial] = []
        var seed: UInt64 = 0
        while trials.count < count && seed < UInt64(20 * count) {
            let original = Int(seed) % originals.count
            var random = SeededGenerator(seed: seed)
            if let mutant = mutation.mutant(
                of: originals[original].schedule, on: originals[original].machine, using: &random)
            {
                trials.append(
                    Trial(original: original, mutation: mutation, mutant: mutant, seed: seed))
            }
            seed += 1
        }
        return trials
    }

    private func judge(_ trials: inout [Trial], _ originals: [Original]) {
        let input = trials
        let laws = concurrentMap(count: input.count, threads: 2) { i in
            let original = originals[input[i].original]
            return brokenLaws(input[i].mutant, original.random.program, on: original.machine)
        }
        for i in trials.indices { trials[i].laws = laws[i] }
    }

    /// How a survivor's outcome differs, for three fillings of the weights. A row that nothing
    /// reads may hold anything.
    private func differences(_ trial: Trial, _ original: Original) throws -> [String] {
        var result: [String] = []
        for draw in UInt64(0)..<3 {
            var pair = try SideBySide(
                trial.mutant, of: original.random.program, on: original.machine,
                images: original.random.images(draw: draw))
            result += try pair.differences(
                ingress: original.random.ingress(draw: draw), in: .outcome)
        }
        return Array(result.prefix(4))
    }

    /// The lines that the mutant has and the original has not.
    private func change(_ trial: Trial, _ original: Original) -> [String] {
        func lines(_ schedule: Schedule) -> [Substring] {
            var plain = schedule
            for c in plain.templates[0].chips.indices {
                for b in plain.templates[0].chips[c].bursts.indices {
                    plain.templates[0].chips[c].bursts[b].op = nil
                }
            }
            return String(decoding: plain.text(on: original.machine), as: UTF8.self)
                .split(separator: "\n")
        }
        let before = lines(original.schedule)
        let after = lines(trial.mutant)
        return
            (before.filter { !after.contains($0) }.map { "-" + $0 }
            + after.filter { !before.contains($0) }.map { "+" + $0 })
            .map { String($0.prefix(100)) }
    }
}

/// The laws that refuse a schedule, each once, in the contract's order. Claims do not count: a
/// mutant counts them anew.
func brokenLaws(_ schedule: Schedule, _ program: Program, on machine: Machine) -> [Law] {
    let violations =
        Verifier().verify(machine: machine, schedule: schedule).violations
        + symbolicRun(machine: machine, schedule: schedule, program: program).violations
    return Law.allCases.filter { law in
        law != .claims && violations.contains { $0.law == law }
    }
}
