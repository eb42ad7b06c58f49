import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

@testable import LPUVerifier

/// A small program with a schedule for it, to be judged as it is and after a change.
struct Sketch {
    var machine: Machine
    var builder: TemplateBuilder
    var chips: [ChipProgram]
    var laneMaps: [[Int16]] = []

    init(_ machine: String = "groqchip1", chips: Int = 1) {
        self.machine = Machine.preset(named: machine)!
        builder = TemplateBuilder(
            "sketch", chipCount: chips, lanesPerSuperlane: self.machine.chip.lanesPerSuperlane)
        self.chips = Array(repeating: ChipProgram(), count: chips)
    }

    /// Appends a burst; the number of its place among the chip's bursts.
    @discardableResult
    mutating func at(
        _ start: Int, _ unit: Unit, _ instruction: Instruction, count: Int = 1, distance: Int = 1,
        step: Int = 0, chip: Int = 0
    ) -> Int {
        chips[chip].bursts.append(
            Burst(
                start: Cycle(start), queue: machine.chip.queue(of: unit), instruction,
                inner: Repeat(count: count, distance: distance, step: step)))
        return chips[chip].bursts.count - 1
    }

    mutating func read(
        _ start: Int, _ hemisphere: Hemisphere, _ slice: Int, row: Int = 0, _ stream: Stream,
        count: Int = 1, distance: Int = 1, step: Int = 1, chip: Int = 0
    ) {
        at(
            start, .memory(hemisphere, slice: slice),
            .memory(.read(RowAddress(bank: 0, row: row), stream), .none), count: count,
            distance: distance, step: step, chip: chip)
    }

    /// Rows of an image value in bank 0 of a slice.
    mutating func hold(
        _ value: ValueID, plane: Int = 0, _ hemisphere: Hemisphere, _ slice: Int, row: Int = 0,
        rows: Int, first: Int = 0, stride: Int = 1, chip: Int = 0
    ) {
        chips[chip].allocations.append(
            Allocation(
                value: value, plane: plane, hemisphere: hemisphere, slice: slice,
                base: RowAddress(bank: 0, row: row), rows: rows, first: first, run: rows,
                innerStride: stride, outerStride: 0, live: Cycle(0)..<Cycle(10_000),
                isImage: true))
    }

    var program: Program {
        let chip = machine.chip
        return Program(
            name: "sketch", lanes: chip.lanes, lanesPerSuperlane: chip.lanesPerSuperlane,
            templates: [builder.template],
            instances: [Instance(template: 0, chips: (0..<chips.count).map { ChipID($0) })])
    }

    var schedule: Schedule {
        Schedule(
            machine: machine.name, program: "", laneMaps: laneMaps,
            templates: [ScheduleTemplate(name: "sketch", chips: chips)],
            placements: [
                Placement(
                    template: 0, start: Cycle(0), chips: (0..<chips.count).map { ChipID($0) })
            ],
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    }

    func judged() -> SymbolicResult {
        symbolicRun(machine: machine, schedule: schedule, program: program)
    }

    /// Of all laws but the last, with the schedule's claims as they are.
    func verdict(exhaustive: Bool = false) -> Verdict {
        var schedule = schedule
        for c in schedule.templates[0].chips.indices { schedule.templates[0].chips[c].sort() }
        schedule.program = program.digest
        schedule.claims = schedule.recomputedClaims(on: machine)
        return Verifier(exhaustive: exhaustive).verify(
            machine: machine, schedule: schedule, program: program)
    }

    /// The laws that are broken, without repetition, in the contract's order.
    func broken(_ change: (inout Sketch) -> Void = { _ in }) -> [Law] {
        var changed = self
        change(&changed)
        let found = changed.judged().violations.map(\.law)
        return Law.allCases.filter(found.contains)
    }

    /// Replaces the instruction of a burst.
    mutating func change(_ burst: Int, chip: Int = 0, _ instruction: Instruction) {
        chips[chip].bursts[burst].instruction = instruction
    }

    mutating func delay(_ burst: Int, by cycles: Int, chip: Int = 0) {
        let start = chips[chip].bursts[burst].start
        chips[chip].bursts[burst].start = Cycle(start.index + cycles)
    }
}

let east0 = Stream(.east, 0)
let west0 = Stream(.west, 0)
