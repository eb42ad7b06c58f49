import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Small schedules that break some laws and keep others; each is about one part of the chip, so
/// that not every schedule breaks every law. Queues may overlap, names always exist.
struct RandomSchedules {
    enum Part: CaseIterable { case memory, vxm, mxm, links }

    let machine: Machine
    var random: SeededGenerator

    init(machine: Machine, seed: UInt64) {
        self.machine = machine
        random = SeededGenerator(seed: seed)
    }

    private mutating func pick(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &random)
    }
    private mutating func chance(_ percent: Int) -> Bool { pick(1...100) <= percent }
    private mutating func stream() -> Stream { Stream(chance(50) ? .east : .west, pick(0...3)) }

    mutating func schedule(_ part: Part) -> Schedule {
        var programs = (0..<machine.chipCount).map { _ in ChipProgram() }
        for c in programs.indices {
            switch part {
            case .memory: memory(&programs[c])
            case .vxm: vxm(&programs[c])
            case .mxm: mxm(&programs[c])
            case .links: break
            }
        }
        if part == .links { for c in programs.indices { link(from: c, &programs) } }
        for c in programs.indices { programs[c].sort() }
        var schedule = Schedule(
            machine: machine.name, program: "0",
            templates: [ScheduleTemplate(name: "t", chips: programs)],
            placements: [
                Placement(
                    template: 0, start: Cycle(pick(0...5)),
                    chips: programs.indices.map { ChipID($0) },
                    slots: [SlotOffset(rows: 0, flipsBank: chance(50))])
            ],
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
        schedule.claims = schedule.recomputedClaims(on: machine)
        return schedule
    }

    /// Appends bursts of `unit` one after another, seldom one over another.
    private mutating func fill(
        _ unit: Unit, _ bursts: Int, from start: Int, gap: Int, step: Int = 0,
        _ program: inout ChipProgram, _ instruction: (inout RandomSchedules) -> Instruction
    ) {
        var start = start
        for _ in 0..<bursts {
            let inner = Repeat(count: pick(1...3), distance: pick(1...3), step: step)
            let round = (Int(inner.count) - 1) * Int(inner.distance) + 1
            let outer = Repeat(count: pick(1...2), distance: round + pick(0...2))
            let burst = Burst(
                start: Cycle(start), queue: machine.chip.queue(of: unit), instruction(&self),
                inner: inner, outer: outer)
            program.bursts.append(burst)
            start = max(0, burst.lastIssue.index + (chance(8) ? -pick(0...6) : 1 + pick(0...gap)))
        }
    }

    private mutating func memory(_ program: inout ChipProgram) {
        for side in Hemisphere.allCases {
            for slice in 0..<4 where chance(50) {
                let before = program.bursts.count
                fill(
                    .memory(side, slice: slice), pick(1...2), from: pick(0...6), gap: 6, step: 1,
                    &program
                ) {
                    .memory($0.read(), $0.write())
                }
                // Rows that are only read are mostly of the image, others mostly not.
                let isWritten = program.bursts[before...].contains {
                    if case .memory(_, .write) = $0.instruction { true } else { false }
                }
                let both = chance(85) ? [0, 1] : [0]
                for bank in both {
                    let split = chance(20) ? pick(1...5) : 6
                    for (base, rows) in [(0, split), (split, 6 - split)] where rows > 0 {
                        program.allocations.append(
                            Allocation(
                                value: ValueID(pick(0...1)), plane: 0, hemisphere: side,
                                slice: slice, base: RowAddress(slot: 1, bank: bank, row: base),
                                rows: rows, first: base, run: 6, innerStride: 1, outerStride: 0,
                                live: Cycle(0)..<Cycle(chance(90) ? 80 : 12),
                                isImage: isWritten == chance(15)))
                    }
                }
                if chance(15), var copy = program.allocations.last {
                    copy.value = ValueID(pick(0...1))
                    copy.live = Cycle(pick(0...15))..<Cycle(90)
                    program.allocations.append(copy)
                }
            }
        }
    }

    private mutating func address() -> RowAddress {
        RowAddress(slot: pick(0...1), bank: pick(0...1), row: pick(0...1))
    }
    private mutating func read() -> MemoryRead {
        switch pick(0...3) {
        case 0: .none
        case 1: .gather(window: address(), rows: Int32(pick(3...4)), address: stream(), stream())
        case _: .read(address(), stream())
        }
    }
    private mutating func write() -> MemoryWrite {
        switch pick(0...5) {
        case 0: .write(address(), stream())
        case 1: .scatter(window: address(), rows: Int32(pick(3...4)), address: stream(), stream())
        case _: .none
        }
    }

    private mutating func vxm(_ program: inout ChipProgram) {
        fill(.alu(0), pick(1...3), from: pick(4...8), gap: 3, &program) {
            .alu(
                .toFP8, .immediate(0), nil,
                east: $0.chance(50) ? Stream(.east, $0.pick(0...3)) : nil,
                west: nil)
        }
        // A chain after each burst of alu0, mostly exact and of its shape.
        for source in program.bursts {
            var burst = source
            burst.queue = machine.chip.queue(of: .alu(pick(1...2)))
            burst.start = Cycle(source.start.index + (chance(90) ? 3 : pick(1...5)))
            if chance(15) { burst.inner.count = Int32(pick(1...Int(source.inner.count))) }
            let east = chance(15) ? Stream(.east, pick(0...3)) : nil
            burst.instruction = .alu(.toFP8, .alu(0), nil, east: east, west: nil)
            program.bursts.append(burst)
        }
    }

    private mutating func mxm(_ program: inout ChipProgram) {
        let side: Hemisphere = chance(50) ? .east : .west
        let chip = machine.chip
        let tandem = chance(40)
        for plane in 0..<2 where plane == 0 || chance(tandem ? 15 : 60) {
            let both = tandem && plane == 0
            let type: ElementType = both ? .fp16 : chance(50) ? .int8 : .fp8
            var start = pick(0...3)
            for tile in 0..<pick(1...3) {
                func add(_ unit: Unit, _ cycle: Int, _ count: Int, _ instruction: Instruction) {
                    program.bursts.append(
                        Burst(
                            start: Cycle(cycle), queue: chip.queue(of: unit), instruction,
                            inner: Repeat(count: count, distance: both ? 2 : 1, step: 0)))
                }
                let isTandem = chance(5) ? !both && plane == 0 : both
                add(
                    .loadWeights(side, plane: plane), start, 1,
                    .loadWeights(column: Int16(pick(0...1)), tandem: isTandem))
                let install = start + pick(2...5)
                add(.matmul(side, plane: plane), install, 1, .install(tandem: both))
                let count = pick(1...3)
                let matmul = install + 1 + pick(0...1)
                add(
                    .matmul(side, plane: plane), matmul, count,
                    .matmul(activation: Stream(side.outward, 0), type))
                let late = chance(4) ? 1 : 0
                add(
                    .accumulate(side, plane: plane), matmul + 3 + late, count,
                    .accumulate(row: Int16(pick(0...1)), add: tile > 0 && chance(40), emit: nil))
                start = matmul + count * (both ? 2 : 1) - 4 + pick(2...5)
                start = max(start, install - 3 + pick(1...3))
            }
        }
    }

    private mutating func link(from c: Int, _ programs: inout [ChipProgram]) {
        // Sends in even cycles from chip 0 on, receives in a stretch of their own.
        let queue = machine.chip.queue(of: .link(LinkID(0)))
        var start = 40 * c
        for _ in 0..<pick(1...2) {
            let inner = Repeat(count: pick(1...4), distance: pick(2...4), step: 0)
            let burst = Burst(
                start: Cycle(start), queue: queue, .send(stream()), inner: inner)
            programs[c].bursts.append(burst)
            var receive = burst
            receive.start = Cycle(start + 4 + pick(0...4) - (chance(10) ? 2 : 0))
            receive.instruction = .receive(Stream(.east, pick(0...3)))
            if chance(10) { receive.inner.count = Int32(pick(1...4)) }
            programs[1 - c].bursts.append(receive)
            start = burst.lastIssue.index + 2 + pick(0...5)
        }
    }
}
