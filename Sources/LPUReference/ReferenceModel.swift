import Foundation
public import LPUSupport

/// A decoder in Double, written from the published definitions of Llama and Qwen3: slow, plain,
/// and the judge of what compiled schedules compute.
public struct ReferenceModel: Sendable {
    /// The elements of a tensor, by its Hugging Face name and shape, row-major.
    public typealias Weights = (String, [Int]) throws(DiagnosticSet) -> [Double]

    /// A place in the forward pass where the numbers of a machine are rounded.
    public enum Site: Hashable, Sendable, CaseIterable {
        /// The residual stream: the embedding, and the sum after each half of a layer.
        case residual
        /// The normed input of the q, k and v projections.
        case attentionInput
        /// The queries of all heads, rotated.
        case query
        /// What the caches keep of one token position, all heads: keys rotated, and values.
        case kCache, vCache
        /// One head's scaled scores and their softmax, a token position each.
        case scores, probabilities
        /// The values of all heads as weighted, input of the o projection.
        case attentionOutput
        /// The normed input of the gate and up projections.
        case mlpInput
        /// silu(gate) * up, input of the down projection.
        case mlpHidden
        /// The normed input of the language model head.
        case headInput
    }

    /// Rounds, or otherwise replaces, the numbers at a site. It keeps their count.
    public typealias Rounding = (Site, inout [Double]) -> Void

    /// Rotated keys and values of every layer and token position so far.
    public struct Cache: Sendable {
        fileprivate var keys: [[[Double]]]
        fileprivate var values: [[[Double]]]
        /// Token positions held: the position of the next token.
        public fileprivate(set) var length = 0
    }

    public let config: ReferenceConfig
    private let embedding: [Double]
    private let layers: [Layer]
    private let norm: [Double]
    private let head: Linear
    private let rotary: RotaryEmbedding

    /// Reads all weights.
    ///
    /// - Throws: what `weights` throws, or the first tensor whose count is not that of its shape.
    public init(
        _ config: ReferenceConfig, weights: @escaping Weights
    ) throws(DiagnosticSet) {
        self.config = config
        let reader = WeightReader(weights: weights)
        let table = [config.vocabularySize, config.hiddenSize]
        embedding = try reader.tensor("model.embed_tokens.weight", table)
        var layers: [Layer] = []
        for index in 0..<config.layerCount {
            layers.append(try Layer(config, prefix: "model.layers.\(index).", reader: reader))
        }
        self.layers = layers
        norm = try reader.tensor("model.norm.weight", [config.hiddenSize])
        head =
            config.tiesEmbeddings
            ? Linear(weight: embedding, bias: nil, inputSize: config.hiddenSize)
            : try reader.linear("lm_head", config.vocabularySize, config.hiddenSize, bias: false)
        rotary = RotaryEmbedding(config)
    }

    /// A cache that holds no token position yet.
    public func makeCache() -> Cache {
        let empty = [[[Double]]](repeating: [], count: config.layerCount)
        return Cache(keys: empty, values: empty)
    }

    /// The logits after `token` at position `cache.length`; appends that position to the cache.
    ///
    /// The token attends to itself through its cache row, as rounded.
    ///
    /// - Requires: the token is in the vocabulary; the cache was made by this model.
    public func decode(
        _ token: Int, cache: inout Cache, rounding: Rounding = { _, _ in }
    ) -> [Double] {
        precondition(
            (0..<config.vocabularySize).contains(token), "token \(token) is not in the vocabulary")
        let width = config.hiddenSize
        var x = Array(embedding[token * width..<(token + 1) * width])
        rounding(.residual, &x)
        for index in layers.indices {
            x = add(x, attention(x, layer: index, cache: &cache, rounding: rounding))
            rounding(.residual, &x)
            x = add(x, mlp(x, layer: layers[index], rounding: rounding))
            rounding(.residual, &x)
        }
        cache.length += 1
        var normed = rmsNorm(x, weight: norm)
        rounding(.headInput, &normed)
        return head(normed)
    }

    /// The logits of every position of `tokens`, from position 0 on.
    ///
    /// - Requires: the tokens are in the vocabulary.
    public func logits(
        of tokens: [Int], rounding: Rounding = { _, _ in }
    ) -> [[Double]] {
        var cache = makeCache()
        return tokens.map { decode($0, cache: &cache, rounding: rounding) }
    }

    private func attention(
        _ residual: [Double], layer index: Int, cache: inout Cache, rounding: Rounding
    ) -> [Double] {
        let layer = layers[index]
        var x = rmsNorm(residual, weight: layer.inputNorm)
        rounding(.attentionInput, &x)
        var query = layer.q(x)
        var key = layer.k(x)
        var value = layer.v(x)
        if let queryNorm = layer.queryNorm { query = rmsNormOfHeads(query, weight: queryNorm) }
        if let keyNorm = layer.keyNorm { key = rmsNormOfHeads(key, weight: keyNorm) }
        query = rotary.rotated(query, position: cache.length)
        key = rotary.rotated(key, position: cache.length)
        rounding(.query, &query)
        rounding(.kCache, &key)
        rounding(.vCache, &value)
        cache.keys[index].append(key)
        cache.values[index].append(value)

        let size = config.headSize
        let queriesPerKey = config.headCount / config.keyValueHeadCount
        var output: [Double] = []
        for head in 0..<config.headCount {
            let shared = head / queriesPerKey * size
            var scores = cache.keys[index].map { key in
                dot(query[head * size..<(head + 1) * size], key[shared..<shared + size])
                    / Double(size).squareRoot()
            }
            rounding(.scores, &scores)
            var probabilities = softmax(scores)
            rounding(.probabilities, &probabilities)
            for i in shared..<shared + size {
                output.append(dot(probabilities[...], cache.values[index].map { $0[i] }[...]))
            }
        }
        rounding(.attentionOutput, &output)
        return layer.o(output)
    }

