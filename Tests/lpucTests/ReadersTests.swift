import Foundation
import Testing

/// The subcommands that read a compilation, and the example.
@Suite struct ReadersTests {
    private let lpuc: Binary
    private let demo: URL
    init() throws {
        lpuc = try Binary("lpuc")
        demo = try Demo.compiled().url
    }

    @Test func simulationDecodesTheSameInAnyNumberOfThreads() throws {
        let first = try lpuc.run("simulate", demo.path, "--tokens", "2", "--prompt", "17,3")
        #expect(first.status == 0, "\(first.errors)")
        let lines = first.text.split(separator: "\n")
        let cycles = lines.compactMap { $0.firstMatch(of: #/in (\d+) cycles/#)?.1 }
        #expect(cycles.count == 3 && Set(cycles).count == 1)
        #expect(lines.last?.firstMatch(of: #/^tokens \d+ \d+$/#) != nil)
        let second = try lpuc.run(
            "simulate", demo.path, "--tokens", "2", "--prompt", "17,3", "--threads", "2")
        #expect(second.output == first.output)
    }

    @Test func eachUserInFlightDecodes() throws {
        let folder = try Folder()
        let path = (folder / "users").path
        let compiled = try lpuc.run(
            "compile", Binary.config, "--machine", "groqchip1", "--context", "24", "--users", "2",
            "-o", path)
        #expect(compiled.status == 0, "\(compiled.errors)")
        let runs = try (0...2).map {
            try lpuc.run("simulate", path, "--tokens", "2", "--prompt", "17,3", "--user", "\($0)")
        }
        #expect(runs[0].status == 0 && runs[1].status == 0, "\(runs[1].errors)")
        #expect(runs[0].text == runs[1].text && !runs[0].text.isEmpty)
        #expect(runs[2].status == 1 && runs[2].errors.contains("[simulate-user]"))
    }

    @Test(arguments: [
        (",", "'' is no token"), ("1,,2", "'' is no token"), ("-1", "'-1' is no token"),
        ("1000", "'1000' is no token of the vocabulary: ids are 0 to 999"),
        (
            Array(repeating: "1", count: 24).joined(separator: ","),
            "take 25 positions, the context is 24"
        ),
    ])
    func promptBeyondTheModelIsRefused(_ prompt: String, _ words: String) throws {
        let outcome = try lpuc.run("simulate", demo.path, "--tokens", "2", "--prompt=\(prompt)")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(words), "\(outcome.errors)")
    }

    @Test func pictureIsDrawnAsItsNameEnds() throws {
        let folder = try Folder()
        let layer = folder / "layer.dot"
        #expect(try lpuc.run("draw", demo.path, "layer", "-o", layer.path).status == 0)
        #expect(try Data(contentsOf: layer) == (try contents(of: demo))["layer.dot"])
        let part = folder / "part.svg"
        let arguments = [
            "draw", demo.path, "timing", "-o", part.path, "--from", "10", "--to", "90",
        ]
        #expect(try lpuc.run(arguments).status == 0)
        #expect(try String(contentsOf: part, encoding: .utf8).contains("cycles 10–89"))
        let beyond = try lpuc.run("draw", demo.path, "timing", "-o", part.path, "--chip", "1")
        #expect(beyond.status == 1 && beyond.errors.contains("[drawing-chip]"))
        let late = try lpuc.run(
            "draw", demo.path, "timing", "-o", part.path, "--from", String(Int.max))
        #expect(late.status == 1 && late.errors.contains("[drawing-cycles]"))
    }

    /// Instances by number and as other files name them, kernels as the picture does.
    @Test func layerIsDrawnByTheNamesThatLpucPrints() throws {
        let folder = try Folder()
        let drawings = try [
            ["--instance", "4"], ["--instance", "i4"], ["--focus", "layer.inner*"],
            ["--focus", "next layer"],
        ].map { options in
            let file = folder / "layer.dot"
            let outcome = try lpuc.run(["draw", demo.path, "layer", "-o", file.path] + options)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try String(contentsOf: file, encoding: .utf8)
        }
        #expect(drawings[0] == drawings[1])
        #expect(drawings[2].contains("dataflow of layer.inner*</b>"))
        #expect(drawings[3].contains("\"next layer.mixed0\" ["))
    }

    @Test func opIsExplained() throws {
        let outcome = try lpuc.run("explain", demo.path, "op30", "--limit", "2")
        #expect(outcome.status == 0)
        #expect(outcome.text.hasPrefix("op30 ("))
        let place = outcome.text.dropFirst(6).prefix { $0 != ")" }
        let same = try lpuc.run("explain", demo.path, String(place), "--limit", "2")
        #expect(same.output == outcome.output)
        #expect(outcome.text.contains("\nbinding chain\n"))
        let beyond = try lpuc.run("explain", demo.path, "op999999")
        #expect(beyond.status == 1 && beyond.errors.contains("[explain-op]"))
    }

    @Test func machinesAreListedAndShown() throws {
        let list = try lpuc.run("machines").text
        for line in list.split(separator: "\n") {
            let name = String(try #require(line.split(separator: " ").first))
            let summary = try lpuc.run("machines", name)
            #expect(summary.status == 0 && summary.text.hasPrefix("machine \(name): "))
        }
        let folder = try Folder()
        let file = try lpuc.run("machines", "lp30", "--file")
        try file.output.write(to: folder / "mine")
        #expect(try lpuc.run("machines", (folder / "mine").path, "--file").text == file.text)
    }

    @Test func exampleDecodes() throws {
        let outcome = try Binary("decode-tiny").run("Graphs/tiny-llama.json")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.text.contains("certificate: "))
        #expect(outcome.text.matches(of: #/\ntoken \d+/#).count == 4)
    }
}
