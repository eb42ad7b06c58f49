import LPUModel
import LPUSupport

/// What a GGUF says of its model, in the words of Hugging Face.
extension GGUF {
    private static let modelID = "gguf-model"

    private var architecture: String? {
        if case .string(let name)? = metadata["general.architecture"] { name } else { nil }
    }

    /// The `config.json` that the metadata stands for; the importer then checks its values.
    /// - Throws: `gguf-model` for families and keys that are not read, `gguf-key` for a key that is
    ///   missing or of another type.
    func config() throws(DiagnosticSet) -> [UInt8] {
        let family: (architecture: String, type: String)
        switch architecture {
        case "llama": family = ("LlamaForCausalLM", "llama")
        case "qwen3": family = ("Qwen3ForCausalLM", "qwen3")
        case let other:
            throw refusal(
                file, Self.modelID,
                "the architecture is '\(shown(other ?? "none"))': read are llama and qwen3")
        }
        try refuseOthers(prefix: family.type)
        let heads = try natural(family.type + ".attention.head_count")
        let hidden = try natural(family.type + ".embedding_length")
        let dimension =
            try naturalIfPresent(family.type + ".attention.key_length")
            ?? (heads > 0 ? hidden / heads : 0)
        let vocabulary =
            try naturalIfPresent(family.type + ".vocab_size") ?? tokenCount() ?? 0
        let keyValueHeads =
            try naturalIfPresent(family.type + ".attention.head_count_kv") ?? heads
        let turned = try naturalIfPresent(family.type + ".rope.dimension_count") ?? dimension
        guard turned == dimension else {
            throw refusal(
                file, Self.modelID, "\(turned) of a head's \(dimension) lanes turn: all have to")
        }
        let isTied = !tensors.contains { $0.name == "output.weight" }
        let epsilon = try real(family.type + ".attention.layer_norm_rms_epsilon")
        let theta =
            metadata[family.type + ".rope.freq_base"] == nil
            ? 10_000 : try real(family.type + ".rope.freq_base")
        let keys: [(String, String)] = [
            ("architectures", "[\"\(family.architecture)\"]"),
            ("model_type", "\"\(family.type)\""),
            ("vocab_size", "\(vocabulary)"),
            ("hidden_size", "\(hidden)"),
            ("intermediate_size", "\(try natural(family.type + ".feed_forward_length"))"),
            ("num_hidden_layers", "\(try natural(family.type + ".block_count"))"),
            ("num_attention_heads", "\(heads)"),
            ("num_key_value_heads", "\(keyValueHeads)"),
            ("head_dim", "\(dimension)"),
            ("hidden_act", "\"silu\""),
            (
                "max_position_embeddings",
                "\(try natural(family.type + ".context_length"))"
            ),
            ("rms_norm_eps", "\(epsilon)"),
            ("rope_theta", "\(theta)"),
            ("tie_word_embeddings", "\(isTied)"),
            ("attention_bias", "\(tensors.contains { $0.name.hasSuffix("attn_q.bias") })"),
        ]
        let lines = keys.map { "  \"\($0.0)\": \($0.1)" }.joined(separator: ",\n")
        return Array("{\n\(lines)\n}\n".utf8)
    }

    /// The tensors under the names of the model graph, paired rows marked.
    /// - Throws: `gguf-model` for scaled rotations and `weights-surplus` for names that are not
    ///   those of a dense decoder.
    func renamedTensors(
        _ configuration: ModelConfiguration
    ) throws(DiagnosticSet) -> [String: StoredTensor] {
        var result: [String: StoredTensor] = [:]
        for tensor in tensors {
            if tensor.name == "rope_freqs.weight" {
                throw refusal(
                    file, Self.modelID,
                    "'rope_freqs.weight' scales the rotation: take the model's safetensors")
            }
            guard let name = Self.graphName(of: tensor.name) else {
                throw refusal(
                    file, "weights-surplus", "the model has no use for '\(shown(tensor.name))'")
            }
            var renamed = tensor
            if configuration.architecture == .llama {
                if name.contains(".q_proj.") { renamed.pairedHeads = configuration.queryHeadCount }
                if name.contains(".k_proj.") {
                    renamed.pairedHeads = configuration.keyValueHeadCount
                }
            }
            guard renamed.pairedHeads == 0 || renamed.rowCount % (2 * renamed.pairedHeads) == 0
            else {
                throw refusal(
                    file, "weights-shape",
                    "'\(name)' \(tensor.shape) has no pairs of rows for "
                        + "\(renamed.pairedHeads) heads"
                )
            }
            result[name] = renamed
        }
        return result
    }

    /// `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight` (`gguf-py/gguf/
    /// tensor_mapping.py`); nil for others than a dense decoder's.
    private static func graphName(of name: String) -> String? {
        switch name {
        case "token_embd.weight": return "model.embed_tokens.weight"
        case "output_norm.weight": return "model.norm.weight"
        case "output.weight": return "lm_head.weight"
        case _: break
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]), layer >= 0,
            "\(layer)" == parts[1], ["weight", "bias"].contains(parts[3]),
            let middle = inLayer[String(parts[2])]
        else { return nil }
        return "model.layers.\(layer).\(middle).\(parts[3])"
    }

    private static let inLayer = [
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    ]

    // MARK: Keys

    /// Keys of the family that this does not read, other than those that say nothing of a step.
    private func refuseOthers(prefix: String) throws(DiagnosticSet) {
        let read = [
            "block_count", "context_length", "embedding_length", "feed_forward_length",
            "attention.head_count", "attention.head_count_kv", "attention.key_length",
            "attention.value_length", "attention.layer_norm_rms_epsilon", "rope.freq_base",
            "rope.dimension_count", "vocab_size",
        ].map { prefix + "." + $0 }
        for key in metadata.keys.sorted() where key.hasPrefix(prefix + ".") {
            if read.contains(key) { continue }
            if key.hasPrefix(prefix + ".rope.scaling."), case .string("none")? = metadata[key] {
                continue
            }
            throw refusal(
                file, Self.modelID, "'\(shown(key))' is not read: what it asks for might be lost")
        }
        if let length = try naturalIfPresent(prefix + ".attention.value_length"),
            length != (try naturalIfPresent(prefix + ".attention.key_length") ?? length)
        {
            throw refusal(file, Self.modelID, "keys and values of a head differ in length")
        }
    }

    private func tokenCount() -> Int? {
        if case .array(let tokens)? = metadata["tokenizer.ggml.tokens"] {
            tokens.count
        } else {
            nil
        }
    }

    private func natural(_ key: String) throws(DiagnosticSet) -> Int {
        guard let number = try naturalIfPresent(key) else {
            throw refusal(file, "gguf-key", "'\(key)' is missing")
        }
        return number
    }

    func naturalIfPresent(_ key: String) throws(DiagnosticSet) -> Int? {
        guard let value = metadata[key] else { return nil }
        guard case .integer(let number) = value, number >= 0 else {
            throw refusal(file, "gguf-key", "'\(key)' is no integer of 0 or more")
        }
        return number
    }

    private func real(_ key: String) throws(DiagnosticSet) -> Double {
        guard case .real(let number)? = metadata[key], number.isFinite else {
            throw refusal(file, "gguf-key", "'\(key)' is missing or no finite number")
        }
        return number
    }
}
