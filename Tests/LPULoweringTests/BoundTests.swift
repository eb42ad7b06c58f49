import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// No schedule is shorter than the bound of its plan.
@Suite struct BoundTests {
    struct Case: Sendable, CustomStringConvertible {
        var machine: String
        var degree = 1
        var stages = 1
        var isQwen3 = false
        var layers: [Int] = []
        var description: String { "\(degree) x \(stages) on \(machine)" }
    }

    static let cases = [
        Case(machine: "groqchip1"), Case(machine: "lp30"),
        Case(machine: "groqchip1", isQwen3: true),
        Case(machine: "node8", degree: 2), Case(machine: "node8", degree: 8),
        Case(machine: "node8", degree: 2, stages: 2, layers: [2, 1]),
        Case(machine: "node8", degree: 3, stages: 2),
        Case(machine: "lpx256", degree: 16, stages: 2),
    ]

    @Test(arguments: cases) func scheduleIsNoShorter(_ c: Case) throws {
        var keys: [String: Any] = [
            "num_hidden_layers": c.layers.isEmpty ? c.stages : c.layers.reduce(0, +)
        ]
        if c.isQwen3 {
            keys["architectures"] = ["Qwen3ForCausalLM"]
            keys["model_type"] = "qwen3"
        }
        let decoder = try Decoder(keys)
        let machine = try #require(Machine.preset(named: c.machine))
        let plan = Plan(
            context: 40, tensorParallel: c.degree, pipelineStages: c.stages,
            stageLayers: c.layers)
        let bound = Bound(decoder.configuration, plan, on: machine)
        let estimate = Estimate(
            decoder.configuration, plan, users: 1, on: machine)
        #expect(bound.cycles >= max(bound.chain, bound.stream, bound.combined))
        #expect(bound.chain > 0 && bound.chain <= bound.combined)
        #expect(bound.cycles <= estimate.length, "the estimate has longer paths and more bytes")
        let program = try lower(decoder.configuration, plan: plan, for: machine)
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine)
        let length = schedule.claims.length.count
        print("\(c): bound \(bound.cycles), estimate \(estimate.length), scheduled \(length)")
        #expect(bound.cycles <= length)
        if !c.layers.isEmpty {
            let verdict = Verifier(threads: 2).verify(
                machine: machine, schedule: schedule, program: program)
            #expect(verdict.isAccepted, "\(verdict.violations.prefix(3))")
        }
        #expect(estimate.length <= 2 * length)
    }
}
