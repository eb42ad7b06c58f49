import Foundation
import Testing

@testable import LPUReference

/// Each mistake an implementation may make changes the logits far beyond the goldens' tolerance.
///
/// All are planted from outside, through config, weights or rounding: the model has no switch.
@Suite struct DeviationTests {
    /// A hundred times the tolerance; all but a dropped epsilon are above `plain`.
    private static let faint = 1e-4
    private static let plain = 0.1

    @Test(arguments: ["tiny-llama", "tiny-qwen3"])
    func droppedEpsilon(_ name: String) throws {
        let golden = try Golden(name)
        var config = golden.config
        config.normEpsilon = .leastNormalMagnitude
        #expect(golden.distance(try golden.model(config).logits(of: golden.fed)) > Self.faint)
    }

    @Test func droppedFrequencyScaling() throws {
        let golden = try Golden("tiny-llama")
        var config = golden.config
        config.ropeScaling = nil
        #expect(golden.distance(try golden.model(config).logits(of: golden.fed)) > Self.plain)
    }

    /// Turning every token one position further changes nothing: only distances count.
    @Test(arguments: ["tiny-llama", "tiny-qwen3"])
    func rotationOffByOne(_ name: String) throws {
        let golden = try Golden(name)
        let rotary = RotaryEmbedding(golden.config)
        let model = try golden.model()
        func logits(turning sites: [ReferenceModel.Site]) -> [[Double]] {
            model.logits(of: golden.fed) { site, values in
                if sites.contains(site) { values = rotary.rotated(values, position: 1) }
            }
        }
        #expect(golden.distance(logits(turning: [.query])) > Self.plain)
        #expect(golden.distance(logits(turning: [.kCache])) > Self.plain)
        #expect(golden.distance(logits(turning: [.query, .kCache])) < 1e-6)
    }

    /// Pairs of neighbours: rows 2i and 2i + 1 of a head stand where pair i is rotated.
    @Test(arguments: ["tiny-llama", "tiny-qwen3"])
    func interleavedPairing(_ name: String) throws {
        let golden = try Golden(name)
        let size = golden.config.headSize
        let neighbours = (0..<size).map { $0 < size / 2 ? 2 * $0 : 2 * ($0 - size / 2) + 1 }
        let endings = ["q_proj.weight", "k_proj.weight", "q_norm.weight", "k_norm.weight"]
        let model = try golden.model { name, elements in
            guard let ending = endings.first(where: name.hasSuffix) else { return }
            let width = ending.hasSuffix("norm.weight") ? 1 : golden.config.hiddenSize
            let old = elements
            for row in 0..<old.count / width {
                let source = row / size * size + neighbours[row % size]
                elements.replaceSubrange(
                    row * width..<(row + 1) * width,
                    with: old[source * width..<(source + 1) * width])
            }
        }
        #expect(golden.distance(model.logits(of: golden.fed)) > Self.plain)
    }

    /// The newest or the first position is hidden, but for the only one.
    @Test(arguments: ["tiny-llama", "tiny-qwen3"], [true, false])
    func maskOffByOne(_ name: String, hidesNewest: Bool) throws {
        let golden = try Golden(name)
        let logits = try golden.model().logits(of: golden.fed) { site, scores in
            guard site == .scores, scores.count > 1 else { return }
            scores[hidesNewest ? scores.count - 1 : 0] = -.infinity
        }
        #expect(golden.distance(logits) > Self.plain)
    }

    /// A mask that lets one unwritten cache row through: it scores zero and adds no value.
    @Test func unwrittenRowsAttended() throws {
        let golden = try Golden("tiny-llama")
        var denominator = 1.0
        let logits = try golden.model().logits(of: golden.fed) { site, values in
            if site == .scores {
                let maximum = values.max() ?? 0
                let written = values.reduce(0) { $0 + exp($1 - maximum) }
                denominator = 1 + exp(-maximum) / written
            }
            if site == .probabilities { values = values.map { $0 / denominator } }
        }
        #expect(golden.distance(logits) > Self.plain)
    }

