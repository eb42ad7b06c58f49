import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport

/// The symbolic run placement by placement: a template is run where it is placed first, and of
/// every other placement that finds the same there, in its own terms, it is known what it leaves.
/// Documentation/Provenance.md says why that is the same as running it.
///
/// It accepts or it gives up, and never finds a fault: then the whole schedule is run.
struct SharedRun {
    private let machine: Machine
    private let schedule: Schedule
    private let program: SymbolicProgram
    private let expansion: BurstExpansion
    private let coverage: Coverage
    private let threads: Int
    private let chips: [SharedChip]
    /// By template.
    private var records: [[PlacementRecord]]
    /// By template and place.
    private let touched: [[[TouchedRows]]]
    private let hasHostPort: [Bool]
    private var placementsToCome: [Int]
    private var issueCount = 0
    /// Placements that were run, by the template's number.
    private(set) var runs: [Int] = []

    /// - Requires: all laws that need no program hold.
    init(
        _ machine: Machine, _ schedule: Schedule, _ program: SymbolicProgram, threads: Int
    ) {
        self.machine = machine
        self.schedule = schedule
        self.program = program
        self.threads = threads
        expansion = BurstExpansion(
            machine, schedule, program, isLawful: true, threads: threads)
        coverage = Coverage(program)
        chips = (0..<machine.chipCount).map { SharedChip(ChipID($0), machine.chip, program) }
        records = schedule.templates.map { _ in [] }
        touched = schedule.templates.map { $0.chips.map { TouchedRows.of($0) } }
        hasHostPort = schedule.templates.map { template in
            template.chips.contains { program in
                program.bursts.contains { $0.port == .ingress || $0.port == .egress }
            }
        }
        placementsToCome = schedule.templates.map { _ in 0 }
        for placement in schedule.placements { placementsToCome[placement.template] += 1 }
    }

    /// What the whole run finds, if that is nothing; nil if it may be something.
    mutating func result() -> SymbolicResult? {
        guard let order = PlacementOrder(machine, schedule)?.placements else { return nil }
        for index in order {
            placementsToCome[schedule.placements[index].template] -= 1
            if isKnown(index) { continue }
            runs.append(schedule.placements[index].template)
            if !run(index) { return nil }
        }
        let left = concurrentMap(count: chips.count, threads: threads) {
            [chips, expansion] chip in
            expansion.leftovers(on: chips[chip].id, chips[chip].memory)
        }
        guard coverage.violations().isEmpty, left.allSatisfy(\.isEmpty) else { return nil }
        return SymbolicResult(
            violations: [], issueCount: issueCount, iterationCount: coverage.doneCount())
    }

    // MARK: Running

    /// Runs a placement by itself; `false` if anything is wrong or goes on after it.
    private mutating func run(_ index: Int) -> Bool {
        let placement = schedule.placements[index]
        guard let runs = chipRuns(index, placement) else { return false }
        let instance = expansion.instances[index]
        let isFresh = instance >= 0 && coverage.isUntouched(ops(of: instance), movesToo: true)
        guard let wires = exchange(runs, placement) else { return false }
        for (run, chip) in zip(runs, placement.chips) {
            run.settleAllWrites()
            guard run.violations.isEmpty, !run.holdsLoads else { return false }
            (chips[chip.index].hostIn, chips[chip.index].hostOut) = (run.hostIn, run.hostOut)
        }
        let issues = runs.reduce(0) { $0 + $1.issueCount }
        issueCount += issues
        return note(
            index, runs.compactMap(\.access), wires, issues,
            isReusable: isFresh && !runs.contains(where: \.leavesInstance))
    }

    /// The chips of a placement, at its beginning; nil if an image is not as it must be.
    private func chipRuns(_ index: Int, _ placement: Placement) -> [ChipRun]? {
        let runs = concurrentMap(count: placement.chips.count, threads: threads) {
            place -> ChipRun? in
            let chip = chips[placement.chips[place].index]
            let ranges = touched[placement.template][place]
            let program = schedule.templates[placement.template].chips[place]
            guard let bases = expansion.bases(ranges, placement),
                chip.fill(ranges, bases, program, placement, expansion)
            else { return nil }
            let run = expansion.chipRun(
                chip.id, placement: index, place: place, chip.memory, RowAccess(chip.memory),
                coverage)
            (run.hostIn, run.hostOut) = (chip.hostIn, chip.hostOut)
            return run
        }
        let found = runs.compactMap(\.self)
        return found.count == runs.count ? found : nil
    }

