extension ConfigObject {
    private static let theta = 1.0...1e12
    private static let factor = 1.0...1e6
    private static let frequencyFactor = 1e-6...1e6

    /// What `LlamaConfig` and `Qwen3Config` take for an absent `rope_theta`.
    private static let defaultTheta = 10_000.0

    /// The rotary embedding that the whole file asks for; `nil` iff the head dimension is.
    mutating func rotary(headDimension: Int?, positions: Int) -> RotaryEmbedding? {
        var theta = real(ifPresent: "rope_theta", in: Self.theta)
        // transformers 5 writes rope_parameters, which holds rope_theta too.
        let old = object("rope_scaling")
        let new = object("rope_parameters")
        if old != nil, new != nil {
            contradiction(
                "rope_parameters", "'rope_parameters' and 'rope_scaling' both stand",
                try: "one of them")
        }
        var scaling = RotaryEmbedding.Scaling.none
        if var nested = new ?? old {
            let inner = nested.real(ifPresent: "rope_theta", in: Self.theta)
            if let inner, let theta, inner != theta {
                nested.contradiction(
                    "rope_theta", "'rope_theta' stands twice, as \(theta) and as \(inner)",
                    try: "one of them")
            }
            theta = inner ?? theta
            scaling = nested.scaling(positions: positions)
            merge(nested)
        }
        return headDimension.map {
            RotaryEmbedding(theta: theta ?? Self.defaultTheta, headDimension: $0, scaling: scaling)
        }
    }

    /// Reports a head of which only a part turns.
    mutating func refusePartialRotation() {
        let factor = real(ifPresent: "partial_rotary_factor", in: 0...1)
        if let factor, factor != 1 {
            unsupported("partial_rotary_factor", "every lane of a head turns")
        }
    }

    /// The scaling that a nested object asks for; what was reported counts as none.
    private mutating func scaling(positions: Int) -> RotaryEmbedding.Scaling {
        guard let (type, key) = ropeType() else { return .none }
        var scaling = RotaryEmbedding.Scaling.none
        switch type {
        case "default": break
        case "llama3": scaling = llama3(positions: positions) ?? .none
        case _:
            // Its keys are those of another formula.
            unsupported(key, "built are 'default' and 'llama3'")
            return .none
        }
        refusePartialRotation()
        finish()
        return scaling
    }

    /// The type and the key it stands under, in the newer or the older spelling.
    private mutating func ropeType() -> (type: String, key: String)? {
        let older = string("type")
        let newer = string("rope_type")
        if older == nil, newer == nil { _ = required("rope_type") }
        if let older, let newer, older != newer {
            contradiction(
                "type", "'rope_type' is '\(shown(newer))', 'type' is '\(shown(older))'",
                try: "'rope_type' alone")
        }
        return newer.map { ($0, "rope_type") } ?? older.map { ($0, "type") }
    }

    private mutating func llama3(positions: Int) -> RotaryEmbedding.Scaling? {
        let factor = real("factor", in: Self.factor)
        let low = real("low_freq_factor", in: Self.frequencyFactor)
        let high = real("high_freq_factor", in: Self.frequencyFactor)
        // The upper bound is the file's max_position_embeddings.
        let original = integer("original_max_position_embeddings", in: 1...positions)
        guard let factor, let low, let high, let original else { return nil }
        guard low < high else {
            contradiction(
                "high_freq_factor",
                "'high_freq_factor' is \(high), not above 'low_freq_factor', which is \(low)",
                try: "1 and 4, as Llama 3.1 has")
            return nil
        }
        return .llama3(
            factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high,
            originalMaximumPositions: original)
    }
}
