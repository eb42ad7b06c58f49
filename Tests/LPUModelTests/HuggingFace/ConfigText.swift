/// A configuration as keys and JSON literals, to change one thing of.
struct ConfigText {
    var members: [(key: String, literal: String)]

    static let llama = ConfigText(members: [
        ("architectures", #"["LlamaForCausalLM"]"#), ("model_type", #""llama""#),
        ("vocab_size", "1000"), ("hidden_size", "384"), ("intermediate_size", "736"),
        ("num_hidden_layers", "2"), ("num_attention_heads", "6"), ("num_key_value_heads", "2"),
        ("head_dim", "32"), ("hidden_act", #""silu""#), ("max_position_embeddings", "1024"),
        ("rms_norm_eps", "1e-05"), ("rope_theta", "500000.0"), ("rope_scaling", llama3),
        ("attention_bias", "false"), ("mlp_bias", "false"), ("tie_word_embeddings", "false"),
        ("pretraining_tp", "1"), ("torch_dtype", #""bfloat16""#),
    ])

    static let qwen3 = ConfigText(members: [
        ("architectures", #"["Qwen3ForCausalLM"]"#), ("model_type", #""qwen3""#),
        ("vocab_size", "1000"), ("hidden_size", "352"), ("intermediate_size", "736"),
        ("num_hidden_layers", "2"), ("num_attention_heads", "6"), ("num_key_value_heads", "2"),
        ("head_dim", "32"), ("hidden_act", #""silu""#), ("max_position_embeddings", "1024"),
        ("rms_norm_eps", "1e-06"), ("rope_theta", "1000000"), ("rope_scaling", "null"),
        ("attention_bias", "false"), ("use_sliding_window", "false"),
        ("sliding_window", "null"), ("max_window_layers", "2"), ("tie_word_embeddings", "true"),
    ])

    static let bert = ConfigText(members: [
        ("architectures", #"["BertModel"]"#), ("model_type", #""bert""#),
        ("vocab_size", "1000"), ("hidden_size", "352"), ("intermediate_size", "736"),
        ("num_hidden_layers", "2"), ("num_attention_heads", "11"),
        ("hidden_act", #""gelu_new""#), ("max_position_embeddings", "128"),
        ("type_vocab_size", "3"), ("layer_norm_eps", "1e-12"),
        ("position_embedding_type", #""absolute""#), ("hidden_dropout_prob", "0.1"),
        ("gradient_checkpointing", "false"),
    ])

    static let llama3 = scaling([:])

    /// A `rope_scaling` object on one line, with keys replaced, added or (by `nil`) left out.
    static func scaling(_ changes: KeyValuePairs<String, String?>) -> String {
        var text = ConfigText(members: [
            ("rope_type", #""llama3""#), ("factor", "8.0"), ("low_freq_factor", "1.0"),
            ("high_freq_factor", "4.0"), ("original_max_position_embeddings", "128"),
        ])
        for (key, literal) in changes { text = text.with(key, literal) }
        return text.json.filter { $0 != "\n" }
    }

    /// With `key` replaced or added, or left out for `nil`.
    func with(_ key: String, _ literal: String?) -> ConfigText {
        var copy = self
        if let index = members.firstIndex(where: { $0.key == key }) {
            if let literal {
                copy.members[index].literal = literal
            } else {
                copy.members.remove(at: index)
            }
        } else if let literal {
            copy.members.append((key, literal))
        }
        return copy
    }

    /// One member a line: member i (from 0) stands on line i + 2.
    var json: String {
        "{\n" + members.map { "  \"\($0.key)\": \($0.literal)" }.joined(separator: ",\n") + "\n}"
    }
}
