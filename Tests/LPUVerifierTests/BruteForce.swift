import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The structural laws again, slowly: every issue, row, register and cycle is written out.
struct BruteForce {
    struct Issue {
        var cycle: Int
        var step: Int
        var instruction: Instruction
        var start: Int
        var last: Int
    }

    let machine: Machine
    /// By chip, then queue, every issue in the order of cycles.
    let issues: [[[Issue]]]
    let allocations: [[Allocation]]
    var chip: Chip { machine.chip }

    init(_ machine: Machine, _ schedule: Schedule) {
        self.machine = machine
        let queueCount = machine.chip.queueCount
        issues = (0..<machine.chipCount).map { chip in
            var queues: [[Issue]] = Array(repeating: [], count: queueCount)
            schedule.forEachProgram(on: ChipID(chip)) { placement, program in
                for burst in program.bursts {
                    let instruction = burst.instruction.resolved(in: placement.slots)!
                    let delay = placement.start.index
                    for j in 0..<Int(burst.outer.count) {
                        for i in 0..<Int(burst.inner.count) {
                            queues[burst.queue.index].append(
                                Issue(
                                    cycle: delay + burst.start.index
                                        + i * Int(burst.inner.distance)
                                        + j * Int(burst.outer.distance),
                                    step: i * Int(burst.inner.step) + j * Int(burst.outer.step),
                                    instruction: instruction, start: delay + burst.start.index,
                                    last: delay + burst.lastIssue.index))
                        }
                    }
                }
            }
            return queues.map { $0.sorted { $0.cycle < $1.cycle } }
        }
        allocations = (0..<machine.chipCount).map { chip in
            var all: [Allocation] = []
            schedule.forEachProgram(on: ChipID(chip)) { placement, program in
                for var allocation in program.allocations {
                    let (start, live) = (placement.start.index, allocation.live)
                    let first = allocation.isImage ? 0 : start + live.lowerBound.index
                    allocation.value = ValueID(allocation.value.index + placement.valueBase)
                    allocation.base = placement.resolve(allocation.base)!
                    allocation.live =
                        Cycle(first)..<Cycle(max(first, start + live.upperBound.index))
                    all.append(allocation)
                }
            }
            return all
        }
    }

    /// Laws that `chip` breaks, of those that the small random schedules can break.
    func brokenLaws(_ c: Int) -> [Law] {
        let laws: [(Law, Bool)] = [
            (.queueOrder, breaksQueueOrder(c)), (.streamConflict, breaksStreams(c)),
            (.memPort, breaksPorts(c) || readsUnsettled(c)),
            (.sramOverlap, breaksRows(c) || readsUnwritten(c)),
            (.sramCapacity, breaksCapacity(c)),
            (.mxmWeights, breaksMXM(c)), (.vxmRoute, breaksChains(c)),
            (.linkConflict, breaksIntervals(c)),
        ]
        return laws.filter(\.1).map(\.0)
    }

    func breaksQueueOrder(_ c: Int) -> Bool { !issues[c].allSatisfy(isOrdered) }

    func isOrdered(_ queue: [Issue]) -> Bool {
        !queue.contains { a in
            queue.contains { b in
                (a.start, a.last) != (b.start, b.last) && a.start <= b.last && b.start <= a.last
            }
        } && Set(queue.map(\.cycle)).count == queue.count
    }

    func breaksStreams(_ c: Int) -> Bool {
        var seen: Set<[Int]> = []
        for (queue, unit) in chip.units.enumerated() {
            for issue in issues[c][queue] {
                for (stream, count, latency) in results(issue.instruction) {
                    for k in 0..<count {
                        let place = [
                            register(unit), Int(stream.direction.rawValue), stream.id + k,
                            issue.cycle + latency,
                        ]
                        if !seen.insert(place).inserted { return true }
                    }
                }
            }
        }
        return false
    }

    private func register(_ unit: Unit) -> Int {
        switch unit {
        case .memory(let side, let slice): side.sign * (1 + slice / chip.memSlicesPerGroup)
        case .alu: 0
        case .loadWeights(let side, _), .matmul(let side, _), .accumulate(let side, _),
            .distributor(let side, _), .transposer(let side, _), .permutor(let side, _),
            .shifter(let side, _):
            side.sign * chip.edge
        case .link(let link): (link.index % 2 == 0 ? -1 : 1) * chip.edge
        case .host: -chip.edge
        }
    }

    /// Of the instructions that the random schedules use.
    private func results(_ instruction: Instruction) -> [(Stream, Int, Int)] {
        if case .memory(.read(_, let to), _) = instruction { return [(to, 1, chip.readLatency)] }
        if case .memory(.gather(_, _, _, let to), _) = instruction {
            return [(to, 1, chip.gatherLatency)]
        }
        if case .alu(let operation, _, _, let east, let west) = instruction {
            let count = operation == .toFP8 ? 1 : 4
            let latency = chip.aluLatency + chip.vxmExitLatency
            return [east, west].compactMap(\.self).map { ($0, count, latency) }
        }
        if case .accumulate(_, _, let emit?) = instruction {
            return [(emit, 4, chip.accumulateLatency)]
        }
        if case .receive(let to) = instruction { return [(to, 1, chip.receiveLatency)] }
        return []
    }

