import Foundation
import Testing

@Suite struct HelpTests {
    /// Exact, so that a change of the command line is seen; LPUC_BLESS=1 rewrites it.
    @Test(arguments: [
        "", "plan", "compile", "verify", "simulate", "run", "embed", "draw", "explain",
        "machines", "all-reduce",
    ])
    func helpIsGolden(_ subcommand: String) throws {
        let arguments = subcommand.isEmpty ? ["--help"] : [subcommand, "--help"]
        let help = try Binary("lpuc").run(arguments)
        #expect(help.status == 0)
        let name = subcommand.isEmpty ? "lpuc" : subcommand
        let golden = Binary.root.appending(path: "Tests/lpucTests/Goldens/\(name).txt")
        if ProcessInfo.processInfo.environment["LPUC_BLESS"] == "1" {
            try help.output.write(to: golden)
        }
        let expected = try String(contentsOf: golden, encoding: .utf8)
        #expect(help.text == expected, "LPUC_BLESS=1 swift test rewrites \(golden.path)")
    }
}
