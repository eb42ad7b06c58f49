import Foundation

/// BERT's tokens: words cut greedily into the longest known pieces (Schuster and Nakajima, 2012).
struct WordPiece: Sendable {
    /// What BERT's normaliser does before words are cut.
    struct Normaliser: Sendable {
        /// Drops control characters, and makes white space spaces.
        var cleansText = true
        /// Puts spaces around each.
        var separatesIdeographs = true
        var stripsAccents = true
        var lowercases = true
    }

    /// By the UTF-8 of a piece.
    let vocabulary: [[UInt8]: Int]
    let unknown: Int
    /// Of pieces that continue a word.
    let prefix: [UInt8]
    /// Longer words are unknown.
    let longestWord: Int
    let normaliser: Normaliser

    func encode(_ text: some StringProtocol) -> [Int] {
        words(normaliser.normalised(String(text))).flatMap(pieces)
    }

    /// Words between spaces; each punctuation mark is one.
    private func words(_ text: String) -> [[Unicode.Scalar]] {
        var words: [[Unicode.Scalar]] = []
        var word: [Unicode.Scalar] = []
        func flush() {
            if !word.isEmpty { words.append(word) }
            word = []
        }
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace {
                flush()
            } else if scalar.isPunctuation {
                flush()
                words.append([scalar])
            } else {
                word.append(scalar)
            }
        }
        flush()
        return words
    }

    private func pieces(_ word: [Unicode.Scalar]) -> [Int] {
        guard word.count <= longestWord else { return [unknown] }
        var ids: [Int] = []
        var start = 0
        while start < word.count {
            var found: (end: Int, id: Int)?
            for end in stride(from: word.count, to: start, by: -1) {
                var piece = String.UnicodeScalarView()
                piece.append(contentsOf: word[start..<end])
                if let id = vocabulary[(start > 0 ? prefix : []) + String(piece).utf8] {
                    found = (end, id)
                    break
                }
            }
            guard let found else { return [unknown] }
            ids.append(found.id)
            start = found.end
        }
        return ids
    }
}

extension WordPiece.Normaliser {
    func normalised(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if cleansText {
                if scalar.value == 0xfffd || scalar.isControl { continue }
                if scalar.properties.isWhitespace {
                    scalars.append(" ")
                    continue
                }
            }
            let isApart = separatesIdeographs && scalar.isIdeograph
            scalars.append(contentsOf: isApart ? [" ", scalar, " "] : [scalar])
        }
        var result = String(scalars)
        if stripsAccents {
            var kept = String.UnicodeScalarView()
            for scalar in result.decomposedStringWithCanonicalMapping.unicodeScalars
            where scalar.properties.generalCategory != .nonspacingMark {
                kept.append(scalar)
            }
            result = String(kept)
        }
        return lowercases ? result.lowercased() : result
    }
}

extension Unicode.Scalar {
    /// As BERT has it: all signs of ASCII are punctuation.
    fileprivate var isPunctuation: Bool {
        switch value {
        case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: return true
        case _: break
        }
        return switch properties.generalCategory {
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            true
        case _: false
        }
    }

    /// Tabs and line ends are white space; other control characters are not.
    fileprivate var isControl: Bool {
        if [9, 10, 13].contains(value) { return false }
        return switch properties.generalCategory {
        case .control, .format, .unassigned, .privateUse, .surrogate: true
        case _: false
        }
    }

    /// The blocks that BERT takes for Chinese characters.
    fileprivate var isIdeograph: Bool {
        switch value {
        case 0x4e00...0x9fff, 0x3400...0x4dbf, 0x20000...0x2a6df, 0x2a700...0x2b73f,
            0x2b740...0x2b81f, 0x2b920...0x2ceaf, 0xf900...0xfaff, 0x2f800...0x2fa1f:
            true
        case _: false
        }
    }
}
