public import LPUSupport

extension ModelConfiguration {
    /// Imports the `config.json` of a Hugging Face model.
    ///
    /// Every key is used, known to be harmless, or an error that names it: nothing is ignored in
    /// silence. Defaults are those of `LlamaConfig`, `Qwen3Config` and `BertConfig` in Hugging Face
    /// transformers.
    ///
    /// - Parameters:
    ///   - bytes: the file, JSON in UTF-8.
    ///   - file: its name, for diagnostics.
    /// - Throws: all that is wrong with it, with ids `config-syntax` (not JSON), `config-key`
    ///   (missing, unknown or repeated), `config-value` (wrong type, range or combination) and
    ///   `model-unsupported` (understood, but not built).
    public init(huggingFace bytes: [UInt8], file: String) throws(DiagnosticSet) {
        let value = try JSONReader.read(bytes, file: file)
        guard case .object(let members) = value.content else {
            throw DiagnosticSet(
                Diagnostic(
                    at: value.place, id: "config-value",
                    "the file holds \(value.description), an object is expected"))
        }
        var importer = HuggingFaceImporter(config: ConfigObject(members, place: value.place))
        self = try importer.configuration()
    }
}

/// Turns the keys of one file into a configuration.
struct HuggingFaceImporter {
    // Upper bounds far above any model, so that no product of sizes overflows 64 bits.
    static let layers = 1...1024
    static let hidden = 1...131_072
    static let intermediate = 1...1_048_576
    static let vocabulary = 2...4_194_304
    static let heads = 1...1024
    private static let headDimension = 2...512
    static let positions = 1...16_777_216
    static let epsilon = 1e-12...1e-1

    var config: ConfigObject

    mutating func configuration() throws(DiagnosticSet) -> ModelConfiguration {
        guard let architecture = architecture() else { throw config.diagnostics }
        if architecture.isEncoder { return try encoder(architecture) }
        let hidden = config.integer("hidden_size", in: Self.hidden)
        let queryHeads = config.integer("num_attention_heads", in: Self.heads)
        let keyValueHeads = keyValueHeads(architecture, queryHeads: queryHeads)
        let headDimension = headDimension(architecture, hidden: hidden, heads: queryHeads)
        let layers = config.integer("num_hidden_layers", in: Self.layers)
        let intermediate = config.integer("intermediate_size", in: Self.intermediate)
        let vocabulary = config.integer("vocab_size", in: Self.vocabulary)
        let positions = config.integer("max_position_embeddings", in: Self.positions)
        let epsilon = config.real("rms_norm_eps", in: Self.epsilon)
        let attentionBias = config.flag("attention_bias")
        var feedForwardBias: Bool? = false
        switch architecture {
        case .llama: feedForwardBias = config.flag("mlp_bias")
        case .qwen3: config.refuse("mlp_bias", "qwen3 has no such biases")
        case .bert: preconditionFailure("an encoder is read by itself")
        }
        let tied = config.flag("tie_word_embeddings")
        let rotary = config.rotary(
            headDimension: headDimension, positions: positions ?? Self.positions.upperBound)
        refuseOtherAttention(layers: layers)
        refuseOtherArithmetic()
        config.finish(harmless: HuggingFaceKeys.harmless)
        try config.diagnostics.throwIfAny()
        guard let hidden, let queryHeads, let keyValueHeads, let headDimension, let layers,
            let intermediate, let vocabulary, let positions, let epsilon, let attentionBias,
            let feedForwardBias, let tied, let rotary
        else { preconditionFailure("a value that could not be read was not reported") }
        return ModelConfiguration(
            architecture: architecture, layerCount: layers, hiddenSize: hidden,
            intermediateSize: intermediate, vocabularySize: vocabulary,
            queryHeadCount: queryHeads, keyValueHeadCount: keyValueHeads,
            headDimension: headDimension, maximumPositions: positions, normEpsilon: epsilon,
            rotary: rotary, hasAttentionBias: attentionBias, hasFeedForwardBias: feedForwardBias,
            hasQueryKeyNorm: architecture == .qwen3, tiesEmbeddings: tied)
    }

    // MARK: Family