    private func banks(_ instruction: Instruction) -> (reads: [Int], writes: [Int]) {
        guard case .memory(let read, let write) = instruction else { return ([], []) }
        var banks: (reads: [Int], writes: [Int]) = ([], [])
        if case .read(let row, _) = read { banks.reads = [Int(row.bank)] }
        if case .gather(let row, _, _, _) = read { banks.reads = [Int(row.bank)] }
        if case .write(let row, _) = write { banks.writes = [Int(row.bank)] }
        if case .scatter(let row, _, _, _) = write { banks.writes = [Int(row.bank)] }
        return banks
    }

    func breaksPorts(_ c: Int) -> Bool {
        issues[c].contains { queue in
            Set(queue.map(\.cycle)).contains { cycle in
                let now = queue.filter { $0.cycle == cycle }.map { banks($0.instruction) }
                let (reads, writes) = (now.flatMap(\.reads), now.flatMap(\.writes))
                return reads.count > 1 || writes.count > 1 || !Set(reads).isDisjoint(with: writes)
            }
        }
    }

    func breaksRows(_ c: Int) -> Bool {
        struct Place: Hashable { var unit: Unit, bank: Int, row: Int, cycle: Int }
        struct Content: Hashable { var value: ValueID, plane: UInt8, vector: Int }
        var rows: [Place: Content] = [:]
        for a in allocations[c] {
            for i in 0..<Int(a.rows) {
                for cycle in a.live.lowerBound.index..<a.live.upperBound.index {
                    let place = Place(
                        unit: .memory(a.hemisphere, slice: Int(a.slice)), bank: Int(a.base.bank),
                        row: Int(a.base.row) + i, cycle: cycle)
                    let content = Content(
                        value: a.value, plane: a.plane, vector: a.vector(ofRow: i))
                    if rows[place].map({ $0 != content }) ?? false { return true }
                    rows[place] = content
                }
            }
        }
        for (queue, unit) in chip.units.enumerated() {
            for issue in issues[c][queue] {
                guard case .memory(let read, let write) = issue.instruction else { continue }
                var touched: [(RowAddress, Int, isWindow: Bool)] = []
                if case .read(let row, _) = read { touched.append((row, 1, false)) }
                if case .gather(let row, let n, _, _) = read { touched.append((row, Int(n), true)) }
                if case .write(let row, _) = write {
                    touched.append((row, 1, false))
                    let replaced = Int(row.row) + issue.step
                    let isImage = allocations[c].contains {
                        $0.isImage && unit == .memory($0.hemisphere, slice: Int($0.slice))
                            && $0.base.bank == row.bank
                            && (Int($0.base.row)..<Int($0.base.row + $0.rows)).contains(replaced)
                    }
                    if isImage { return true }
                }
                if case .scatter(let row, let n, _, _) = write {
                    touched.append((row, Int(n), true))
                }
                for (row, count, isWindow) in touched {
                    for k in 0..<count {
                        let place = Place(
                            unit: unit, bank: Int(row.bank),
                            row: Int(row.row) + (isWindow ? 0 : issue.step) + k,
                            cycle: issue.cycle)
                        if rows[place] == nil { return true }
                    }
                }
            }
        }
        return false
    }

    func breaksCapacity(_ c: Int) -> Bool {
        struct Row: Hashable { var unit: Unit, bank: Int, row: Int }
        var rows: Set<Row> = []
        for a in allocations[c] {
            for i in 0..<Int(a.rows) {
                rows.insert(
                    Row(
                        unit: .memory(a.hemisphere, slice: Int(a.slice)), bank: Int(a.base.bank),
                        row: Int(a.base.row) + i))
            }
        }
        var instructions = 0
        for queue in issues[c] {
            var free = 0
            for (start, last) in Set(queue.map { [$0.start, $0.last] }).map({ ($0[0], $0[1]) })
                .sorted(by: { $0 < $1 })
            {
                var wait = start - free
                while wait > chip.maxWait {
                    wait -= chip.maxWait
                    instructions += 1
                }
                instructions += 1
                free = last + 1
            }
        }
        let bytes = rows.count * chip.lanes + instructions * chip.instructionBytes
        return bytes > chip.sramBytes
    }

    func breaksChains(_ c: Int) -> Bool {
        (0..<chip.aluCount).contains { alu in
            issues[c][chip.queue(of: .alu(alu)).index].contains { issue in
                guard case .alu(_, .alu(let source), _, _, _) = issue.instruction else {
                    return false
                }
                return !issues[c][chip.queue(of: .alu(Int(source))).index].contains {
                    $0.cycle == issue.cycle - chip.aluLatency
                }
            }
        }
    }

    private func cycles(_ c: Int, _ link: Int, sends: Bool) -> [Int] {
        issues[c][chip.queue(of: .link(LinkID(link))).index].filter {
            if case .send = $0.instruction { sends } else { !sends }
        }.map(\.cycle)
    }

