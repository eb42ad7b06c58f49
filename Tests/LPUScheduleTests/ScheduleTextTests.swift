import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

@Suite struct ScheduleTextTests {
    let machine = Machine.preset(named: "lpx256")!

    @Test func randomSchedulesReadBackEqual() throws {
        for seed in 0..<300 as Range<UInt64> {
            var random = RandomSchedule(machine: machine, seed: seed)
            let schedule = random.schedule()
            let text = schedule.text(on: machine)
            let copy = try Schedule(parsing: text, file: "s", machine: machine)
            #expect(copy == schedule, "seed \(seed)")
            #expect(copy.digest(on: machine) == schedule.digest(on: machine), "seed \(seed)")
        }
    }

    private func schedule(_ text: String) throws -> Schedule {
        try Schedule(parsing: Array(text.utf8), file: "s", machine: machine)
    }

    @Test func handWrittenScheduleIsRead() throws {
        let schedule = try Schedule(
            parsing: Array(handWritten.utf8), file: "s", machine: machine)
        let slice = machine.chip.queue(of: .memory(.east, slice: 3))
        let alu = machine.chip.queue(of: .alu(0))
        let row = RowAddress(slot: 1, bank: 0, row: 40)
        #expect(
            schedule.templates == [
                ScheduleTemplate(
                    name: "copy",
                    chips: [
                        ChipProgram(
                            bursts: [
                                Burst(
                                    start: Cycle(0), queue: slice,
                                    .memory(.read(row, Stream(.west, 4)), .none),
                                    inner: Repeat(count: 20, distance: 1, step: 1), op: OpID(7)),
                                Burst(
                                    start: Cycle(6), queue: alu,
                                    .alu(
                                        .add, .stream(Stream(.west, 4), .fp8),
                                        .immediate(0x3f80_0000), east: Stream(.east, 0),
                                        west: nil),
                                    inner: Repeat(count: 20)),
                            ],
                            allocations: [
                                Allocation(
                                    value: ValueID(3), plane: 0, hemisphere: .east, slice: 3,
                                    base: row, rows: 20, first: 0, run: 20, innerStride: 1,
                                    outerStride: 0, live: Cycle(0)..<Cycle(20), isImage: true)
                            ])
                    ])
            ])
        #expect(
            schedule.placements == [
                Placement(
                    template: 0, start: Cycle(100), chips: [ChipID(17)],
                    slots: [SlotOffset(rows: 60, flipsBank: true)], opBase: 5, valueBase: 2)
            ])
        #expect(schedule.recomputedClaims(on: machine) == schedule.claims)
        schedule.forEachProgram(on: ChipID(17)) { placement, program in
            let read = program.bursts[0].instruction.resolved(in: placement.slots)
            let place = RowAddress(bank: 1, row: 100)
            #expect(read == .memory(.read(place, Stream(.west, 4)), .none))
            #expect(placement.resolve(program.allocations[0].base) == place)
            #expect(placement.resolve(RowAddress(slot: 2, bank: 0, row: 0)) == nil)
        }
        schedule.forEachProgram(on: ChipID(16)) { _, _ in Issue.record("chip16 does nothing") }
    }

    /// The example of Documentation/Schedule.md.
    private let handWritten = """
        schedule 1
        machine lpx256
        program 6d2f
        claims length 126 bursts 2 issues 40
        template copy
        chip 0
        @6 alu0 add s4w:fp8 0x3f800000 east s0e x20/1   # the reads' rows, 6 cycles later
        @0 mem.e3 read $1.b0:r40 s4w x20/1+1 op7
        rows v3.0 mem.e3 $1.b0:r40 count 20 @0 @20 image
        place copy @100 chip17 slots 60! ops 5 values 2
        """

    @Test(arguments: [
        ("machine lpx256", "machine lp30", "2:9: error: the schedule is for machine 'lp30'"),
        ("program 6d2f", "progam 6d2f", "3:1: error: no line of a schedule begins with 'progam'"),
        ("claims length 126 bursts 2 issues 40", "", "the line 'claims …' is missing"),
        ("template copy", "template", "5:9: error: the line ends where a template's name"),
        ("chip 0", "", "write 'chip 0' before it"),
        ("chip 0", "chip 1", "6:6: error: the next chip's number is 1, outside 0...0"),
        ("alu0", "alu16", "machine 'lpx256' has no unit 'alu16'; did you mean 'alu1'?"),
        ("add s4w", "ad s4w", "7:9: error: 'ad' is no instruction"),
        ("s4w:fp8", "s4:fp8", "'s4:fp8' stands where a stream with its direction"),
        ("s4w:fp8", "s4w:fp9", "'fp9' is no type"),
        ("0x3f800000", "0x3f8", "an immediate is 0x and 8 digits"),
        ("x20/1+1", "x99999999999999999999/1", "a Repeat's count is 99999999999999999999, outside"),
        ("x20/1+1", "x20/1+1 x2/40 x3/90", "3 Repeats, repeatDepth is 2"),
        ("@0 mem", "@-1 mem", "8:1: error: the cycle is -1, outside 0..."),
        ("op7", "op7 op8", "'op8' is one word too many"),
        ("@0 @20", "@20 @0", "the rows live from @20 to @0"),
        ("count 20", "count 20 strides 1", "'@0' stands where the outer stride is expected"),
        ("place copy", "place cop", "there is no template 'cop'"),
        ("chip17", "chip256", "the chip is 256, outside 0...255"),
        ("chip17", "chip17 chip17", "chip17 is there twice"),
        ("chip17", "chip17 chip18", "template 'copy' has 1 chips, here are 2"),
        ("values 2", "values 2\n@0 mem.e3 read $2.b0:r40 s4w", "s:11:26: error: the line stands"),
        ("slots 60!", "", "template 'copy' has 1 row slots, here are 0"),
        ("ops 5", "ops 5000000000", "ops is 5000000000, outside 0...1000000000"),
    ])
    func wrongTextIsExplained(old: String, new: String, message: String) {
        let parts = handWritten.split(
            separator: old, maxSplits: 1, omittingEmptySubsequences: false)
        let error = #expect(throws: DiagnosticSet.self) {
            try Schedule(
                parsing: Array(parts.joined(separator: new).utf8), file: "s", machine: machine)
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    /// A burst without a unit is of that of the burst in the line above, and of no other line.
    @Test func aUnitHoldsForTheLinesBelow() throws {
        func schedule(_ second: String) throws -> Schedule {
            let lines = handWritten.replacing("rows v3.0", with: second + "\nrows v3.0")
            return try Schedule(parsing: Array(lines.utf8), file: "s", machine: machine)
        }
        let full = try schedule("@50 mem.e3 write b0:r7 s4w op7")
        #expect(try schedule("@50 write b0:r7 s4w op7") == full)
        #expect(full.templates[0].chips[0].bursts.count == 3)
        let text = String(decoding: full.text(on: machine), as: UTF8.self)
        #expect(text.contains("\n@50 write b0:r7 s4w op7\n"))
        let between = "# a comment\nrows v4.0 mem.e3 b0:r9 @0 @20\n@50 write b0:r7 s4w"
        let error = #expect(throws: DiagnosticSet.self) { try schedule(between) }
        #expect(error?.description.contains("has no unit 'write'") == true)
    }

    @Test func claimsAreNoPartOfTheDigest() {
        var random = RandomSchedule(machine: machine, seed: 1)
        var schedule = random.schedule()
        let digest = schedule.digest(on: machine)
        schedule.claims = Claims(length: CycleCount(1), burstCount: 2, issueCount: 3, digest: "4")
        #expect(schedule.digest(on: machine) == digest)
        #expect(schedule.recomputedClaims(on: machine).digest == digest)
        schedule.templates[0].chips[0].bursts[0].start = Cycle(2_000_000)
        #expect(schedule.digest(on: machine) != digest)
    }

    @Test func namesWithControlBytesAreRefused() throws {
        for byte in ["\u{1}", "\u{7f}"] {
            let text = handWritten.replacing("copy", with: "co\(byte)py")
            let error = #expect(throws: DiagnosticSet.self) { try schedule(text) }
            #expect(error?.description.contains("leave it out") == true)
        }
        var named = try schedule(handWritten)
        #expect(named.nameProblem == nil)
        named.templates[0].name = "a b"
        #expect(named.nameProblem == "'a b' is no word of the schedule's text")
    }

    @Test func issuesBeyond64BitsAreRefused() {
        let burst = "@0 alu0 copy 0x00000000 x65535/1 x65535/65535\n"
        let place = "place t @0 chip0 ops 0 values 0\n"
        let header = "schedule 1\nmachine lpx256\nclaims length 1 bursts 1 issues 1\ntemplate t\n"
        let text =
            header + "chip 0\n" + String(repeating: burst, count: 1 << 15)
            + String(repeating: place, count: (1 << 15) + 2)
        let error = #expect(throws: DiagnosticSet.self) { try schedule(text) }
        #expect(error?.description.contains("more than 4611686018427387904 issues") == true)
    }

    @Test func corruptedTextNeverTraps() {
        var random = RandomSchedule(machine: machine, seed: 7)
        let original = random.schedule(bursts: 60).text(on: machine)
        var refused = 0
        for seed in 0..<2000 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let text = corrupted(original, using: &generator)
            do throws(DiagnosticSet) {
                let schedule = try Schedule(parsing: text, file: "s", machine: machine)
                // What is accepted can be expanded, and written.
                _ = schedule.recomputedClaims(on: machine)
                _ = schedule.digest(on: machine)
                for placement in schedule.placements {
                    for burst in schedule.templates[placement.template].chips.flatMap(\.bursts) {
                        #expect(burst.instruction.resolved(in: placement.slots) != nil)
                    }
                }
            } catch {
                refused += 1
                #expect(!error.isEmpty, "seed \(seed)")
            }
        }
        #expect(refused > 1000)
    }

    /// One to three bytes or runs of them changed, removed, doubled or made a huge number.
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
            case _: bytes.insert(contentsOf: " -1 ".utf8, at: i)
            }
        }
        return bytes
    }
}
