/// Reads one line of a text form: words separated by blanks, `#` opens a comment.
///
/// All text forms of the project (machine, plan, dataflow, schedule) are lines of words, so that
/// they can be written by hand, diffed and searched, and share one scanner.
public struct LineScanner: Sendable {
    public let file: String
    public let line: Int
    /// The words of the line with their columns (from 1), comment removed.
    public let words: [(text: Substring, column: Int)]
    /// The next word to read.
    public private(set) var position = 0

    public init(_ text: Substring, file: String, line: Int) {
        self.file = file
        self.line = line
        var words: [(Substring, Int)] = []
        var start: Substring.Index?
        var column = 0
        var startColumn = 0
        for i in text.indices {
            column += 1
            let c = text[i]
            if c == "#" && (start == nil) { break }
            if c == " " || c == "\t" || c == "\r" {
                if let s = start { words.append((text[s..<i], startColumn)) }
                start = nil
            } else if start == nil {
                start = i
                startColumn = column
            }
            if i == text.indices.last, let s = start { words.append((text[s...], startColumn)) }
        }
        self.words = words
    }

    public var isAtEnd: Bool { position == words.count }
    public var place: Diagnostic.Place {
        let column = position < words.count ? words[position].column : (words.last?.column ?? 1)
        return Diagnostic.Place(file, line: line, column: column)
    }

    /// An error at the word that was read last.
    public func error(_ id: String, _ message: String, notes: [String] = []) -> DiagnosticSet {
        let column = position > 0 ? words[position - 1].column : 1
        return DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place(file, line: line, column: column), id: id, message,
                notes: notes))
    }

    /// The next word without reading it.
    public var peek: Substring? { isAtEnd ? nil : words[position].text }

    /// The next word; `what` names it in the error.
    public mutating func word(_ what: String, id: String) throws(DiagnosticSet) -> Substring {
        guard !isAtEnd else { throw error(id, "the line ends where \(what) is expected") }
        defer { position += 1 }
        return words[position].text
    }

    /// Reads `keyword` or throws.
    public mutating func expect(_ keyword: String, id: String) throws(DiagnosticSet) {
        let found = try word("'\(keyword)'", id: id)
        if found != keyword { throw error(id, "'\(found)' stands where '\(keyword)' is expected") }
    }

    /// Reads `keyword` if it is next.
    public mutating func take(_ keyword: String) -> Bool {
        guard peek.map({ $0 == keyword }) == true else { return false }
        position += 1
        return true
    }

    /// The next word as an integer within `range`.
    public mutating func integer(
        _ what: String, in range: ClosedRange<Int>, id: String
    ) throws(DiagnosticSet) -> Int {
        let text = try word(what, id: id)
        guard let value = Int(text) else { throw error(id, "'\(text)' is not \(what), an integer") }
        guard range.contains(value) else {
            throw error(
                id, "\(what) is \(value), outside \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    /// The next word as an entity such as `chip17`.
    public mutating func entity<ID: EntityID>(
        _ type: ID.Type, id: String
    ) throws(DiagnosticSet) -> ID {
        let text = try word("a name such as '\(ID.prefix)0'", id: id)
        guard let value = ID(String(text)) else {
            throw error(id, "'\(text)' is not a name such as '\(ID.prefix)0'")
        }
        return value
    }

    /// Throws unless the line has been read to its end.
    public func end(id: String) throws(DiagnosticSet) {
        guard let extra = peek else { return }
        var copy = self
        copy.position += 1
        throw copy.error(id, "'\(extra)' is one word too many")
    }
}
