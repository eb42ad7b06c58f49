import Foundation
public import LPUSupport

/// The values of a `config.json` that the forward pass of a `BertModel` needs.
public struct ReferenceEncoderConfig: Hashable, Sendable {
    /// The function between the two projections of a feed-forward.
    public enum Activation: String, Hashable, Sendable, CaseIterable {
        case gelu
        case geluNew = "gelu_new"
        case relu
    }

    /// Elements of one token's state.
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layerCount: Int
    public var headCount: Int
    public var vocabularySize: Int
    public var maximumPositions: Int
    public var tokenTypeCount: Int
    public var normEpsilon: Double
    public var activation: Activation

    /// Reads the bytes of a `config.json`; `file` names it in errors.
    ///
    /// - Throws: every key that is missing, out of range, or asks for what is not defined here.
    public init(json: [UInt8], file: String) throws(DiagnosticSet) {
        var keys = try ConfigReader(json: json, file: file)
        hiddenSize = keys.integer("hidden_size")
        intermediateSize = keys.integer("intermediate_size")
        layerCount = keys.integer("num_hidden_layers")
        headCount = keys.integer("num_attention_heads")
        vocabularySize = keys.integer("vocab_size")
        maximumPositions = keys.integer("max_position_embeddings")
        tokenTypeCount = keys.integer("type_vocab_size")
        normEpsilon = keys.number("layer_norm_eps")
        let name = keys.value("hidden_act") as? String ?? "gelu"
        activation = Activation(rawValue: name) ?? .gelu
        if Activation(rawValue: name) == nil {
            let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
            keys.refuse("'hidden_act' is '\(name)'; defined are \(known)")
        }
        let positions = keys.value("position_embedding_type") as? String ?? "absolute"
        if positions != "absolute" {
            keys.refuse("'position_embedding_type' is '\(positions)'; defined is absolute")
        }
        if hiddenSize % headCount != 0 {
            keys.refuse("hidden_size \(hiddenSize) is no multiple of \(headCount) heads")
        }
        try keys.diagnostics.throwIfAny()
    }
}

/// An encoder in Double, written from the definition of BERT (Devlin et al., 2018): slow, plain,
/// and the judge of what compiled schedules compute.
public struct ReferenceEncoder: Sendable {
    /// A token of a text.
    public struct Token: Hashable, Sendable {
        public var id: Int
        /// The segment that it is of.
        public var type: Int
        /// `false` for what only fills a text up: no token sees it.
        public var isReal: Bool

        public init(_ id: Int, type: Int = 0, isReal: Bool = true) {
            self.id = id
            self.type = type
            self.isReal = isReal
        }
    }

    public let config: ReferenceEncoderConfig
    private let words, positions, types: [Double]
    private let norm: Norm
    private let layers: [EncoderLayer]

    /// Reads all weights.
    ///
    /// - Throws: what `weights` throws, or the first tensor whose count is not that of its shape.
    public init(
        _ config: ReferenceEncoderConfig, weights: @escaping ReferenceModel.Weights
    ) throws(DiagnosticSet) {
        self.config = config
        let reader = WeightReader(weights: weights)
        func table(_ name: String, _ rows: Int) throws(DiagnosticSet) -> [Double] {
            try reader.tensor("embeddings.\(name).weight", [rows, config.hiddenSize])
        }
        words = try table("word_embeddings", config.vocabularySize)
        positions = try table("position_embeddings", config.maximumPositions)
        types = try table("token_type_embeddings", config.tokenTypeCount)
        norm = try Norm("embeddings.LayerNorm", config, reader)
        var layers: [EncoderLayer] = []
        for index in 0..<config.layerCount {
            layers.append(try EncoderLayer("encoder.layer.\(index).", config, reader))
        }
        self.layers = layers
    }

