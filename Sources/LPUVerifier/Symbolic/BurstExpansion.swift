import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// A burst on its chip: addresses resolved, numbers those of the whole program.
struct RunningBurst {
    // First what every issue looks at: bursts are large, and many run at once.
    /// The cycle of the next issue.
    var next: Int
    /// What its address has moved by.
    var offset = 0
    /// Of a plain read: its first row, what its cycle is from its diagonal, and its stream.
    var row = 0
    var skew: Int32 = 0
    var lane: Int32 = 0
    /// It only reads rows that are all in their bank: the most frequent burst by far.
    var isPlainRead = false
    /// The burst after it in its bucket.
    var link: Int32 = -1
    var i: Int32 = 0
    var j: Int32 = 0
    var inner: Repeat
    var outer: Repeat
    /// Of its first issue.
    var start: Int
    var queue: Int
    var instruction: Instruction
    /// The op it was last, or is said to be, and the iteration to expect; -1 for none.
    var match: Match
    /// ALU operation or lane action: -1 if the program has none such.
    var code: Int32
    /// The instance of the program whose numbers its placement has; -1 for none. Its ops are tried
    /// before those of others.
    var instance: Int32
    /// Of a gather or scatter, sampled at the first issue.
    var address = Term.none
}

/// The bursts and memory image of each chip, out of the placements that it has a part in.
struct BurstExpansion {
    /// A chip's part in a placement.
    private struct Part {
        var placement: Int
        var chip: Int
    }
    /// Of the numbers of an instance's ops and values.
    private struct Base: Hashable {
        var op: Int
        var value: Int
    }
    let machine: Machine
    private let schedule: Schedule
    let program: SymbolicProgram
    private let places: [QueuePlace]
    private let parts: [[Part]]
    /// By template and place.
    private let orders: [[BurstOrder]]
    /// By placement: the instance of the program whose numbers it has; -1 for none.
    let instances: [Int]
    /// All laws hold that need no program.
    let isLawful: Bool
    private let placed: PlacedInstances
    /// Chips that issue anything, by their first issue and number.
    private(set) var chipsByStart: [(chip: ChipID, start: Int)] = []

    /// No burst starts later, nor takes longer.
    static let lastCycle = PlacementIndex.horizon

    init(
        _ machine: Machine, _ schedule: Schedule, _ program: SymbolicProgram, isLawful: Bool,
        threads: Int
    ) {
        self.machine = machine
        self.isLawful = isLawful
        self.schedule = schedule
        self.program = program
        places = machine.chip.queuePlaces
        let lanes = machine.chip.lanesPerSuperlane
        func numbers(_ action: ([Int16]) -> LaneActions.Action) -> [Int32] {
            schedule.laneMaps.map {
                program.laneActions.number(action($0), lanesPerSuperlane: lanes) ?? -1
            }
        }
        let codes = Codes(
            program: program, lanes: lanes, distributes: numbers { .distribute($0) },
            permutes: numbers { .permute($0) })
        var parts: [[Part]] = Array(repeating: [], count: machine.chipCount)
        for (index, placement) in schedule.placements.enumerated()
        where schedule.templates.indices.contains(placement.template) {
            let template = schedule.templates[placement.template]
            for (number, chip) in placement.chips.enumerated()
            where template.chips.indices.contains(number) && parts.indices.contains(chip.index) {
                parts[chip.index].append(Part(placement: index, chip: number))
            }
        }
        self.parts = parts
        let (queues, chip) = (places, machine.chip)
        orders = concurrentMap(count: schedule.templates.count, threads: threads) { template in
            schedule.templates[template].chips.map {
                BurstOrder($0.bursts, queues, chip, code: codes.code)
            }
        }
        var numbers: [Base: Int] = [:]
        for i in program.program.instances.indices.reversed() {
            numbers[Base(op: program.opBases[i], value: program.valueBases[i])] = i
        }
        let instances = schedule.placements.map {
            numbers[Base(op: $0.opBase, value: $0.valueBase)] ?? -1
        }
        self.instances = instances
        placed = PlacedInstances(schedule.placements, instances, program)
        sortChips()
    }

    /// First starts from the templates, so that no chip is expanded before its time.
    private mutating func sortChips() {
        let starts = schedule.templates.map { $0.chips.map { $0.bursts.map(\.start.index).min() } }
        for (chip, parts) in parts.enumerated() {
            let first = parts.compactMap { part -> Int? in
                let placement = schedule.placements[part.placement]
                guard let start = starts[placement.template][part.chip] else { return nil }
                return placement.start.index.addingReportingOverflow(start).partialValue
            }.min()
            guard let first else { continue }
            let start = min(max(0, first), BurstExpansion.lastCycle)
            chipsByStart.append((ChipID(chip), start))
        }
        chipsByStart.sort { ($0.start, $0.chip) < ($1.start, $1.chip) }
    }