    /// Runs the chips of a placement in windows; nil unless all that is sent stays among them and
    /// is received.
    private func exchange(
        _ runs: [ChipRun], _ placement: Placement
    ) -> Set<PlacementRecord.Wire>? {
        let crew = Crew(threads: threads)
        defer { crew.dismiss() }
        let window = max(1, machine.topology.axes.map(\.latency).min() ?? Int(Int32.max))
        var inboxes = runs.map { _ in
            Array(repeating: [Arrival](), count: machine.chip.linkCount)
        }
        var wires: Set<PlacementRecord.Wire> = []
        while let start = runs.filter({ !$0.isFinished }).map(\.now).min() {
            let (end, inbox) = (start + window, inboxes)
            crew.forEach(count: runs.count) {
                runs[$0].run(until: end, inbox: inbox[$0])
            }
            for (place, run) in runs.enumerated() {
                for (link, arrival) in run.sent {
                    let end = LinkEnd(run.id, LinkID(link))
                    guard let peer = machine.topology.peer(of: end),
                        let axis = machine.topology.axis(of: end.link),
                        let other = placement.chips.firstIndex(of: peer.chip)
                    else { return nil }
                    inboxes[other][peer.link.index].append(
                        Arrival(cycle: arrival.cycle + axis.latency, term: arrival.term))
                    wires.insert(
                        PlacementRecord.Wire(
                            place: place, link: end.link, peer: other, peerLink: peer.link))
                }
                run.sent.removeAll(keepingCapacity: true)
            }
        }
        let isBalanced = zip(runs, inboxes).allSatisfy { $0.received == $1.map(\.count) }
        return isBalanced ? wires : nil
    }

    /// Notes what the placement wrote and, if the template comes again, what it took and left.
    private mutating func note(
        _ index: Int, _ accesses: [RowAccess], _ wires: Set<PlacementRecord.Wire>,
        _ issues: Int, isReusable: Bool
    ) -> Bool {
        let placement = schedule.placements[index]
        let template = placement.template
        var allBases: [[Int]] = []
        for place in placement.chips.indices {
            let ranges = touched[template][place]
            guard let bases = expansion.bases(ranges, placement) else {
                return false
            }
            let memory = chips[placement.chips[place].index].memory
            for (range, base) in zip(ranges, bases) {
                for row in base..<base + range.rows.count
                where accesses[place].states[row] & 2 != 0 {
                    memory.noteWrite(row)
                }
            }
            allBases.append(bases)
        }
        guard isReusable, placementsToCome[template] > 0, !hasHostPort[template] else {
            return true
        }
        let parts = self.parts(of: placement, allBases, accesses)
        records[template].append(
            PlacementRecord(
                placement: index, instance: expansion.instances[index], parts: parts,
                wires: wires.sorted { ($0.place, $0.link) < ($1.place, $1.link) },
                made: coverage.made(ops(of: expansion.instances[index])), issueCount: issues))
        return true
    }

    private func parts(
        of placement: Placement, _ bases: [[Int]], _ accesses: [RowAccess]
    ) -> [PlacementRecord.Part] {
        concurrentMap(count: placement.chips.count, threads: threads) { place in
            PlacementRecord.Part(
                expansion, schedule.templates[placement.template].chips[place], placement,
                touched[placement.template][place], bases[place],
                chips[placement.chips[place].index].memory, accesses[place],
                on: placement.chips[place])
        }
    }

    private func ops(of instance: Int) -> Range<Int> {
        program.opBases[instance]..<program.opBases[instance + 1]
    }

    // MARK: Sharing

    /// `true` iff the placement does what one did that was run, and what it leaves is done.
    private mutating func isKnown(_ index: Int) -> Bool {
        let template = schedule.placements[index].template
        guard let record = records[template].first(where: { repeats($0, index) }) else {
            return false
        }
        issueCount += record.issueCount
        return true
    }

