import Foundation
import Testing

/// What is too large is refused in the planner's words, also where all is given; and the words are
/// true to the block of keys.
@Suite struct CapacityTests {
    private static let isLong = ProcessInfo.processInfo.environment["LPUC_LONG"] == "1"
    private let lpuc: Binary
    init() throws { lpuc = try Binary("lpuc") }

    struct Case: Sendable {
        var arguments: [String]
        var context: Int
        /// Whether scheduling takes longer than a test may.
        var isLong = false
    }

    static let cases = [
        Case(
            arguments: ["Graphs/smollm2-135m.json", "--machine", "lp30", "--tp", "1", "--pp", "1"],
            context: 8192),
        Case(
            arguments: [
                "Graphs/llama-3.1-70b.json", "--machine", "lpx256", "--weights", "fp8",
                "--tp", "16", "--pp", "16",
            ], context: 65_536, isLong: true),
    ]

    @Test(arguments: cases) func longestContextCompilesAndTheNextBlockIsRefused(_ c: Case) throws {
        func compile(_ context: Int, _ stage: String) throws -> Binary.Outcome {
            try lpuc.run(
                ["compile"] + c.arguments + ["--context", "\(context)", "--emit", stage])
        }
        let refusal = try compile(c.context, "plan")
        #expect(refusal.status == 2 && refusal.output.isEmpty)
        for word in ["[plan-capacity]", "weights", "padding", "KV cache", "constants", "text"] {
            #expect(refusal.errors.contains(word), "\(refusal.errors)")
        }
        let remedy = try #require(
            refusal.errors.split(separator: "\n").first { $0.contains("try: --context ") })
        let longest = try #require(remedy.split(separator: " ").last.flatMap { Int($0) })
        let isScheduled = !c.isLong || Self.isLong
        let accepted = try compile(longest, isScheduled ? "schedule" : "plan")
        #expect(accepted.status == 0, "\(accepted.errors)")
        let next = try compile(longest + 1, "plan")
        #expect(next.status == 2 && next.errors.contains("[plan-capacity]"), "\(next.errors)")
        if isScheduled {
            // `plan` says the same.
            let plan = try lpuc.run(
                ["plan"] + c.arguments + ["--context", "\(longest + 1)"])
            #expect(plan.status == 2 && plan.errors.contains("try: --context \(longest)\n"))
        }
    }

    /// Also beyond what a machine file may have.
    @Test func chipsOfTheLargestAreNamed() throws {
        let outcome = try lpuc.run(
            "plan", "Graphs/llama-3.1-405b.json", "--machine", "lpx256", "--weights", "fp8", "--kv",
            "fp8", "--context", "8192", "--tp", "16")
        #expect(outcome.status == 2 && outcome.errors.contains("try: --chips "))
        #expect(outcome.errors.contains("(a machine file holds 1024 chips at most)"))
    }

    /// Stages that are given are what is to be changed.
    @Test func moreStagesAreNamed() throws {
        let arguments = [
            "compile", "Graphs/llama-2-70b.json", "--machine", "quadfour576", "--weights", "fp8",
            "--context", "4096", "--tp", "8", "--emit", "plan",
        ]
        let outcome = try lpuc.run(arguments + ["--pp", "40"])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("try: --pp 80 --chips 640"), "\(outcome.errors)")
        let accepted = try lpuc.run(arguments + ["--pp", "80", "--chips", "640"])
        #expect(accepted.status == 0, "\(accepted.errors)")
    }

    @Test func contextBeyondTheModelIsADiagnostic() throws {
        let outcome = try lpuc.run(
            "compile", Binary.config, "--machine", "node8", "--tp", "2", "--pp", "1", "--context",
            "2000")
        #expect(outcome.status == 1 && outcome.errors.contains("[plan-context]"))
    }
}
