import LPUSupport

/// The keys of encoders.
extension HuggingFaceImporter {
    private static let tokenTypes = 1...1024

    /// An encoder of the BERT family.
    mutating func encoder(
        _ architecture: ModelConfiguration.Architecture
    ) throws(DiagnosticSet) -> ModelConfiguration {
        let hidden = config.integer("hidden_size", in: Self.hidden)
        let heads = config.integer("num_attention_heads", in: Self.heads)
        let dimension = headDimension(architecture, hidden: hidden, heads: heads)
        let layers = config.integer("num_hidden_layers", in: Self.layers)
        let intermediate = config.integer("intermediate_size", in: Self.intermediate)
        let vocabulary = config.integer("vocab_size", in: Self.vocabulary)
        let positions = config.integer("max_position_embeddings", in: Self.positions)
        let types = config.integer("type_vocab_size", in: Self.tokenTypes, default: 2)
        let epsilon = config.real(ifPresent: "layer_norm_eps", in: Self.epsilon)
        let activation = activation()
        if let positions = config.string("position_embedding_type"), positions != "absolute" {
            config.unsupported("position_embedding_type", "built is 'absolute'")
        }
        config.refuse("is_decoder", "every token sees all others")
        config.refuse("is_encoder_decoder", "encoders and decoders are built, but not both in one")
        config.refuse("add_cross_attention", "encoders attend to themselves alone")
        refuseQuantised()
        config.finish(harmless: HuggingFaceKeys.harmless + HuggingFaceKeys.harmlessInEncoders)
        try config.diagnostics.throwIfAny()
        guard let hidden, let heads, let dimension, let layers, let intermediate, let vocabulary,
            let positions, let types, let activation
        else { preconditionFailure("a value that could not be read was not reported") }
        return ModelConfiguration(
            architecture: architecture, layerCount: layers, hiddenSize: hidden,
            intermediateSize: intermediate, vocabularySize: vocabulary, queryHeadCount: heads,
            keyValueHeadCount: heads, headDimension: dimension, maximumPositions: positions,
            normEpsilon: epsilon ?? 1e-12, rotary: nil, hasAttentionBias: true,
            hasFeedForwardBias: true, activation: activation, tokenTypeCount: types)
    }

    /// `gelu` where the key is absent.
    private mutating func activation() -> Activation? {
        guard config.value("hidden_act") != nil else { return .gelu }
        guard let name = config.string("hidden_act") else { return nil }
        let found = Activation.allCases.first { $0.names.contains(name) }
        if found == nil {
            let built = Activation.allCases.flatMap(\.names).map { "'\($0)'" }
            config.unsupported("hidden_act", "built are " + built.joined(separator: ", "))
        }
        return found
    }
}