    /// A chip with its image in SRAM and its bursts in the order of their starts.
    /// - Parameter other: the memory of a chip that is done, to be used again.
    func chipRun(_ id: ChipID, _ other: ChipMemory?, _ coverage: Coverage) -> ChipRun {
        let memory = other ?? ChipMemory(machine.chip, isFull: true)
        let run = chipRun(id, parts[id.index], memory, nil, coverage)
        var filled = RowSet(count: memory.count)
        forEachImage(on: id) { allocation, placement in
            guard let (queue, row) = place(allocation, placement) else { return }
            if let problem = imageProblem(allocation, placement, on: id) {
                return run.report(.provenance, queue, 0, problem)
            }
            fill(allocation, placement, on: id, memory, 0..<memory.count)
            filled.insert(row..<row + max(0, Int(allocation.rows)))
        }
        other?.clear(except: filled)
        return run
    }

    /// One chip's part in one placement, on rows that hold what they hold.
    func chipRun(
        _ id: ChipID, placement: Int, place: Int, _ memory: ChipMemory, _ access: RowAccess,
        _ coverage: Coverage
    ) -> ChipRun {
        chipRun(id, [Part(placement: placement, chip: place)], memory, access, coverage)
    }

    private func chipRun(
        _ id: ChipID, _ parts: [Part], _ memory: ChipMemory, _ access: RowAccess?,
        _ coverage: Coverage
    ) -> ChipRun {
        var queue = BurstQueue()
        var refusals: [(burst: Burst, message: String)] = []
        for part in parts {
            let placement = schedule.placements[part.placement]
            let order = orders[placement.template][part.chip]
            refusals += order.refusals
            refusals += queue.add(order, placed[part.placement])
        }
        let run = ChipRun(
            id, self, places, queue, memory: memory, access: access, program: program,
            coverage: coverage)
        for (burst, message) in refusals {
            run.report(
                .provenance, min(burst.queue.index, places.count - 1), burst.start.index, message)
        }
        return run
    }

    /// Every allocation of the chip's memory image, in the order of the placements.
    func forEachImage(on id: ChipID, _ body: (Allocation, Placement) -> Void) {
        for part in parts[id.index] {
            let placement = schedule.placements[part.placement]
            let template = schedule.templates[placement.template].chips[part.chip]
            for allocation in template.allocations where allocation.isImage {
                body(allocation, placement)
            }
        }
    }

    /// Makes `place` a burst of a placement as a chip runs it; `false` if its rows are not given.
    /// - Requires: the burst is in its template's order.
    @inline(__always)
    func start(
        _ burst: Burst, _ code: Int32, _ part: PlacedInstance,
        at place: UnsafeMutablePointer<RunningBurst>
    ) -> Bool {
        guard let instruction = burst.instruction.resolved(in: part.slots) else { return false }
        var (inner, outer) = (burst.inner, burst.outer)
        // Issues come in order: the level with the longer distance is the outer one.
        if outer.count > 1 && inner.span >= Int(outer.distance) { swap(&inner, &outer) }
        let named = burst.op.map { $0.index &+ part.opBase } ?? -1
        let start = part.start + burst.start.index
        place.initialize(
            to: RunningBurst(
                next: start, inner: inner, outer: outer, start: start, queue: burst.queue.index,
                instruction: instruction,
                match: Match(op: part.ops.contains(named) ? named : -1, iteration: 0), code: code,
                instance: part.instance))
        return true
    }

    /// The numbers of ALU operations and lane maps.
    private struct Codes: Sendable {
        let program: SymbolicProgram
        let lanes: Int
        /// Of the schedule's lane maps, as distributor and as permutor maps.
        let distributes: [Int32]
        let permutes: [Int32]

        func code(_ instruction: Instruction) -> Int32 {
            func number(_ numbers: [Int32], _ map: LaneMapID) -> Int32 {
                numbers.indices.contains(Int(map.index)) ? numbers[Int(map.index)] : -1
            }
            func number(_ action: LaneActions.Action) -> Int32 {
                program.laneActions.number(action, lanesPerSuperlane: lanes) ?? -1
            }
            return switch instruction {
            case .alu(let operation, _, _, _, _):
                SymbolicProgram.operationNumbers[operation] ?? -1
            case .distribute(_, _, _, let map): number(distributes, map)
            case .permute(_, _, _, let map): number(permutes, map)
            case .shift(_, _, _, let by): number(.shift(Int(by)))
            case .rotate(_, _, _, let by): number(.rotate(Int(by)))
            case .memory, .loadWeights, .install, .matmul, .accumulate, .transpose, .select, .send,
                .receive, .ingress, .egress:
                -1
            }
        }
    }

