import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSimulator
import LPUSupport
import Testing

@Suite struct InputTests {
    private func error(
        _ change: (inout Schedule, inout Machine, inout MemoryImage) throws -> Void
    ) throws -> DiagnosticSet {
        var bench = try Bench()
        bench.add(.memory(.west, slice: 0), at: 0, .memory(.none, .none))
        var (schedule, machine, image) = (bench.schedule(), bench.machine, MemoryImage())
        try change(&schedule, &machine, &image)
        return try #require(throws: DiagnosticSet.self) {
            try Simulator(machine: machine, schedule: schedule, image: image)
        }
    }

    private func expect(
        _ id: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout Schedule, inout Machine, inout MemoryImage) throws -> Void
    ) throws {
        let found = try error(change)
        #expect(
            found.diagnostics.contains { $0.id == id }, "\(found)", sourceLocation: sourceLocation)
    }

    @Test func machines() throws {
        try expect("schedule-machine") { schedule, _, _ in schedule.machine = "other" }
        try expect("machine-superlanes") { _, machine, _ in machine.chip.superlanes = 65 }
    }

    @Test func placements() throws {
        let changes: [(inout Placement) -> Void] = [
            { $0.template = 1 }, { $0.template = -1 }, { $0.chips = [] },
            { $0.chips = [ChipID(1)] }, { $0.chips = [ChipID(0), ChipID(0)] },
            { $0.start = Cycle(-1) }, { $0.start = Cycle(.max) },
        ]
        for change in changes {
            try expect("schedule-placement") { schedule, _, _ in change(&schedule.placements[0]) }
        }
        try expect("schedule-placement") { schedule, _, _ in
            schedule.templates[0].chips[0].bursts[0].instruction = .memory(
                .read(RowAddress(slot: 1, bank: 0, row: 0), try s("s0e")), .none)
        }
    }

    @Test func bursts() throws {
        let changes: [(inout Burst) -> Void] = [
            { $0.queue = QueueID(144) }, { $0.start = Cycle(-1) }, { $0.start = Cycle(.max) },
            { $0.inner.count = 0 }, { $0.outer.distance = 0 },
            { $0.inner = Repeat(count: .init(Int32.max), distance: .init(Int32.max)) },
        ]
        for change in changes {
            try expect("schedule-burst") { schedule, _, _ in
                change(&schedule.templates[0].chips[0].bursts[0])
            }
        }
    }

    @Test func instructionsThatAUnitDoesNotHave() throws {
        let (east, west) = (try s("s0e"), try s("s0w"))
        let memory = Unit.memory(.west, slice: 0)
        let map = LaneMapID(0)
        let wrong: [(Unit, Instruction, String)] = [
            (memory, .send(east), "no such instruction"),
            (.host, .send(east), "no such instruction"),
            (.link(LinkID(0)), .ingress(east), "no such instruction"),
            (.shifter(.west, 0), .send(east), "no such instruction"),
            (.matmul(.west, plane: 0), .loadWeights(column: 0, tandem: false), "no such"),
            (memory, .read(0, try s("s32e")), "there are 32"),
            (.matmul(.west, plane: 1), .install(tandem: true), "even plane's"),
            (.matmul(.west, plane: 1), .matmul(activation: west, .fp16), "even plane's"),
            (.matmul(.west, plane: 0), .matmul(activation: east, .fp8), "wrong way"),
            (.matmul(.west, plane: 0), .matmul(activation: west, .fp32), "does not take fp32"),
            (
                .accumulate(.west, plane: 0), .accumulate(row: 0, add: false, emit: west),
                "wrong way"
            ),
            (.alu(0), .alu(.add, .immediate(0), nil, east: nil, west: nil), "takes 2 operands"),
            (.alu(0), .alu(.copy, .alu(16), nil, east: nil, west: nil), "no alu16"),
            (.alu(0), .alu(.copy, .immediate(0), nil, east: west, west: nil), "wrong way"),
            (
                .alu(0), .alu(.copy, .stream(try s("s3e"), .fp16), nil, east: nil, west: nil),
                "align"
            ),
            (.distributor(.west, 0), .distribute(from: east, to: west, count: 9, map), "1...8"),
            (.distributor(.west, 0), .distribute(from: east, to: west, count: 1, map), "lane map"),
            (.permutor(.west, 0), .permute(from: east, to: west, count: 1, map), "lane map 0"),
            (
                .transposer(.west, 0), .transpose(from: east, inputs: 0, to: west, outputs: 1),
                "0 streams"
            ),
        ]
        for (unit, instruction, message) in wrong {
            let found = try error { schedule, machine, _ in
                schedule.templates[0].chips[0].bursts[0].queue = machine.chip.queue(of: unit)
                schedule.templates[0].chips[0].bursts[0].instruction = instruction
            }
            #expect(found.description.contains(message))
            #expect(found.diagnostics.map(\.id) == ["schedule-burst"])
        }
    }

    @Test func laneMaps() throws {
        func check(_ map: [Int16], _ unit: Unit, _ instruction: Instruction) throws -> String {
            try error { schedule, machine, _ in
                schedule.laneMaps = [map]
                schedule.templates[0].chips[0].bursts[0].queue = machine.chip.queue(of: unit)
                schedule.templates[0].chips[0].bursts[0].instruction = instruction
            }.description
        }
        let distribute = Instruction.distribute(
            from: try s("s0e"), to: try s("s0w"), count: 1, LaneMapID(0))
        let permute = Instruction.permute(
            from: try s("s0e"), to: try s("s0w"), count: 1, LaneMapID(0))
        let short = try check([0], .distributor(.west, 0), distribute)
        #expect(short.contains("has 1 lanes, not 16"))
        let range = try check(
            Array(repeating: 16, count: 16), .distributor(.west, 0), distribute)
        #expect(range.contains("outside of -1..<16"))
        let twice = try check(Array(repeating: 5, count: 320), .permutor(.west, 0), permute)
        #expect(twice.contains("takes a lane twice"))
    }

    @Test func images() throws {
        let good = MemoryImage.Block(
            chip: ChipID(0), hemisphere: .west, slice: 0, bank: 0, row: 0, rows: 2, offset: 0)
        let changes: [(String, (inout MemoryImage.Block) -> Void)] = [
            ("image-place", { $0.chip = ChipID(1) }), ("image-place", { $0.slice = 44 }),
            ("image-place", { $0.bank = -1 }), ("image-rows", { $0.row = 4095 }),
            ("image-rows", { $0.rows = .max }), ("image-rows", { $0.row = .min }),
            ("image-bytes", { $0.offset = 320 }), ("image-bytes", { $0.offset = -320 }),
            ("image-bytes", { $0.offset = 7 }),
        ]
        for (id, change) in changes {
            try expect(id) { _, _, image in
                image = MemoryImage(blocks: [good], bytes: Array(repeating: 0, count: 640))
                change(&image.blocks[0])
            }
        }
    }

    @Test func placementsMoveRowsAndTime() throws {
        // One template twice: slot 1 moved by 10 rows and to the other bank, 100 cycles later.
        var bench = try Bench()
        bench.rest(bench.pattern(1), row: 3, slice: 0, .west)
        bench.rest(bench.pattern(2), row: 13, bank: 1, slice: 0, .west)
        func address(_ row: Int) -> RowAddress { RowAddress(slot: 1, bank: 0, row: row) }
        bench.add(
            .memory(.west, slice: 0), at: 5, .memory(.read(address(3), try s("s0e")), .none))
        bench.add(
            .memory(.east, slice: 0), at: 8, .memory(.none, .write(address(4), try s("s0e"))))
        var schedule = bench.schedule()
        schedule.placements[0].slots = [SlotOffset(rows: 0)]
        schedule.placements.append(
            Placement(
                template: 0, start: Cycle(100), chips: [ChipID(0)],
                slots: [SlotOffset(rows: 10, flipsBank: true)]))
        let image = MemoryImage(
            blocks: [
                MemoryImage.Block(
                    chip: ChipID(0), hemisphere: .west, slice: 0, bank: 0, row: 3, rows: 1,
                    offset: 0),
                MemoryImage.Block(
                    chip: ChipID(0), hemisphere: .west, slice: 0, bank: 1, row: 13, rows: 1,
                    offset: 320),
            ], bytes: bench.pattern(1) + bench.pattern(2))
        let simulator = try Simulator(machine: bench.machine, schedule: schedule, image: image)
        let statistics = try simulator.step().statistics
        #expect(statistics.cycles == 109 && statistics.bursts == 4)
        #expect(simulator.row(4, bank: 0, slice: 0, .east, of: ChipID(0)) == bench.pattern(1))
        #expect(simulator.row(14, bank: 1, slice: 0, .east, of: ChipID(0)) == bench.pattern(2))
        // A placement that moves a row out of its bank is found where the row is used.
        schedule.placements[1].slots = [SlotOffset(rows: Int(Int32.max))]
        let moved = try Simulator(machine: bench.machine, schedule: schedule, image: image)
        let fault = try #require(throws: Fault.self) { try moved.step() }
        #expect(fault.law == .addressRange && fault.cycle == Cycle(105))
    }
}