    /// `nil` if the family cannot be told or is not built: its other keys mean nothing then.
    private mutating func architecture() -> ModelConfiguration.Architecture? {
        guard let value = config.required("architectures") else { return nil }
        guard case .array(let names) = value.content, names.count == 1,
            case .string(let name) = names[0].content
        else {
            config.reportType("architectures", value, "an array of one string")
            return nil
        }
        guard let architecture = ModelConfiguration.Architecture(rawValue: name) else {
            let missing = HuggingFaceKeys.unsupported.first { $0.architecture == name }?.missing
            let built = ModelConfiguration.Architecture.allCases.map(\.rawValue)
            config.unsupported(
                "architectures", value: "'\(shown(name))'",
                (missing.map { "\($0) would be needed, " } ?? "an unknown family, ")
                    + "built are \(built.joined(separator: " and "))")
            return nil
        }
        if let modelType = config.string("model_type"), modelType != architecture.modelType {
            config.contradiction(
                "model_type",
                "'model_type' is '\(shown(modelType))', "
                    + "that of \(name) is '\(architecture.modelType)'",
                try: "one family in both keys")
        }
        return architecture
    }

    // MARK: Heads

    private mutating func keyValueHeads(
        _ architecture: ModelConfiguration.Architecture, queryHeads: Int?
    ) -> Int? {
        // Qwen3Config takes 32 for an absent key, which no published file relies on.
        let heads =
            switch architecture {
            case .llama: config.integer("num_key_value_heads", in: Self.heads, default: queryHeads)
            case .qwen3: config.integer("num_key_value_heads", in: Self.heads)
            case .bert: queryHeads
            }
        if let heads, let queryHeads, queryHeads % heads != 0 {
            config.contradiction(
                "num_key_value_heads",
                "'num_attention_heads' is \(queryHeads), no multiple of "
                    + "'num_key_value_heads', which is \(heads)",
                try: "equally many query heads for every key-value head")
        }
        return heads
    }

    mutating func headDimension(
        _ architecture: ModelConfiguration.Architecture, hidden: Int?, heads: Int?
    ) -> Int? {
        var quotient: Int?
        if let hidden, let heads { quotient = hidden / heads }
        // Qwen3Config takes 128 for an absent key, which no published file relies on.
        let dimension =
            switch architecture {
            case .llama: config.integer("head_dim", in: Self.headDimension, default: quotient)
            case .qwen3: config.integer("head_dim", in: Self.headDimension)
            case .bert: quotient
            }
        if architecture != .qwen3, let hidden, let heads, hidden % heads != 0 {
            config.contradiction(
                "hidden_size",
                "'hidden_size' is \(hidden), no multiple of 'num_attention_heads', "
                    + "which is \(heads)", try: "a multiple, as transformers requires")
        } else if let dimension, dimension % 2 != 0 || !Self.headDimension.contains(dimension) {
            config.contradiction(
                "head_dim",
                "a head has \(dimension) elements, an even number in "
                    + "\(Self.headDimension.lowerBound)...\(Self.headDimension.upperBound) "
                    + "is expected", try: "an even 'head_dim'")
        }
        return dimension
    }

    // MARK: What is not built

    private mutating func refuseOtherAttention(layers: Int?) {
        config.refusePartialRotation()
        config.refuse("rope_interleaved", "lane i turns with lane i + d/2")
        config.refuse("is_encoder_decoder", "decoders alone are built")
        config.refuse("use_sliding_window", "every layer attends to the whole context")
        // Qwen files give a window and turn it off.
        if config.value("sliding_window") != nil, !config.stands("use_sliding_window") {
            config.unsupported("sliding_window", "every layer attends to the whole context")
        }
        guard let types = config.value("layer_types") else { return }
        guard case .array(let elements) = types.content else {
            return config.reportType("layer_types", types, "an array")
        }
        if let layers, elements.count != layers {
            config.contradiction(
                "layer_types",
                "'layer_types' has \(elements.count) elements, 'num_hidden_layers' is \(layers)",
                try: "one element a layer")
        }
        for element in elements {
            if case .string("full_attention") = element.content { continue }
            return config.unsupported(
                "layer_types", value: "\(element.description) in some layer",
                "every layer attends to the whole context")
        }
    }

    private mutating func refuseOtherArithmetic() {
        if let activation = config.string("hidden_act"), activation != "silu" {
            config.unsupported("hidden_act", "built is 'silu'")
        }
        refuseQuantised()
        let parts = config.integer("pretraining_tp", in: 1...Self.hidden.upperBound, default: 1)
        if let parts, parts != 1 {
            config.unsupported("pretraining_tp", "linear layers are not added in parts")
        }
    }

    mutating func refuseQuantised() {
        if config.value("quantization_config") != nil {
            config.unsupported(
                "quantization_config", "weights are quantised here, from unquantised ones")
        }
    }
}
