import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 4: rows hold one value at a time, and are read and written, whole windows counted, only
/// while they are allocated.
enum SRAMOverlap: ChipLaw {
    static let law = Law.sramOverlap

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        var bySlice: [[Int32]] = Array(
            repeating: [], count: 2 * timeline.chip.memSlicesPerHemisphere)
        for i in timeline.allocations.indices where timeline.isInRows[i] {
            let (side, slice) = (timeline.allocations[i].hemisphere, timeline.allocations[i].slice)
            let unit = Unit.memory(side, slice: Int(slice))
            bySlice[timeline.chip.queue(of: unit).index].append(Int32(i))
        }
        for queue in bySlice.indices {
            var sweep = SliceSweep(timeline, queue, bySlice[queue])
            sweep.judgeAllocations(&report)
            sweep.judgeAccesses(timeline, &report)
        }
    }
}

/// One slice through time: allocations come and go, accesses find theirs among the live ones.
private struct SliceSweep {
    enum Verb: String {
        case read = "reads"
        case gather = "gathers from"
        case write = "writes"
        case scatter = "scatters into"
    }

    /// The rows that a burst touches at its first issue, in one bank.
    struct Access {
        var verb: Verb
        var bank: Int
        var rows: Range<Int>

        init(_ verb: Verb, _ row: RowAddress, rows: Int = 1) {
            self.verb = verb
            bank = Int(row.bank)
            self.rows = Int(row.row)..<Int(row.row) + rows
        }

        /// A window does not move: all of it counts at every issue.
        var moves: Bool { verb == .read || verb == .write }
    }

    let chip: ChipID
    let unit: Unit
    let queue: Int
    let rowsPerBank: Int
    /// By first live cycle.
    let allocations: [Allocation]
    private let images: [Allocation]
    /// Rows of the memory image, bank after bank.
    private var imageRows: RowSet
    private var blocks: RowBlocks
    /// Allocations that begin by now.
    private var next = 0

    /// - Parameter numbers: of the slice's allocations.
    init(_ timeline: ChipTimeline, _ queue: Int, _ numbers: [Int32]) {
        chip = timeline.id
        unit = timeline.table.units[queue]
        rowsPerBank = timeline.chip.rowsPerBank
        self.queue = queue
        let all = timeline.allocations
        // Starts are sorted, for allocations are large; of equal ones the first comes first.
        var starts: [(cycle: Cycle, number: Int32)] = []
        starts.reserveCapacity(numbers.count)
        for number in numbers where !all[Int(number)].live.isEmpty {
            starts.append((all[Int(number)].live.lowerBound, number))
        }
        starts.sort { $0 < $1 }
        allocations = starts.map { all[Int($0.number)] }
        images = numbers.lazy.filter { all[Int($0)].isImage }.map { all[Int($0)] }
        let (banks, rows) = (timeline.chip.banksPerSlice, timeline.chip.rowsPerBank)
        imageRows = RowSet(count: banks * rows)
        for image in images {
            let base = Int(image.base.bank) * rows
            imageRows.insert(base + image.rowRange.lowerBound..<base + image.rowRange.upperBound)
        }
        blocks = RowBlocks(self.allocations, banks: banks, rowsPerBank: rows)
    }

    // MARK: Allocations

    func judgeAllocations(_ report: inout LawReport) {
        var blocks = blocks
        for number in allocations.indices {
            blocks.forEachOverlap(with: number) { other in
                let (old, new) = (allocations[other], allocations[number])
                let rows = old.rowRange.clamped(to: new.rowRange)
                if old.agrees(with: new, on: rows) { return }
                report.add(
                    chip: chip, unit: unit, cycle: new.live.lowerBound.index,
                    "rows \(rows) of bank \(new.base.bank) hold \(old.value) until "
                        + "\(old.live.upperBound) and \(new.value) at once")
            }
        }
    }

    // MARK: Accesses

