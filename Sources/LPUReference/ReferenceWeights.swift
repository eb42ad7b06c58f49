/// Weights made from a hash of the tensor's Hugging Face name and the element's index.
///
/// Written from the formula, apart from the importer's, so that the two check each other:
/// offset + ((splitmix64(fnv1a64(name) + index) >> 40) - 2^23) / 2^23 * scale, rounded to Float.
public enum ReferenceWeights {
    /// Elements lie evenly in `offset - scale ..< offset + scale`.
    private struct Spread {
        var ending: String
        var offset: Double
        var scale: Double
    }

    /// The first row whose ending a name has holds. Tuned so that logits spread, attention is
    /// sharp, and the largest logit leads clearly; short binary fractions, so all but the last
    /// rounding is exact.
    private static let spreads = [
        Spread(ending: ".bias", offset: 0, scale: 1.0 / 4),
        Spread(ending: "q_norm.weight", offset: 3.0 / 2, scale: 1.0 / 4),
        Spread(ending: "k_norm.weight", offset: 3.0 / 2, scale: 1.0 / 4),
        Spread(ending: "norm.weight", offset: 1, scale: 1.0 / 4),
        Spread(ending: "LayerNorm.weight", offset: 1, scale: 1.0 / 4),
        Spread(ending: "down_proj.weight", offset: 0, scale: 1.0 / 16),
        Spread(ending: "", offset: 0, scale: 1.0 / 8),
    ]

    /// Of q_proj and k_proj if wide: a query's scores spread over more than 200, too far for a
    /// softmax that does not subtract their maximum.
    private static let wideScale = 9.0 / 16

    /// The elements of tensor `name`, row-major; each is a Float exactly.
    public static func tensor(_ name: String, shape: [Int], wide: Bool = false) -> [Double] {
        guard let spread = spreads.first(where: { name.hasSuffix($0.ending) }) else {
            preconditionFailure("the last row fits every name")
        }
        let isQueryOrKey = name.hasSuffix("q_proj.weight") || name.hasSuffix("k_proj.weight")
        let scale = wide && isQueryOrKey ? wideScale : spread.scale
        let start = fnv1a64(name)
        return (0..<UInt64(shape.reduce(1, *))).map { index in
            let bits = splitmix64(start &+ index) >> 40
            let unit = (Double(bits) - 0x1p23) / 0x1p23
            return Double(Float(spread.offset + unit * scale))
        }
    }

    /// FNV-1a of the UTF-8 bytes (RFC 9923).
    static func fnv1a64(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 {
            hash ^= UInt64(byte)
            hash &*= 0x0000_0100_0000_01b3
        }
        return hash
    }

    /// The first output of splitmix64 from `seed` (Steele, Lea and Flood 2014).
    static func splitmix64(_ seed: UInt64) -> UInt64 {
        var z = seed &+ 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
