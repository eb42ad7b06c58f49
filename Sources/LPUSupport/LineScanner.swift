/// Reads lines of a text form: words separated by blanks, `#` before a word opens a comment.
///
/// All text forms of the project (machine, plan, dataflow, schedule) are lines of words, so that
/// they can be written by hand, diffed and searched, and share one scanner. It works on UTF-8
/// bytes, because a schedule may have 100 MB of them; a column counts bytes, from 1.
public struct LineScanner: Sendable {
    public let file: String
    /// The number of the line, from 1; 0 before the first `nextLine()`.
    public private(set) var line: Int
    @usableFromInline let bytes: [UInt8]
    private var lineStart = 0
    @usableFromInline var lineEnd: Int
    /// The next byte to read: the first of a word, inside a word, or the end of the line.
    @usableFromInline var cursor = 0
    /// The first byte of the word that was begun last.
    @usableFromInline var mark = 0

    /// One line.
    public init(_ text: Substring, file: String, line: Int) {
        self.file = file
        self.line = line
        bytes = Array(text.utf8)
        lineEnd = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        skipBlanks()
    }

    /// A whole text, before its first line.
    public init(_ bytes: [UInt8], file: String) {
        self.file = file
        self.bytes = bytes
        line = 0
        lineEnd = -1
    }

    /// Goes to the next line that holds a word; `false` at the end of the text.
    public mutating func nextLine() -> Bool {
        while lineEnd < bytes.count {
            lineStart = lineEnd + 1
            guard lineStart < bytes.count else { break }
            lineEnd = lineStart
            while lineEnd < bytes.count, bytes[lineEnd] != UInt8(ascii: "\n") { lineEnd += 1 }
            line += 1
            cursor = lineStart
            mark = lineStart
            skipBlanks()
            if !isAtEnd { return true }
        }
        cursor = bytes.count
        lineEnd = bytes.count
        return false
    }

    @inlinable public var isAtEnd: Bool { cursor == lineEnd }

    /// The word to read next, or the end of the line.
    public var place: Diagnostic.Place { place(of: cursor) }

    private func place(of byte: Int) -> Diagnostic.Place {
        Diagnostic.Place(file, line: line, column: byte - lineStart + 1)
    }

    /// An error at the word that was read last.
    public func error(_ id: String, _ message: String, notes: [String] = []) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: place(of: mark), id: id, message, notes: notes))
    }
}

// MARK: Words

extension LineScanner {
    /// The next word without reading it.
    public var peek: Substring? { isAtEnd ? nil : text(cursor..<wordEnd) }

    /// The next word; `what` names it in the error.
    public mutating func word(_ what: String, id: String) throws(DiagnosticSet) -> Substring {
        try beginWord(what, id: id)
        let end = wordEnd
        if let byte = bytes[cursor..<end].first(where: { !Self.isOfWord($0) }) {
            let code = String(byte, radix: 16)
            throw error(id, "\(what) holds the control byte 0x\(code); leave it out")
        }
        defer {
            cursor = end
            skipBlanks()
        }
        return text(cursor..<end)
    }

    /// `true` iff `text` is a word of a text form: what is written is read as the same word.
    public static func isWord(_ text: String) -> Bool {
        text.utf8.first.map { $0 != UInt8(ascii: "#") } ?? false
            && text.utf8.allSatisfy(isOfWord)
    }

    /// No blank and no control byte.
    private static func isOfWord(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x7f }

    /// Reads `keyword` or throws.
    public mutating func expect(_ keyword: String, id: String) throws(DiagnosticSet) {
        if take(keyword) { return }
        let found = try word("'\(keyword)'", id: id)
        throw error(id, "'\(found)' stands where '\(keyword)' is expected")
    }

    /// Reads `keyword` if it is next.
    public mutating func take(_ keyword: String) -> Bool {
        var end = cursor
        for byte in keyword.utf8 {
            guard end < lineEnd, bytes[end] == byte else { return false }
            end += 1
        }
        guard end == wordEnd, end > cursor else { return false }
        mark = cursor
        cursor = end
        skipBlanks()
        return true
    }

    /// The next word as an integer within `range`.
    public mutating func integer(
        _ what: String, in range: ClosedRange<Int>, id: String
    ) throws(DiagnosticSet) -> Int {
        try beginWord(what, id: id)
        let value = try number(what, in: range, id: id)
        try endWord(id: id)
        return value
    }

    /// The next word as an entity such as `chip17`.
    @inlinable public mutating func entity<ID: EntityID>(
        _ type: ID.Type, id: String
    ) throws(DiagnosticSet) -> ID {
        try beginWord("a name such as '\(ID.prefix)0'", id: id)
        if let value = name(type), nextByte == nil {
            skipBlanks()
            return value
        }
        cursor = mark
        throw error(id, "'\(currentWord)' is not a name such as '\(ID.prefix)0'")
    }

    /// The next word by `parse`, which is nil where it does not read it to its end; `what` names it
    /// in the error.
    @inlinable public mutating func parsed<Result>(
        _ what: @autoclosure () -> String, id: String, _ parse: (inout LineScanner) -> Result?
    ) throws(DiagnosticSet) -> Result {
        try beginWord(what(), id: id)
        if let result = parse(&self), nextByte == nil {
            skipBlanks()
            return result
        }
        cursor = mark
        throw error(id, "'\(currentWord)' is not \(what())")
    }

