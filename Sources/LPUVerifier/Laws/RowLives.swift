import LPUMachine
import LPUSchedule
import LPUSupport

/// Which rows of one slice were written since they were taken, in the order of cycles. Before that
/// a working row holds what the last one to take it left, be it another step.
///
/// Lives that follow without a gap are one; rows of the image were written before cycle 0.
struct RowLives {
    /// A read of what was not written since the row was taken.
    struct Early {
        var verb: String
        var row: Int
        var bank: Int
        var cycle: Int
    }

    /// Of working rows, by their first live cycles.
    private let allocations: [Allocation]
    private let rowsPerBank: Int
    /// Allocations that have begun.
    private var next = 0
    /// By row, until when it is taken; none where there are no working rows.
    private var ends: [Int]
    private let image: RowSet
    private var written: RowSet

    init(_ allocations: [Allocation], image: RowSet, banks: Int, rowsPerBank: Int) {
        self.allocations = allocations.filter { !$0.isImage }
        self.rowsPerBank = rowsPerBank
        let rows = self.allocations.isEmpty ? 0 : banks * rowsPerBank
        ends = Array(repeating: .min, count: rows)
        self.image = image
        written = image
    }

    /// The first row that a burst reads too early, if none did before; its writes are noted.
    /// - Requires: bursts come in the order of a queue that has one, in rows that are allocated.
    mutating func firstUnwritten(
        _ burst: Burst, _ read: SliceAccess?, _ write: SliceAccess?
    ) -> Early? {
        begin(until: burst.start.index)
        if read.map({ isPlain($0, burst) }) ?? true, write.map({ isPlain($0, burst) }) ?? true,
            read?.bank != write?.bank
        {
            if let write, write.verb == .write { note(write, burst) }
            return nil
        }
        let halves = [read, write].compactMap(\.self)
        var early: Early?
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            begin(until: issue.cycle)
            for access in halves {
                let rows = numbers(access.rows(step: issue.step), access.bank)
                if access.verb != .write, early == nil,
                    let row = rows.first(where: { !written.contains($0) })
                {
                    early = Early(
                        verb: access.verb.rawValue, row: row % rowsPerBank, bank: access.bank,
                        cycle: issue.cycle)
                }
                // What is read too early is so once.
                written.insert(rows)
            }
        }
        return early
    }

    /// `true` if no row is taken while the burst touches it, and what it reads was written.
    private func isPlain(_ access: SliceAccess, _ burst: Burst) -> Bool {
        let rows = access.rows(of: burst)
        var later = next
        while later < allocations.count, allocations[later].live.lowerBound <= burst.lastIssue {
            let taken = allocations[later]
            if Int(taken.base.bank) == access.bank, taken.rowRange.overlaps(rows) { return false }
            later += 1
        }
        return access.verb == .write || written.contains(allOf: numbers(rows, access.bank))
    }

    private mutating func note(_ access: SliceAccess, _ burst: Burst) {
        let rows = access.rows(of: burst)
        if rows.count <= 2 || burst.outer.count == 1 && abs(burst.inner.step) <= 1 {
            return written.insert(numbers(rows, access.bank))
        }
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            written.insert(numbers(access.rows(step: issue.step), access.bank))
        }
    }

    private mutating func begin(until cycle: Int) {
        while next < allocations.count, allocations[next].live.lowerBound.index <= cycle {
            let allocation = allocations[next]
            let (start, end) = (
                allocation.live.lowerBound.index, allocation.live.upperBound.index
            )
            for row in numbers(allocation.rowRange, Int(allocation.base.bank)) {
                if ends[row] < start, !image.contains(row) { written.remove(row) }
                ends[row] = max(ends[row], end)
            }
            next += 1
        }
    }

    private func numbers(_ rows: Range<Int>, _ bank: Int) -> Range<Int> {
        bank * rowsPerBank + rows.lowerBound..<bank * rowsPerBank + rows.upperBound
    }
}
