import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// A shrunken twin of each model that the rack is promised for: the same family, degree and stages,
/// heads a chip, shares of vocabulary and columns whose remainders of 320 are the real ones'. It
/// decodes on bytes.
@Suite struct RackTwinTests {
    struct Twin: Sendable, CustomStringConvertible {
        var name: String
        var layers: Int
        var hidden: Int
        var intermediate: Int
        var heads: Int
        var vocabulary: Int
        var stages: Int
        var kv = ElementType.fp8
        var description: String { "\(name), \(kv) cache, 16 x \(stages)" }

        var keys: [String: Any] {
            var keys: [String: Any] = [
                "num_hidden_layers": layers, "hidden_size": hidden,
                "intermediate_size": intermediate, "num_attention_heads": heads,
                "num_key_value_heads": 8, "head_dim": 16, "vocab_size": vocabulary,
            ]
            if name == "Qwen3-32B" {
                keys["architectures"] = ["Qwen3ForCausalLM"]
                keys["model_type"] = "qwen3"
            }
            return keys
        }
    }

    static let twins = [
        Twin(
            name: "Llama-3.1-8B", layers: 4, hidden: 256, intermediate: 16 * 256, heads: 32,
            vocabulary: 16 * 16, stages: 4),
        Twin(
            name: "Llama-3.1-70B", layers: 16, hidden: 512, intermediate: 16 * 192, heads: 64,
            vocabulary: 16 * 16, stages: 16),
        Twin(
            name: "Llama-3.1-70B", layers: 16, hidden: 512, intermediate: 16 * 192, heads: 64,
            vocabulary: 16 * 16, stages: 16, kv: .fp16),
        Twin(
            name: "Qwen3-32B", layers: 8, hidden: 320, intermediate: 16 * 320, heads: 64,
            vocabulary: 16 * 216, stages: 8),
    ]

    @Test(arguments: twins)
    func decodesOnBytes(_ twin: Twin) throws {
        let decoder = try Decoder(twin.keys)
        let machine = try #require(Machine.preset(named: "lpx256"))
        let plan = Plan(
            context: 360, weightType: .fp8, kvType: twin.kv, tensorParallel: 16,
            pipelineStages: twin.stages)
        let program = try lower(decoder.configuration, plan: plan, for: machine)
        let schedule = try LPUScheduler.schedule(program, digest: program.digest, for: machine)
        let verdict = Verifier(threads: 2).verify(
            machine: machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(twin): \(verdict.violations.prefix(3))")

        let image = try MemoryImage(program, schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(
            machine: machine, schedule: schedule, image: image, threads: 2)
        let reference = try decoder.quantised(.fp8)
        var run = try decoder.run(program)
        var cache = reference.makeCache()
        for (position, token) in [3, 17, 39].enumerated() {
            let (_, expected) = try run.step(token, at: position)
            let ingress = DecoderRun.ingress(token, at: position, lanes: program.lanes)
            let (egress, _) = try simulator.step(ingress: [ChipID(0): [ingress]])
            #expect(egress.map(\.bytes) == [expected], "\(twin) at \(position)")
            let logits = reference.decode(token, cache: &cache) { site, row in
                guard twin.kv == .fp8, site == .kCache || site == .vCache else { return }
                let factor = site == .kCache ? Scale.keys(dimension: 16) : 1
                row = row.map { Double(FP8.decode(FP8.encode(Float($0) * factor)) / factor) }
            }
            let next = (0..<4).reduce(0) { $0 | Int(expected[$1]) << (8 * $1) }
            let behind = (logits.max() ?? 0) - logits[next]
            #expect(behind < 0.15 * standardDeviation(logits), "\(twin) at \(position)")
        }
    }
}
