import Foundation
import Testing

@Suite struct BadInputTests {
    private let lpuc = try! Binary("lpuc")

    @Test(arguments: [
        [], ["fly"], ["compile"], ["compile", "x.json"],
        ["compile", "x.json", "--machine", "groqchip1", "--strategy", "best"],
        ["compile", "x.json", "--machine", "groqchip1", "--context", "many"],
        ["compile", "x.json", "--machine", "groqchip1", "--threads", "0"],
        ["compile", "x.json", "--machine", "groqchip1", "--context", "1", "--plan", "p"],
        ["compile", "x.json", "--machine", "groqchip1", "--emit", "plan", "--format", "json"],
        ["plan"], ["plan", "x.json", "--machine", "node8", "--objective", "cost"],
        ["verify", "Package.swift"], ["verify", "Graphs", "--machine", "groqchip1"],
        ["simulate", "Graphs", "--tokens", "0"], ["draw", "Graphs", "layer", "-o", "x.gif"],
        ["draw", "Graphs", "timing", "-o", "x.svg", "--from", "9", "--to", "9"],
        ["draw", "Graphs", "layer", "-o", "svg"],
        ["draw", "Graphs", "layer", "-o", "x.svg", "--instance", "op4"],
        ["machines", "--file"],
        ["compile", "x.json", "--machine", "groqchip1", "--seed", "5"],
    ])
    func usageIsStatus64(_ arguments: [String]) throws {
        let outcome = try lpuc.run(arguments)
        // Without a subcommand there is nothing wrong: help is shown.
        #expect(outcome.status == (arguments.isEmpty ? 0 : 64), "\(arguments)")
        #expect(outcome.errors.isEmpty == arguments.isEmpty)
    }

    @Test(arguments: [
        (["timing", "--from=-100"], "--from is -100, it is 0 or more"),
        (["timing", "--from", "9", "--to", "9"], "--from is 9, --to 9: the range holds no cycle"),
        (["timing", "--focus", "layer"], "--focus is for the layer, not for the timing"),
        (["pipeline", "--chip", "3"], "--chip is for the timing, not for the pipeline"),
        (["layer", "--from", "0"], "--from is for the timing, not for the layer"),
    ])
    func optionsOfADrawingAreChecked(_ arguments: [String], _ words: String) throws {
        let outcome = try lpuc.run(["draw", "Graphs"] + arguments + ["-o", ".svg"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains("Error: \(words)\n"), "\(outcome.errors)")
    }

    @Test(arguments: [
        (
            ["compile", "no.json", "--machine", "groqchip1"], "no.json: error: no such file",
            "file-read"
        ),
        (
            ["compile", "Graphs", "--machine", "groqchip1"],
            "Graphs/config.json: error: no such file", "file-read"
        ),
        (["compile", "Package.swift", "--machine", "groqchip1"], "Package.swift", ""),
        (["compile", Binary.config, "--machine", "tpu"], "tpu: error:", "machine-unknown"),
        (["compile", Binary.config, "--machine", "Package.swift"], "Package.swift", ""),
        (
            ["compile", Binary.config, "--machine", "groqchip1", "--context", "99999999"],
            "plan.context: error: context is 99999999", "plan-context"
        ),
        (
            ["plan", Binary.config, "--machine", "groqchip1", "--context", "2"],
            "plan.context: error: context is 2, it is 3 at least", "plan-context"
        ),
        (
            ["compile", Binary.config, "--machine", "groqchip1", "-o", "Graphs"],
            "Graphs: error: the directory holds", "output-exists"
        ),
        (
            ["compile", Binary.config, "--machine", "groqchip1", "-o", "Package.swift"],
            "Package.swift: error: it exists and is no directory", "output-exists"
        ),
        (
            ["compile", Binary.config, "--machine", "node8", "--chips", "1025"],
            "--chips: error: 1025 chips are asked for, 1024 at most", "chips-unwired"
        ),
        (
            ["plan", Binary.config, "--machine", "node8", "--chips", "9223372036854775807"],
            "--chips: error: 9223372036854775807 chips are asked for, 4096 at most", "chips-unwired"
        ),
        (["verify", "nowhere"], "nowhere/report.json: error: no such file", "file-read"),
        (
            ["compile", Binary.config, "--machine", "groqchip1", "-o", ""],
            ": error: a path without a name", "output-exists"
        ),
        (
            ["compile", Binary.config, "--machine", "groqchip1", "-o", "Package.swift/a/b"],
            "Package.swift/a/b: error: not a directory", "file-write"
        ),
        (["simulate", "Graphs"], "Graphs/report.json: error: no such file", "file-read"),
        (["machines", "tpu"], "tpu: error: it is neither", "machine-unknown"),
    ])
    func diagnosticsAreStatus1(_ arguments: [String], _ words: String, _ id: String) throws {
        let outcome = try lpuc.run(arguments)
        #expect(outcome.status == 1, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix(words), "\(outcome.errors)")
        #expect(outcome.errors.contains("[\(id)"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("\u{1b}"))
    }
}
