import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// Chips other than the shipped ones: what is lowered for them is what the model says, and what is
/// scheduled computes it.
@Suite struct MachinesTests {
    static let chips: [@Sendable (inout Chip) -> Void] = [
        { ($0.superlanes, $0.planeRows) = (10, 160) },
        { $0.weightStreamsPerPlane = 8 },
    ]

    @Test(arguments: 0..<2) func cachesOfOtherChips(_ number: Int) throws {
        var machine = Machine.groqchip1
        Self.chips[number](&machine.chip)
        let decoder = try Decoder(["num_key_value_heads": 1])
        let program = try decoder.program(Plan(context: 400), on: machine)
        var run = try decoder.run(program)
        let tokens = (0..<164).map { ($0 * 17 + 3) % 40 }
        let expected = ReferenceRun(decoder, tokens: tokens).logits
        for (position, token) in tokens.enumerated() {
            let logits = try run.step(token, at: position).logits
            let error = deviation(logits, from: expected[position])
            #expect(error < 0.01, "position \(position)")
        }
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine, strategy: .list)
        #expect(Verifier().verify(machine: machine, schedule: schedule).violations.isEmpty)
        let graph = ModelGraph(decoder.configuration)
        #expect(Verifier().refinement(program, graph, context: 400).isEmpty)
        let symbolic = symbolicRun(machine: machine, schedule: schedule, program: program)
        #expect(symbolic.violations.isEmpty)
    }
}
