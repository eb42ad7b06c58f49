import ArgumentParser
import Foundation
import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPURendering
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUVerifier

struct Compile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compile a model for a machine, verify the schedule and draw it.",
        discussion: """
            Prints a summary. With -o it writes a directory that needs nothing else: model, plan, \
            machine, dataflow, schedule, certificate, report and pictures.
            """)

    /// A value of the pipeline that can be printed in the place of the summary.
    enum Stage: String, ExpressibleByArgument, CaseIterable {
        case model, plan, dataflow, schedule
    }

    enum StrategyName: String, ExpressibleByArgument, CaseIterable {
        case list, random
    }

    @Argument(help: "The model's config.json, in the Hugging Face spelling, or its directory.")
    var config: String

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @OptionGroup var options: PlanOptions

    @Option(help: "A plan file, in the place of the options of a plan.")
    var plan: String?

    @Option(help: "How instructions get their cycles.")
    var strategy = StrategyName.list

    @Option(help: "The seed of the random strategy. (default: 0)")
    var seed: UInt64?

    @Option(name: .shortAndLong, help: "Directory to write; with --emit, file to write.")
    var output: String?

    @Option(help: "Print this value and stop after it.")
    var emit: Stage?

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if plan != nil && options.isGiven {
            throw ValidationError(
                "a plan gives all: leave out --context, --users, --weights, --kv, --tp, --pp, "
                    + "--objective")
        }
        if seed != nil && strategy != .random {
            throw ValidationError("--seed is for --strategy random")
        }
        if emit != nil && format == .json {
            throw ValidationError("--emit prints text: leave out --format json")
        }
    }

    func run() throws {
        var progress = Progress()
        let source = try ModelFile(config)
        let model = source.model
        let machine = try options.machine(named: self.machine)
        let plan = try self.plan(for: model, on: machine)
        let compiler = Compiler(
            machine: machine, strategy: chosenStrategy,
            verifier: Verifier(threads: threads.threads))
        if let emit {
            return try show(emit, model, plan, compiler)
        }
        if let output { try Output(output).checkDirectory(of: Self.fileNames) }
        let compilation = try compile(model, plan, compiler, &progress)
        progress.end()
        guard let verdict = compilation.verdict, verdict.isAccepted else {
            Console.complain(compilation.verdict?.description ?? "not verified")
            Console.complain(Self.apology(for: machine))
            throw ExitCode(1)
        }
        let files = CompilationFiles(
            compilation, named: source.name, config: source.bytes, strategy: chosenStrategy)
        if let output {
            progress.begin("draw")
            let pictures = try Picture.allFiles(of: compilation, named: source.name)
            progress.begin("write")
            try Output(output).write(
                directory: files.files.map { ($0.file.rawValue, $0.bytes) } + pictures)
            progress.end()
        }
        switch format {
        case .text: Console.print(files.report.summary)
        case .json: Console.print(files.report.json)
        }
    }

    /// No schedule that lpuc makes should break a law.
    private static func apology(for machine: Machine) -> String {
        let nearest = Machine.presetNames.compactMap { Machine.preset(named: $0) }
            .map { ($0.name, machine.keys(unlike: $0)) }
            .min { $0.1.count < $1.1.count }
        guard let (name, keys) = nearest, !keys.isEmpty else {
            return "the fault is lpuc's, not the model's: please report it"
        }
        return "the fault is lpuc's, which does not schedule every machine that a file can "
            + "describe: '\(machine.name)' differs from '\(name)' in "
            + keys.joined(separator: ", ")
    }

    private func compile(
        _ model: ModelConfiguration, _ plan: Plan, _ compiler: Compiler, _ progress: inout Progress
    ) throws -> Compilation {
        var reporter = progress
        defer { progress = reporter }
        return try firstThatFits(model, plan, on: compiler.machine) {
            try compiler.compile(model, plan: $0) { reporter.begin($0.rawValue) }
        }
    }

    /// What `make` makes of the plan. Rows that pass values on are known when all is timed: where
    /// they are too few and the plan was the planner's choice, its next ones are tried.
    private func firstThatFits<Result>(
        _ model: ModelConfiguration, _ plan: Plan, on machine: Machine,
        _ make: (Plan) throws -> Result
    ) throws -> Result {
        do {
            return try make(plan)
        } catch let error as Infeasibility
            where error.id == "sram-capacity" && self.plan == nil && !model.isEncoder
        {
            let request = options.request(for: model)
            guard request.tensorParallel == nil, request.pipelineStages == nil else { throw error }
            let others = try enumeratePlans(model, on: machine, request)
                .map(\.plan).filter { $0 != plan }
            for other in others.prefix(4) {
                Console.complain(
                    "\(plan.tensorParallel) x \(plan.pipelineStages) chips have too few rows, "
                        + "trying \(other.tensorParallel) x \(other.pipelineStages)")
                if let result = try? make(other) { return result }
            }
            throw error
        }
    }

    /// Of the directory that it writes.
    private static let fileNames =
        CompilationFile.allCases.map(\.rawValue) + Picture.allCases.flatMap(\.fileNames)

    private var chosenStrategy: Strategy {
        switch strategy {
        case .list: .list
        case .random: .random(seed: seed ?? 0)
        }
    }

    private func plan(for model: ModelConfiguration, on machine: Machine) throws -> Plan {
        guard let plan else {
            return try bestPlan(
                model, on: machine, options.request(for: model), judge: Compiler.judge(model))
        }
        return try Plan(parsing: String(decoding: readFile(plan), as: UTF8.self), file: plan)
    }

    /// Makes one value of the pipeline and stops.
    private func show(
        _ stage: Stage, _ model: ModelConfiguration, _ plan: Plan, _ compiler: Compiler
    ) throws {
        let bytes: [UInt8] =
            switch stage {
            case .model: Array(ModelGraph(model).description.utf8)
            case .plan: Array(plan.text.utf8)
            case .dataflow: Array(try compiler.lower(model, plan: plan).text.utf8)
            case .schedule:
                try firstThatFits(model, plan, on: compiler.machine) {
                    try compiler.schedule(compiler.lower(model, plan: $0))
                }.text(on: compiler.machine)
            }
        if let output { try Output(output).write(bytes) } else { Console.print(bytes) }
    }
}
