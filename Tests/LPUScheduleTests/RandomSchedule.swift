import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Well-formed text, meaningless work: every kind of instruction, line and number, by a seed.
struct RandomSchedule {
    let machine: Machine
    var generator: SeededGenerator

    init(machine: Machine, seed: UInt64) {
        self.machine = machine
        generator = SeededGenerator(seed: seed)
    }

    mutating func schedule(bursts: Int = 30) -> Schedule {
        let chip = machine.chip
        let templates = (0..<int(1...3)).map { t in
            ScheduleTemplate(
                name: "t\(t)", chips: (0..<int(1...2)).map { _ in program(bursts: bursts) })
        }
        let placements = (0..<int(0...4)).map { _ in
            let t = int(0...templates.count - 1)
            let first = int(0...machine.chipCount - 2)
            return Placement(
                template: t, start: Cycle(int(0...100_000)),
                chips: templates[t].chips.indices.map { ChipID(first + $0) },
                slots: (0..<3).map { _ in SlotOffset(rows: int(-90...90), flipsBank: bool()) },
                opBase: int(0...1_000_000_000), valueBase: int(0...1_000_000_000))
        }
        return Schedule(
            machine: machine.name, program: bool() ? "a1b2" : "",
            laneMaps: [
                (0..<chip.lanesPerSuperlane).map { _ in Int16(int(-1...15)) },
                (0..<chip.lanes).map { Int16($0) }.shuffled(using: &generator),
            ],
            templates: templates, placements: placements,
            interval: bool() ? CycleCount(int(1...9999)) : nil,
            claims: Claims(
                length: CycleCount(int(0...9999)), burstCount: int(0...9999),
                issueCount: int(0...1 << 40), digest: bool() ? "ff00" : nil))
    }

    mutating func program(bursts: Int) -> ChipProgram {
        var program = ChipProgram(
            bursts: (0..<bursts).map { _ in burst() },
            allocations: (0..<int(0...9)).map { _ in allocation() })
        program.sort()
        return program
    }

    mutating func burst() -> Burst {
        let inner = level()
        return Burst(
            start: Cycle(int(0...1_000_000)), queue: QueueID(int(0...machine.chip.queueCount - 1)),
            instruction(), inner: inner, outer: bool() ? level() : .once,
            op: bool() ? OpID(int(0...1_000_000_000)) : nil)
    }

    mutating func level() -> Repeat {
        bool() ? .once : Repeat(count: int(1...65_535), distance: int(1...999), step: int(-9...9))
    }

    mutating func allocation() -> Allocation {
        let from = int(0...999)
        return Allocation(
            value: ValueID(int(0...1_000_000_000)), plane: int(0...3),
            hemisphere: bool() ? .west : .east,
            slice: int(0...machine.chip.memSlicesPerHemisphere - 1), base: row(),
            rows: int(0...4880), first: int(0...99), run: int(1...99), innerStride: int(-9...9),
            outerStride: int(0...999), live: Cycle(from)..<Cycle(from + int(0...999)),
            isImage: bool())
    }

    mutating func instruction() -> Instruction {
        switch int(0...16) {
        case 0, 1: .memory(.read(row(), stream()), .none)
        case 2: .memory(.none, .write(row(), stream()))
        case 3:
            .memory(
                .gather(window: row(), rows: 7, address: stream(), stream()),
                .scatter(window: row(), rows: 9, address: stream(), stream()))
        case 4: .memory(bool() ? .none : .read(row(), stream()), .write(row(), stream()))
        case 5: .loadWeights(column: Int16(int(0...19)), tandem: bool())
        case 6: bool() ? .install(tandem: bool()) : .memory(.none, .none)
        case 7: .matmul(activation: stream(), type())
        case 8:
            .accumulate(
                row: Int16(int(0...32_767)), add: bool(), emit: bool() ? stream() : nil)
        case 9, 10: alu()
        case 11:
            .distribute(from: stream(), to: stream(), count: UInt8(int(0...255)), LaneMapID(0))
        case 12: .permute(from: stream(), to: stream(), count: 4, LaneMapID(1))
        case 13: .transpose(from: stream(), inputs: 16, to: stream(), outputs: UInt8(int(0...16)))
        case 14:
            bool()
                ? .shift(from: stream(), to: stream(), count: 2, by: Int16(int(-320...320)))
                : .rotate(from: stream(), to: stream(), count: 1, by: Int16(int(-15...15)))
        case 15:
            .select(low: stream(), high: stream(), to: stream(), count: 4, boundary: 160)
        case _:
            bool()
                ? (bool() ? .send(stream()) : .receive(stream()))
                : (bool() ? .ingress(stream()) : .egress(stream()))
        }
    }

    mutating func alu() -> Instruction {
        let operation = ALUOperation.allCases.randomElement(using: &generator)!
        return .alu(
            operation, operand(), operation.operandCount == 2 ? operand() : nil,
            east: bool() ? stream() : nil, west: bool() ? stream() : nil)
    }

    mutating func operand() -> ALUOperand {
        switch int(0...2) {
        case 0: .stream(stream(), type())
        case 1: .alu(UInt8(int(0...15)))
        case _: .immediate(generator.next() as UInt32)
        }
    }

    mutating func row() -> RowAddress {
        RowAddress(slot: int(0...3), bank: int(0...1), row: int(0...5000))
    }
    mutating func stream() -> Stream { Stream(bool() ? .west : .east, int(0...255)) }
    mutating func type() -> ElementType { ElementType.allCases.randomElement(using: &generator)! }
    mutating func bool() -> Bool { Bool.random(using: &generator) }
    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
}