    mutating func judgeAccesses(_ timeline: ChipTimeline, _ report: inout LawReport) {
        report.count(timeline, queues: [queue])
        for i in timeline.queues[queue] {
            guard timeline.isSound[i],
                case .memory(let read, let write) = timeline.bursts[i].instruction
            else { continue }
            let burst = timeline.bursts[i]
            while next < allocations.count, allocations[next].live.lowerBound <= burst.start {
                next += 1
            }
            switch read {
            case .none: break
            case .read(let row, _): check(Access(.read, row), burst, &report)
            case .gather(let window, let rows, _, _):
                check(Access(.gather, window, rows: Int(rows)), burst, &report)
            }
            switch write {
            case .none: break
            case .write(let row, _): check(Access(.write, row), burst, &report)
            case .scatter(let window, let rows, _, _):
                check(Access(.scatter, window, rows: Int(rows)), burst, &report)
            }
        }
    }

    private mutating func check(_ access: Access, _ burst: Burst, _ report: inout LawReport) {
        // A plain write loses what the row held; only scatters change what stays.
        if access.verb == .write, let held = imageRow(access, burst) {
            report.add(
                chip: chip, unit: unit, cycle: held.cycle,
                "writes row \(held.row) of bank \(access.bank), which holds \(held.value) of the "
                    + "memory image: the next step would not find it")
            return
        }
        let steps = access.moves ? burst.addressSteps : 0...0
        let rows =
            access.rows.lowerBound + steps.lowerBound..<access.rows.upperBound + steps.upperBound
        if isHeld(rows, access.bank, from: burst.start.index, to: burst.lastIssue.index) { return }
        // The burst leaves one allocation for another, or does wrong: issue by issue, then.
        var issues = IssueCursor(burst)
        var held: Allocation?
        while let issue = issues.next() {
            let step = access.moves ? issue.step : 0
            let touched = access.rows.lowerBound + step..<access.rows.upperBound + step
            if let held, held.rowRange.contains(touched), held.live.contains(Cycle(issue.cycle)) {
                continue
            }
            if let row = firstUnallocated(touched, access.bank, issue.cycle, &held) {
                report.add(
                    chip: chip, unit: unit, cycle: issue.cycle,
                    "\(access.verb.rawValue) row \(row) of bank \(access.bank), where nothing is "
                        + "allocated in cycle \(issue.cycle)")
                return
            }
        }
    }

    /// `true` iff each of the rows is in one allocation from `first` to `last`.
    private mutating func isHeld(
        _ rows: Range<Int>, _ bank: Int, from first: Int, to last: Int
    ) -> Bool {
        var row = rows.lowerBound
        while row < rows.upperBound {
            guard
                let end = blocks.holderEnd(of: row, bank, from: first, to: last, below: next)
            else { return false }
            row = end
        }
        return true
    }

    /// - Parameter held: the allocation of the last row that was looked at.
    private func firstUnallocated(
        _ rows: Range<Int>, _ bank: Int, _ cycle: Int, _ held: inout Allocation?
    ) -> Int? {
        var row = rows.lowerBound
        while row < rows.upperBound {
            held = blocks.holder(of: row, bank, at: cycle).map { allocations[$0] }
            guard let held else { return row }
            row = held.rowRange.upperBound
        }
        return nil
    }

    /// The first issue that writes a row of the memory image.
    private func imageRow(
        _ access: Access, _ burst: Burst
    ) -> (row: Int, cycle: Int, value: ValueID)? {
        let steps = burst.addressSteps
        let base = access.bank * rowsPerBank
        let first = access.rows.lowerBound
        let rows = first + steps.lowerBound..<first + steps.upperBound + 1
        guard imageRows.contains(anyOf: base + rows.lowerBound..<base + rows.upperBound) else {
            return nil
        }
        let near = images.filter { Int($0.base.bank) == access.bank && $0.rowRange.overlaps(rows) }
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            let row = first + issue.step
            if let held = near.first(where: { $0.rowRange.contains(row) }) {
                return (row, issue.cycle, held.value)
            }
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