    @Test(arguments: ["tiny-llama", "tiny-qwen3"])
    func swappedKeyValueHeads(_ name: String) throws {
        let golden = try Golden(name)
        let model = try golden.model { name, elements in
            guard name.hasSuffix("k_proj.weight") || name.hasSuffix("v_proj.weight") else { return }
            elements = Array(elements[(elements.count / 2)...] + elements[..<(elements.count / 2)])
        }
        #expect(golden.distance(model.logits(of: golden.fed)) > Self.plain)
    }

    @Test(arguments: [
        ("k_proj", "v_proj"), ("gate_proj", "up_proj"), ("input_", "post_attention_"),
    ])
    func swappedTensors(_ a: String, _ b: String) throws {
        let golden = try Golden("tiny-llama")
        let model = try ReferenceModel(golden.config) { name, shape in
            let other =
                name.contains(a) ? name.replacing(a, with: b) : name.replacing(b, with: a)
            return ReferenceWeights.tensor(other, shape: shape)
        }
        #expect(golden.distance(model.logits(of: golden.fed)) > Self.plain)
    }

    /// The residual sites come in the order: embedding, then two sums a layer.
    @Test(arguments: ["tiny-llama", "tiny-qwen3"], [1, 2])
    func noResidual(_ name: String, afterSum dropped: Int) throws {
        let golden = try Golden(name)
        let sums = 2 * golden.config.layerCount + 1
        var count = 0
        var previous: [Double] = []
        let logits = try golden.model().logits(of: golden.fed) { site, values in
            guard site == .residual else { return }
            if count % sums == dropped { values = zip(values, previous).map { $0 - $1 } }
            previous = values
            count += 1
        }
        #expect(golden.distance(logits) > Self.plain)
    }

    /// A norm leaves the rotation's length alone, so only its weights tell the order.
    @Test func headNormAfterRotation() throws {
        let golden = try Golden("tiny-qwen3")
        let shape = [golden.config.headSize]
        // One layer's q and k sites follow each other, layer after layer.
        var calls: [ReferenceModel.Site: Int] = [:]
        let model = try golden.model { name, elements in
            guard name.hasSuffix("q_norm.weight") || name.hasSuffix("k_norm.weight") else { return }
            elements = elements.map { _ in 1 }
        }
        let logits = model.logits(of: golden.fed) { site, values in
            guard site == .query || site == .kCache else { return }
            let layer = calls[site, default: 0] % golden.config.layerCount
            calls[site, default: 0] += 1
            let norm = site == .query ? "q_norm" : "k_norm"
            let name = "model.layers.\(layer).self_attn.\(norm).weight"
            let weight = ReferenceWeights.tensor(name, shape: shape)
            for i in values.indices { values[i] *= weight[i % shape[0]] }
        }
        #expect(golden.distance(logits) > Self.plain)
    }

    @Test func droppedHeadNorm() throws {
        let golden = try Golden("tiny-qwen3")
        var config = golden.config
        config.family = .llama
        #expect(golden.distance(try golden.model(config).logits(of: golden.fed)) > Self.plain)
    }

    /// The wide scores overflow `exp` in single precision when their maximum stays in.
    @Test func maximumNotSubtracted() throws {
        func hasNaN(_ name: String) throws -> Bool {
            let golden = try Golden(name)
            var exponentials: [Double] = []
            let logits = try golden.model().logits(of: golden.fed) { site, values in
                if site == .scores { exponentials = values.map { Double(exp(Float($0))) } }
                if site == .probabilities {
                    let sum = exponentials.reduce(0, +)
                    values = exponentials.map { $0 / sum }
                }
            }
            return logits.contains { $0.contains(where: \.isNaN) }
        }
        #expect(try hasNaN("tiny-llama-wide"))
        #expect(try !hasNaN("tiny-llama"))
    }
}
