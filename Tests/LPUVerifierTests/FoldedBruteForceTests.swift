import LPUMachine
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

/// Steps that follow one another, every cycle of them written out: what law 15 accepts is lawful
/// as a whole, and each step finds in rows and on streams what it finds alone.
@Suite struct FoldedBruteForceTests {
    @Test func stepsThatAreAcceptedDoNotMeet() {
        let machine = Machine.small
        var (accepted, overlapping) = (0, 0)
        for seed in 0..<6000 as Range<UInt64> {
            var random = RandomSteps(machine: machine, seed: seed)
            let step = random.schedule()
            let verdict = Verifier().verify(machine: machine, schedule: step)
            guard verdict.isAccepted, let interval = step.interval?.count else { continue }
            accepted += 1
            if interval < step.claims.length.count { overlapping += 1 }
            let count = 2 + step.claims.length.count / interval
            let slow = BruteForce(machine, RandomSteps.repeated(step, count))
            // Of the text there is one for all of them.
            #expect(slow.brokenLaws(0).filter { $0 != .sramCapacity } == [], "seed \(seed)")
            let alone = Findings(machine, step, steps: 1)
            let together = Findings(machine, step, steps: count)
            for (place, found) in alone.found {
                for number in 0..<count {
                    let other = together.found[Findings.Place(of: place, in: number)]
                    #expect(other == found.inStep(number), "seed \(seed), step \(number), \(place)")
                }
            }
        }
        // There must be steps to tell a wrong judge by.
        #expect(accepted > 200 && overlapping > 100, "\(accepted), \(overlapping)")
    }
}

/// What every half of a MEM instruction finds, of chip 0 and several steps.
private struct Findings {
    struct Place: Hashable {
        var burst: Int
        var step: Int
        var isRead: Bool

        init(burst: Int, step: Int, isRead: Bool) {
            (self.burst, self.step, self.isRead) = (burst, step, isRead)
        }
        init(of place: Place, in step: Int) {
            self.init(burst: place.burst, step: step, isRead: place.isRead)
        }
    }
    /// Who put it there: an image, or a burst of a step.
    enum Source: Hashable {
        case image
        case burst(Int, step: Int)

        func inStep(_ step: Int) -> Source {
            if case .burst(let burst, _) = self { .burst(burst, step: step) } else { .image }
        }
    }
    private struct Row: Hashable {
        var queue: QueueID
        var bank: UInt8
        var row: Int32
    }
    private struct Diagonal: Hashable {
        var stream: Stream
        var number: Int
    }

    /// Nothing is found where nothing was put.
    private(set) var found: [Place: Source] = [:]

    /// - Requires: bursts are single MEM instructions without windows.
    init(_ machine: Machine, _ schedule: Schedule, steps: Int) {
        let chip = machine.chip
        var bursts: [Burst] = []
        var images: Set<Row> = []
        schedule.forEachProgram(on: ChipID(0)) { placement, program in
            for var burst in program.bursts {
                guard let instruction = burst.instruction.resolved(in: placement.slots) else {
                    continue
                }
                burst.instruction = instruction
                burst.start = Cycle(placement.start.index + burst.start.index)
                bursts.append(burst)
            }
            for allocation in program.allocations where allocation.isImage {
                guard let base = allocation.base.resolved(in: placement.slots) else { continue }
                let unit = Unit.memory(allocation.hemisphere, slice: Int(allocation.slice))
                for i in 0..<allocation.rows {
                    images.insert(
                        Row(queue: chip.queue(of: unit), bank: base.bank, row: base.row + i))
                }
            }
        }
        let interval = schedule.interval?.count ?? 0
        let issues = (0..<steps).flatMap { step in
            bursts.indices.map { (bursts[$0].start.index + step * interval, $0, step) }
        }.sorted { $0 < $1 }
        // By row when it is seen, by diagonal at which register, and who put it there.
        var rows: [Row: [(seen: Int, Source)]] = [:]
        var streams: [Diagonal: [(register: Int, Source)]] = [:]
        for (cycle, number, step) in issues {
            let burst = bursts[number]
            guard case .memory(let read, let write) = burst.instruction,
                case .memory(let side, let slice) = chip.units[burst.queue.index]
            else { continue }
            let register = side.sign * (1 + slice / chip.memSlicesPerGroup)
            if case .read(let address, let stream) = read {
                let row = Row(queue: burst.queue, bank: address.bank, row: address.row)
                let held = rows[row]?.last { $0.seen <= cycle }?.1
                found[Place(burst: number, step: step, isRead: true)] =
                    images.contains(row) ? .image : held
                let diagonal = cycle + chip.readLatency - stream.direction.sign * register
                streams[Diagonal(stream: stream, number: diagonal), default: []].append(
                    (stream.direction.sign * register, .burst(number, step: step)))
            }
            if case .write(let address, let stream) = write {
                let passed = stream.direction.sign * register
                let diagonal = Diagonal(stream: stream, number: cycle - passed)
                let last = streams[diagonal]?.filter { $0.register <= passed }
                    .max { $0.register < $1.register }
                found[Place(burst: number, step: step, isRead: false)] = last?.1
                let row = Row(queue: burst.queue, bank: address.bank, row: address.row)
                rows[row, default: []].append(
                    (cycle + chip.writeToRead, .burst(number, step: step)))
            }
        }
    }
}

