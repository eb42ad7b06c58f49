import LPUModel

/// The text at which an encoder is evaluated: words from the whole vocabulary, segments in turn,
/// and a last quarter that only fills the context up.
struct PointText {
    let tokens: [Int]
    let types: [Int]
    let isReal: [Bool]

    init(_ model: ModelConfiguration, context: Int) {
        let last = model.vocabularySize - 1
        tokens = (0..<context).map { $0 * last / max(1, context - 1) }
        types = (0..<context).map { $0 % model.tokenTypeCount }
        isReal = (0..<context).map { $0 < context - context / 4 }
    }

    /// A vector a token: its number in the bytes 0..<4 of every superlane, its segment's in 4..<8,
    /// and 1 in byte 8 if it is one of the text's.
    func ingress(lanes: Int, superlane: Int) -> [[UInt8]] {
        tokens.indices.map { i in
            (0..<lanes).map { lane in
                let byte = lane % superlane
                switch byte {
                case 0..<4: return UInt8(truncatingIfNeeded: tokens[i] >> (8 * byte))
                case 4..<8: return UInt8(truncatingIfNeeded: types[i] >> (8 * (byte - 4)))
                case 8: return isReal[i] ? 1 : 0
                case _: return 0
                }
            }
        }
    }
}
