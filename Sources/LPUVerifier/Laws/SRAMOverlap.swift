import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 4: rows hold one value at a time, and are read and written, whole windows counted, only
/// while they are allocated.
enum SRAMOverlap: ChipLaw {
    static let law = Law.sramOverlap

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        var bySlice: [[Allocation]] = Array(
            repeating: [], count: 2 * timeline.chip.memSlicesPerHemisphere)
        for allocation in timeline.allocations where timeline.problem(allocation) == nil {
            let unit = Unit.memory(allocation.hemisphere, slice: Int(allocation.slice))
            bySlice[timeline.chip.queue(of: unit).index].append(allocation)
        }
        for queue in bySlice.indices {
            var sweep = SliceSweep(timeline, queue, bySlice[queue])
            sweep.run(&report)
        }
    }
}

/// One slice through time: allocations come and go, accesses find theirs among the live ones.
private struct SliceSweep {
    /// The rows that a burst touches at each issue, in one bank.
    struct Access {
        var verb: String
        var bank: UInt8
        /// At the first issue.
        var rows: Range<Int>
        /// A window does not: all of it counts at every issue.
        var moves: Bool
        /// A plain write: what the row held is lost.
        var replaces: Bool
    }

    let timeline: ChipTimeline
    let queue: Int
    /// By first live cycle.
    let allocations: [Allocation]
    private let images: [Allocation]
    /// By bank and block of rows, the allocations that have rows of it.
    private var blocks: [[Int32]]
    private let blocksPerBank: Int
    private var next = 0
    /// By bank.
    private var live: [[Allocation]]

    init(_ timeline: ChipTimeline, _ queue: Int, _ allocations: [Allocation]) {
        self.timeline = timeline
        self.queue = queue
        self.allocations = allocations.filter { !$0.live.isEmpty }
            .sorted { $0.live.lowerBound < $1.live.lowerBound }
        images = allocations.filter(\.isImage)
        live = Array(repeating: [], count: timeline.chip.banksPerSlice)
        blocksPerBank = timeline.chip.rowsPerBank / Self.blockRows + 1
        blocks = Array(repeating: [], count: timeline.chip.banksPerSlice * blocksPerBank)
        for (i, allocation) in self.allocations.enumerated() where !allocation.rowRange.isEmpty {
            let first = allocation.rowRange.lowerBound / Self.blockRows
            let last = (allocation.rowRange.upperBound - 1) / Self.blockRows
            for block in first...last {
                blocks[Int(allocation.base.bank) * blocksPerBank + block].append(Int32(i))
            }
        }
    }

    /// Rows of a block: a look-up goes through the allocations of one.
    private static let blockRows = 32

    /// An allocation that has the rows from `first` to `last`.
    private func holder(of rows: Range<Int>, _ bank: UInt8, from first: Int, to last: Int) -> Int? {
        guard rows.lowerBound >= 0 else { return nil }
        let block = Int(bank) * blocksPerBank + rows.lowerBound / Self.blockRows
        guard blocks.indices.contains(block) else { return nil }
        return blocks[block].first {
            let held = allocations[Int($0)]
            return held.base.bank == bank && held.live.lowerBound.index <= first
                && held.live.upperBound.index > last && held.rowRange.contains(rows)
        }.map(Int.init)
    }

    private var unit: Unit { timeline.table.units[queue] }

    mutating func run(_ report: inout LawReport) {
        for i in timeline.queues[queue] {
            let burst = timeline.bursts[i]
            report.count(burst)
            guard timeline.isSound[i] else { continue }
            advance(to: burst.start.index, &report)
            for access in Self.accesses(burst.instruction) { check(access, burst, &report) }
        }
        advance(to: Int.max, &report)
    }

