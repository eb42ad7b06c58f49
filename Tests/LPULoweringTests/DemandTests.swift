import Foundation
import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport
import Testing

@testable import LPULowering

/// What the planner counts is what the lowering declares, chip by chip.
@Suite struct DemandTests {
    struct Case: Sendable, CustomStringConvertible {
        var graph: String
        var machine = "lpx256"
        var context: Int
        var degree = 1
        var stages = 1
        var layers: [Int] = []
        var type = ElementType.fp16
        /// As the weights' where it is not given.
        var kv: ElementType?
        var description: String {
            "\(graph) \(type) \(degree) x \(stages) \(layers) on \(machine), \(context)"
        }
    }

    static let cases = [
        Case(graph: "tiny-llama", machine: "groqchip1", context: 40),
        Case(graph: "tiny-qwen3", machine: "lp30", context: 700),
        Case(graph: "tiny-qwen3", machine: "node8", context: 128, degree: 3, stages: 2),
        Case(graph: "tiny-llama", context: 641, degree: 16, stages: 2),
        Case(graph: "smollm2-135m", machine: "lp30", context: 5000),
        Case(graph: "smollm2-135m", context: 400, degree: 3, stages: 16),
        Case(
            graph: "tiny-qwen3", machine: "node8", context: 40, degree: 2, stages: 3,
            layers: [0, 2, 1], type: .fp8),
        Case(
            graph: "tiny-llama", machine: "node8", context: 40, degree: 2, stages: 2,
            layers: [2, 0]),
        Case(graph: "tiny-llama", machine: "node8", context: 40, degree: 7, type: .fp8),
        Case(
            graph: "tiny-llama", machine: "node8", context: 40, degree: 3, type: .int8, kv: .fp8),
    ]

    private func model(_ name: String) throws -> ModelConfiguration {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Graphs/\(name).json")
        return try ModelConfiguration(huggingFace: [UInt8](try Data(contentsOf: file)), file: name)
    }

    /// Bytes that the images of a program take on each chip: weights, caches, everything else.
    private func images(
        _ program: Program, _ machine: Machine
    ) -> [(weights: Int, cache: Int, rest: Int)] {
        var sums = Array(repeating: (weights: 0, cache: 0, rest: 0), count: machine.chipCount)
        for instance in program.instances {
            for value in program.templates[instance.template].values {
                guard case .image(let formula) = value.origin else { continue }
                let bytes = value.count * value.type.byteCount * program.lanes
                let chip = instance.chips[value.chip].index
                switch formula {
                case .weights, .scales: sums[chip].weights += bytes
                case .zero: sums[chip].cache += bytes
                case .greatestScale, .constant, .diagonal, .table, .rotary:
                    sums[chip].rest += bytes
                }
            }
        }
        return sums
    }

    @Test(arguments: cases) func demandIsWhatIsDeclared(_ c: Case) throws {
        try expectDemand(of: try model(c.graph), c)
    }

    /// A down projection whose only contraction tile is packed: its sums are whole before the last
    /// terms are made.
    @Test func allTilesOfTheDownProjectionArePacked() throws {
        var model = try model("tiny-llama")
        model.hiddenSize = 5120
        model.intermediateSize = 512
        try expectDemand(
            of: model,
            Case(graph: "tiny-llama", machine: "node8", context: 64, degree: 2, type: .fp8))
    }

    private func expectDemand(of model: ModelConfiguration, _ c: Case) throws {
        let machine = try #require(Machine.preset(named: c.machine))
        let plan = Plan(
            context: c.context, weightType: c.type, kvType: c.kv ?? c.type,
            tensorParallel: c.degree,
            pipelineStages: c.stages, stageLayers: c.layers)
        let sums = images(try lower(model, plan: plan, for: machine), machine)
        let demands = plan.demands(of: model, on: machine)
        for (chips, demands) in zip(stageChips(plan, machine), demands) {
            for (chip, demand) in zip(chips, demands) {
                let sum = sums[chip.index]
                #expect(demand.weights + demand.padding == sum.weights, "\(c), \(chip)")
                #expect(demand.cache == sum.cache, "\(c), \(chip)")
                #expect(abs(demand.constants - sum.rest) * 100 <= sum.rest, "\(c), \(chip)")
                #expect(demand.padding >= 0 && demand.weights > 0)
            }
        }
    }

    /// Rows are those of the model's sets of heads, and the refusal names what binds.
    @Test func cachesThatFitABankAreLowered() throws {
        var model = try Decoder(["num_key_value_heads": 1, "head_dim": 128]).configuration
        let machine = Machine.groqchip1
        _ = try lower(model, plan: Plan(context: 16_384, users: 20), for: machine)
        model.maximumPositions = 1 << 20
        for (plan, words) in [
            (Plan(context: 16_384, users: 400), "there are 4096: lower the users"),
            (Plan(context: 1 << 20, users: 2), "there are 4096: lower the context"),
        ] {
            let error = #expect(throws: DiagnosticSet.self) {
                try lower(model, plan: plan, for: machine)
            }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
    }
}
