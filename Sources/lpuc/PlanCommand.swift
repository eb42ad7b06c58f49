import ArgumentParser
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "List the plans of a model that fit a machine, the best first.",
        discussion: """
            Lengths are estimates: they rank plans. The bound is below every schedule. A star marks \
            plans that no other one beats in both length and interval.
            """)

    /// Types that weights and caches may rest in.
    enum StoredType: String, ExpressibleByArgument, CaseIterable {
        case fp16, fp8
        var type: ElementType { self == .fp16 ? .fp16 : .fp8 }
    }

    @Argument(help: "The model's config.json, in the Hugging Face spelling.")
    var config: String

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @Option(
        help: "Token positions in the KV cache. (default: 128, or all the model has)")
    var context: Int?

    @Option(help: "The type that weights rest in.")
    var weights = StoredType.fp16

    @Option(help: "The type that keys and values rest in.")
    var kv = StoredType.fp16

    @Option(name: .customLong("tp"), help: "Chips that share every layer. (default: all that fit)")
    var tensorParallel: Int?

    @Option(name: .customLong("pp"), help: "Stages of chips. (default: all that fit)")
    var pipelineStages: Int?

    @OptionGroup var choice: ChoiceOptions

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    func run() throws {
        let model = try ModelConfiguration(huggingFace: readFile(config), file: config)
        let machine = try choice.resized(lpuc.machine(named: self.machine))
        let request = PlanRequest(
            context: context ?? min(128, model.maximumPositions), weightType: weights.type,
            kvType: kv.type, tensorParallel: tensorParallel, pipelineStages: pipelineStages,
            objective: choice.objective)
        let candidates = try enumeratePlans(model, on: machine, request)
        switch format {
        case .text:
            let lines = PlanTable(candidates, on: machine).lines
            Console.print(lines.joined(separator: "\n") + "\n")
        case .json: try Console.print(json: candidates.map { PlanRow($0, on: machine) })
        }
    }
}

/// How the planner chooses, where a plan is left to it.
struct ChoiceOptions: ParsableArguments {
    @Option(help: "As if the machine had so many chips, its last axis shorter or longer.")
    var chips: Int?

    @Option(name: .customLong("objective"), help: "What the best plan has least of.")
    private var least = Objective.length

    private enum Objective: String, ExpressibleByArgument, CaseIterable {
        case length, interval
    }

    var objective: PlanRequest.Objective {
        switch least {
        case .length: .length
        case .interval: .interval
        }
    }

    /// - Throws: `chips-unwired` where the machine cannot have so many.
    func resized(_ machine: Machine) throws(DiagnosticSet) -> Machine {
        guard let chips else { return machine }
        if let resized = machine.resized(chips: chips) { return resized }
        let unit = machine.chipsPerUnit
        let near = max(1, (chips + unit - 1) / unit) * unit
        throw DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place("--chips"), id: "chips-unwired",
                machine.topology.axes.isEmpty
                    ? "\(machine.name) is one chip without links: take another machine"
                    : "\(machine.name) has no \(chips) chips, it grows by \(unit): try \(near)"))
    }
}

/// The figures of a plan that fits.
struct PlanRow: Encodable {
    var tensorParallel: Int
    var pipelineStages: Int
    var chips: Int
    var lengthCycles: Int
    var intervalCycles: Int
    var nanoseconds: Int
    var tokensPerSecondPerUser: Int
    var tokensPerSecond: Int
    var users: Int
    var sramBytes: Int
    /// Tenths of a percent.
    var sramPerMille: Int
    var boundCycles: Int
    var boundChainCycles: Int
    var boundStreamCycles: Int
    var isParetoOptimal: Bool

    init(_ candidate: Candidate, on machine: Machine) {
        let chip = machine.chip
        let estimate = candidate.estimate
        let hertz = chip.clockMegahertz * 1_000_000
        tensorParallel = candidate.plan.tensorParallel
        pipelineStages = candidate.plan.pipelineStages
        chips = candidate.chips
        lengthCycles = estimate.length
        intervalCycles = estimate.interval
        nanoseconds = estimate.length * 1000 / chip.clockMegahertz
        tokensPerSecondPerUser = hertz / max(1, estimate.length)
        tokensPerSecond = hertz / max(1, estimate.interval)
        users = candidate.users
        sramBytes = candidate.demand.total
        sramPerMille = candidate.demand.total * 1000 / max(1, chip.sramBytes)
        boundCycles = candidate.bound.cycles
        boundChainCycles = candidate.bound.chain
        boundStreamCycles = candidate.bound.stream
        isParetoOptimal = candidate.isParetoOptimal
    }
}

/// Plans as a table, the columns wide enough for the widest entry.
struct PlanTable {
    private let rows: [PlanRow]

    init(_ candidates: [Candidate], on machine: Machine) {
        rows = candidates.map { PlanRow($0, on: machine) }
    }

    private static let titles = [
        "", "tp", "pp", "chips", "length", "interval", "us/token", "tok/s/user", "tok/s", "users",
        "SRAM %", "bound",
    ]

    var lines: [String] {
        let cells = [Self.titles] + rows.map(cells)
        let widths = Self.titles.indices.map { c in cells.map { $0[c].count }.max() ?? 0 }
        return cells.map { row in
            zip(row, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
                .joined(separator: "  ")
        }
    }

    private func cells(_ row: PlanRow) -> [String] {
        [
            row.isParetoOptimal ? "*" : "", "\(row.tensorParallel)", "\(row.pipelineStages)",
            "\(row.chips)", "\(row.lengthCycles)", "\(row.intervalCycles)",
            tenths(row.nanoseconds / 100), "\(row.tokensPerSecondPerUser)",
            "\(row.tokensPerSecond)", "\(row.users)", tenths(row.sramPerMille),
            "\(row.boundCycles)",
        ]
    }

    private func tenths(_ n: Int) -> String { "\(n / 10).\(n % 10)" }
}
