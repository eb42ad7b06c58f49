import Foundation
import LPUCompiler
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUTesting
import Testing

/// Each expectation on a compilation that meets it, and on one that does not: then it records an
/// issue in this file, at the line of the caller.
@Suite struct ExpectationsTests {
    private static let tiny = Result { try compile(.list) }

    private static func compile(_ strategy: Strategy) throws -> Compilation {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Graphs/tiny-llama.json")
        let model = try ModelConfiguration(
            huggingFace: [UInt8](Data(contentsOf: file)), file: "tiny-llama.json")
        return try Compiler(machine: groqchip, strategy: strategy)
            .compile(model, plan: Plan(context: 16))
    }

    /// Runs `body`, which must record one issue that says `message`, here and not in the library.
    private func expectIssue(
        _ message: String, _ body: () -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        withKnownIssue(sourceLocation: sourceLocation) {
            body()
        } matching: { issue in
            issue.comments.contains { $0.rawValue.contains(message) }
                && issue.sourceLocation?.fileName == "ExpectationsTests.swift"
        }
    }

    @Test func `a dropped instruction is not verified`() throws {
        var compilation = try Self.tiny.get()
        expectVerified(compilation)
        compilation.schedule.templates[0].chips[0].bursts.removeFirst()
        expectIssue("[coverage]") { expectVerified(compilation) }
    }

    @Test func `a cycle too many is not within the length`() throws {
        let compilation = try Self.tiny.get()
        let length = compilation.schedule.claims.length.count
        expectLength(compilation, atMost: length)
        expectIssue("1 more than \(length - 1)") {
            expectLength(compilation, atMost: length - 1)
        }
    }

    @Test func `a moved instruction has another digest`() throws {
        var compilation = try Self.tiny.get()
        let digest = compilation.schedule.digest(on: compilation.machine)
        expectDigest(compilation, digest)
        compilation.schedule.templates[0].chips[0].bursts[0].start = Cycle(1)
        expectIssue("not \(digest)") { expectDigest(compilation, digest) }
    }

    @Test func `two seeds are not deterministic`() throws {
        try expectDeterministic { try Self.compile(.list) }
        let first = try Self.tiny.get()
        var second = first
        second.schedule.templates[0].chips[0].bursts[0].start = Cycle(9_999)
        var results = [second, first]
        expectIssue("@9999") { expectDeterministic { results.removeLast() } }
    }

    @Test func `processes that print their own number are not deterministic`() throws {
        let shell = URL(filePath: "/bin/sh")
        try expectDeterministic(running: shell) { _ in ["-c", "echo @1 mem.w0 read"] }
        expectIssue("from line 2 on") {
            try? expectDeterministic(running: shell) { _ in ["-c", "echo same; echo $$"] }
        }
        expectIssue("second: status 3") {
            try? expectDeterministic(running: shell) { ["-c", "exit \(3 * $0)"] }
        }
    }
}
