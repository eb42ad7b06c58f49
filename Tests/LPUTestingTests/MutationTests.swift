import Foundation
import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
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
        var name: String
        var program: Program
        var schedule: Schedule
        var machine: Machine
        /// How what a mutant gives differs, for three fillings of the weights.
        var differences: (Schedule) throws -> [String]
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
        let perKind = isLong ? 600 : 20
        let originals = try self.originals(count: isLong ? 64 : 8, machine: groqchip, chips: 1)
        let linked = try self.originals(
            count: isLong ? 16 : 3, machine: Machine.preset(named: "node8")!, chips: 2)
        let model = [try compiledModel()]
        var (table, ofModel) = (MutationTable(), MutationTable())
        for mutation in Mutation.allCases {
            let isOfLinks =
                switch mutation {
                case .swappedTransfers, .reroutedTransfer, .lateTransfer: true
                case .laterIssue, .earlierIssue, .changedStream, .changedRow, .flippedBank,
                    .droppedInstruction, .doubledInstruction, .swappedOperands, .changedLaneMap,
                    .swappedWeights, .shortenedLife, .copiedRegion, .flippedAccumulate,
                    .changedActivation, .replacedOperation, .changedImmediate, .movedWindow:
                    false
                }
            try tryAll(mutation, perKind, isOfLinks ? linked : originals, &table)
            try tryAll(mutation, isLong ? 30 : 1, model, &ofModel)
        }
        let text = """
            One-chip random programs, of links two-chip ones, list and random schedules
            \(table)

            tiny-llama on two chips
            \(ofModel)
            """
        print(text)
        if let path = ProcessInfo.processInfo.environment["LPUC_MUTANTS"] {
            try Data((text + "\n").utf8).write(to: URL(filePath: path))
        }
    }

    /// Makes mutants of one kind, judges them, and runs the survivors.
    private func tryAll(
        _ mutation: Mutation, _ count: Int, _ parents: [Original], _ table: inout MutationTable
    ) throws {
        var trials = self.trials(of: mutation, count, parents)
        #expect(trials.count == count, "\(mutation) applies to too few schedules")
        judge(&trials, parents)
        for trial in trials {
            table.count(trial.mutation, laws: trial.laws)
            guard trial.laws.isEmpty else { continue }
            let parent = parents[trial.original]
            let differences = try parent.differences(trial.mutant)
            #expect(
                differences.isEmpty,
                "\(mutation), mutant \(trial.seed) of \(parent.name): \(differences)")
            print(
                "survivor:", mutation, "mutant", trial.seed, "of", parent.name,
                change(trial, parent))
        }
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
            originals.append(
                Original(
                    name: "program \(seed)", program: program, schedule: schedule,
                    machine: machine
                ) { mutant in
                    try Self.differences(mutant, random, machine)
                })
        }
        return originals
    }

    /// A row that nothing reads may hold anything.
    private static func differences(
        _ mutant: Schedule, _ random: RandomProgram, _ machine: Machine
    ) throws -> [String] {
        var result: [String] = []
        for draw in UInt64(0)..<3 {
            var pair = try SideBySide(
                mutant, of: random.program, on: machine, images: random.images(draw: draw))
            result += try pair.differences(ingress: random.ingress(draw: draw), in: .outcome)
        }
        return Array(result.prefix(4))
    }

    /// A whole decode step over links.
    private func compiledModel() throws -> Original {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Graphs/tiny-llama.json")
        let model = try ModelConfiguration(
            huggingFace: [UInt8](Data(contentsOf: file)), file: "tiny-llama.json")
        let machine = try #require(Machine.preset(named: "node8"))
        let compilation = try Compiler(machine: machine)
            .compile(model, plan: Plan(context: 16, tensorParallel: 2))
        #expect(compilation.verdict?.isAccepted == true)
        return Original(
            name: "tiny-llama", program: compilation.program, schedule: compilation.schedule,
            machine: machine
        ) { mutant in
            try (0..<3).flatMap { draw in
                let expected = try Self.tokens(compilation, draw)
                var other = compilation
                other.schedule = mutant
                let found = try Self.tokens(other, draw)
                return expected == found ? [] : ["\(found) instead of \(expected)"]
            }
        }
    }

    /// What eight steps give with one filling of the weights: later ones read the caches of others.
    private static func tokens(_ compilation: Compilation, _ draw: Int) throws -> [Int] {
        let weights = DrawnWeights(ModelGraph(compilation.model).weights, draw)
        var decoder = try LPUCompiler.Decoder(compilation, image: try compilation.load(weights))
        return try (0..<8).map { try decoder.step(17 + 31 * draw + 5 * $0).next }
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
        let judged = originals.map { (program: $0.program, machine: $0.machine) }
        let laws = concurrentMap(count: input.count, threads: 2) { i in
            let original = judged[input[i].original]
            return brokenLaws(input[i].mutant, original.program, on: original.machine)
        }
        for i in trials.indices { trials[i].laws = laws[i] }
    }

    /// The lines that the original or the mutant has alone; a burst's template, chip and unit are
    /// written out.
    private func change(_ trial: Trial, _ original: Original) -> [String] {
        func lines(_ schedule: Schedule) -> [String] {
            var plain = schedule
            for t in plain.templates.indices {
                for c in plain.templates[t].chips.indices {
                    for b in plain.templates[t].chips[c].bursts.indices {
                        plain.templates[t].chips[c].bursts[b].op = nil
                    }
                }
            }
            let text = String(decoding: plain.text(on: original.machine), as: UTF8.self)
            var (template, chip, unit) = ("", "", "")
            return text.split(separator: "\n").filter { !$0.hasPrefix("claims") }.map { line in
                var words = line.split(separator: " ").map(String.init)
                if words[0] == "template" { template = words[1] }
                if words[0] == "chip" { chip = words[1] }
                guard words[0].hasPrefix("@") else { return String(line) }
                if ["mem.", "mxm.", "sxm.", "alu", "link", "host"].contains(
                    where: words[1].hasPrefix)
                {
                    unit = words[1]
                } else {
                    words.insert(unit, at: 1)
                }
                return words.joined(separator: " ") + " of \(template) chip \(chip)"
            }
        }
        let (before, after) = (lines(original.schedule), lines(trial.mutant))
        let (old, new) = (Set(before), Set(after))
        return
            (before.filter { !new.contains($0) }.map { "-" + $0 }
            + after.filter { !old.contains($0) }.map { "+" + $0 })
            .map { String($0.prefix(100)) }
    }
}

/// One of many fillings of a model's weights.
private struct DrawnWeights: WeightSource {
    private let weights: HashedWeights
    private let prefix: String

    init(_ tensors: [WeightTensor], _ draw: Int) {
        let prefix = "draw\(draw)."
        self.prefix = prefix
        weights = HashedWeights(
            tensors.map { WeightTensor(prefix + $0.name, shape: $0.shape) })
    }

    func shape(of tensor: String) -> [Int]? { weights.shape(of: prefix + tensor) }

    func readRow(_ index: Int, of tensor: String, into row: inout [Float]) {
        weights.readRow(index, of: prefix + tensor, into: &row)
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
