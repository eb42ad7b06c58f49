import LPULoading
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSupport
import Testing

@testable import LPULowering

/// Programs with fp8 weights or an fp8 cache, against the reference with the same numbers rounded.
@Suite struct QuantisedTests {
    struct Types: Sendable, CustomStringConvertible {
        var weights: ElementType
        var kv: ElementType
        var description: String { "\(weights) weights, \(kv) cache" }
    }

    static let types = [
        Types(weights: .fp8, kv: .fp16), Types(weights: .fp16, kv: .fp8),
        Types(weights: .fp8, kv: .fp8),
    ]

    @Test(arguments: ["tiny-llama", "tiny-llama-biased", "tiny-qwen3"], types)
    func agreesWithTheQuantisedReference(_ name: String, _ types: Types) throws {
        let (golden, decoder) = try Golden.read(name)
        let plan = Plan(context: 24, weightType: types.weights, kvType: types.kv)
        var run = try decoder.run(try decoder.program(plan))
        let reference = try decoder.quantised(types.weights)
        var cache = reference.makeCache()
        var worst = 0.0
        for position in 0..<16 {
            let token = golden.tokens[position]
            let expected = reference.decode(token, cache: &cache) { site, row in
                guard types.kv == .fp8, site == .kCache || site == .vCache else { return }
                row = row.map { Double(FP8.decode(FP8.encode(Float($0)))) }
            }
            let (logits, egress) = try run.step(token, at: position)
            let error = deviation(logits, from: expected)
            worst = max(worst, error)
            let best = try #require(argmax(expected))
            let chosen = LPULoweringTests.token(egress)
            #expect(chosen == argmax(logits), "position \(position)")
            // Another token only where the best two are nearer than the error.
            let lead = zip(logits, expected).map { abs($0 - $1) }.max() ?? 0
            #expect(expected[best] - expected[chosen] <= 2 * lead, "position \(position)")
        }
        print("\(name), \(types): greatest error \(worst) of the logits' standard deviation")
        #expect(worst < 0.15)
    }
}

extension Decoder {
    /// The reference with weights rounded as `type` rounds them, norms folded in.
    func quantised(_ type: ElementType) throws -> ReferenceModel {
        guard type == .fp8 else { return reference }
        let weights = weights
        var config = reference.config
        // The head's copy of the embedding is rounded, the table is not.
        let head = config.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
        config.tiesEmbeddings = false
        return try ReferenceModel(config) { name, _ throws(DiagnosticSet) in
            let elements =
                if name == "lm_head.weight" {
                    try weights.quantised(head, norm: "model.norm.weight")
                } else if name.hasSuffix("_proj.weight") {
                    try weights.quantised(name, norm: normBefore(name))
                } else {
                    weights.rows(of: name)
                }
            return elements.map(Double.init)
        }
    }
}

/// The norm whose outputs the tensor multiplies.
private func normBefore(_ tensor: String) -> String? {
    let layer = tensor.split(separator: ".").prefix(3).joined(separator: ".")
    func isOne(of names: [String]) -> Bool { names.contains { tensor.contains($0) } }
    if isOne(of: ["q_proj", "k_proj", "v_proj"]) { return "\(layer).input_layernorm.weight" }
    return isOne(of: ["gate_proj", "up_proj"]) ? "\(layer).post_attention_layernorm.weight" : nil
}

extension HashedTensors {
    /// The tensor as fp8 keeps it, times the norm's weight, divided by that again.
    fileprivate func quantised(
        _ tensor: String, norm: String?
    ) throws(DiagnosticSet) -> [Float] {
        let quantisation = Quantisation(tensor, type: .fp8, columnScale: norm)
        let scales = try quantisation.scales(of: self)
        let elements = try quantisation.elements(of: self)
        let width = shape(of: tensor)?[1] ?? 1
        let folded = norm.map { rows(of: $0) } ?? Array(repeating: 1, count: width)
        return elements.enumerated().map { i, bits in
            FP8.decode(UInt8(bits)) * scales[i / width] / folded[i % width]
        }
    }
}
