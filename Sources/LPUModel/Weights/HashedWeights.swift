/// Weights made from a hash of the tensor's name and the element's index: any host and any
/// language makes the same bits, at any size, without a file.
///
/// Element i (row-major) of tensor `name` is
/// `Float(offset + Double((splitmix64(fnv1a64(name) &+ i) >> 40) - 2^23) / 2^23 * scale)`,
/// with `offset` and `scale` of the first row of `spreads` whose ending the name has. Every
/// step but the last is exact in Double.
public struct HashedWeights: WeightSource {
    /// How the elements of a kind of tensor spread: evenly in `offset - scale ..< offset + scale`.
    struct Spread {
        var ending: String
        var offset: Double
        var scale: Double
    }

    /// Chosen so that logits have a standard deviation of at least 1 and some attention weights
    /// exceed one half: a mistake anywhere then shows in the answer.
    static let spreads = [
        Spread(ending: ".bias", offset: 0, scale: 1.0 / 4),
        Spread(ending: "q_norm.weight", offset: 3.0 / 2, scale: 1.0 / 4),
        Spread(ending: "k_norm.weight", offset: 3.0 / 2, scale: 1.0 / 4),
        Spread(ending: "norm.weight", offset: 1, scale: 1.0 / 4),
        Spread(ending: "LayerNorm.weight", offset: 1, scale: 1.0 / 4),
        Spread(ending: "down_proj.weight", offset: 0, scale: 1.0 / 16),
        Spread(ending: "", offset: 0, scale: 1.0 / 8),
    ]

    private struct Entry {
        var tensor: WeightTensor
        var hash: UInt64
        var offset: Double
        var scale: Double
    }

    private let entries: [String: Entry]

    /// - Requires: every name stands once in `tensors`, such as `ModelGraph.weights`.
    public init(_ tensors: [WeightTensor]) {
        entries = Dictionary(
            uniqueKeysWithValues: tensors.map { tensor in
                let spread = Self.spreads.first { tensor.name.hasSuffix($0.ending) }!
                let entry = Entry(
                    tensor: tensor, hash: fnv1a64(tensor.name), offset: spread.offset,
                    scale: spread.scale)
                return (tensor.name, entry)
            })
    }

    public func shape(of tensor: String) -> [Int]? { entries[tensor]?.tensor.shape }

    public func readRow(_ index: Int, of tensor: String, into row: inout [Float]) {
        guard let entry = entries[tensor] else { preconditionFailure("no weight '\(tensor)'") }
        precondition(
            (0..<entry.tensor.rowCount).contains(index), "'\(tensor)' has no row \(index)")
        let length = entry.tensor.rowLength
        let start = entry.hash &+ UInt64(index * length)
        row.removeAll(keepingCapacity: true)
        row.reserveCapacity(length)
        for i in 0..<UInt64(length) {
            let centred = Int(splitmix64(start &+ i) >> 40) - (1 << 23)
            row.append(Float(entry.offset + Double(centred) / 0x1p23 * entry.scale))
        }
    }
}

/// FNV-1a over the UTF-8 bytes (Fowler, Noll and Vo; RFC 9923).
func fnv1a64(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}

/// The output of splitmix64 in state `x` (Steele, Lea and Flood, 2014).
func splitmix64(_ x: UInt64) -> UInt64 {
    var z = x &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
}