    /// Where the slots put a row; nil where there is no such slot or bank.
    @inline(__always)
    func resolve(
        _ address: RowAddress, _ slots: some RandomAccessCollection<SlotOffset>
    ) -> RowAddress? {
        guard let place = address.resolved(in: slots), place.bank < machine.chip.banksPerSlice
        else { return nil }
        return place
    }

    /// Why an allocation whose rows exist is no part of a memory image; nil if it is.
    func imageProblem(
        _ allocation: Allocation, _ placement: Placement, on id: ChipID
    ) -> String? {
        let value = placement.valueBase &+ allocation.value.index
        guard let root = image(value, on: id),
            Int(allocation.plane) < program.types[value].byteCount
        else {
            return "the memory image holds byte \(allocation.plane) of \(ValueID(value)), which "
                + "is no image value of the program on this chip"
        }
        // Vectors of a whole run ascend or descend: the ends of all runs tell.
        let count = Int(program.counts[root])
        let (rows, run) = (Int(allocation.rows), Int(allocation.run))
        for start in stride(from: 0, to: rows, by: run) {
            for i in [start, min(start + run, rows) - 1] {
                let k = allocation.vector(ofRow: i)
                if !(0..<count).contains(k) {
                    return "the memory image holds vector \(k) of \(ValueID(value)), which has "
                        + "\(count)"
                }
            }
        }
        return nil
    }

    /// Puts those of the allocation's rows that are in `range` into memory: before cycle 0 they
    /// hold an image value, and the allocation is their definition.
    /// - Requires: it has no problem.
    func fill(
        _ allocation: Allocation, _ placement: Placement, on id: ChipID, _ memory: ChipMemory,
        _ range: Range<Int>
    ) {
        guard let (_, first) = place(allocation, placement),
            let root = image(placement.valueBase &+ allocation.value.index, on: id)
        else { return }
        let rows = (first..<first + max(0, Int(allocation.rows))).clamped(to: range)
        let run = Int(allocation.run)
        let isRoot = program.aliases[root] == 0
        let term = program.term(root, 0, Int(allocation.plane))
        var row = rows.lowerBound
        while row < rows.upperBound {
            // The rest of a run.
            let (round, inner) = (row - first).quotientAndRemainder(dividingBy: run)
            let end = min(rows.upperBound, row + run - inner)
            var k =
                Int(allocation.first) + round * Int(allocation.outerStride)
                + inner * Int(allocation.innerStride)
            while row < end {
                memory.rows[row] =
                    isRoot
                    ? Term(raw: term.raw &+ UInt64(truncatingIfNeeded: k) << 8)
                    : program.term(root, k, Int(allocation.plane))
                k += Int(allocation.innerStride)
                row += 1
            }
        }
    }

    /// Queue and first row of an allocation whose rows exist.
    func place(_ allocation: Allocation, _ placement: Placement) -> (queue: Int, row: Int)? {
        let chip = machine.chip
        guard let base = resolve(allocation.base, placement.slots),
            Int(allocation.slice) < chip.memSlicesPerHemisphere, base.row >= 0,
            Int(base.row) + Int(allocation.rows) <= chip.rowsPerBank, allocation.run >= 1
        else { return nil }
        let queue = chip.queue(of: .memory(allocation.hemisphere, slice: Int(allocation.slice)))
        return (queue.index, row(queue.index, base))
    }

    /// The place of a resolved row among all of the chip.
    func row(_ queue: Int, _ address: RowAddress) -> Int {
        places[queue].index + Int(address.bank) * machine.chip.rowsPerBank + Int(address.row)
    }

    /// What an allocation of the image says of its row `i`.
    struct ImageTerms {
        let program: SymbolicProgram
        let allocation: Allocation
        let root: Int
        func callAsFunction(_ i: Int) -> Term {
            program.term(root, allocation.vector(ofRow: i), Int(allocation.plane))
        }
    }

    /// nil where the value is no image value on the chip.
    func imageTerms(
        _ allocation: Allocation, _ placement: Placement, on id: ChipID
    ) -> ImageTerms? {
        image(placement.valueBase &+ allocation.value.index, on: id).map {
            ImageTerms(program: program, allocation: allocation, root: $0)
        }
    }

    /// The image value that `value` is or stands for.
    private func image(_ value: Int, on chip: ChipID) -> Int? {
        guard program.types.indices.contains(value) else { return nil }
        let root = program.bound(value)
        return program.origins[root] == .image && Int(program.chips[root]) == chip.index
            ? root : nil
    }
}
