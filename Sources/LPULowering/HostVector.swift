public import LPUMachine

/// What a decode step exchanges with the host: a vector in, a vector out.
public enum HostVector {
    /// The vector that a step takes: in every superlane the token in bytes 0..<4 and its position
    /// in bytes 4..<8, low bytes first; the rest is 0.
    /// - Requires: both are 0 or more and fit 32 bits.
    public static func ingress(token: Int, position: Int, on chip: Chip) -> [UInt8] {
        let words = UInt64(UInt32(token)) | UInt64(UInt32(position)) << 32
        return (0..<chip.lanes).map { lane in
            let byte = lane % chip.lanesPerSuperlane
            return byte < 8 ? UInt8(truncatingIfNeeded: words >> (8 * UInt64(byte))) : 0
        }
    }

    /// The next token, which a step gives in the first four bytes of its vector, low bytes first.
    /// - Requires: the vector has four bytes or more.
    public static func token(egress vector: [UInt8]) -> Int {
        (0..<4).reduce(0) { $0 | Int(vector[$1]) << (8 * $1) }
    }
}