    /// The text between two quotation marks, which may hold blanks and `#`, but no further mark.
    public mutating func quoted(_ what: String, id: String) throws(DiagnosticSet) -> String {
        try beginWord(what, id: id)
        let quote = UInt8(ascii: "\"")
        guard takeByte(quote) else {
            throw error(id, "'\(peek ?? "")' stands where \(what) in quotation marks is expected")
        }
        guard let end = bytes[cursor..<lineEnd].firstIndex(of: quote) else {
            throw error(id, "\(what) has no closing quotation mark")
        }
        let result = String(text(cursor..<end))
        cursor = end + 1
        try endWord(id: id)
        return result
    }

    /// Throws unless the line has been read to its end.
    public func end(id: String) throws(DiagnosticSet) {
        guard let extra = peek else { return }
        throw DiagnosticSet(
            Diagnostic(at: place, id: id, "'\(extra)' is one word too many"))
    }

    /// The word that was begun last.
    public var currentWord: Substring { text(mark..<wordEnd) }

    private func text(_ range: Range<Int>) -> Substring {
        Substring(decoding: bytes[range], as: UTF8.self)
    }
}

// MARK: Parts of a word, such as `x20/1+1`

extension LineScanner {
    /// Makes the next word the one that errors point at; throws if there is none.
    @inlinable public mutating func beginWord(
        _ what: @autoclosure () -> String, id: String
    ) throws(DiagnosticSet) {
        mark = cursor
        if isAtEnd { throw error(id, "the line ends where \(what()) is expected") }
    }

    /// The next byte of the word that is being read, or nil at its end.
    @inlinable public var nextByte: UInt8? {
        guard cursor < lineEnd, !Self.isBlank(bytes[cursor]) else { return nil }
        return bytes[cursor]
    }

    /// Reads `byte` if it is next.
    @inlinable public mutating func takeByte(_ byte: UInt8) -> Bool {
        guard cursor < lineEnd, bytes[cursor] == byte else { return false }
        cursor += 1
        return true
    }

    /// Reads the bytes of `prefix` if they are next.
    @inlinable public mutating func takePrefix(_ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard cursor + count <= lineEnd else { return false }
        for i in 0..<count where bytes[cursor + i] != prefix.utf8Start[i] { return false }
        cursor += count
        return true
    }

    /// An entity such as `chip17` that begins at the next byte; nil where there is none.
    @inlinable public mutating func name<ID: EntityID>(_ type: ID.Type) -> ID? {
        for byte in ID.prefix.utf8 where !takeByte(byte) { return nil }
        let first = cursor
        guard let value = digits() else { return nil }
        return bytes[first] != UInt8(ascii: "0") || cursor == first + 1 ? ID(value) : nil
    }

    /// A decimal number in 0...2^31 - 1 that begins at the next byte; nil where there is none.
    @inlinable public mutating func digits() -> Int? {
        let first = cursor
        var value = 0
        while cursor < lineEnd, case let digit = bytes[cursor] &- UInt8(ascii: "0"), digit < 10 {
            value = value * 10 + Int(digit)
            if value > Int32.max { return nil }
            cursor += 1
        }
        return cursor > first ? value : nil
    }

    /// A decimal number within `range` that begins at the next byte, up to the first non-digit.
    @inlinable public mutating func number(
        _ what: @autoclosure () -> String, in range: ClosedRange<Int>, id: String
    ) throws(DiagnosticSet) -> Int {
        let start = cursor
        let isNegative = takeByte(UInt8(ascii: "-"))
        let digits = cursor
        var value = 0
        while cursor < lineEnd, case let digit = bytes[cursor] &- UInt8(ascii: "0"), digit < 10 {
            // Eighteen digits fit into 64 bits; longer numbers are outside every range.
            if cursor - digits < 18 { value = value * 10 + Int(digit) }
            cursor += 1
        }
        if isNegative { value = -value }
        if cursor > digits, cursor - digits <= 18, range.contains(value) { return value }
        throw badNumber(what(), from: start, digits: cursor - digits, range, id: id)
    }

    /// Throws unless the word has been read to its end; goes to the next one.
    @inlinable public mutating func endWord(id: String) throws(DiagnosticSet) {
        if nextByte != nil { throw badWord(id: id) }
        skipBlanks()
    }

    @usableFromInline func badNumber(
        _ what: String, from start: Int, digits: Int, _ range: ClosedRange<Int>, id: String
    ) -> DiagnosticSet {
        guard digits > 0 else {
            return error(id, "'\(currentWord)' stands where \(what) is expected")
        }
        return error(
            id,
            "\(what) is \(text(start..<cursor)), outside \(range.lowerBound)...\(range.upperBound)")
    }

    @usableFromInline func badWord(id: String) -> DiagnosticSet {
        error(id, "'\(text(cursor..<wordEnd))' follows where '\(text(mark..<cursor))' should end")
    }

    @inlinable static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }

    /// The end of the word at the cursor.
    @usableFromInline var wordEnd: Int {
        var end = cursor
        while end < lineEnd, !Self.isBlank(bytes[end]) { end += 1 }
        return end
    }

    @usableFromInline mutating func skipBlanks() {
        while cursor < lineEnd, Self.isBlank(bytes[cursor]) { cursor += 1 }
        if cursor < lineEnd, bytes[cursor] == UInt8(ascii: "#") { cursor = lineEnd }
    }
}
