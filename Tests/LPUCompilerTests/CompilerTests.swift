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

    /// Rows of a cache are alike before the first step alone: none is taken for another.
    @Test func aRowOfACacheIsNoOther() throws {
        let compilation = try TinyModel.compiled()
        let chip = compilation.machine.chip
        var changed = 0
        for (t, template) in compilation.schedule.templates.enumerated() {
            let values = compilation.program.templates[t].values
            for (c, program) in template.chips.enumerated() {
                let caches = program.allocations.filter {
                    $0.isImage && $0.rows > 1 && values[$0.value.index].origin == .image(.zero)
                }
                for (b, burst) in program.bursts.enumerated() where burst.issueCount == 1 {
                    guard
                        case .memory(.read(var address, let stream), let write) = burst.instruction,
                        caches.contains(where: {
                            burst.queue
                                == chip.queue(of: .memory($0.hemisphere, slice: Int($0.slice)))
                                && $0.base.bank == address.bank && $0.base.slot == address.slot
                                && ($0.base.row..<$0.base.row + $0.rows - 1) ~= address.row
                        })
                    else { continue }
                    address.row += 1
                    var other = compilation.schedule
                    other.templates[t].chips[c].bursts[b].instruction = .memory(
                        .read(address, stream), write)
                    other.claims = other.recomputedClaims(on: compilation.machine)
                    let run = symbolicRun(
                        machine: compilation.machine, schedule: other,
                        program: compilation.program)
                    #expect(run.violations.contains { $0.law == .provenance }, "\(burst)")
                    changed += 1
                }
            }
        }
        #expect(changed > 0)
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
