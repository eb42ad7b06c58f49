import Foundation
import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport
import Testing

@testable import LPUVerifier

/// Equal layers on many chips: what is shared is proved equal, and what is wrong with the second of
/// two is found as if nothing were shared.
@Suite struct RackTests {
    static let load = RackLoad(places: 3, stages: 3, layersPerStage: 3, sums: 2, products: 3)
    /// Templates in the order of their numbers.
    static let (prologue, layer, handOver) = (0, 1, 2)

    /// Both modes, in one thread and in two, say the same.
    private func verdict(_ schedule: Schedule, _ program: Program) -> Verdict {
        let machine = Self.load.machine
        func verdict(exhaustive: Bool, threads: Int) -> Verdict {
            Verifier(exhaustive: exhaustive, threads: threads).verify(
                machine: machine, schedule: schedule, program: program)
        }
        let all = verdict(exhaustive: true, threads: 1)
        #expect(verdict(exhaustive: true, threads: 2) == all)
        #expect(verdict(exhaustive: false, threads: 1) == all)
        #expect(verdict(exhaustive: false, threads: 2) == all)
        return all
    }

    private func laws(_ schedule: Schedule, _ program: Program) -> [Law] {
        var counted = schedule
        counted.program = program.digest
        counted.claims = schedule.recomputedClaims(on: Self.load.machine)
        let found = verdict(counted, program).violations.map(\.law)
        return Law.allCases.filter(found.contains)
    }

    /// The templates of the placements that the shared run ran, in their order; nil if it gave up.
    private func runs(_ schedule: Schedule, _ program: Program) -> [Int]? {
        var run = SharedRun(
            Self.load.machine, schedule, SymbolicProgram(program), threads: 1)
        return run.result() == nil ? nil : run.runs
    }

    /// Of a template the placements' numbers.
    private func placements(_ template: Int, _ schedule: Schedule) -> [Int] {
        schedule.placements.indices.filter { schedule.placements[$0].template == template }
    }

