import Foundation
import LPUDataflow
import LPUNumerics
import LPUSupport
import Testing

/// The first code block of the documentation.
func documentedExample() throws -> String {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Documentation/Dataflow.md")
    let parts = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "```\n")
    return try #require(parts.dropFirst().first)
}

@Suite struct ProgramTextTests {
    @Test func documentedExampleReadsAndWritesItself() throws {
        let text = try documentedExample()
        let program = try Program(text: text, file: "example")
        #expect(program.problems().diagnostics.isEmpty)
        let written = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { $0.split(separator: "  ", omittingEmptySubsequences: false)[0] }
        #expect(program.text == written.joined(separator: "\n") + "\n")
        #expect(program.templates[1].ops[2].count == 1)
        #expect(program.templates[1].values[3].meaning?.tensor == "layers.$layer.y")
    }

    @Test func randomProgramsComeBackExactly() throws {
        for seed in UInt64(0)..<200 {
            var random = RandomProgram(seed: seed)
            let program = random.make()
            try #require(program.problems().diagnostics.isEmpty, "seed \(seed)")
            let read = try Program(text: program.text, file: "random")
            try #require(read == program, "seed \(seed)")
            try #require(read.digest == program.digest, "seed \(seed)")
        }
    }

    @Test func digestFollowsTheText() throws {
        var program = try Program(text: documentedExample(), file: "example")
        let before = program.digest
        #expect(before.count == 64)
        program.templates[1].values[1].name = "other"
        #expect(program.digest != before)
    }

    @Test func usersAreReadBack() throws {
        var program = try Program(text: documentedExample(), file: "example")
        #expect(program.users == 1 && !program.text.contains("users"))
        program.users = 3
        #expect(try Program(text: program.text, file: "example") == program)
        for users in [0, 65_537, Int.max] {
            program.users = users
            #expect(program.problems().diagnostics.map(\.id) == ["dataflow-range"])
        }
    }

    /// Of more elements than an Int16 counts.
    @Test func aRunMayCrossAllOfItsType() throws {
        let text = "program p\nlanes 32 16\ntemplate t chips 1\nv0 x fp32 4 place0 = zero\n"
        let program = try Program(
            text: text + "v1 y fp32 4 place0 = op0 distribute -1...32767 v0\n", file: "p")
        #expect(program.problems().diagnostics.contains { $0.id == "dataflow-map" })
    }

    @Test func valueLinesStandInAnyOrder() throws {
        let text = """
            program p
            lanes 32 16
            template t chips 1
            v1 y fp32 2 place0 = op0 copy v0[3-2]
            v0 x fp32 4 place0 = zero
            i0 t chip7
            """
        let program = try Program(text: text, file: "p")
        #expect(program.problems().diagnostics.isEmpty)
        #expect(program.templates[0].values.map(\.name) == ["x", "y"])
        #expect(program.instances[0].chips == [ChipID(7)])
        #expect(try Program(text: program.text, file: "p") == program)
    }

