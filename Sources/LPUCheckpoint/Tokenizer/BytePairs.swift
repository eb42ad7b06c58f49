/// Byte-level byte-pair encoding (Sennrich et al., 2016; the byte alphabet is GPT-2's).
struct BytePairs: Sendable {
    private struct Pair: Hashable {
        var left: Int32
        var right: Int32
    }
    private struct Merge {
        var rank: Int32
        var merged: Int32
    }

    private let idOf: [[UInt8]: Int32]
    /// By byte; -1 where the vocabulary lacks it.
    private let byteIDs: [Int32]
    private let merges: [Pair: Merge]
    private let splitter: Splitter
    /// A piece that is a token is that token, whatever merges lead to.
    private let takesWholePieces: Bool

    /// nil where a merge names tokens that the vocabulary lacks.
    init?(
        vocabulary: [[UInt8]: Int], merges pairs: [(left: [UInt8], right: [UInt8])],
        splitter: Splitter, takesWholePieces: Bool
    ) {
        let ids = vocabulary.mapValues { Int32(clamping: $0) }
        var merges: [Pair: Merge] = [:]
        merges.reserveCapacity(pairs.count)
        for (rank, pair) in pairs.enumerated() {
            guard let left = ids[pair.left], let right = ids[pair.right],
                let merged = ids[pair.left + pair.right]
            else { return nil }
            let key = Pair(left: left, right: right)
            // The first of equal pairs has the lowest rank.
            if merges[key] == nil { merges[key] = Merge(rank: Int32(rank), merged: merged) }
        }
        idOf = ids
        self.merges = merges
        self.splitter = splitter
        self.takesWholePieces = takesWholePieces
        byteIDs = ByteAlphabet.characters.map { ids[Array(String(Character($0)).utf8)] ?? -1 }
    }

    func encode(_ text: some StringProtocol) -> [Int] {
        splitter.pieces(of: text).flatMap { encode(piece: Array(String($0).utf8)) }
    }

    /// Merges the neighbours of lowest rank, the first of equal ones, until none is left;
    /// O(length squared) of a piece.
    private func encode(piece: [UInt8]) -> [Int] {
        if takesWholePieces, let id = idOf[ByteAlphabet.spelling(piece)] { return [Int(id)] }
        var ids = piece.map { byteIDs[Int($0)] }.filter { $0 >= 0 }
        while ids.count > 1 {
            var best: (at: Int, merge: Merge)?
            for i in 0..<ids.count - 1 {
                guard let merge = merges[Pair(left: ids[i], right: ids[i + 1])],
                    merge.rank < best?.merge.rank ?? .max
                else { continue }
                best = (i, merge)
            }
            guard let best else { break }
            ids[best.at] = best.merge.merged
            ids.remove(at: best.at + 1)
        }
        return ids.map(Int.init)
    }
}

/// GPT-2's spelling of bytes as printable characters (`bytes_to_unicode` in its `encoder.py`).
enum ByteAlphabet {
    /// By byte.
    static let characters: [Unicode.Scalar] = {
        var next: UInt32 = 256
        return (0..<256).map { byte in
            if isPrintable(UInt32(byte)) { return Unicode.Scalar(UInt8(byte)) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? " "
        }
    }()

    private static let bytes = Dictionary(
        uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

    private static func isPrintable(_ byte: UInt32) -> Bool {
        (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte)
    }

    /// UTF-8 of the characters.
    static func spelling(_ bytes: [UInt8]) -> [UInt8] {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(characters[Int(byte)]) }
        return Array(String(text).utf8)
    }

    /// The bytes of a token; what is not of the alphabet stands for itself.
    static func bytes(of token: String) -> [UInt8] {
        token.unicodeScalars.flatMap { scalar in
            bytes[scalar].map { [$0] } ?? Array(String(Character(scalar)).utf8)
        }
    }
}
