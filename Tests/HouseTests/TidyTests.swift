import Testing

/// Properties of the code that no compiler checks.
struct TidyTests {
    /// Tables that a committed script wrote.
    static let generated = ["Tests/LPUNumericsTests/FunctionOracle.swift"]

    static func sources() throws -> [String] {
        try House.files("Sources") + House.files("Tests") + House.files("Examples")
    }

    @Test func linesAreNarrow() throws {
        for file in try Self.sources() where !Self.generated.contains(file) {
            for (i, line) in try House.text(file).split(
                separator: "\n", omittingEmptySubsequences: false
            )
            .enumerated() where line.count > 100 {
                Issue.record("\(file):\(i + 1) has \(line.count) columns, 100 are allowed")
            }
        }
    }

    @Test func filesAreShort() throws {
        for file in try Self.sources() where !Self.generated.contains(file) {
            let count = try House.text(file).split(
                separator: "\n", omittingEmptySubsequences: false
            ).count
            #expect(count <= 400, "\(file) has \(count) lines: split it by subject")
        }
    }

    @Test func functionsAreShort() throws {
        #expect(Self.functions(in: "  func a(\n    b: Int\n  ) {\n    b\n  }").map(\.count) == [5])
        for file in try House.files("Sources") {
            for (line, count) in Self.functions(in: try House.text(file)) {
                #expect(count <= 70, "\(file):\(line) has \(count) lines: split it by subject")
            }
        }
    }

    /// The first line of each function that has a body, and how many lines it takes, told by the
    /// indentation that the formatter gives.
    static func functions(in text: String) -> [(line: Int, count: Int)] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.compactMap { first in
            guard let start = lines[first].firstMatch(of: /^( *)[a-z@ ]*\b(?:func|init|deinit)\b/)
            else { return nil }
            let indent = start.1
            let isOfHead = { (line: Substring) in
                line.hasPrefix(indent + " ") || line.hasPrefix(indent + ")")
                    || line.hasPrefix(indent + "where ")
            }
            let head = lines[(first + 1)...].prefix { isOfHead($0) && !$0.hasSuffix("{") }
            let open = lines[first].hasSuffix("{") ? first : head.endIndex
            guard open < lines.endIndex, lines[open].hasSuffix("{"),
                open == first || isOfHead(lines[open]),
                let last = lines[open...].firstIndex(where: { $0 == indent + "}" })
            else { return nil }
            return (first + 1, last - first + 1)
        }
    }

    @Test func nothingIsLeftForLater() throws {
        // Spelled in two parts, so that this file does not find itself.
        let words = ["TO" + "DO", "FIX" + "ME", "fatalError" + "(\"unimplemented"]
        for file in try Self.sources() {
            let text = try House.text(file)
            for word in words { #expect(!text.contains(word), "\(file) says \(word)") }
        }
    }

    @Test func noPathOfOneMachine() throws {
        let paths = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"]
        let documents = try House.files("Documentation", ending: ".md")
        for file in try House.files("Sources") + documents {
            let text = try House.text(file)
            for path in paths { #expect(!text.contains(path), "\(file) names \(path)") }
        }
    }

    @Test func everyGraphHasItsSource() throws {
        let readme = try House.text("Graphs/README.md")
        for file in try House.files("Graphs", ending: ".json") {
            let name = file.split(separator: "/").last.map(String.init) ?? file
            #expect(readme.contains(name), "Graphs/README.md does not say where \(name) comes from")
        }
    }
}
