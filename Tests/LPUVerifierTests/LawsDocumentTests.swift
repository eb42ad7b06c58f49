import Foundation
import LPUSchedule
import LPUVerifier
import Testing

/// Documentation/Laws.md against the code.
@Suite struct LawsDocumentTests {
    private func document() throws -> [Substring] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Documentation/Laws.md").path
        return try String(contentsOfFile: file, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
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