    @Test func `equal layers are run once`() throws {
        let (program, schedule) = Self.load.made()
        try program.validate()
        #expect(laws(schedule, program) == [])
        // The first layer takes what the image holds, the others what layers made.
        #expect(
            runs(schedule, program)
                == [Self.prologue, Self.layer, Self.layer, Self.handOver])
    }

    @Test func `equal chips later are judged once`() {
        let load = RackLoad(places: 2, stages: 5, layersPerStage: 2, sums: 1, products: 1)
        let schedule = load.made().schedule
        let found = PlacementIndex(schedule, on: load.machine).representatives(schedule)
        // Stages 1 to 3 take over and hand over; the first and the last do not.
        #expect([0, 16, 32, 33, 48, 64].map { found[$0].chip } == [0, 16, 16, 17, 16, 64])
        #expect(
            found[48].delay == schedule.placements[9].start.index
                - schedule.placements[3].start.index)
    }

    @Test(arguments: [4, 7]) func `a wrong slot offset`(_ number: Int) {
        let (program, made) = Self.load.made()
        var schedule = made
        let index = placements(Self.layer, schedule)[number]
        let rows = Int(schedule.placements[index].slots[0].rows)
        schedule.placements[index].slots = [SlotOffset(rows: rows + 1)]
        #expect(laws(schedule, program) == [.sramOverlap, .provenance, .coverage])
        // Rows that no other layer has: another place for the same weights.
        schedule.placements[index].slots = [SlotOffset(rows: 3 * Self.load.layerRows)]
        #expect(laws(schedule, program) == [])
        #expect(runs(schedule, program)?.count == 4)
    }

    @Test(arguments: [3, 8]) func `the numbers of another instance`(_ number: Int) {
        let (program, made) = Self.load.made()
        var schedule = made
        let layers = placements(Self.layer, schedule)
        let other = schedule.placements[layers[number - 1]]
        schedule.placements[layers[number]].valueBase = other.valueBase
        #expect(laws(schedule, program).contains(.provenance))
        schedule.placements[layers[number]].opBase = other.opBase
        #expect(laws(schedule, program).contains(.coverage))
    }

    @Test(arguments: [1, 2, 5, 40]) func `a placement that begins too early`(_ cycles: Int) {
        let (program, made) = Self.load.made()
        var schedule = made
        let index = placements(Self.layer, schedule)[4]
        for later in index..<schedule.placements.count {
            let start = schedule.placements[later].start
            schedule.placements[later].start = Cycle(start.index - cycles)
        }
        // The two layers share rows of activations: they are not two values' at once.
        #expect(laws(schedule, program).contains(.sramOverlap))
    }

    @Test(arguments: [2, 8]) func `arguments that are exchanged`(_ number: Int) {
        var (program, schedule) = Self.load.made()
        let index = placements(Self.layer, schedule)[number]
        program.instances[index].arguments.swapAt(0, 1)
        #expect(laws(schedule, program).contains(.provenance))
        program.instances[index].arguments[1] = program.instances[index].arguments[0]
        schedule.program = program.digest
        #expect(laws(schedule, program).contains(.provenance))
    }

    @Test func `chips in another order`() {
        var (program, schedule) = Self.load.made()
        let index = placements(Self.layer, schedule)[4]
        schedule.placements[index].chips.swapAt(0, 1)
        #expect(!laws(schedule, program).isEmpty)
        program.instances[index].chips.swapAt(0, 1)
        #expect(!laws(schedule, program).isEmpty)
    }

    @Test func `placements that touch by a cycle are run together`() {
        let (program, made) = Self.load.made()
        var schedule = made
        // An idle read whose vector is still on its way when the next placement begins.
        let chip = Self.load.machine.chip
        let end = schedule.placements[2].start.index - schedule.placements[1].start.index
        schedule.templates[Self.layer].chips[0].bursts.append(
            Burst(
                start: Cycle(end - 1), queue: chip.queue(of: .shifter(.east, 0)),
                .shift(from: Stream(.west, 8), to: Stream(.west, 20), count: 1, by: 0)))
        schedule.templates[Self.layer].chips[0].sort()
        #expect(PlacementOrder(Self.load.machine, made) != nil)
        #expect(PlacementOrder(Self.load.machine, schedule) == nil)
        #expect(laws(schedule, program) == [.operandTiming])
    }

    @Test func `hints decide nothing`() {
        let (program, made) = Self.load.made()
        var schedule = made
        for chip in schedule.templates[Self.layer].chips.indices {
            for burst in schedule.templates[Self.layer].chips[chip].bursts.indices {
                schedule.templates[Self.layer].chips[chip].bursts[burst].op = nil
            }
        }
        #expect(laws(schedule, program) == [])
        #expect(runs(schedule, program)?.count == 4)
    }

    /// One burst of a template is late, missing or another; `laws` compares the two modes.
    @Test(arguments: 0..<16) func `a mutant is judged alike in both modes`(_ seed: Int) {
        let (program, made) = Self.load.made()
        var schedule = made
        var random = SeededGenerator(seed: UInt64(seed))
        let template = Int.random(in: 0...2, using: &random)
        let chip = schedule.templates[template].chips.indices.randomElement(using: &random)!
        var bursts = schedule.templates[template].chips[chip].bursts
        guard let i = bursts.indices.randomElement(using: &random) else { return }
        switch seed % 4 {
        case 0: bursts[i].start = Cycle(bursts[i].start.index + 1)
        case 1: bursts.remove(at: i)
        case 2: bursts[i].inner.count += 1
        case _: bursts[i].start = Cycle(bursts[i].start.index + 100_000)
        }
        schedule.templates[template].chips[chip].bursts = bursts
        schedule.templates[template].chips[chip].sort()
        #expect(!laws(schedule, program).isEmpty)
    }

    @Test func `what lasts over the border of two placements is not shared`() {
        let (program, made) = Self.load.made()
        var schedule = made
        // A load that no install takes: the next tile of the plane gets it.
        let load = schedule.templates[Self.layer].chips[1].bursts.lastIndex {
            if case .loadWeights = $0.instruction { true } else { false }
        }!
        var late = schedule.templates[Self.layer].chips[1].bursts[load]
        late.start = Cycle(late.start.index + 42)
        late.instruction = .loadWeights(column: 3, tandem: false)
        late.inner = .once
        schedule.templates[Self.layer].chips[1].bursts.append(late)
        schedule.templates[Self.layer].chips[1].sort()
        #expect(runs(schedule, program) == nil)
        #expect(!laws(schedule, program).isEmpty)
    }

    /// `LPUC_RACK=16` prints what a rack takes: stages, of five layers each.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["LPUC_RACK"] != nil))
    func rack() throws {
        let stages = Int(ProcessInfo.processInfo.environment["LPUC_RACK"] ?? "") ?? 16
        let load = RackLoad(stages: stages)
        let (program, schedule) = load.made()
        print(schedule.claims)
        for (exhaustive, threads) in [(false, 2), (false, 1), (true, 2), (true, 1)] {
            var verdict: Verdict?
            let time = ContinuousClock().measure {
                verdict = Verifier(exhaustive: exhaustive, threads: threads).verify(
                    machine: load.machine, schedule: schedule, program: program)
            }
            print(exhaustive ? "exhaustive," : "default,", threads, "threads:", time)
            #expect(verdict?.isAccepted == true)
        }
    }
}
