import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 4: rows hold one value at a time, and are read and written, whole windows counted, only
/// while they are allocated, and read only what was written since.
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
    let chip: ChipID
    let unit: Unit
    let queue: Int
    private let banks: Int
    private let rowsPerBank: Int
    /// By first live cycle.
    let allocations: [Allocation]
    private let images: [Allocation]
    /// Rows of the memory image, bank after bank.
    private var imageRows: RowSet
    private var blocks: RowBlocks
    private var lives: RowLives
    /// Allocations that begin by now.
    private var next = 0

    /// - Parameter numbers: of the slice's allocations.
    init(_ timeline: ChipTimeline, _ queue: Int, _ numbers: [Int32]) {
        chip = timeline.id
        unit = timeline.table.units[queue]
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
        (banks, rowsPerBank) = (timeline.chip.banksPerSlice, timeline.chip.rowsPerBank)
        let (banks, rows) = (banks, rowsPerBank)
        imageRows = RowSet(count: banks * rows)
        for image in images {
            let base = Int(image.base.bank) * rows
            imageRows.insert(base + image.rowRange.lowerBound..<base + image.rowRange.upperBound)
        }
        blocks = RowBlocks(self.allocations, banks: banks, rowsPerBank: rows)
        lives = RowLives(self.allocations, image: imageRows, banks: banks, rowsPerBank: rows)
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
        judgeImages(&report)
    }

    /// Rows of the memory image that are never live are filled before cycle 0 nevertheless.
    private func judgeImages(_ report: inout LawReport) {
        guard images.contains(where: { $0.live.isEmpty }) else { return }
        let all = images.map {
            var image = $0
            image.live = Cycle(0)..<Cycle(1)
            return image
        }
        var blocks = RowBlocks(all, banks: banks, rowsPerBank: rowsPerBank)
        for number in all.indices {
            blocks.forEachOverlap(with: number) { other in
                let (old, new) = (images[other], images[number])
                let rows = old.rowRange.clamped(to: new.rowRange)
                guard old.live.isEmpty || new.live.isEmpty, !old.agrees(with: new, on: rows)
                else { return }
                report.add(
                    chip: chip, unit: unit, cycle: 0,
                    "rows \(rows) of bank \(new.base.bank) hold \(old.value) and \(new.value) in "
                        + "the memory image")
            }
        }
    }

    // MARK: Accesses

    mutating func judgeAccesses(_ timeline: ChipTimeline, _ report: inout LawReport) {
        report.count(timeline, queues: [queue])
        for i in timeline.queues[queue] {
            let burst = timeline.bursts[i]
            guard timeline.isSound[i] else { continue }
            let (read, write) = SliceAccess.both(of: burst.instruction)
            while next < allocations.count, allocations[next].live.lowerBound <= burst.start {
                next += 1
            }
            var isAllocated = true
            if let read { isAllocated = check(read, burst, &report) }
            if let write { isAllocated = check(write, burst, &report) && isAllocated }
            guard isAllocated, timeline.isOrdered[queue],
                let early = lives.firstUnwritten(burst, read, write)
            else { continue }
            report.add(
                chip: chip, unit: unit, cycle: early.cycle,
                "\(early.verb) row \(early.row) of bank \(early.bank), which was not written "
                    + "since it was taken")
        }
    }

    /// Reports the first issue that finds rows of nothing, or writes one of the image; `true` if
    /// there is none.
    private mutating func check(
        _ access: SliceAccess, _ burst: Burst, _ report: inout LawReport
    ) -> Bool {
        // A plain write loses what the row held; only scatters change what stays.
        if access.verb == .write, let held = imageRow(access, burst) {
            report.add(
                chip: chip, unit: unit, cycle: held.cycle,
                "writes row \(held.row) of bank \(access.bank), which holds \(held.value) of the "
                    + "memory image: the next step would not find it")
            return false
        }
        let rows = access.rows(of: burst)
        if isHeld(rows, access.bank, from: burst.start.index, to: burst.lastIssue.index) {
            return true
        }
        // The burst leaves one allocation for another, or does wrong: issue by issue, then.
        var issues = IssueCursor(burst)
        var held: Allocation?
        while let issue = issues.next() {
            let touched = access.rows(step: issue.step)
            if let held, held.rowRange.contains(touched), held.live.contains(Cycle(issue.cycle)) {
                continue
            }
            if let row = firstUnallocated(touched, access.bank, issue.cycle, &held) {
                report.add(
                    chip: chip, unit: unit, cycle: issue.cycle,
                    "\(access.verb.rawValue) row \(row) of bank \(access.bank), where nothing is "
                        + "allocated in cycle \(issue.cycle)")
                return false
            }
        }
        return true
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
        _ access: SliceAccess, _ burst: Burst
    ) -> (row: Int, cycle: Int, value: ValueID)? {
        let base = access.bank * rowsPerBank
        let rows = access.rows(of: burst)
        guard imageRows.contains(anyOf: base + rows.lowerBound..<base + rows.upperBound) else {
            return nil
        }
        let near = images.filter { Int($0.base.bank) == access.bank && $0.rowRange.overlaps(rows) }
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            let row = access.rows(step: issue.step).lowerBound
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