/// Steps of a few placements: a row of the image passes through working rows of two slices, in as
/// many placements as it happens, beside others that may come between.
private struct RandomSteps {
    let machine: Machine
    var random: SeededGenerator
    private var templates: [ChipProgram] = []

    init(machine: Machine, seed: UInt64) {
        self.machine = machine
        random = SeededGenerator(seed: seed)
    }

    private mutating func pick(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &random)
    }

    /// The placements of a step once more for each of `count`, with values of their own.
    static func repeated(_ schedule: Schedule, _ count: Int) -> Schedule {
        var result = schedule
        result.interval = nil
        for step in 1..<count {
            result.placements += schedule.placements.dropFirst().map {
                var next = $0
                next.start = Cycle($0.start.index + step * (schedule.interval?.count ?? 0))
                next.valueBase += 10 * step
                return next
            }
        }
        return result
    }

    mutating func schedule() -> Schedule {
        // The image lies in a placement of its own, which all steps share.
        templates = [ChipProgram(allocations: (0..<4).map { row($0, 0, 0, 0..<400, 9) })]
        for i in templates[0].allocations.indices { templates[0].allocations[i].isImage = true }
        for value in 0..<pick(1...2) { move(value) }
        for _ in 0..<pick(0...2) { noise() }
        var schedule = Schedule(
            machine: machine.name, program: "0",
            templates: templates.enumerated().map { number, program in
                var sorted = program
                sorted.sort()
                return ScheduleTemplate(name: "t\(number)", chips: [sorted])
            },
            placements: templates.indices.map {
                Placement(template: $0, start: Cycle(0), chips: [ChipID(0)])
            },
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
        schedule.interval = CycleCount(pick(4...50))
        schedule.claims = schedule.recomputedClaims(on: machine)
        return schedule
    }

    /// A row of the image to slice e2 or e3, from there to e0 or e1.
    private mutating func move(_ value: Int) {
        let stream = pick(0...3)
        let start = pick(0...40)
        let first = begin()
        access(first, start, slice: 0, .read(RowAddress(bank: 0, row: 0), Stream(.east, stream)))
        // From register 1 to register 2.
        let second = pick(0...1) == 0 ? first : begin()
        let (written, far) = (start + 2, 2 + pick(0...1))
        let place = RowAddress(bank: 1, row: pick(0...1))
        access(second, written, slice: far, .write(place, Stream(.east, stream)))
        let third = pick(0...2) == 0 ? second : begin()
        let read = written + pick(2...30)
        access(third, read, slice: far, .read(place, Stream(.west, stream)))
        hold(value, far, Int(place.row), written, read, in: (second, third))
        let last = begin(or: third)
        access(
            last, read + 2, slice: pick(0...1),
            .write(RowAddress(bank: 1, row: 2), Stream(.west, stream)))
        for slice in 0...1 {
            templates[last].allocations.append(
                row(slice, 1, 2, read + 2..<read + 3, 2 + value))
        }
    }

    /// From the write to the read: one life, two that adjoin, or two with a gap.
    private mutating func hold(
        _ value: Int, _ slice: Int, _ place: Int, _ written: Int, _ read: Int,
        in parts: (Int, Int)
    ) {
        let border = pick(written + 1...read)
        let end = pick(0...3) == 0 ? pick(written + 1...border) : border
        let lives =
            pick(0...1) == 0
            ? [(parts.0, written..<read + 1)]
            : [(parts.0, written..<end), (parts.1, border..<read + 1)]
        for (part, live) in lives {
            templates[part].allocations.append(row(slice, 1, place, live, value))
        }
    }

    /// A row of the image on a stream for nobody, or for a working row.
    private mutating func noise() {
        let (part, stream, start) = (begin(), pick(0...3), pick(0...60))
        access(part, start, slice: 1, .read(RowAddress(bank: 0, row: 0), Stream(.east, stream)))
        guard pick(0...1) == 0 else { return }
        let (slice, place) = (2 + pick(0...1), pick(0...1))
        access(
            part, start + 2, slice: slice,
            .write(RowAddress(bank: 1, row: place), Stream(.east, stream)))
        templates[part].allocations.append(row(slice, 1, place, start + 2..<start + 3, 5))
    }

    private mutating func begin(or other: Int? = nil) -> Int {
        if let other, pick(0...1) == 0 { return other }
        templates.append(ChipProgram())
        return templates.count - 1
    }

    private mutating func access(_ part: Int, _ cycle: Int, slice: Int, _ read: MemoryRead) {
        access(part, cycle, slice, .memory(read, .none))
    }
    private mutating func access(_ part: Int, _ cycle: Int, slice: Int, _ write: MemoryWrite) {
        access(part, cycle, slice, .memory(.none, write))
    }
    private mutating func access(
        _ part: Int, _ cycle: Int, _ slice: Int, _ instruction: Instruction
    ) {
        templates[part].bursts.append(
            Burst(
                start: Cycle(cycle), queue: machine.chip.queue(of: .memory(.east, slice: slice)),
                instruction))
    }

    private func row(
        _ slice: Int, _ bank: Int, _ row: Int, _ live: Range<Int>, _ value: Int
    ) -> Allocation {
        Allocation(
            value: ValueID(value), plane: 0, hemisphere: .east, slice: slice,
            base: RowAddress(bank: bank, row: row), rows: 1, first: 0, run: 1, innerStride: 1,
            outerStride: 0, live: Cycle(live.lowerBound)..<Cycle(live.upperBound), isImage: false)
    }
}