    @Test func whatFollowsOneAnotherIsARun() throws {
        let lines = [
            "program p", "lanes 4 2", "template t chips 1",
            "v0 a fp32 1 place0 = parameter", "v1 b fp32 1 place0 = parameter",
            "v2 c fp32 1 place0 = parameter", "v3 d fp32 1 place0 = parameter",
            "v4 e fp32 1 place0 = table 0 1 0x7...0xa 0x3 0x4 0x0*3 0x10...0x18/4",
            "v5 w fp8 4 place0 = zero",
            "v6 w. fp8 4 place0 = zero", "v7 w. fp8 4 place0 = zero",
            "v8 w. fp8 4 place0 = zero", "v9 f fp32 1 place0 = op0 permute 1...3,0 v4",
            "v10 g fp8 1 place0 = op1 toFP8 v9",
            "v11 h fp32 1 place0 = op2 matmul v10 * v5[2]...v8[2]:4",
            "i0 t chip0", "i1 t chip0 with i0.v0 i0.v2...i0.v4",
        ]
        let text = lines.joined(separator: "\n") + "\n"
        let program = try Program(text: text, file: "p")
        let template = program.templates[0]
        #expect(
            template.values[4].origin
                == .image(
                    .table(
                        bits: [7, 8, 9, 10, 3, 4, 0, 0, 0, 16, 20, 24], stride: 0, run: 1)))
        #expect(template.ops[0].kind == .permute([1, 2, 3, 0], Use(ValueID(4))))
        let sources = (5...8).map { Use(ValueID($0), start: 2) }
        #expect(
            template.ops[2].kind
                == .matmul([MatmulTerm(Use(ValueID(10)), Tile(sources, count: 4))]))
        #expect(program.instances[1].arguments.map(\.value.index) == [0, 2, 3, 4])
        #expect(program.text == text)
    }

    @Test(arguments: [
        ("bogus", 4, 1), ("v0 x fp32 4 place0 = bogus", 4, 22), ("v0 x fp64 4 place0 = zero", 4, 6),
        ("v0 x fp32 99999999999 place0 = zero", 4, 11), ("v0 x fp32 4 chip0 = zero", 4, 13),
        ("v0 x fp32 4 place0 = op1 ingress", 4, 22), ("v1 x fp32 4 place0 = zero", 4, 1),
        ("v0 x fp32 4 place0 = zero zero", 4, 27), ("piece 0..<1 0..<1 0/1/-", 4, 19),
        ("v0 x fp32 4 place0 = op0 copy v0[1", 4, 31), ("means x", 4, 1), ("i0 u chip0", 4, 4),
        ("v0 x fp32 4 place0 = op0 matmul v1 * v2", 4, 38), ("program q", 4, 1),
        ("v0 x fp32 4 place0 = constant 0xg 0..<1 0..<1", 4, 31),
        ("v0 x fp32 4 place0 = constant 0x0 3..<1 0..<1", 4, 35),
        ("v0 x fp32 4 place0 = weights w times inf", 4, 38),
        ("v0 x fp32 4 place0 = op0 permute 1,,2 v1", 4, 34), ("i0 t chip0 with v1", 4, 17),
        ("v0 x fp32 4 place0 = op0 permute 3...1 v1", 4, 34),
        ("v0 x fp32 4 place0 = table 0 1 0x0...0xffffffff", 4, 32),
        ("v0 x fp32 4 place0 = op0 matmul v1 * v2[1]...v4[2]:32", 4, 38),
        ("i0 t chip0 with i0.v1...i1.v3", 4, 17), ("i0 t chip0 with i0.v1...i0.v4/2", 4, 17),
        ("v0 x fp32 4 place0 = table 0 1 0x0...0x8/0", 4, 32),
        ("v0 x fp32 4 place0 = table 0 1 0x0*99999999", 4, 32),
    ])
    func errorsNameLineAndColumn(line: String, at: Int, column: Int) throws {
        let text = "program p\nlanes 32 16\ntemplate t chips 1\n\(line)\n"
        let error = #expect(throws: DiagnosticSet.self) { try Program(text: text, file: "p.txt") }
        let found = try #require(error?.diagnostics.first)
        #expect(found.id == "dataflow-syntax")
        #expect(found.place == Diagnostic.Place("p.txt", line: at, column: column), "\(found)")
    }

    @Test func missingHeadIsAnError() {
        #expect(throws: DiagnosticSet.self) { try Program(text: "lanes 32 16", file: "p") }
        #expect(throws: DiagnosticSet.self) { try Program(text: "program p", file: "p") }
    }

    /// A corrupted text gives a program or diagnostics, and a program its problems: no trap.
    @Test func corruptedTextNeverTraps() throws {
        let numbers = [
            "-1", "0", "2147483647", "2147483648", "-9223372036854775808", "99999999999",
        ]
        let words = numbers + ["=", "#", "v0", "op0", "é", "nan", "0x", "piece", "0..<9", ",", "/"]
        var illegal = 0
        for seed in UInt64(0)..<2000 {
            var make = RandomProgram(seed: seed % 40)
            var random = SeededGenerator(seed: seed)
            var bytes = Array(make.make().text.utf8)
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 4...:
                    let digit = bytes[at...].firstIndex { (48...57).contains($0) } ?? at
                    bytes[digit] = UInt8.random(in: 48...57, using: &random)
                case 1: bytes.remove(at: at)
                case 2: bytes.replaceSubrange(at..<min(at + 40, bytes.count), with: [])
                case _:
                    let end = bytes[at...].firstIndex { [32, 44, 58, 10].contains($0) } ?? at
                    let word = words.randomElement(using: &random) ?? ""
                    bytes.replaceSubrange(at..<end, with: Array(word.utf8))
                }
            }
            do {
                let text = String(decoding: bytes, as: UTF8.self)
                let program = try Program(text: text, file: "seed \(seed)")
                let problems = program.problems()
                illegal += !problems.isEmpty ? 1 : 0
                if problems.isEmpty {
                    try #require(
                        Program(text: program.text, file: "again") == program, "seed \(seed)")
                } else {
                    #expect(!program.digest.isEmpty)
                }
            } catch let errors as DiagnosticSet {
                try #require(errors.diagnostics.allSatisfy { $0.place.name == "seed \(seed)" })
            }
        }
        #expect(illegal > 300)
    }
}
