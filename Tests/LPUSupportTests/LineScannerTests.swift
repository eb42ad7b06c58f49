import LPUSupport
import Testing

@Suite struct LineScannerTests {
    private func scanner(_ text: String) -> LineScanner {
        LineScanner(Array(text.utf8), file: "f")
    }

    @Test func wordsOfLines() throws {
        var scanner = scanner("\n  one\ttwo#2 # three\r\n#\n\n-7 chip4 \"a # b\"")
        var found: [String] = []
        while scanner.nextLine() {
            found.append("line \(scanner.line)")
            if scanner.line == 2 {
                found.append(String(try scanner.word("a word", id: "x")))
                found.append(scanner.take("two") ? "two" : "not two")
                found.append(scanner.take("two#2") ? "two#2" : "not two#2")
            } else {
                found.append("\(try scanner.integer("a number", in: -9...9, id: "x"))")
                found.append("\(try scanner.entity(ChipID.self, id: "x"))")
                found.append(try scanner.quoted("a text", id: "x"))
            }
            try scanner.end(id: "x")
        }
        #expect(found == ["line 2", "one", "not two", "two#2", "line 5", "-7", "chip4", "a # b"])
    }

    @Test func controlBytesStandInNoWord() throws {
        for (byte, code) in [(1, "0x1"), (127, "0x7f"), (0, "0x0")] as [(UInt8, String)] {
            let error = #expect(throws: DiagnosticSet.self) {
                var scanner = LineScanner([97, byte, 32], file: "f")
                _ = scanner.nextLine()
                _ = try scanner.word("n", id: "x")
            }
            let text = "f:1:1: error: n holds the control byte \(code); leave it out [x]"
            #expect(error?.description == text)
        }
        #expect(LineScanner.isWord("a#b") && LineScanner.isWord("ä"))
        #expect(["", "#a", "a b", "a\t", "\u{7f}"].allSatisfy { !LineScanner.isWord($0) })
    }

    @Test func partsOfWord() throws {
        var scanner = LineScanner("x20/1+3 y", file: "f", line: 9)
        try scanner.beginWord("a word", id: "x")
        let hasPrefix = scanner.takePrefix("x")
        let count = try scanner.number("a count", in: 0...20, id: "x")
        let slashes = [scanner.takeByte(UInt8(ascii: "/")), scanner.takeByte(UInt8(ascii: "/"))]
        #expect(hasPrefix && count == 20 && slashes == [true, false])
        let error = #expect(throws: DiagnosticSet.self) { try scanner.endWord(id: "x") }
        #expect(error?.description == "f:9:1: error: '1+3' follows where 'x20/' should end [x]")
    }

    @Test(arguments: [
        ("", "f:1:1: error: the line ends where n is expected [x]"),
        ("a", "f:1:1: error: 'a' stands where n is expected [x]"),
        ("  11", "f:1:3: error: n is 11, outside 0...10 [x]"),
        ("-1", "f:1:1: error: n is -1, outside 0...10 [x]"),
        ("123456789012345678901", "f:1:1: error: n is 123456789012345678901, outside 0...10 [x]"),
        ("1x", "f:1:1: error: 'x' follows where '1' should end [x]"),
    ])
    func wrongNumber(text: String, message: String) {
        var scanner = LineScanner(text[...], file: "f", line: 1)
        let error = #expect(throws: DiagnosticSet.self) {
            try scanner.integer("n", in: 0...10, id: "x")
        }
        #expect(error?.description == message)
    }

    @Test func nearestName() {
        #expect(nearest(to: "rowPerBank", in: ["superlanes", "rowsPerBank"]) == "rowsPerBank")
        #expect(nearest(to: "xyz", in: ["superlanes", "rowsPerBank"]) == nil)
    }

    @Test func writerWritesNumbers() {
        var writer = LineWriter()
        for number in [0, 7, -10, Int.max, Int.min] {
            writer.put(number)
            writer.blank()
        }
        #expect(writer.text == "0 7 -10 \(Int.max) \(Int.min) ")
    }
}
