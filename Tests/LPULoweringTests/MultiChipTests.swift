import LPUDataflow
import LPULoading
import LPULowering
import LPUMachine
import LPUPlanning
import LPUReference
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

/// The same model on several chips and in stages: lawful, the interpreter's bytes, and the
/// reference's logits.
@Suite struct MultiChipTests {
    struct Split: Sendable, CustomStringConvertible {
        var degree: Int
        var stages: Int
        var machine = "node8"
        var description: String { "\(degree) chips x \(stages) stages on \(machine)" }
    }

    static let splits = [
        Split(degree: 2, stages: 1), Split(degree: 8, stages: 1), Split(degree: 1, stages: 2),
        Split(degree: 3, stages: 2), Split(degree: 16, stages: 2, machine: "lpx256"),
        // Odd places are not linked to the next stage, and the token goes home over three hops.
        Split(degree: 4, stages: 6, machine: "quadfour576"),
    ]

    @Test(arguments: splits)
    func decodesAsOneChipDoes(_ split: Split) throws {
        try expectDecoding(
            of: try Decoder(["num_hidden_layers": max(2, split.stages)]), split)
    }

    /// Heads, columns and vocabulary divide: one place is timed and copied to all others.
    @Test func placesThatAreAlikeDecodeAsOneChipDoes() throws {
        let decoder = try Decoder([
            "num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 48, "num_attention_heads": 32,
            "num_key_value_heads": 16, "intermediate_size": 64,
        ])
        try expectDecoding(of: decoder, Split(degree: 16, stages: 2, machine: "lpx256"))
    }

    private func expectDecoding(of decoder: Decoder, _ split: Split) throws {
        let machine = try #require(Machine.preset(named: split.machine))
        let plan = Plan(
            context: 40, tensorParallel: split.degree, pipelineStages: split.stages)
        let program = try lower(decoder.configuration, plan: plan, for: machine)
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine)
        let verdict = Verifier(threads: 2).verify(
            machine: machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(split): \(verdict.violations.prefix(3))")

        let image = try MemoryImage(program, schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(
            machine: machine, schedule: schedule, image: image, threads: 2)
        var run = try decoder.run(program)
        var cache = decoder.reference.makeCache()
        for (position, token) in [3, 17, 39].enumerated() {
            let (_, expected) = try run.step(token, at: position)
            let ingress = DecoderRun.ingress(token, at: position, lanes: program.lanes)
            let (egress, _) = try simulator.step(ingress: [ChipID(0): [ingress]])
            #expect(egress.map(\.bytes) == [expected], "\(split) at \(position)")
            let logits = decoder.reference.decode(token, cache: &cache)
            let best = logits.indices.max { logits[$0] < logits[$1] }
            let next = (0..<4).reduce(0) { $0 | Int(expected[$1]) << (8 * $1) }
            #expect(next == best, "\(split) at \(position)")
        }
    }
}
