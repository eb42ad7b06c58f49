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
            try Self.importLine.firstMatch(in: line).map { String($0.1) }
        }
    }

    /// Of a module, or of one declaration of it such as `import func X.y`.
    private static var importLine: Regex<(Substring, Substring)> {
        /^(?:[a-z]+ |@[A-Za-z_]+ )*import (?:[a-z]+ )?([A-Za-z_]+)/
    }

    @Test func importsOfEveryKindAreSeen() throws {
        for line in ["import X", "public import func X.y", "@testable import struct X.Y"] {
            #expect(try Self.importLine.firstMatch(in: line)?.1 == "X")
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
        let uses = try #require(Self.table()[judge])
        for producer in producers {
            #expect(!uses.contains(producer), "\(judge) must not know \(producer)")
        }
        if judge == "LPUSimulator" { #expect(!uses.contains("LPUDataflow")) }
        if judge == "LPUReference" { #expect(!uses.contains("LPUModel")) }
    }
}
