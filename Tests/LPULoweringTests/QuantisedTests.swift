import LPULoading
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSupport
import Testing

@testable import LPULowering

/// Programs with fp8 or int8 weights or an fp8 cache, against the reference with the same numbers
/// rounded.
@Suite struct QuantisedTests {
    struct Types: Sendable, CustomStringConvertible {
        var weights: ElementType
        var kv: ElementType
        var description: String { "\(weights) weights, \(kv) cache" }
    }

    static let types = [
        Types(weights: .fp8, kv: .fp16), Types(weights: .fp16, kv: .fp8),
        Types(weights: .fp8, kv: .fp8), Types(weights: .int8, kv: .fp16),
        Types(weights: .int8, kv: .fp8),
    ]

    /// The reference goes on from what the program cached, once that is seen to be what it would
    /// have rounded itself: a number near to a tie would else be a sixteenth off, here or there.
    @Test(arguments: ["tiny-llama", "tiny-llama-biased", "tiny-qwen3"], types)
    func agreesWithTheQuantisedReference(_ name: String, _ types: Types) throws {
        let (golden, decoder) = try Golden.read(name)
        let plan = Plan(context: 24, weightType: types.weights, kvType: types.kv)
        var run = try decoder.run(try decoder.program(plan))
        let reference = try decoder.quantised(types.weights)
        var cache = reference.makeCache()
        var worst = (logits: 0.0, cache: 0.0)
        for position in 0..<16 {
            let (logits, egress) = try run.step(golden.tokens[position], at: position)
            var layers = (keys: 0, values: 0)
            let expected = reference.decode(golden.tokens[position], cache: &cache) { site, row in
                guard types.kv == .fp8 else { return }
                var cached: [Double]
                if site == .kCache {
                    cached = run.cachedKeys(position, layer: layers.keys, row.count, of: decoder)
                    layers.keys += 1
                } else if site == .vCache {
                    cached = run.cachedValues(position, layer: layers.values, row.count)
                    layers.values += 1
                } else {
                    return
                }
                worst.cache = max(worst.cache, excess(cached, over: row))
                swap(&row, &cached)
            }
            worst.logits = max(worst.logits, deviation(logits, from: expected))
            let chosen = token(egress)
            #expect(chosen == argmax(logits), "position \(position)")
            #expect(chosen == argmax(expected), "position \(position)")
        }
        print("\(name), \(types): greatest error \(worst.logits) of the logits' deviation")
        #expect(worst.logits < 0.03)
        #expect(worst.cache < 0.02)
    }

    /// How far the elements are from the exact ones, beyond half an fp8 step, in the row's rms.
    private func excess(_ row: [Double], over exact: [Double]) -> Double {
        let squares = exact.reduce(0) { $0 + $1 * $1 }
        let rms = (squares / Double(exact.count)).squareRoot()
        return zip(row, exact).reduce(0) { worst, pair in
            let half = max(max(abs(pair.0), abs(pair.1)).binade * 0x1p-4, 0x1p-10)
            return max(worst, (abs(pair.0 - pair.1) - half) / rms)
        }
    }
}

extension DecoderRun {
    /// The row of a position, all heads in the model's order.
    fileprivate func cachedKeys(
        _ position: Int, layer: Int, _ count: Int, of decoder: Decoder
    ) -> [Double] {
        let row = vectors("layer.keys\(position % 16)", layer: layer)[position / 16]
        let d = decoder.configuration.headDimension
        let factor = Double(Scale.keys(dimension: d))
        return (0..<count).map { i in
            let (head, e) = i.quotientAndRemainder(dividingBy: d)
            return row[head * d + e % (d / 2) * 2 + e / (d / 2)] / factor
        }
    }

    fileprivate func cachedValues(_ position: Int, layer: Int, _ count: Int) -> [Double] {
        (0..<count).map { vectors("layer.values\($0 % 16)", layer: layer)[$0 / 16][position] }
    }
}

extension Decoder {
    /// The reference with weights rounded as `type` rounds them, norms folded in.
    func quantised(_ type: ElementType) throws -> ReferenceModel {
        guard type.byteCount == 1 else { return reference }
        let weights = weights
        var config = reference.config
        // Of tied embeddings the head's copy has the norm folded in before it is rounded.
        let head = config.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
        config.tiesEmbeddings = false
        return try ReferenceModel(config) { name, _ throws(DiagnosticSet) in
            if name == "lm_head.weight" {
                try weights.quantised(head, type, norm: "model.norm.weight")
            } else if name == "model.embed_tokens.weight" {
                try weights.quantised(name, type, norm: nil)
            } else if name.hasSuffix("_proj.weight") {
                try weights.quantised(name, type, norm: normBefore(name))
            } else {
                weights.rows(of: name).map(Double.init)
            }
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
    /// The tensor as `type` keeps it, times the norm's weight, divided by that again.
    func quantised(
        _ tensor: String, _ type: ElementType, norm: String?
    ) throws(DiagnosticSet) -> [Double] {
        let quantisation = Quantisation(tensor, type: type, columnScale: norm)
        let scales = try quantisation.scales(of: self)
        let elements = try quantisation.elements(of: self)
        let width = shape(of: tensor)?[1] ?? 1
        let folded = norm.map { rows(of: $0) } ?? Array(repeating: 1, count: width)
        return elements.enumerated().map { i, bits in
            let number =
                type == .fp8 ? FP8.decode(UInt8(bits)) : Float(Int8(truncatingIfNeeded: bits))
            return Double(number) * Double(scales[i / width]) / Double(folded[i % width])
        }
    }
}
