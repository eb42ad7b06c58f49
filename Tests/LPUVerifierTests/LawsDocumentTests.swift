import Foundation
import LPUMachine
import LPUSchedule
import LPUVerifier
import Testing

/// Documentation/Laws.md, and the example of Schedule.md, against the code.
@Suite struct LawsDocumentTests {
    private func page(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Documentation/\(name)").path
        return try String(contentsOfFile: file, encoding: .utf8)
    }

    private func document() throws -> [Substring] {
        try page("Laws.md").split(separator: "\n", omittingEmptySubsequences: false)
    }

    @Test func exampleScheduleNamesWhatExists() throws {
        let blocks = try page("Schedule.md").components(separatedBy: "```")
        let machine = try #require(Machine.preset(named: "lp30"))
        let schedule = try Schedule(
            parsing: Array(blocks[1].utf8), file: "Schedule.md", machine: machine)
        let found = Verifier().verify(machine: machine, schedule: schedule).violations
        #expect(!found.contains { [.addressRange, .vxmRoute].contains($0.law) }, "\(found)")
    }

    @Test func everyLawHasItsSection() throws {
        let headings = try document().filter { $0.hasPrefix("## ") }
        for (i, law) in Law.allCases.enumerated() {
            #expect(headings.contains { $0 == "## \(i + 1) `\(law.rawValue)`" }, "\(law.rawValue)")
        }
    }

    /// The example messages are those of the schedule files.
    @Test func examplesAreWhatTheVerifierSays() throws {
        let files = ScheduleFileTests()
        let said = try ScheduleFileTests.files("reject").flatMap {
            try files.verdict($0).0.violations.map(\.description)
        }
        var examples: [Law: Int] = [:]
        for line in try document() where line.contains(": error: ") {
            #expect(said.contains(String(line)))
            if let law = Law.allCases.first(where: { line.hasSuffix("[\($0.rawValue)]") }) {
                examples[law, default: 0] += 1
            }
        }
        #expect(examples.count == 12)
    }
}
