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
            #expect(count <= 420, "\(file) has \(count) lines: split it by subject")
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