    /// Does what the record left, in the placement's terms, if it finds what the record took.
    private func repeats(_ record: PlacementRecord, _ index: Int) -> Bool {
        let placement = schedule.placements[index]
        let instance = expansion.instances[index]
        let before = schedule.placements[record.placement].chips
        let pairs = zip(before, placement.chips).map { (Int32($0.index), Int32($1.index)) }
        guard instance >= 0,
            let map = InstanceMap(
                program, from: record.instance, to: instance,
                chips: Dictionary(uniqueKeysWithValues: pairs)),
            coverage.isUntouched(ops(of: instance)),
            record.wires.allSatisfy({ wire in
                machine.topology.peer(of: LinkEnd(placement.chips[wire.place], wire.link))
                    == LinkEnd(placement.chips[wire.peer], wire.peerLink)
            })
        else { return false }
        let ranges = touched[placement.template]
        let found = concurrentMap(count: record.parts.count, threads: threads) { place in
            chips[placement.chips[place].index].exits(
                record.parts[place], ranges[place], placement, expansion, map)
        }
        guard found.allSatisfy({ $0 != nil }) else { return false }
        for (place, rows) in found.enumerated() {
            let memory = chips[placement.chips[place].index].memory
            for (row, term) in rows ?? [] {
                memory.rows[row] = term
                memory.noteWrite(row)
            }
        }
        coverage.add(record.made, to: ops(of: instance))
        return true
    }
}

/// One chip from placement to placement.
private final class SharedChip: @unchecked Sendable {
    let id: ChipID
    let memory: ChipMemory
    var hostIn: HostCursor
    var hostOut: HostCursor
    /// By queue: the image's allocations, once one is looked up.
    private var images: [Int: [(first: Int, Allocation, Placement)]]?

    init(_ id: ChipID, _ chip: Chip, _ program: SymbolicProgram) {
        self.id = id
        memory = ChipMemory(chip)
        hostIn = HostCursor(program.hostOps(.ingress, id))
        hostOut = HostCursor(program.hostOps(.egress, id))
    }

    /// Puts in the image where the placement may look; `false` if its own is not as it must be.
    func fill(
        _ ranges: [TouchedRows], _ bases: [Int], _ program: ChipProgram, _ placement: Placement,
        _ expansion: BurstExpansion
    ) -> Bool {
        for allocation in program.allocations where allocation.isImage {
            guard expansion.imageProblem(allocation, placement, on: id) == nil else {
                return false
            }
        }
        for (range, base) in zip(ranges, bases) {
            let rows = base..<base + range.rows.count
            memory.prepare(rows)
            let written = rows.filter { memory.rows[$0] != .none }.map { ($0, memory.rows[$0]) }
            for (_, allocation, placement) in images(range.queue, expansion) {
                expansion.fill(allocation, placement, on: id, memory, rows)
            }
            for (row, term) in written { memory.rows[row] = term }
        }
        return true
    }

    /// The image's allocations in a slice, in the order of the placements.
    private func images(
        _ queue: Int, _ expansion: BurstExpansion
    ) -> [(first: Int, Allocation, Placement)] {
        if images == nil {
            var all: [Int: [(first: Int, Allocation, Placement)]] = [:]
            expansion.forEachImage(on: id) { allocation, placement in
                guard let (queue, first) = expansion.place(allocation, placement) else { return }
                all[queue, default: []].append((first, allocation, placement))
            }
            images = all
        }
        return images?[queue] ?? []
    }

    /// The rows that a placement leaves like the record, and what they hold then; nil if it does
    /// not find what the record took.
    func exits(
        _ part: PlacementRecord.Part, _ ranges: [TouchedRows], _ placement: Placement,
        _ expansion: BurstExpansion, _ map: InstanceMap
    ) -> [(row: Int, term: Term)]? {
        guard let bases = expansion.bases(ranges, placement) else { return nil }
        for image in part.images {
            let base = bases[image.range]
            let rows = base + image.offsets.lowerBound..<base + image.offsets.upperBound
            if memory.isWritten(in: rows) { return nil }
        }
        for entry in part.entries {
            let range = Int(entry.range)
            let row = bases[range] + Int(entry.offset)
            guard let wanted = map(entry.term),
                held(row, queue: ranges[range].queue, expansion) == wanted
            else { return nil }
        }
        var result: [(row: Int, term: Term)] = []
        result.reserveCapacity(part.exits.count)
        for exit in part.exits {
            guard let term = map(exit.term) else { return nil }
            result.append((bases[Int(exit.range)] + Int(exit.offset), term))
        }
        return result
    }

    /// What a row holds, be it written or of the image.
    private func held(_ row: Int, queue: Int, _ expansion: BurstExpansion) -> Term {
        let term = memory.rows[row]
        if term != .none { return term }
        // Law 4: those that share a row say the same of it.
        let holder = images(queue, expansion).first { first, allocation, _ in
            (first..<first + Int(allocation.rows)).contains(row)
        }
        guard let (first, allocation, placement) = holder else { return .none }
        return expansion.imageTerms(allocation, placement, on: id)?(row - first) ?? .none
    }
}
