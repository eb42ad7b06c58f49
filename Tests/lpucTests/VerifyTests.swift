import Foundation
import Testing

@Suite struct VerifyTests {
    private let lpuc: Binary
    private let demo: URL
    init() throws {
        lpuc = try Binary("lpuc")
        demo = try Demo.compiled().url
    }

    @Test func directoryIsAcceptedWithItsCertificate() throws {
        for arguments in [[], ["--exhaustive", "--threads", "2"]] {
            let outcome = try lpuc.run(["verify", demo.path] + arguments)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output == (try contents(of: demo))["certificate.txt"])
        }
    }

    @Test func verdictIsGivenAsJSON() throws {
        let outcome = try lpuc.run("verify", demo.path, "--format", "json")
        let object = try JSONSerialization.jsonObject(with: outcome.output) as? [String: Any]
        #expect(object?["accepted"] as? Bool == true)
        #expect((object?["laws"] as? [Any])?.count == 16)
        #expect((object?["violations"] as? [Any])?.isEmpty == true)
    }

    /// A burst a cycle late, and a claim a cycle short: each is found, with status 1.
    @Test func brokenScheduleIsRefused() throws {
        let folder = try Folder()
        let schedule = folder / "schedule.txt"
        let text = try String(
            contentsOf: demo.appending(path: "schedule.txt"), encoding: .utf8)
        let arguments = [
            "verify", schedule.path, "--dataflow", demo.appending(path: "dataflow.txt").path,
            "--machine", "groqchip1",
        ]
        try text.write(to: schedule, atomically: true, encoding: .utf8)
        #expect(try lpuc.run(arguments).status == 0)

        let late = try #require(text.firstMatch(of: #/\n@(\d+) alu\d+ /#))
        let cycle = try #require(Int(late.1))
        try text.replacingCharacters(in: late.1.startIndex..<late.1.endIndex, with: "\(cycle + 1)")
            .write(to: schedule, atomically: true, encoding: .utf8)
        let outcome = try lpuc.run(arguments)
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("[operand-timing]"), "\(outcome.errors.prefix(300))")

        let claim = try #require(text.firstMatch(of: #/claims length (\d+)/#))
        let length = try #require(Int(claim.1))
        try text.replacingCharacters(
            in: claim.1.startIndex..<claim.1.endIndex, with: "\(length - 1)"
        ).write(to: schedule, atomically: true, encoding: .utf8)
        #expect(try lpuc.run(arguments).errors.contains("[claims]"))
    }

    @Test func changedFileOfADirectoryIsNoticed() throws {
        let folder = try Folder()
        try FileManager.default.copyItem(at: demo, to: folder / "demo")
        let plan = folder / "demo/plan.txt"
        try Data("plan 1\n".utf8).write(to: plan)
        let outcome = try lpuc.run("verify", (folder / "demo").path)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("plan.txt: error: its digest is"), "\(outcome.errors)")
    }
}
