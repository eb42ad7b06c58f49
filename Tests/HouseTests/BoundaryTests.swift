import Foundation
import Testing

/// SwiftPM lets an undeclared import of a transitive dependency pass: the table of `Package.swift`
/// is held against the import lines here.
struct BoundaryTests {
    /// What each target may import of ours, read from the table.
    static func table() throws -> [String: [String]] {
        let text = try House.text("Package.swift")
        let end = text.range(of: "/// The rules that every target")!.lowerBound
        let start = text.range(of: "let rooms: [Room] = [")!.upperBound
        var table: [String: [String]] = [:]
        for room in text[start..<end].components(separatedBy: "Room(").dropFirst() {
            let names = room.matches(of: /"((?:LPU|C)[A-Z][A-Za-z]+)"/).map { String($0.1) }
            table[names[0]] = Array(names.dropFirst())
        }
        return table
    }

    static func imports(_ path: String) throws -> [String] {
        try House.text(path).split(separator: "\n").compactMap { line in
            (try?
                /^(?:public |internal |@testable |@_exported )*import (?:struct |enum )?([A-Za-z]+)/
                .firstMatch(in: line)).flatMap { $0.map { String($0.1) } }
        }
    }

    @Test func importsStandInTheTable() throws {
        let table = try Self.table()
        #expect(table.count > 15)
        for (target, uses) in table.sorted(by: { $0.key < $1.key }) {
            for file in try House.files("Sources/\(target)") {
                for name in try Self.imports(file)
                where name.hasPrefix("LPU") || ["CGraphviz", "CNumerics"].contains(name) {
                    #expect(uses.contains(name), "\(file) imports \(name), which \(target) may not")
                }
            }
        }
    }

    /// The judge before the judged: written from the contract, never from a producer.
    @Test(arguments: ["LPUVerifier", "LPUSimulator", "LPUReference"])
    func judgesKnowNoProducer(_ judge: String) throws {
        let producers = [
            "LPUScheduler", "LPULowering", "LPUPlanning", "LPULoading", "LPUCompiler",
        ]
        let uses = try Self.table()[judge] ?? []
        for producer in producers {
            #expect(!uses.contains(producer), "\(judge) must not know \(producer)")
        }
        if judge == "LPUSimulator" { #expect(!uses.contains("LPUDataflow")) }
        if judge == "LPUReference" { #expect(!uses.contains("LPUModel")) }
    }
}
