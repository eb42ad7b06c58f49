import Foundation
public import LPUSupport

/// The values of a Hugging Face `config.json` that the forward pass of a model needs.
///
/// Read here from the file itself and by no code of the importer, whose mistakes it shall show.
public struct ReferenceConfig: Hashable, Sendable {
    /// The model's published definition, by the first of `architectures`.
    public enum Family: String, Hashable, Sendable, CaseIterable {
        case llama = "LlamaForCausalLM"
        case qwen3 = "Qwen3ForCausalLM"
    }

    /// The frequency scaling of Llama 3.1 (`rope_type` `llama3`).
    public struct RopeScaling: Hashable, Sendable {
        public var factor: Double
        public var lowFrequencyFactor: Double
        public var highFrequencyFactor: Double
        /// Token positions of the context before scaling.
        public var originalContext: Double
    }

    public var family: Family
    /// Elements of the residual stream.
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layerCount: Int
    public var headCount: Int
    public var keyValueHeadCount: Int
    /// Elements of one head.
    public var headSize: Int
    public var vocabularySize: Int
    public var normEpsilon: Double
    public var ropeTheta: Double
    public var ropeScaling: RopeScaling?
    /// `true` iff the language model head is the embedding table.
    public var tiesEmbeddings: Bool
    /// `true` iff the q, k, v and o projections have a bias.
    public var hasAttentionBias: Bool
    /// `true` iff the gate, up and down projections have a bias.
    public var hasMLPBias: Bool

    /// Reads the bytes of a `config.json`; `file` names it in errors.
    ///
    /// - Throws: every key that is missing, out of range, or asks for what is not defined here.
    public init(json: [UInt8], file: String) throws(DiagnosticSet) {
        var keys = try ConfigReader(json: json, file: file)
        let architecture = (keys.value("architectures") as? [String])?.first
        family = architecture.flatMap(Family.init) ?? .llama
        hiddenSize = keys.integer("hidden_size")
        intermediateSize = keys.integer("intermediate_size")
        layerCount = keys.integer("num_hidden_layers")
        headCount = keys.integer("num_attention_heads")
        vocabularySize = keys.integer("vocab_size")
        normEpsilon = keys.number("rms_norm_eps")
        ropeTheta = keys.number("rope_theta")
        tiesEmbeddings = keys.flag("tie_word_embeddings")
        hasAttentionBias = keys.flag("attention_bias")
        // The defaults below are those of LlamaConfig; Qwen3Config has others, and no MLP bias.
        switch family {
        case .llama:
            keyValueHeadCount = keys.integer("num_key_value_heads", default: headCount)
            headSize = keys.integer("head_dim", default: hiddenSize / headCount)
            hasMLPBias = keys.flag("mlp_bias")
        case .qwen3:
            keyValueHeadCount = keys.integer("num_key_value_heads")
            headSize = keys.integer("head_dim")
            hasMLPBias = false
        }
        ropeScaling = keys.ropeScaling()

        if architecture.flatMap(Family.init) == nil {
            let known = Family.allCases.map(\.rawValue).joined(separator: ", ")
            keys.refuse(
                "'architectures' starts with '\(architecture ?? "nothing")'; defined are \(known)")
        }
        if let activation = keys.value("hidden_act") as? String, activation != "silu" {
            keys.refuse("'hidden_act' is '\(activation)'; defined is silu")
        }
        if keys.flag("use_sliding_window") {
            keys.refuse("'use_sliding_window' is true; defined is attention to all positions")
        }
        try keys.diagnostics.throwIfAny()  // a refused value is in no relation to another
        if headCount % keyValueHeadCount != 0 {
            keys.refuse(
                "num_attention_heads \(headCount) is no multiple of num_key_value_heads "
                    + "\(keyValueHeadCount)")
        }
        if headSize % 2 != 0 { keys.refuse("head_dim \(headSize) is odd; rotation takes pairs") }
        try keys.diagnostics.throwIfAny()
    }
}

/// Takes values out of a JSON object and collects what is wrong with them.
///
/// A refused value is replaced by one that is safe to go on with.
struct ConfigReader {
    let object: [String: Any]
    let file: String
    /// What stands before a key in messages: the keys of the enclosing objects.
    var path = ""
    var diagnostics = DiagnosticSet()

    init(json: [UInt8], file: String) throws(DiagnosticSet) {
        self.file = file
        let parsed = try? JSONSerialization.jsonObject(with: Data(json)) as? [String: Any]
        object = parsed ?? [:]
        if parsed == nil {
            refuse("the file is not a JSON object")
            throw diagnostics
        }
    }

    init(object: [String: Any], file: String, path: String) {
        (self.object, self.file, self.path) = (object, file, path)
    }

    mutating func refuse(_ message: String) {
        diagnostics.insert(
            Diagnostic(at: Diagnostic.Place(file), id: "reference-config", message))
    }

    /// The value of `key`, or `nil` if it is missing or null.
    func value(_ key: String) -> Any? {
        guard let value = object[key], !(value is NSNull) else { return nil }
        return value
    }

    mutating func integer(_ key: String, default standard: Int? = nil) -> Int {
        let range = 1...(1 << 20)  // the product of any three is inside Int
        guard let value = value(key) ?? standard else {
            refuse("'\(path)\(key)' is missing")
            return 1
        }
        guard let integer = value as? Int, range.contains(integer) else {
            refuse("'\(path)\(key)' is \(value), no integer of \(range)")
            return 1
        }
        return integer
    }

    mutating func number(_ key: String) -> Double {
        guard let value = value(key) else {
            refuse("'\(path)\(key)' is missing")
            return 1
        }
        guard let number = value as? Double, number > 0, number.isFinite else {
            refuse("'\(path)\(key)' is \(value), no positive number")
            return 1
        }
        return number
    }

    /// A missing flag is false, as in both families' published defaults.
    mutating func flag(_ key: String) -> Bool {
        guard let value = value(key) else { return false }
        guard let flag = value as? Bool else {
            refuse("'\(path)\(key)' is \(value), neither true nor false")
            return false
        }
        return flag
    }

    mutating func ropeScaling() -> ReferenceConfig.RopeScaling? {
        guard let value = value("rope_scaling") else { return nil }
        guard let object = value as? [String: Any] else {
            refuse("'rope_scaling' is \(value), no object")
            return nil
        }
        // Older files spell the key `type`.
        let type = (object["rope_type"] ?? object["type"]) as? String
        if type == "default" { return nil }
        guard type == "llama3" else {
            refuse("'rope_scaling.rope_type' is '\(type ?? "missing")'; defined is llama3")
            return nil
        }
        var keys = ConfigReader(object: object, file: file, path: "rope_scaling.")
        let scaling = ReferenceConfig.RopeScaling(
            factor: keys.number("factor"),
            lowFrequencyFactor: keys.number("low_freq_factor"),
            highFrequencyFactor: keys.number("high_freq_factor"),
            originalContext: keys.number("original_max_position_embeddings"))
        diagnostics.formUnion(keys.diagnostics)
        return scaling
    }
}
