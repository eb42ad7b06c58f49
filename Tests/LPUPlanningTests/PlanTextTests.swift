import LPUNumerics
import LPUPlanning
import LPUSupport
import Testing

@Suite struct PlanTextTests {
    @Test func planIsReadBackEqual() throws {
        for type in ElementType.allCases {
            for plan in [
                Plan(context: 77, weightType: type, tensorParallel: 3, pipelineStages: 5),
                Plan(context: 77, users: 4, kvType: type),
            ] {
                #expect(try Plan(parsing: plan.text, file: "plan.txt") == plan)
            }
        }
    }

    @Test func layersOfStagesAreReadBack() throws {
        let plan = Plan(context: 7, pipelineStages: 3, stageLayers: [0, 4, 2])
        #expect(plan.text.contains("pipelineStages 3 layers 0 4 2\n"))
        #expect(try Plan(parsing: plan.text, file: "p") == plan)
        #expect((0..<3).map { plan.layers(of: $0, count: 6) } == [0..<0, 0..<4, 4..<6])
    }

    @Test func linesMayStandInAnyOrderWithComments() throws {
        let text =
            "# mine\nweights fp8\nkv int8\ntensorParallel 2\npipelineStages 3\n\n"
            + "context 5 # few\nplan 1\n"
        #expect(
            try Plan(parsing: text, file: "p")
                == Plan(
                    context: 5, weightType: .fp8, kvType: .int8, tensorParallel: 2,
                    pipelineStages: 3))
    }

    @Test(arguments: [
        ("", "p: error: the plan lacks plan, context, weights, kv, tensorParallel, pipelineStages"),
        (
            "plan 1\ncontext 9\nweights fp8\nkv fp8\n",
            "p: error: the plan lacks tensorParallel, pipelineStages"
        ),
        ("plan 2\n", "p:1:6: error: the format is 2, outside 1...1"),
        ("plan 1\nplan 1\n", "p:2:1: error: 'plan' stands twice or is none of"),
        ("colour red\n", "p:1:1: error: 'colour' stands twice or is none of"),
        ("users 0\n", "p:1:7: error: the number of users is 0, outside 1...2147483647"),
        ("context 0\n", "p:1:9: error: the context is 0, outside 1...2147483647"),
        ("context\n", "p:1:8: error: the line ends where the context is expected"),
        ("context 5 6\n", "p:1:11: error: '6' is one word too many"),
        ("weights fp7\n", "p:1:9: error: 'fp7' is none of fp8, int8, fp16, fp32, int32"),
    ])
    func whatIsWrongIsSaid(_ text: String, _ message: String) {
        let error = #expect(throws: DiagnosticSet.self) { try Plan(parsing: text, file: "p") }
        #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "read")")
    }
}
