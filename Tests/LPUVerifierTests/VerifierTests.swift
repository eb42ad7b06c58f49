import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

@Suite struct VerifierTests {
    /// Eight small chips, all wired to each other.
    private let machine: Machine = {
        var machine = Machine.small
        machine.topology = .clique(8)
        machine.chip.linkCount = 7
        return machine
    }()

    private func schedule(_ templates: [[ChipProgram]], _ placements: [Placement]) -> Schedule {
        Schedule(
            machine: machine.name, program: "0",
            templates: templates.enumerated().map { ScheduleTemplate(name: "t\($0)", chips: $1) },
            placements: placements,
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    }

    private func place(
        _ template: Int, _ start: Int, _ chips: [Int], valueBase: Int = 0
    ) -> Placement {
        Placement(
            template: template, start: Cycle(start), chips: chips.map { ChipID($0) },
            slots: [SlotOffset(rows: 0)], valueBase: valueBase)
    }

    /// Violations of a schedule whose claims are right.
    private func lines(_ schedule: Schedule) -> [String] {
        var schedule = schedule
        schedule.claims = schedule.recomputedClaims(on: machine)
        return Verifier().verify(machine: machine, schedule: schedule).violations
            .map(\.description)
    }

    private func copies(at start: Int, _ repeats: Repeat = .once) -> Burst {
        Burst(
            start: Cycle(start), queue: machine.chip.queue(of: .alu(0)),
            .alu(.copy, .immediate(0), nil, east: nil, west: nil), inner: repeats)
    }

    private func rows(
        _ value: Int, first: Int = 0, live: Range<Int>, isImage: Bool = false
    ) -> Allocation {
        Allocation(
            value: ValueID(value), plane: 0, hemisphere: .east, slice: 1,
            base: RowAddress(bank: 0, row: 2), rows: 3, first: first, run: 3, innerStride: 1,
            outerStride: 0, live: Cycle(live.lowerBound)..<Cycle(live.upperBound),
            isImage: isImage)
    }

    // MARK: The same verdict however the work is shared out

    @Test func verdictsDoNotDependOnThreadsOrSharing() {
        for seed in 0..<60 as Range<UInt64> {
            var random = RandomSchedules(machine: machine, seed: seed)
            var all = random.schedule(RandomSchedules.Part.allCases[Int(seed % 3)])
            // Chips 0-3 do the same as each other, 4-7 do something else each.
            for c in 1...3 { all.templates[0].chips[c] = all.templates[0].chips[0] }
            all.claims = all.recomputedClaims(on: machine)
            let one = Verifier(exhaustive: true).verify(machine: machine, schedule: all)
            for threads in [1, 2, 3, 8, 20] {
                for exhaustive in [false, true] {
                    let verifier = Verifier(exhaustive: exhaustive, threads: threads)
                    let verdict = verifier.verify(machine: machine, schedule: all)
                    #expect(verdict == one, "seed \(seed), \(threads) threads")
                }
            }
        }
    }

    @Test func certificateCountsEveryChip() throws {
        let program = ChipProgram(bursts: [copies(at: 3, Repeat(count: 4, distance: 2))])
        var all = schedule(
            [[program]], (0..<8).map { place(0, 10, [$0]) } + [place(0, 40, [5])])
        all.claims = Claims(length: CycleCount(50), burstCount: 9, issueCount: 36)
        let verdict = Verifier().verify(machine: machine, schedule: all)
        let certificate = try #require(verdict.certificate, "\(verdict)")
        let scope = Certificate.Scope(law: .queueOrder, chips: 8, bursts: 9, issues: 36)
        #expect(certificate.scopes.first == scope)
        #expect(
            certificate.unchecked == [
                .operandTiming, .provenance, .coverage, .intervalFolded, .refinement,
            ])
        #expect(
            certificate.description.hasSuffix(
                """
                  not checked: operand-timing, provenance, coverage, interval-folded, refinement
                  the schedule is possible, whatever it computes; graph = model is shown by \
                numbers only
                """))
    }

    @Test func violationsBeyondTheLimitAreCounted() {
        // 300 bursts of one cycle on one queue: 299 violations a chip.
        let program = ChipProgram(bursts: Array(repeating: copies(at: 7), count: 300))
        let all = schedule([[program]], (0..<8).map { place(0, 0, [$0]) })
        let verdict = Verifier(violationsPerLaw: 10).verify(machine: machine, schedule: all)
        let order = verdict.violations.filter { $0.law == .queueOrder }
        #expect(order.count == 10)
        #expect(order.allSatisfy { $0.chip == ChipID(0) })
        #expect(verdict.more.first == Verdict.More(law: .queueOrder, count: 8 * 299 - 10))
        #expect(verdict.description.contains("schedule: error: and 2382 more [queue-order]"))
    }

    // MARK: With a program

    @Test func scheduleIsJudgedAgainstItsProgram() throws {
        var sketch = Sketch()
        let x = sketch.builder.image("x", type: .fp8, count: 1, .zero)
        let y = sketch.builder.elementwise(.toFP8, x[0], count: 1)
        sketch.hold(x, .east, 0, rows: 1)
        sketch.read(0, .east, 0, west0)
        let alu = sketch.at(
            6, .alu(0), .alu(.toFP8, .stream(west0, .fp8), nil, east: nil, west: west0))
        sketch.at(
            10, .memory(.west, slice: 0), .memory(.none, .write(RowAddress(bank: 0, row: 0), west0))
        )
        sketch.chips[0].allocations.append(
            Allocation(
                value: y, plane: 0, hemisphere: .west, slice: 0,
                base: RowAddress(bank: 0, row: 0), rows: 1, first: 0, run: 1, innerStride: 1,
                outerStride: 0, live: Cycle(10)..<Cycle(11), isImage: false))
        func verdict(_ sketch: Sketch, program: String? = nil) -> Verdict {
            var schedule = sketch.schedule
            for c in schedule.templates[0].chips.indices { schedule.templates[0].chips[c].sort() }
            schedule.program = program ?? sketch.program.digest
            schedule.claims = schedule.recomputedClaims(on: sketch.machine)
            return Verifier().verify(
                machine: sketch.machine, schedule: schedule, program: sketch.program)
        }
        let accepted = verdict(sketch)
        let certificate = try #require(accepted.certificate, "\(accepted)")
        #expect(certificate.unchecked == [.intervalFolded, .refinement])
        #expect(certificate.scopes.allSatisfy { $0.chips == 1 })
        #expect(
            certificate.statement
                == "schedule = program is laws 1-14 for one step alone; graph = model is shown by "
                + "numbers only")
        #expect(verdict(sketch, program: "0").violations.map(\.law) == [.claims])
        // The program's superlanes are not the machine's.
        var wide = (program: sketch.program, schedule: sketch.schedule)
        wide.program.lanesPerSuperlane *= 2
        wide.schedule.program = wide.program.digest
        wide.schedule.claims = wide.schedule.recomputedClaims(on: sketch.machine)
        let found = Verifier().verify(
            machine: sketch.machine, schedule: wide.schedule, program: wide.program)
        #expect(found.violations.map(\.law) == [.claims], "\(found)")
        #expect(found.description.contains("in superlanes of"))
        sketch.delay(alu, by: 1)
        #expect(verdict(sketch).violations.contains { $0.law == .operandTiming })
    }

    // MARK: What placements add

    @Test func placementsOnOneChipMeet() {
        let program = ChipProgram(bursts: [copies(at: 0, Repeat(count: 5))])
        #expect(lines(schedule([[program]], [place(0, 0, [1]), place(0, 5, [1])])) == [])
        #expect(
            lines(schedule([[program]], [place(0, 10, [1]), place(0, 6, [1])])) == [
                "chip1.alu0 @10: error: a burst starts @10, the burst of @6 holds the queue until "
                    + "@10 [queue-order]"
            ])
        #expect(
            lines(schedule([[program]], [place(0, -1, [1])])) == [
                "chip1.alu0 @-1: error: the first issue is @-1, before @0 [queue-order]"
            ])
    }

    @Test func rowsOfEqualContentMayOverlap() {
        let program = ChipProgram(allocations: [rows(4, live: 0..<9)])
        #expect(lines(schedule([[program]], [place(0, 0, [0]), place(0, 5, [0])])) == [])
        #expect(
            lines(schedule([[program]], [place(0, 0, [0]), place(0, 5, [0], valueBase: 2)])) == [
                "chip0.mem.e1 @5: error: rows 2..<5 of bank 0 hold v4 until @9 and v6 at once "
                    + "[sram-overlap]"
            ])
        let other = ChipProgram(allocations: [rows(4, first: 1, live: 0..<9)])
        #expect(
            lines(schedule([[program], [other]], [place(0, 0, [0]), place(1, 5, [0])])).count == 1)
    }

    @Test func imageIsThereFromCycleZeroWhereverItIsPlaced() {
        let image = ChipProgram(allocations: [rows(4, live: 0..<9, isImage: true)])
        let early = ChipProgram(allocations: [rows(5, live: 0..<3)])
        #expect(
            lines(schedule([[image], [early]], [place(0, 100, [0]), place(1, 0, [0])])) == [
                "chip0.mem.e1 @0: error: rows 2..<5 of bank 0 hold v4 until @109 and v5 at once "
                    + "[sram-overlap]"
            ])
    }

    @Test func placementsThatCannotBeAreNamed() {
        let program = ChipProgram(allocations: [rows(4, live: 0..<9)])
        let all = schedule(
            [[program]],
            [
                place(3, 0, [0]), place(0, 0, [0, 1]), place(0, 0, [9]),
                place(0, 0, [0], valueBase: Int(Int32.max) - 3), place(0, Int.max, [0]),
            ])
        let verdict = Verifier().verify(machine: machine, schedule: all)
        #expect(
            verdict.violations.map(\.message) == [
                "placement 0 names template 3, there are 1",
                "placement 1 names 2 chips, 't0' has 1",
                "placement 2 names chip9, 'small' has 8 chips",
                "placement 3 has value base 2147483644, outside of 0...2147483643",
                "placement 4 starts @9223372036854775807, outside of "
                    + "-1073741824...1073741824",
            ])
    }

    @Test func permutationsAreBijections() {
        let burst = Burst(
            start: Cycle(0), queue: machine.chip.queue(of: .permutor(.west, 0)),
            .permute(from: Stream(.east, 0), to: Stream(.west, 0), count: 1, LaneMapID(0)))
        var all = schedule([[ChipProgram(bursts: [burst])]], [place(0, 0, [2])])
        all.laneMaps = [[3, 2, 1, 0]]
        #expect(lines(all) == [])
        all.laneMaps = [[3, 2, 2, 0]]
        #expect(
            lines(all) == [
                "chip2.sxm.w.permute0 @0: error: lane map 0 takes lane 2 twice [address-range]"
            ])
    }

    @Test func claimsAreCountedAgain() {
        let all = schedule([[ChipProgram(bursts: [copies(at: 2)])]], [place(0, 0, [1])])
        var other = all
        other.claims = Claims(length: CycleCount(3), burstCount: 1, issueCount: 1, digest: "beef")
        other.machine = "large"
        let verdict = Verifier().verify(machine: machine, schedule: other)
        #expect(verdict.violations.allSatisfy { $0.law == .claims && $0.chip == nil })
        #expect(
            verdict.violations.map(\.message) == [
                "claims digest beef, it is \(other.digest(on: machine))",
                "is for machine 'large', not for 'small'",
            ])
        #expect(
            Verifier().verify(machine: machine, schedule: all).violations.map(\.message) == [
                "claims bursts 0, there are 1", "claims issues 0, there are 1",
                "claims length 0, there are 3",
            ])
    }

    // MARK: Bad input

    @Test func aScheduleWithoutATextHasNoDigest() {
        let program = ChipProgram(bursts: [copies(at: 2)])
        var all = schedule([[program]], [place(0, 0, [1])])
        all.claims = Claims(length: CycleCount(3), burstCount: 1, issueCount: 1, digest: "beef")
        all.templates[0].name = "a\u{1}"
        #expect(
            Verifier().verify(machine: machine, schedule: all).violations.map(\.message) == [
                "claims a digest, but has no text: 'a\u{1}' is no word of the schedule's text"
            ])
        all.templates[0].name = "t"
        all.templates.append(ScheduleTemplate(name: "t", chips: [program]))
        #expect(
            Verifier().verify(machine: machine, schedule: all).violations.map(\.message) == [
                "claims a digest, but has no text: two templates are named 't'"
            ])
    }

    @Test func issuesAreCountedWithoutOverflow() {
        let most = Repeat(count: Int(Int32.max), distance: Int(Int32.max))
        var burst = copies(at: 2, most)
        burst.outer = most
        let program = ChipProgram(bursts: Array(repeating: burst, count: 5))
        let all = schedule([[program]], (0..<5).map { place(0, $0, [1]) })
        #expect(
            Verifier().verify(machine: machine, schedule: all).violations.map(\.description) == [
                "chip1: error: issues more than 1073741824 instructions in a step: nothing else "
                    + "is judged [claims]"
            ])
    }

    @Test func intervalsThatCannotBeAreNamed() {
        let program = ChipProgram(bursts: [copies(at: 0)])
        // What is never placed may hold anything.
        let wild = ChipProgram(bursts: [
            Burst(
                start: Cycle(0), queue: QueueID(60_000),
                .accumulate(row: -1, add: true, emit: nil))
        ])
        var all = schedule([[program], [wild]], [place(0, 0, [1])])
        for (interval, isFine) in [(0, false), (-1, false), (Int.max, false), (5, true)] {
            all.interval = CycleCount(interval)
            #expect(lines(all).isEmpty == isFine, "\(interval)")
        }
    }

    @Test func nonsenseIsRefusedAndNeverTraps() {
        let wild = [Int32.min, -1, 0, 1, 2, 65_535, 65_536, Int32.max]
        let starts = [Int.min, -1, 0, 5, 1 << 41, Int.max]
        for seed in 0..<300 as Range<UInt64> {
            var random = RandomSchedules(machine: machine, seed: seed)
            var all = random.schedule(RandomSchedules.Part.allCases[Int(seed % 3)])
            var generator = SeededGenerator(seed: seed)
            func pick<T>(_ values: [T]) -> T { values.randomElement(using: &generator)! }
            for c in all.templates[0].chips.indices {
                for b in all.templates[0].chips[c].bursts.indices {
                    var burst = all.templates[0].chips[c].bursts[b]
                    switch Int.random(in: 0..<6, using: &generator) {
                    case 0: burst.start = Cycle(pick(starts))
                    case 1: burst.queue = QueueID(pick([0, 20, 40, 65_535]))
                    case 2: burst.inner.count = pick(wild)
                    case 3: burst.inner.step = pick(wild)
                    case 4: burst.outer.distance = pick(wild)
                    case _:
                        let row = RowAddress(
                            slot: pick([0, 1, 255]), bank: 1, row: Int(pick(wild)))
                        burst.instruction = .memory(.read(row, Stream(.east, 1)), .none)
                    }
                    all.templates[0].chips[c].bursts[b] = burst
                }
                for a in all.templates[0].chips[c].allocations.indices {
                    all.templates[0].chips[c].allocations[a].rows = pick(wild)
                    all.templates[0].chips[c].allocations[a].run = pick(wild)
                    all.templates[0].chips[c].allocations[a].base.row = pick(wild)
                }
            }
            let verdict = Verifier().verify(machine: machine, schedule: all)
            #expect(!verdict.isAccepted, "seed \(seed)")
        }
    }
}
