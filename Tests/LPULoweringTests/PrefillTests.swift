import LPUDataflow
import LPULoading
import LPUMachine
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// Several tokens of a prompt at once leave the caches that as many steps leave, byte for byte.
@Suite struct PrefillTests {
    private struct Family {
        var name: String
        var keys: [String: any Sendable]
        var context = 40
        var types: [ElementType] = [.fp16, .fp16]
        var start = 0
    }

    private static let families = [
        Family(name: "llama, three layers", keys: ["num_hidden_layers": 3]),
        Family(
            name: "llama with biases",
            keys: ["attention_bias": true, "mlp_bias": true, "num_hidden_layers": 2]),
        Family(
            name: "qwen3",
            keys: [
                "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
                "tie_word_embeddings": true, "num_hidden_layers": 3,
            ]),
        Family(
            name: "llama, all fp8, several blocks", keys: ["num_hidden_layers": 2], context: 1300,
            types: [.fp8, .fp8]),
    ]

    private static let tokens = [3, 17, 39, 2, 8, 8, 0, 31, 25, 11]

    private func plan(_ family: Family) -> Plan {
        Plan(context: family.context, weightType: family.types[0], kvType: family.types[1])
    }

    private func ingress(_ tokens: ArraySlice<Int>, from position: Int) -> [[UInt8]] {
        tokens.enumerated().map {
            DecoderRun.ingress($1, at: position + $0, lanes: 320)
        }
    }

    /// The bytes of all regions, by layer and name.
    private func caches(_ interpreter: Interpreter) -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for (i, instance) in interpreter.program.instances.enumerated() {
            let template = interpreter.program.templates[instance.template]
            for (v, value) in template.values.enumerated() where value.origin == .image(.zero) {
                let name = "\(template.name) \(instance.layer ?? -1) \(value.name)"
                result[name] = interpreter.bytes(of: ValueID(v), in: i)
            }
        }
        return result
    }

    @Test(arguments: 0..<4)
    func programLeavesTheStepsCaches(_ number: Int) throws {
        let family = Self.families[number]
        let decoder = try Decoder(family.keys)
        let step = try decoder.program(plan(family))
        let prefill = try lowerPrefill(of: step, tokens: 4)
        try prefill.validate()
        var steps = try decoder.run(step)
        var chunks = try decoder.run(prefill).interpreter
        for (position, token) in Self.tokens.prefix(8).enumerated() {
            _ = try steps.step(token, at: position)
        }
        for start in [0, 4] {
            let vectors = ingress(Self.tokens[start..<start + 4], from: start)
            #expect(try chunks.step(ingress: vectors.flatMap { $0 }) == [])
        }
        let (expected, found) = (caches(steps.interpreter), caches(chunks))
        #expect(Set(expected.keys) == Set(found.keys) && !expected.isEmpty)
        for name in expected.keys.sorted() {
            #expect(found[name] == expected[name], "\(family.name): \(name)")
        }
    }
}
