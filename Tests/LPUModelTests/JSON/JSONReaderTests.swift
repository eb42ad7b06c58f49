import LPUSupport
import Testing

@testable import LPUModel

@Suite struct JSONReaderTests {
    /// A value as text, to compare with.
    private func text(_ value: JSONValue) -> String {
        switch value.content {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let literal): literal
        case .string(let string): "'\(string)'"
        case .array(let elements): "[\(elements.map(text).joined(separator: " "))]"
        case .object(let members):
            "{\(members.map { "\($0.key)=\(text($0.value))" }.joined(separator: " "))}"
        }
    }

    private func read(_ json: String) throws -> JSONValue {
        try JSONReader.read(Array(json.utf8), file: "f.json")
    }

    @Test(arguments: [
        ("null", "null"), (" [ ] ", "[]"), ("{}", "{}"), ("[true,false]", "[true false]"),
        ("[0,-0,12.50,1e5,-1.5E-3]", "[0 -0 12.50 1e5 -1.5E-3]"),
        (#"{"a":1,"b":{"a":[]},"a":2}"#, "{a=1 b={a=[]} a=2}"),
        (#""\"\\\/\b\f\n\r\t""#, "'\"\\/\u{8}\u{c}\n\r\t'"),
        (#""\u00e9 \uD83D\ude00 é😀""#, "'é 😀 é😀'"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ])
    func accepts(_ json: String, _ expected: String) throws {
        #expect(text(try read(json)) == expected)
    }

    @Test(arguments: [
        ("", 1, 1), ("{", 1, 2), ("[1,]", 1, 4), ("[1 2]", 1, 4), ("{\"a\" 1}", 1, 6),
        ("{a:1}", 1, 2), ("{\"a\":1,}", 1, 8), ("01", 1, 2), ("+1", 1, 1), (".5", 1, 1),
        ("1.", 1, 3), ("1e", 1, 3), ("-", 1, 2), ("NaN", 1, 1), ("Infinity", 1, 1),
        ("-Infinity", 1, 2), ("nul", 1, 4), ("tru e", 1, 4), ("[1]]", 1, 4), ("\"a", 1, 3),
        ("\"\n\"", 1, 2), (#""\x""#, 1, 3), (#""\u12g4""#, 1, 6), (#""\ud800""#, 1, 4),
        (#""\udc00""#, 1, 4), (#""\ud800\u0041""#, 1, 4), ("// c\n1", 1, 1), ("'a'", 1, 1),
        ("[1,\n  é]", 2, 3), ("[\"é\",?]", 1, 6), ("\u{feff}1", 1, 1),
    ])
    func rejects(_ json: String, _ line: Int, _ column: Int) {
        let error = #expect(throws: DiagnosticSet.self) { try read(json) }
        #expect(error?.diagnostics.map(\.id) == ["config-syntax"])
        #expect(error?.diagnostics.map(\.place) == [.init("f.json", line: line, column: column)])
    }

    @Test func rejectsBytesThatAreNotUTF8() {
        for bytes: [UInt8] in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]] {
            #expect(throws: DiagnosticSet.self) {
                try JSONReader.read([0x22] + bytes + [0x22], file: "f.json")
            }
        }
    }

    @Test func limitsDepth() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try read(nested(64))
        for depth in [65, 100_000] {
            let error = #expect(throws: DiagnosticSet.self) { try read(nested(depth)) }
            #expect(error?.description.contains("deeper than 64 levels") == true)
        }
    }

    @Test func placesStandAtValuesAndKeys() throws {
        guard case .object(let members) = try read("{\n  \"é\": 1,\n \"b\":  [2]}").content else {
            Issue.record("an object was read as something else")
            return
        }
        #expect(members.map { "\($0.place)" } == ["f.json:2:3", "f.json:3:2"])
        #expect(members.map { "\($0.value.place)" } == ["f.json:2:8", "f.json:3:8"])
    }
}
