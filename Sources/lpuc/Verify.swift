import ArgumentParser
import Foundation
import LPUCompiler
import LPUDataflow
import LPUSchedule
import LPUSupport
import LPUVerifier

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge a schedule against its program, law by law.",
        discussion: """
            Takes a directory that 'lpuc compile' wrote, or a schedule file with --dataflow and \
            --machine. Nothing that the producer says is trusted.
            """)

    @Argument(help: "A directory of 'lpuc compile', or a schedule file.")
    var input: String

    @Option(help: "The dataflow program of a schedule file.")
    var dataflow: String?

    @Option(help: "The machine of a schedule file: a preset or a machine file.")
    var machine: String?

    @Flag(help: "Judge every chip and layer by itself, equal ones too.")
    var exhaustive = false

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    @OptionGroup var threads: ThreadOptions

    private var isDirectory: Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: input, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }

    func validate() throws {
        // A path without anything is refused with the system's words when it is read.
        guard FileManager.default.fileExists(atPath: input) else { return }
        if isDirectory != (dataflow == nil && machine == nil)
            || (dataflow == nil) != (machine == nil)
        {
            throw ValidationError(
                isDirectory
                    ? "a directory holds its own program and machine: leave out --dataflow and "
                        + "--machine"
                    : "'\(input)' is no directory: a schedule file needs --dataflow and --machine")
        }
    }

    func run() throws {
        let verifier = Verifier(exhaustive: exhaustive, threads: threads.threads)
        let verdict = try self.verdict(of: verifier)
        switch format {
        case .text:
            if verdict.isAccepted { Console.print("\(verdict)\n") }
        case .json: try Console.print(json: VerdictFigures(verdict))
        }
        if !verdict.isAccepted {
            Console.complain("\(verdict)")
            throw ExitCode(1)
        }
    }

    private func verdict(of verifier: Verifier) throws(DiagnosticSet) -> Verdict {
        guard let dataflow, let name = machine else {
            var compilation = try readCompilation(input, threads: threads.threads).compilation
            try compilation.verify(with: verifier)
            guard let verdict = compilation.verdict else {
                preconditionFailure("a compilation that was verified has a verdict")
            }
            return verdict
        }
        let machine = try lpuc.machine(named: name)
        let program = try Program(
            text: String(decoding: readFile(dataflow), as: UTF8.self), file: dataflow)
        try program.validate()
        let schedule = try Schedule(parsing: readFile(input), file: input, machine: machine)
        return verifier.verify(machine: machine, schedule: schedule, program: program)
    }
}

/// A verdict for machines.
private struct VerdictFigures: Encodable {
    struct Law: Encodable {
        var law: String
        var chips: Int
        var bursts: Int
        var issues: Int
    }

    var accepted: Bool
    /// What each law looked at; empty where one is broken.
    var laws: [Law]
    var unchecked: [String]
    var violations: [String]

    init(_ verdict: Verdict) {
        accepted = verdict.isAccepted
        laws = (verdict.certificate?.scopes ?? []).map {
            Law(law: $0.law.rawValue, chips: $0.chips, bursts: $0.bursts, issues: $0.issues)
        }
        unchecked = (verdict.certificate?.unchecked ?? []).map(\.rawValue)
        violations = verdict.violations.map(\.description)
    }
}