    private func mlp(_ residual: [Double], layer: Layer, rounding: Rounding) -> [Double] {
        var x = rmsNorm(residual, weight: layer.mlpNorm)
        rounding(.mlpInput, &x)
        var hidden = zip(layer.gate(x), layer.up(x)).map { gate, up in
            gate / (1 + exp(-gate)) * up
        }
        rounding(.mlpHidden, &hidden)
        return layer.down(hidden)
    }

    private func rmsNorm(_ x: [Double], weight: [Double]) -> [Double] {
        let meanSquare = dot(x[...], x[...]) / Double(x.count)
        let scale = 1 / (meanSquare + config.normEpsilon).squareRoot()
        return zip(x, weight).map { $0 * scale * $1 }
    }

    private func rmsNormOfHeads(_ x: [Double], weight: [Double]) -> [Double] {
        stride(from: 0, to: x.count, by: config.headSize).flatMap { start in
            rmsNorm(Array(x[start..<start + config.headSize]), weight: weight)
        }
    }
}

func add(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

/// The scalar product, summed in order of the index.
func dot(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
    precondition(a.count == b.count, "a scalar product has two operands of one length")
    let shift = b.startIndex - a.startIndex
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i + shift] }
    return sum
}

func softmax(_ scores: [Double]) -> [Double] {
    let maximum = scores.max() ?? 0
    let exponentials = scores.map { exp($0 - maximum) }
    let sum = exponentials.reduce(0, +)
    return exponentials.map { $0 / sum }
}

/// y = W x + b, W row-major with an output a row.
struct Linear: Sendable {
    var weight: [Double]
    var bias: [Double]?
    var inputSize: Int

    func callAsFunction(_ x: [Double]) -> [Double] {
        let rows = stride(from: 0, to: weight.count, by: inputSize)
        let y = rows.map { dot(weight[$0..<$0 + inputSize], x[...]) }
        return bias.map { add(y, $0) } ?? y
    }
}

private struct Layer: Sendable {
    var inputNorm, mlpNorm: [Double]
    var q, k, v, o, gate, up, down: Linear
    /// The norms of one head of q and k; Qwen3 only.
    var queryNorm, keyNorm: [Double]?

    init(
        _ config: ReferenceConfig, prefix: String, reader: WeightReader
    ) throws(DiagnosticSet) {
        let (hidden, intermediate) = (config.hiddenSize, config.intermediateSize)
        let queries = config.headCount * config.headSize
        let keys = config.keyValueHeadCount * config.headSize
        inputNorm = try reader.tensor(prefix + "input_layernorm.weight", [hidden])
        let attention = prefix + "self_attn."
        var bias = config.hasAttentionBias
        q = try reader.linear(attention + "q_proj", queries, hidden, bias: bias)
        k = try reader.linear(attention + "k_proj", keys, hidden, bias: bias)
        v = try reader.linear(attention + "v_proj", keys, hidden, bias: bias)
        o = try reader.linear(attention + "o_proj", hidden, queries, bias: bias)
        switch config.family {
        case .llama: break
        case .qwen3:
            queryNorm = try reader.tensor(attention + "q_norm.weight", [config.headSize])
            keyNorm = try reader.tensor(attention + "k_norm.weight", [config.headSize])
        }
        mlpNorm = try reader.tensor(prefix + "post_attention_layernorm.weight", [hidden])
        bias = config.hasMLPBias
        gate = try reader.linear(prefix + "mlp.gate_proj", intermediate, hidden, bias: bias)
        up = try reader.linear(prefix + "mlp.up_proj", intermediate, hidden, bias: bias)
        down = try reader.linear(prefix + "mlp.down_proj", hidden, intermediate, bias: bias)
    }
}

/// Asks for tensors by name and holds what comes against the shape.
struct WeightReader {
    let weights: ReferenceModel.Weights

    func tensor(_ name: String, _ shape: [Int]) throws(DiagnosticSet) -> [Double] {
        let elements = try weights(name, shape)
        let count = shape.reduce(1, *)
        guard elements.count == count else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(name), id: "reference-weights",
                    "the tensor has \(elements.count) elements, its shape \(shape) has \(count)"))
        }
        return elements
    }

    func linear(
        _ name: String, _ outputSize: Int, _ inputSize: Int, bias: Bool
    ) throws(DiagnosticSet) -> Linear {
        Linear(
            weight: try tensor(name + ".weight", [outputSize, inputSize]),
            bias: bias ? try tensor(name + ".bias", [outputSize]) : nil,
            inputSize: inputSize)
    }
}