    func breaksIntervals(_ c: Int) -> Bool {
        let interval = machine.topology.axes[0].interval
        let sends = cycles(c, 0, sends: true)
        return sends.indices.contains { i in
            sends.indices.contains { k in
                let vectors = k - i
                let span = sends[k] - sends[i]
                return vectors == 1 && span < interval.numerator / interval.denominator
                    || vectors == interval.denominator && span < interval.numerator
            }
        }
    }

    /// Whether the wire from chip `c` to the other one is misused by either end.
    func breaksPath(from c: Int) -> Bool {
        let sends = cycles(c, 0, sends: true)
        let receives = cycles(1 - c, 0, sends: false)
        let arrivals = sends.map { $0 + machine.topology.axes[0].latency }
        if sends.count != receives.count || zip(arrivals, receives).contains(where: { $0 > $1 }) {
            return true
        }
        return arrivals.contains { now in
            zip(arrivals, receives).count { $0 <= now && now < $1 } > chip.receiveDepth
        }
    }
}

extension BruteForce {
    private func unitIssues(_ c: Int, _ unit: Unit) -> [Issue] {
        issues[c][chip.queue(of: unit).index]
    }

    func breaksMXM(_ c: Int) -> Bool {
        Hemisphere.allCases.contains { side in
            (0..<2).contains { breaksPlane(c, side, $0) || breaksSums(c, side, $0) }
        }
    }

    private func breaksPlane(_ c: Int, _ side: Hemisphere, _ plane: Int) -> Bool {
        typealias Event = (cycle: Int, tandem: Bool, native: Bool, column: Int)
        var (loads, installs, matmuls): ([Event], [Event], [Event]) = ([], [], [])
        for source in plane == 0 ? [0] : [0, 1] {
            let native = source == plane
            for issue in unitIssues(c, .loadWeights(side, plane: source)) {
                guard case .loadWeights(let column, let tandem) = issue.instruction else {
                    continue
                }
                if native || tandem {
                    loads.append((issue.cycle, tandem, native, Int(column) + issue.step))
                }
            }
            for issue in unitIssues(c, .matmul(side, plane: source)) {
                if case .install(let tandem) = issue.instruction, native || tandem {
                    installs.append((issue.cycle, tandem, native, 0))
                }
                if case .matmul(_, let type) = issue.instruction, native || type == .fp16 {
                    matmuls.append((issue.cycle, type == .fp16, native, 0))
                }
            }
        }
        loads.sort { $0.cycle < $1.cycle }
        installs.sort { $0.cycle < $1.cycle }
        matmuls.sort { $0.cycle < $1.cycle }
        func meet(_ events: [Event]) -> Bool {
            events.contains { a in !a.native && events.contains { $0.native && $0.cycle == a.cycle }
            }
        }
        if meet(loads) || meet(installs + matmuls) { return true }
        for m in matmuls {
            let end = m.cycle + (m.tandem ? chip.tandemCadence : chip.matmulCadence)
            if (installs + matmuls).contains(where: { $0.cycle > m.cycle && $0.cycle < end }) {
                return true
            }
            let install = installs.last { $0.cycle <= m.cycle }
            if m.native && (install.map { $0.tandem != m.tandem } ?? true) { return true }
        }
        for (a, b) in zip(installs, installs.dropFirst())
        where b.cycle - a.cycle < chip.installCadence { return true }
        for (i, install) in installs.enumerated() where install.native {
            let before = i > 0 ? installs[i - 1].cycle : -1
            let taken = before - chip.installLatency + 1..<install.cycle - chip.installLatency + 1
            if !loads.contains(where: { taken.contains($0.cycle) }) { return true }
        }
        for (i, load) in loads.enumerated() {
            let taker = installs.first { $0.cycle - chip.installLatency >= load.cycle }
            if let taker, taker.tandem != load.tandem { return true }
            if loads[(i + 1)...].contains(where: { second in
                second.column == load.column
                    && (taker.map { second.cycle < $0.cycle - chip.loadBeforeInstall } ?? true)
            }) {
                return true
            }
        }
        return false
    }

    private func breaksSums(_ c: Int, _ side: Hemisphere, _ plane: Int) -> Bool {
        var types: [Int: ElementType] = [:]
        for issue in unitIssues(c, .matmul(side, plane: plane)) {
            if case .matmul(_, let type) = issue.instruction {
                types[issue.cycle + chip.matmulToAccumulate] = type == .int8 ? .int32 : .fp32
            }
        }
        let sums = unitIssues(c, .accumulate(side, plane: plane))
        if sums.map(\.cycle) != types.keys.sorted() { return true }
        var rows: [Int: ElementType] = [:]
        for sum in sums {
            guard case .accumulate(let row, let add, _) = sum.instruction else { return true }
            let index = Int(row) + sum.step
            if add && rows[index] != types[sum.cycle] { return true }
            rows[index] = types[sum.cycle]
        }
        return false
    }
}
