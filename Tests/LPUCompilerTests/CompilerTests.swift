import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUVerifier
import Testing

@Suite struct CompilerTests {
    @Test(arguments: [Strategy.list, .random(seed: 7)])
    func tinyModelIsAcceptedByEveryLawWithAProgram(_ strategy: Strategy) throws {
        let compilation = try TinyModel.compiled(strategy)
        let verdict = try #require(compilation.verdict)
        let certificate = try #require(verdict.certificate, "\(verdict)")
        #expect(certificate.unchecked.isEmpty)
        #expect(certificate.program == compilation.program.digest)
        let digest = compilation.schedule.digest(on: compilation.machine)
        #expect(compilation.schedule.claims.digest == digest)
    }

    @Test func phasesAreToldInOrder() throws {
        let model = try ModelConfiguration(huggingFace: TinyModel.config, file: "config.json")
        let machine = try #require(Machine.preset(named: "groqchip1"))
        var phases: [Phase] = []
        let plan = Plan(context: 8)
        _ = try Compiler(machine: machine).compile(model, plan: plan) { phases.append($0) }
        #expect(phases == Phase.allCases)
    }

    @Test func verdictIsTheSameInAnyNumberOfThreads() throws {
        var compilation = try TinyModel.compiled()
        let first = compilation.verdict
        compilation.verdict = nil
        try compilation.verify(with: Verifier(exhaustive: true, threads: 3))
        #expect(compilation.verdict == first)
    }

    @Test func contextBeyondTheModelIsRefused() throws {
        let model = try ModelConfiguration(huggingFace: TinyModel.config, file: "config.json")
        let machine = try #require(Machine.preset(named: "groqchip1"))
        for context in [0, -1, model.maximumPositions + 1, Int.max] {
            #expect(throws: DiagnosticSet.self, "context \(context)") {
                try Compiler(machine: machine).compile(model, plan: Plan(context: context))
            }
        }
    }
}
