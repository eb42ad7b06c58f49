import Foundation
import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUVerifier

/// A model's way through all phases: what is timed.
struct Case {
    var model: String
    var machine: String
    var plan: Plan
    /// Decode steps to simulate, in one thread; none where the machine is too large.
    var steps: Int
}

let graphs = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../Graphs").standardizedFileURL

/// Names of models on the command line leave the others out.
let wanted = CommandLine.arguments.dropFirst()

let cases = [
    Case(
        model: "tiny-llama", machine: "groqchip1", plan: Plan(context: 64), steps: 20),
    Case(
        model: "tiny-llama", machine: "node8",
        plan: Plan(context: 64, tensorParallel: 2), steps: 10),
    Case(
        model: "smollm2-135m", machine: "lp30", plan: Plan(context: 512), steps: 2),
    Case(
        model: "llama-3.1-8b", machine: "lpx256",
        plan: Plan(
            context: 8_192, weightType: .fp8, kvType: .fp8, tensorParallel: 16,
            pipelineStages: 4), steps: 0),
].filter { wanted.isEmpty || wanted.contains($0.model) }

/// The least of `runs` times, in seconds: what disturbs a run only makes it longer.
func seconds<T>(_ runs: Int, _ body: () throws -> T) rethrows -> (result: T, seconds: Double) {
    let clock = ContinuousClock()
    var (best, last): (Double, T?) = (.infinity, nil)
    for _ in 0..<runs {
        let start = clock.now
        last = try body()
        let time = (clock.now - start) / .seconds(1)
        best = min(best, time)
    }
    guard let last else { preconditionFailure("at least one run is timed") }
    return (last, best)
}

func rate(_ count: Int, _ seconds: Double) -> String {
    let rate = Double(count) / seconds
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] where rate >= size {
        return String(format: "%8.2f %@/s", rate / size, unit)
    }
    return String(format: "%8.2f  /s", rate)
}

func line(_ phase: String, _ seconds: Double, _ rates: String...) {
    let name = phase.padding(toLength: 18, withPad: " ", startingAt: 0)
    print("  \(name)\(String(format: "%9.3f s", seconds))  \(rates.joined(separator: "  "))")
}

func bench(_ c: Case) throws {
    let file = graphs.appending(path: "\(c.model).json")
    let model = try ModelConfiguration(
        huggingFace: [UInt8](Data(contentsOf: file)), file: "\(c.model).json")
    guard let machine = Machine.preset(named: c.machine) else {
        preconditionFailure("'\(c.machine)' is no preset")
    }
    let runs = c.steps > 0 ? 3 : 1
    let compiler = Compiler(machine: machine)
    let (program, lowering) = try seconds(runs) { try compiler.lower(model, plan: c.plan) }
    let (schedule, scheduling) = try seconds(runs) { try compiler.schedule(program) }
    let (instructions, issues) = (schedule.claims.burstCount, schedule.claims.issueCount)
    print(
        "\(c.model) on \(c.machine), TP \(c.plan.tensorParallel) x PP \(c.plan.pipelineStages): "
            + "\(instructions) instructions, \(issues) issues, "
            + "\(schedule.claims.length.count) cycles")
    line("lower", lowering, rate(instructions, lowering) + " instructions")
    line("schedule", scheduling, rate(instructions, scheduling) + " instructions")
    for exhaustive in [false, true] where !exhaustive || c.steps > 0 {
        let verifier = Verifier(exhaustive: exhaustive)
        let (verdict, time) = seconds(runs) {
            verifier.verify(machine: machine, schedule: schedule, program: program)
        }
        precondition(verdict.isAccepted, "\(verdict)")
        line(
            exhaustive ? "verify exhaustive" : "verify", time,
            rate(instructions, time) + " instructions", rate(issues, time) + " issues")
    }
    let graph = ModelGraph(model)
    let (violations, refining) = seconds(runs) {
        Verifier().refinement(program, graph, context: c.plan.context)
    }
    precondition(violations.isEmpty, "\(violations)")
    line("refinement", refining)
    guard c.steps > 0 else { return }
    let compilation = Compilation(
        model: model, plan: c.plan, machine: machine, program: program, schedule: schedule)
    let image = try compilation.load(HashedWeights(graph.weights))
    var decoder = try Decoder(compilation, image: image)
    var token = 17
    var (stepIssues, products) = (0, 0)
    let (_, simulating) = try seconds(1) {
        for _ in 0..<c.steps {
            let (next, statistics) = try decoder.step(token)
            token = next
            stepIssues += statistics.issues
            products += statistics.multiplyAccumulates
        }
    }
    line(
        "simulate", simulating, rate(stepIssues, simulating) + " issues",
        rate(products, simulating) + " MACs",
        String(format: "%.2f tokens/s", Double(c.steps) / simulating))
}

do {
    for c in cases { try bench(c) }
} catch {
    print(error)
    exit(1)
}