    /// Takes in every allocation that is live at `cycle` or before.
    private mutating func advance(to cycle: Int, _ report: inout LawReport) {
        while next < allocations.count, allocations[next].live.lowerBound.index <= cycle {
            let new = allocations[next]
            next += 1
            let bank = Int(new.base.bank)
            live[bank].removeAll { $0.live.upperBound <= new.live.lowerBound }
            for old in live[bank] {
                let rows = old.rowRange.clamped(to: new.rowRange)
                if rows.isEmpty || old.agrees(with: new, on: rows) { continue }
                report.add(
                    chip: timeline.id, unit: unit, cycle: new.live.lowerBound.index,
                    "rows \(rows) of bank \(new.base.bank) hold \(old.value) until "
                        + "\(old.live.upperBound) and \(new.value) at once")
            }
            live[bank].append(new)
        }
    }

    private static func accesses(_ instruction: Instruction) -> [Access] {
        guard case .memory(let read, let write) = instruction else { return [] }
        var accesses: [Access] = []
        func add(_ verb: String, _ row: RowAddress, window rows: Int? = nil) {
            let range = Int(row.row)..<Int(row.row) + (rows ?? 1)
            accesses.append(
                Access(
                    verb: verb, bank: row.bank, rows: range, moves: rows == nil,
                    replaces: verb == "writes"))
        }
        switch read {
        case .none: break
        case .read(let row, _): add("reads", row)
        case .gather(let window, let rows, _, _): add("gathers from", window, window: Int(rows))
        }
        switch write {
        case .none: break
        case .write(let row, _): add("writes", row)
        case .scatter(let window, let rows, _, _): add("scatters into", window, window: Int(rows))
        }
        return accesses
    }

    private func check(_ access: Access, _ burst: Burst, _ report: inout LawReport) {
        if access.replaces, let held = imageRow(access, burst) {
            report.add(
                chip: timeline.id, unit: unit, cycle: held.cycle,
                "writes row \(held.row) of bank \(access.bank), which holds \(held.value) of the "
                    + "memory image: the next step would not find it")
            return
        }
        let steps = access.moves ? burst.addressSteps : 0...0
        let rows =
            access.rows.lowerBound + steps.lowerBound..<access.rows.upperBound + steps.upperBound
        let (first, last) = (burst.start.index, burst.lastIssue.index)
        if holder(of: rows, access.bank, from: first, to: last) != nil { return }
        // The burst leaves one allocation for another, or does wrong: issue by issue, then.
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            let step = access.moves ? issue.step : 0
            let touched = access.rows.lowerBound + step..<access.rows.upperBound + step
            if let row = firstUnallocated(touched, access.bank, issue.cycle) {
                report.add(
                    chip: timeline.id, unit: unit, cycle: issue.cycle,
                    "\(access.verb) row \(row) of bank \(access.bank), where nothing is "
                        + "allocated in cycle \(issue.cycle)")
                return
            }
        }
    }

    /// The first issue that writes a row of the memory image; only scatters change what stays.
    private func imageRow(
        _ access: Access, _ burst: Burst
    ) -> (row: Int, cycle: Int, value: ValueID)? {
        let steps = burst.addressSteps
        let first = access.rows.lowerBound
        let rows = first + steps.lowerBound..<first + steps.upperBound + 1
        let near = images.filter { $0.base.bank == access.bank && $0.rowRange.overlaps(rows) }
        guard !near.isEmpty else { return nil }
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            let row = first + issue.step
            if let held = near.first(where: { $0.rowRange.contains(row) }) {
                return (row, issue.cycle, held.value)
            }
        }
        return nil
    }

    private func firstUnallocated(_ rows: Range<Int>, _ bank: UInt8, _ cycle: Int) -> Int? {
        var row = rows.lowerBound
        while row < rows.upperBound {
            guard let held = holder(of: row..<row + 1, bank, from: cycle, to: cycle) else {
                return row
            }
            row = allocations[held].rowRange.upperBound
        }
        return nil
    }
}

extension Allocation {
    /// `true` iff both hold the same vectors of one value in `rows`.
    fileprivate func agrees(with other: Allocation, on rows: Range<Int>) -> Bool {
        value == other.value && plane == other.plane
            && rows.allSatisfy {
                vector(ofRow: $0 - Int(base.row)) == other.vector(ofRow: $0 - Int(other.base.row))
            }
    }
}
