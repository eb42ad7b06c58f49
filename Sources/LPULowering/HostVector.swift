public import LPUMachine

/// What a decode step exchanges with the host: a vector in, a vector out.
public enum HostVector {
    /// The vector that a step takes: in every superlane the token in bytes 0..<4, its position
    /// in bytes 4..<8 and its user in bytes 8..<12, low bytes first; the rest is 0.
    /// - Requires: all are 0 or more and fit 32 bits.
    public static func ingress(
        token: Int, position: Int, user: Int = 0, on chip: Chip
    ) -> [UInt8] {
        let words = [token, position, user].map { UInt32($0) }
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
}
