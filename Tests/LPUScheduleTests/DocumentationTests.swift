import Foundation
import LPUMachine
import LPUSchedule
import LPUSupport
import Testing

/// What the pages on the text forms say is tried.
@Suite struct DocumentationTests {
    private func page(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Documentation/\(name)")
        return try String(contentsOf: file, encoding: .utf8)
    }

    @Test func exampleScheduleIsReadAndClaimsWhatItDoes() throws {
        let blocks = try page("Schedule.md").components(separatedBy: "```")
        let machine = try #require(Machine.preset(named: "lp30"))
        let schedule = try Schedule(
            parsing: Array(blocks[1].utf8), file: "Schedule.md", machine: machine)
        #expect(schedule.recomputedClaims(on: machine) == schedule.claims)
    }

    @Test func exampleMachineIsRead() throws {
        let blocks = try page("Machine.md").components(separatedBy: "```")
        let machine = try Machine(parsing: blocks[1], file: "Machine.md")
        #expect(machine.chip.installCadence == 30)
    }

    @Test func everyKeyAndPresetIsExplained() throws {
        let page = try page("Machine.md")
        let lp30 = try #require(Machine.preset(named: "lp30"))
        for name in lp30.sources.map(\.key) + Machine.presetNames {
            #expect(page.contains("`\(name)`"), "\(name)")
        }
    }
}
