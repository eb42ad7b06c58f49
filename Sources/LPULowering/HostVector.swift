public import LPUMachine
import LPUPlanning

/// What a step exchanges with the host. A decode step: a vector in, a vector out; an encoder: a
/// vector a token in, the bytes of the embedding out.
public enum HostVector {
    /// The vector that a step takes: in every superlane the token in bytes 0..<4, its position
    /// in bytes 4..<8 and its user in bytes 8..<12, low bytes first; the rest is 0.
    /// - Requires: all are 0 or more and fit 32 bits.
    public static func ingress(
        token: Int, position: Int, user: Int = 0, on chip: Chip
    ) -> [UInt8] {
        vector(words: [token, position, user], on: chip)
    }

    /// The vector that an encoder takes for each token of its context: in every superlane the token
    /// in bytes 0..<4, its type in bytes 4..<8, and 1 in byte 8 if it is one of the text's.
    /// - Requires: both are 0 or more and fit 32 bits.
    public static func ingress(token: Int, type: Int, isReal: Bool, on chip: Chip) -> [UInt8] {
        vector(words: [token, type, isReal ? 1 : 0], on: chip)
    }

    private static func vector(words: [Int], on chip: Chip) -> [UInt8] {
        let words = words.map { UInt32($0) }
        return (0..<chip.lanes).map { lane in
            let (word, byte) = (lane % chip.lanesPerSuperlane).quotientAndRemainder(dividingBy: 4)
            guard words.indices.contains(word) else { return 0 }
            return UInt8(truncatingIfNeeded: words[word] >> (8 * UInt32(byte)))
        }
    }

    /// The next token, which a step gives in the first four bytes of its vector, low bytes first.
    /// - Requires: the vector has four bytes or more.
    public static func token(egress vector: [UInt8]) -> Int {
        (0..<4).reduce(0) { $0 | Int(vector[$1]) << (8 * $1) }
    }

    /// Vectors that an embedding of `size` elements leaves in.
    public static func embeddingVectors(size: Int, on chip: Chip) -> Int {
        4 * Tiling(0..<size, lanes: chip.lanes).count
    }

    /// An encoder's embedding of `size` elements from the vectors that it gives: of each tile of
    /// its elements the four bytes of fp32 one after another, low bytes first.
    /// - Requires: as many vectors as `embeddingVectors` says.
    public static func embedding(egress vectors: [[UInt8]], size: Int, on chip: Chip) -> [Float] {
        Tiling(0..<size, lanes: chip.lanes).ranges.enumerated().flatMap { tile, range in
            range.indices.map { i in
                let lane = i - range.lowerBound
                let bits = (0..<4).reduce(UInt32(0)) {
                    $0 | UInt32(vectors[4 * tile + $1][lane]) << UInt32(8 * $1)
                }
                return Float(bitPattern: bits)
            }
        }
    }
}