    /// The states of all tokens behind the last layer.
    ///
    /// - Requires: ids and types are in their tables, there are no more tokens than positions, and
    ///   one is real.
    public func states(of tokens: [Token]) -> [[Double]] {
        let width = config.hiddenSize
        func row(_ table: [Double], _ i: Int) -> [Double] {
            Array(table[i * width..<(i + 1) * width])
        }
        var states = tokens.enumerated().map { position, token in
            norm(add(add(row(words, token.id), row(types, token.type)), row(positions, position)))
        }
        for layer in layers { states = layer(states, isReal: tokens.map(\.isReal)) }
        return states
    }

    /// The mean of the states of the real tokens.
    /// - Requires: as `states`.
    public func embedding(of tokens: [Token]) -> [Double] {
        let real = zip(states(of: tokens), tokens).filter(\.1.isReal).map(\.0)
        let sum = real.dropFirst().reduce(real[0], add)
        return sum.map { $0 / Double(real.count) }
    }
}

/// (x - mean) / sqrt(variance + epsilon) * weight + bias.
private struct Norm: Sendable {
    var weight, bias: [Double]
    var epsilon: Double

    init(
        _ name: String, _ config: ReferenceEncoderConfig, _ reader: WeightReader
    ) throws(DiagnosticSet) {
        weight = try reader.tensor("\(name).weight", [config.hiddenSize])
        bias = try reader.tensor("\(name).bias", [config.hiddenSize])
        epsilon = config.normEpsilon
    }

    func callAsFunction(_ x: [Double]) -> [Double] {
        let mean = x.reduce(0, +) / Double(x.count)
        let centred = x.map { $0 - mean }
        let variance = dot(centred[...], centred[...]) / Double(x.count)
        let scale = 1 / (variance + epsilon).squareRoot()
        return x.indices.map { centred[$0] * scale * weight[$0] + bias[$0] }
    }
}

private struct EncoderLayer: Sendable {
    var query, key, value, attentionOutput, up, down: Linear
    var attentionNorm, outputNorm: Norm
    var headSize: Int
    var activation: ReferenceEncoderConfig.Activation

    init(
        _ prefix: String, _ config: ReferenceEncoderConfig, _ reader: WeightReader
    ) throws(DiagnosticSet) {
        let (hidden, intermediate) = (config.hiddenSize, config.intermediateSize)
        query = try reader.linear(prefix + "attention.self.query", hidden, hidden, bias: true)
        key = try reader.linear(prefix + "attention.self.key", hidden, hidden, bias: true)
        value = try reader.linear(prefix + "attention.self.value", hidden, hidden, bias: true)
        attentionOutput = try reader.linear(
            prefix + "attention.output.dense", hidden, hidden, bias: true)
        attentionNorm = try Norm(prefix + "attention.output.LayerNorm", config, reader)
        up = try reader.linear(prefix + "intermediate.dense", intermediate, hidden, bias: true)
        down = try reader.linear(prefix + "output.dense", hidden, intermediate, bias: true)
        outputNorm = try Norm(prefix + "output.LayerNorm", config, reader)
        headSize = hidden / config.headCount
        activation = config.activation
    }

    func callAsFunction(_ states: [[Double]], isReal: [Bool]) -> [[Double]] {
        let keys = states.map { key($0) }
        let values = states.map { value($0) }
        return states.map { state in
            let mixed = attention(query(state), keys, values, isReal)
            let middle = attentionNorm(add(attentionOutput(mixed), state))
            return outputNorm(add(down(up(middle).map(activated)), middle))
        }
    }

    private func attention(
        _ query: [Double], _ keys: [[Double]], _ values: [[Double]], _ isReal: [Bool]
    ) -> [Double] {
        stride(from: 0, to: query.count, by: headSize).flatMap { start in
            let head = start..<start + headSize
            let seen = keys.indices.filter { isReal[$0] }
            let weights = softmax(
                seen.map { dot(query[head], keys[$0][head]) / Double(headSize).squareRoot() })
            return head.map { i in
                zip(weights, seen).reduce(0) { $0 + $1.0 * values[$1.1][i] }
            }
        }
    }

    private func activated(_ x: Double) -> Double {
        switch activation {
        case .gelu: x / 2 * (1 + erf(x / 2.0.squareRoot()))
        case .geluNew:
            x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .relu: max(x, 0)
        }
    }
}
