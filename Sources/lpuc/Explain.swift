import ArgumentParser
import LPUCompiler
import LPUDataflow
import LPUSupport

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why an op starts at its cycle: its operands, and the chain that binds it.",
        discussion: """
            Slack is the number of cycles from the last issue of the op that makes an operand to \
            the first issue of the one that takes it; below 0, vectors are taken while others are \
            still being made, or weights are loaded ahead.
            """)

    @Argument(help: "Directory that 'lpuc compile' wrote.")
    var directory: String

    @Argument(
        help: "The op, such as op42, or i1.op41 as the dataflow text of instance 1 counts.")
    var op: String

    @Option(help: "Ops of the binding chain to print at most.")
    var limit = 20

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit is \(limit), it is 0 or more") }
    }

    func run() throws {
        let compilation = try readCompilation(directory).compilation
        try compilation.program.validate()
        let explainer = Explainer(compilation)
        let explanation = try explainer.explain(explainer.op(named: op))
        var lines = [line(explanation.timing), "operands"]
        lines += explanation.operands.map(line)
        if explanation.operands.isEmpty { lines.append("  none that an op makes") }
        lines.append("binding chain")
        lines += explanation.chain.prefix(limit).map(line)
        let more = explanation.chain.count - min(limit, explanation.chain.count)
        if more > 0 { lines.append("  and \(more) more, see --limit") }
        Console.print(lines.joined(separator: "\n") + "\n")
    }

    private func line(_ timing: Explanation.Timing) -> String {
        let cycles = timing.issues.map { "\(Cycle($0.lowerBound))...\(Cycle($0.upperBound))" }
        return "\(timing.op) (\(timing.place)) \(timing.kind) '\(timing.name)' "
            + (cycles ?? "without instructions: its bytes are its operands'")
    }

    private func line(_ operand: Explanation.Operand) -> String {
        "  \(line(operand.maker))" + (operand.slack.map { ", slack \($0)" } ?? "")
    }
}
