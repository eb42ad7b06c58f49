import ArgumentParser
import LPUCompiler
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
            Lengths and intervals are estimates, which rank plans; the bound is below every \
            schedule. A star marks plans that no other one beats in both. Without --users the \
            interval is that of as many users as fit. In the order, degrees other than 1 \
            and the whole first axis count as 1/32 worse for a large model.
            """)

    @Argument(help: "The model's config.json, in the Hugging Face spelling, or its directory.")
    var config: String

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @OptionGroup var options: PlanOptions

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    func run() throws {
        let model = try ModelFile(config).model
        let machine = try options.machine(
            named: self.machine, most: Machine.mostResizedChips)
        let candidates = try enumeratePlans(
            model, on: machine, options.request(for: model), judge: Compiler.judge(model))
        switch format {
        case .text:
            let lines = PlanTable(candidates, on: machine).lines
            Console.print(lines.joined(separator: "\n") + "\n")
        case .json: try Console.print(json: candidates.map { PlanRow($0, on: machine) })
        }
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
