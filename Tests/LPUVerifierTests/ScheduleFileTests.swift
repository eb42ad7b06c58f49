import Foundation
import LPUMachine
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

/// Hand-written schedules to accept, and to reject with the error written on the guilty line.
@Suite struct ScheduleFileTests {
    /// An error that a file expects, or a violation that was found.
    struct Fault: Hashable, CustomStringConvertible {
        var law: String
        /// Nil where the line, or the violation, is of no unit.
        var unit: String?
        var cycle: Int?
        var description: String { "\(law) \(unit ?? "") \(cycle.map { "@\($0)" } ?? "")" }
    }

    static func files(_ kind: String) throws -> [String] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Schedules/\(kind)").path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return names.filter { $0.hasSuffix(".schedule") }.sorted().map { "\(folder)/\($0)" }
    }

    /// The errors in the comments of `text`, by the unit and cycle that the line begins with.
    private func expected(_ text: String) -> [Fault] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.components(separatedBy: "# error: ")
            guard parts.count == 2 else { return nil }
            let words = parts[0].split(separator: " ")
            let law = parts[1].trimmingCharacters(in: .whitespaces)
            if words[0].hasPrefix("@") {
                return Fault(law: law, unit: String(words[1]), cycle: Int(words[0].dropFirst()))
            }
            if words[0] == "rows" { return Fault(law: law, unit: String(words[2])) }
            return Fault(law: law)
        }
    }

    func verdict(_ path: String) throws -> (Verdict, [Fault], Schedule) {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n")
        let name = try #require(lines.first { $0.hasPrefix("machine ") }).dropFirst(8)
        let machine = try #require(
            name == Machine.small.name ? .small : Machine.preset(named: String(name)))
        let schedule = try Schedule(parsing: Array(text.utf8), file: path, machine: machine)
        let verdict = Verifier().verify(machine: machine, schedule: schedule)
        let exhaustive = Verifier(exhaustive: true).verify(machine: machine, schedule: schedule)
        #expect(exhaustive == verdict)
        return (verdict, expected(text), schedule)
    }

    @Test(arguments: try files("accept"))
    func isAccepted(path: String) throws {
        let (verdict, faults, schedule) = try verdict(path)
        #expect(faults.isEmpty)
        #expect(verdict.violations.map(\.description) == [])
        let certificate = try #require(verdict.certificate)
        let all = try #require(certificate.scopes.first { $0.law == .addressRange })
        #expect(all.bursts == schedule.claims.burstCount)
        #expect(all.issues == schedule.claims.issueCount)
    }

    @Test(arguments: try files("reject"))
    func isRejectedAtTheGuiltyLines(path: String) throws {
        let (verdict, faults, _) = try verdict(path)
        #expect(!faults.isEmpty && !verdict.isAccepted)
        let found = verdict.violations.map { violation in
            let ofRows = faults.contains {
                $0.cycle == nil && $0.unit == violation.unit?.description
            }
            return Fault(
                law: violation.law.rawValue, unit: violation.unit?.description,
                cycle: ofRows ? nil : violation.cycle?.index)
        }
        #expect(
            found.sorted { $0.description < $1.description }
                == faults.sorted { $0.description < $1.description }, "\(verdict)")
    }

    /// A law that can be broken in a file has a file to accept and one to reject.
    @Test func everyStructuralLawHasFiles() throws {
        for law in [
            Law.queueOrder, .streamConflict, .memPort, .sramOverlap, .sramCapacity, .mxmWeights,
            .vxmRoute, .linkConflict, .linkPath, .addressRange, .claims, .intervalFolded,
        ] {
            for kind in law == .claims ? ["reject"] : ["accept", "reject"] {
                let names = try Self.files(kind).map { URL(fileURLWithPath: $0).lastPathComponent }
                #expect(names.contains { $0.hasPrefix(law.rawValue) }, "\(kind) \(law.rawValue)")
            }
        }
    }
}
