package import LPUSupport

/// A strict reader of JSON (RFC 8259) in UTF-8.
///
/// Foundation's reader loses what a diagnostic needs: the place of a value, repeated keys, and
/// whether a number was written as an integer.
package struct JSONReader {
    private static let depthLimit = 64

    private let bytes: [UInt8]
    private let file: String
    private var position = 0
    private var line = 1
    private var column = 1
    private var depth = 0

    /// Reads the one value that a file holds; linear in its length.
    ///
    /// Throws one `config-syntax` diagnostic, at the first byte that cannot continue a JSON text.
    package static func read(_ bytes: [UInt8], file: String) throws(DiagnosticSet) -> JSONValue {
        var reader = JSONReader(bytes: bytes, file: file)
        reader.skipBlanks()
        let value = try reader.value()
        reader.skipBlanks()
        guard reader.next == nil else { throw reader.error("the end of the file") }
        return value
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    // MARK: Bytes

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Columns count characters: the continuation bytes of UTF-8 do not.
    private var place: Diagnostic.Place { Diagnostic.Place(file, line: line, column: column) }

    private mutating func advance() {
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if byte & 0xc0 != 0x80 {
            column += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        advance()
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(DiagnosticSet) {
        guard take(character) else { throw error("'\(character)'") }
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
            advance()
        }
    }

    private func error(_ expected: String) -> DiagnosticSet {
        let found =
            switch next {
            case nil: "the file ends"
            case let byte? where (0x21...0x7e).contains(byte):
                "'\(Character(Unicode.Scalar(byte)))' stands"
            case let byte?: "byte 0x\(String(byte, radix: 16)) stands"
            }
        return syntax(at: place, "\(found) where \(expected) is expected")
    }

    private func syntax(at place: Diagnostic.Place, _ message: String) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: place, id: "config-syntax", message))
    }

    // MARK: Values

    private mutating func value() throws(DiagnosticSet) -> JSONValue {
        let start = place
        guard depth < Self.depthLimit else {
            throw syntax(at: start, "values are nested deeper than \(Self.depthLimit) levels")
        }
        guard let byte = next else { throw error("a value") }
        depth += 1
        defer { depth -= 1 }
        let content: JSONValue.Content =
            switch byte {
            case UInt8(ascii: "{"): .object(try members())
            case UInt8(ascii: "["): .array(try elements())
            case UInt8(ascii: "\""): .string(try string())
            case UInt8(ascii: "t"): try word("true", .bool(true))
            case UInt8(ascii: "f"): try word("false", .bool(false))
            case UInt8(ascii: "n"): try word("null", .null)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): .number(try number())
            case _: throw error("a value")
            }
        return JSONValue(content: content, place: start)
    }

    private mutating func word(
        _ word: String, _ content: JSONValue.Content
    ) throws(DiagnosticSet) -> JSONValue.Content {
        for scalar in word.unicodeScalars {
            guard take(scalar) else { throw error("'\(scalar)' of '\(word)'") }
        }
        return content
    }

    private mutating func elements() throws(DiagnosticSet) -> [JSONValue] {
        try expect("[")
        skipBlanks()
        if take("]") { return [] }
        var elements: [JSONValue] = []
        while true {
            skipBlanks()
            elements.append(try value())
            skipBlanks()
            if take("]") { return elements }
            guard take(",") else { throw error("',' or ']'") }
        }
    }

    private mutating func members() throws(DiagnosticSet) -> [JSONMember] {
        try expect("{")
        skipBlanks()
        if take("}") { return [] }
        var members: [JSONMember] = []
        while true {
            skipBlanks()
            let keyPlace = place
            guard next == UInt8(ascii: "\"") else { throw error("a key in '\"'") }
            let key = try string()
            skipBlanks()
            try expect(":")
            skipBlanks()
            members.append(JSONMember(key: key, place: keyPlace, value: try value()))
            skipBlanks()
            if take("}") { return members }
            guard take(",") else { throw error("',' or '}'") }
        }
    }

    /// `-`? (`0` | digits) (`.` digits)? (`e` sign? digits)?
    private mutating func number() throws(DiagnosticSet) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(DiagnosticSet) {
        let start = position
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { advance() }
        guard position > start else { throw error("a digit") }
    }

    // MARK: Strings

    private mutating func string() throws(DiagnosticSet) -> String {
        let start = place
        try expect("\"")
        var text: [UInt8] = []
        while let byte = next, byte != UInt8(ascii: "\""), byte >= 0x20 {
            advance()
            if byte == UInt8(ascii: "\\") {
                text += Array(String(Character(try escaped())).utf8)
            } else {
                text.append(byte)
            }
        }
        guard take("\"") else { throw error("'\"' or a character of a string") }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw syntax(at: start, "the string is not UTF-8")
        }
        return string
    }

    /// The scalar that stands after `\`.
    private mutating func escaped() throws(DiagnosticSet) -> Unicode.Scalar {
        guard let byte = next, let index = Array("\"\\/bfnrtu".utf8).firstIndex(of: byte) else {
            throw error("an escape")
        }
        advance()
        guard byte == UInt8(ascii: "u") else {
            return ["\"", "\\", "/", "\u{8}", "\u{c}", "\n", "\r", "\t"][index]
        }
        let start = place
        let unit = try hexadecimal()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        // A code point above U+FFFF is a high surrogate and then a low one.
        if unit < 0xdc00, take("\\"), take("u") {
            let low = try hexadecimal()
            if (0xdc00...0xdfff).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
            {
                return scalar
            }
        }
        throw syntax(at: start, "half of a surrogate pair is no character")
    }

    private mutating func hexadecimal() throws(DiagnosticSet) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("a hexadecimal digit")
            }
            advance()
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}
