/// How a text is cut into pieces, none of which a merge crosses.
///
/// Each is a published regular expression, written as a scanner: `\p{L}` is a letter, `\p{N}` a
/// number, `\s` white space.
struct Splitter: Sendable {
    enum Pattern: Hashable, Sendable, CaseIterable {
        /// `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
        case gpt2
        /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
        /// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
        case llama3
        /// As `llama3`, with `\p{N}` alone.
        case qwen2

        /// The expression as `tokenizer.json` has it; that of `gpt2` is part of ByteLevel.
        var expression: String? {
            let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
            let tail =
                #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
            let words = #"[^\r\n\p{L}\p{N}]?\p{L}+|"#
            return switch self {
            case .gpt2: nil
            case .llama3: contractions + words + #"\p{N}{1,3}"# + tail
            case .qwen2: contractions + words + #"\p{N}"# + tail
            }
        }
    }

    var pattern: Pattern
    /// Each number is a piece of its own before the pattern is looked at.
    var isolatesDigits = false

    /// The pieces in order; together they are the text. O(text).
    func pieces(of text: some StringProtocol) -> [String.UnicodeScalarView.SubSequence] {
        let scalars = String(text).unicodeScalars
        var pieces: [String.UnicodeScalarView.SubSequence] = []
        for part in isolatesDigits ? Self.isolated(scalars) : [scalars[...]] {
            var scanner = Scanner(part)
            while let piece = scanner.next(pattern) { pieces.append(piece) }
        }
        return pieces
    }

    private static func isolated(
        _ scalars: String.UnicodeScalarView
    ) -> [String.UnicodeScalarView.SubSequence] {
        var parts: [String.UnicodeScalarView.SubSequence] = []
        var start = scalars.startIndex
        for i in scalars.indices where Kind(scalars[i]) == .number {
            if start < i { parts.append(scalars[start..<i]) }
            start = scalars.index(after: i)
            parts.append(scalars[i..<start])
        }
        if start < scalars.endIndex { parts.append(scalars[start...]) }
        return parts
    }
}

/// What the expressions tell apart.
private enum Kind {
    case letter, number, space, other

    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            self = .letter
        case .decimalNumber, .letterNumber, .otherNumber:
            self = .number
        case _:
            self = scalar.properties.isWhitespace ? .space : .other
        }
    }
}

private struct Scanner {
    private let scalars: [Unicode.Scalar]
    private let kinds: [Kind]
    private let indices: [String.UnicodeScalarView.Index]
    private let text: String.UnicodeScalarView.SubSequence
    private var start = 0

    init(_ text: String.UnicodeScalarView.SubSequence) {
        self.text = text
        scalars = Array(text)
        kinds = scalars.map(Kind.init)
        indices = Array(text.indices) + [text.endIndex]
    }

    mutating func next(
        _ pattern: Splitter.Pattern
    ) -> String.UnicodeScalarView.SubSequence? {
        guard start < scalars.count else { return nil }
        let end =
            switch pattern {
            case .gpt2: contraction(ignoringCase: false) ?? gpt2Run ?? spaces
            case .llama3: contraction(ignoringCase: true) ?? llama3Run(numbers: 3)
            case .qwen2: contraction(ignoringCase: true) ?? llama3Run(numbers: 1)
            }
        defer { start = end }
        return text[indices[start]..<indices[end]]
    }

    /// The end of a run of a kind from `first` on, at most `limit` long; nil if it is empty.
    private func run(_ kind: Kind, from first: Int, limit: Int = .max) -> Int? {
        var end = first
        while end < kinds.count, kinds[end] == kind, end - first < limit { end += 1 }
        return end > first ? end : nil
    }

    private func contraction(ignoringCase: Bool) -> Int? {
        guard scalars[start] == "'" else { return nil }
        for ending in ["s", "d", "m", "t", "ll", "ve", "re"] as [String] {
            let end = start + 1 + ending.utf8.count
            guard end <= scalars.count else { continue }
            let isEqual = zip(scalars[start + 1..<end], ending.unicodeScalars).allSatisfy {
                $0 == $1 || ignoringCase && Self.folded($0) == $1
            }
            if isEqual { return end }
        }
        return nil
    }

    /// Simple case folding, as far as it leads to the letters of contractions: the long s too.
    private static func folded(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        if scalar == "\u{17f}" { return "s" }
        guard ("A"..."Z").contains(scalar) else { return scalar }
        return Unicode.Scalar(UInt8(scalar.value) | 0x20)
    }

    /// ` ?` and a run of one kind.
    private var gpt2Run: Int? {
        let first = scalars[start] == " " ? start + 1 : start
        return run(.letter, from: first) ?? run(.number, from: first) ?? run(.other, from: first)
    }

    private func llama3Run(numbers: Int) -> Int {
        if let end = run(.letter, from: start) { return end }
        let isLineEnd = Self.isLineEnd(scalars[start])
        if !isLineEnd, kinds[start] != .number, let end = run(.letter, from: start + 1) {
            return end
        }
        if let end = run(.number, from: start, limit: numbers) { return end }
        let first = scalars[start] == " " ? start + 1 : start
        if var end = run(.other, from: first) {
            while end < scalars.count, Self.isLineEnd(scalars[end]) { end += 1 }
            return end
        }
        let end = run(.space, from: start) ?? start + 1
        if let last = (start..<end).last(where: { Self.isLineEnd(scalars[$0]) }) {
            return last + 1
        }
        return spaces
    }

    /// `\s+(?!\S)|\s+`: the last one of several stays with what follows.
    private var spaces: Int {
        let end = run(.space, from: start) ?? start + 1
        return end < scalars.count && end - start > 1 ? end - 1 : end
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\r" || scalar == "\n"
    }
}
