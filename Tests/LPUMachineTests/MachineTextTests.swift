import LPUMachine
import LPUSupport
import Testing

@Suite struct MachineTextTests {
    @Test(arguments: Machine.presetNames) func presetReadsBackEqual(_ name: String) throws {
        let machine = try #require(Machine.preset(named: name))
        #expect(machine.name == name)
        #expect(try Machine(parsing: machine.text, file: "copy") == machine)
        #expect(machine.sources.allSatisfy { !$0.reason.isEmpty })
    }

    /// So that `verify` reads what `compile --chips` wrote.
    @Test(arguments: Machine.presetNames) func resizedReadsBackEqual(_ name: String) throws {
        let preset = try #require(Machine.preset(named: name))
        for chips in [1, 2, 3, 7, 8, 16, 24, 128, 512, 1024] {
            guard let machine = preset.resized(chips: chips) else { continue }
            #expect(machine.chipCount == chips)
            #expect(try Machine(parsing: machine.text, file: "copy").text == machine.text)
        }
    }

    @Test func everyNumberOfTheChipIsAKey() throws {
        let lp30 = try #require(Machine.preset(named: "lp30"))
        #expect(lp30.sources.count == Mirror(reflecting: lp30.chip).children.count)
    }

    @Test func presetFigures() throws {
        let v1 = try #require(Machine.preset(named: "groqchip1")).chip
        #expect(v1.queueCount == 144)
        #expect(v1.sramBytes == 220 << 20)
        let lp30 = try #require(Machine.preset(named: "lp30")).chip
        #expect(lp30.queueCount == 239)
        #expect(lp30.sramBytes == 499_712_000)
        let nominal = try #require(Machine.preset(named: "lp30-nominal")).chip
        #expect(nominal.sramBytes == lp30.sramBytes)
        #expect(nominal.edge == lp30.edge)
        for name in ["lpx256", "lpx256-b", "lpx256-c", "lpx256-reach"] {
            let rack = try #require(Machine.preset(named: name))
            #expect(rack.chipCount == 256)
            // 90 lanes a chip stay in the rack, in every wiring.
            #expect(rack.topology.axes.reduce(0) { $0 + ($1.size - 1) * $1.lanes } == 90)
        }
        #expect(Machine.preset(named: "node8")?.chipCount == 8)
        #expect(Machine.preset(named: "nonesuch") == nil)
    }

    /// The text of `lp30` with every line that begins with `key` replaced.
    private func lp30(_ key: String, _ line: String) throws -> String {
        let text = try #require(Machine.preset(named: "lp30")).text
        return text.split(separator: "\n").map { $0.hasPrefix(key + " ") ? line : String($0) }
            .joined(separator: "\n")
    }

    @Test(arguments: [
        ("rowsPerBank", "", "key 'rowsPerBank' is missing"),
        ("rowsPerBank", "rowPerBank 9 H \"x\"", "did you mean 'rowsPerBank'?"),
        ("rowsPerBank", "rowsPerBank 9 H", "the line ends where a reason is expected"),
        ("rowsPerBank", "rowsPerBank 9 \"x\"", "'\"x\"' is no grade; it is one of P, U, D, C, H"),
        ("rowsPerBank", "rowsPerBank 0 H \"x\"", "rowsPerBank is 0, outside 1...65536"),
        ("rowsPerBank", "rowsPerBank 99999999999999999999 H \"x\"", "outside 1...65536"),
        ("rowsPerBank", "rowsPerBank 9 H \"x\" y", "'y' is one word too many"),
        ("rowsPerBank", "superlanes 20 H \"x\"", "'superlanes' is given twice, in lines 3 and 10"),
        ("memSlicesPerGroup", "memSlicesPerGroup 3 H \"x\"", "no multiple of memSlicesPerGroup, 3"),
        ("memSlicesPerGroup", "memSlicesPerGroup 1 H \"x\"", "80, above the registers of a side"),
        ("memSlicesPerGroup", "memSlicesPerGroup 2 H \"x\"", "40, above the registers of a side"),
        ("banksPerSlice", "banksPerSlice 3 H \"x\"", "banksPerSlice is 3, outside 1...2"),
        (
            "loadBeforeInstall", "loadBeforeInstall 3 H \"x\"",
            "loadBeforeInstall + 1 is 4, above installLatency, 3"
        ),
        ("readLatency", "readLatency 0 H \"x\"", "readLatency is 0, outside 1...4096"),
        (
            "linkCount",
            "linkCount 9 C \"x\"\naxis a size 5 firstLink 0 lanes 1 latency 0 interval 9 H \"x\"",
            "latency is 0, outside 1...1000000"
        ),
        ("planeRows", "planeRows 336 H \"x\"", "planeRows is 336, above superlanes x lanes"),
        ("largeAlus", "largeAlus 1,16 H \"x\"", "names ALU 16, aluCount is 16"),
        ("aluRowGroups", "aluRowGroups 0,1 2,9 H \"x\"", "names group 9, there are 8"),
        ("aluRowGroups", "aluRowGroups 0,1 2,9 H \"x\"", "has 2 rows, aluCount / aluColumns is 4"),
        (
            "linkCount",
            "linkCount 3 C \"x\"\naxis a size 5 firstLink 0 lanes 1 latency 9 interval 9 H \"x\"",
            "axis 'a' takes links up to 3, linkCount is 3"
        ),
        ("hostInterval", "hostInterval 1/0 H \"x\"", "hostInterval is 0, outside 1...1000000"),
    ])
    func wrongFileIsExplained(key: String, line: String, message: String) throws {
        let text = try lp30(key, line)
        let error = #expect(throws: DiagnosticSet.self) {
            try Machine(parsing: text, file: "m")
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test func extendsPreset() throws {
        let text = """
            machine slow  # the preset's numbers but one
            extends lpx256
            installCadence 30 H "a sweep"
            """
        let machine = try Machine(parsing: text, file: "slow")
        var expected = try #require(Machine.preset(named: "lpx256"))
        expected.name = "slow"
        expected.chip.installCadence = 30
        let i = try #require(expected.sources.firstIndex { $0.key == "installCadence" })
        expected.sources[i] = Source(key: "installCadence", grade: .hypothesis, reason: "a sweep")
        #expect(machine == expected)
    }

    @Test(arguments: ["lpx256", "dragonfly256", "quadfour576"])
    func corruptedTextNeverTraps(name: String) throws {
        let original = Array(try #require(Machine.preset(named: name)).text.utf8)
        var refused = 0
        for seed in 0..<2000 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let text = String(decoding: corrupted(original, using: &generator), as: UTF8.self)
            do throws(DiagnosticSet) {
                let machine = try Machine(parsing: text, file: "m")
                // What is accepted can be summed up.
                if seed % 8 == 0 { _ = machine.summary() }
            } catch {
                refused += 1
                #expect(!error.isEmpty, "seed \(seed)")
            }
        }
        #expect(refused > 1000)
    }

    /// One to three bytes or lines changed, removed, doubled or made a huge number.
    private func corrupted(
        _ bytes: [UInt8], using generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let i = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, i + Int.random(in: 1...40, using: &generator))
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[i] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeSubrange(i..<end)
            case 2: bytes.insert(contentsOf: bytes[i..<end], at: i)
            case 3: bytes.insert(contentsOf: "99999999999999999999999".utf8, at: i)
            case _: bytes.insert(contentsOf: Array(" -1 ".utf8), at: i)
            }
        }
        return bytes
    }
}
