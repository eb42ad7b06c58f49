import LPUMachine

/// The terms that the rows of one chip hold, as far as they are filled in.
final class ChipMemory: @unchecked Sendable {
    let rows: UnsafeMutablePointer<Term>
    let count: Int
    private let pages: UnsafeMutableBufferPointer<Term>
    private var written: RowSet

    /// - Parameter isFull: most rows will be filled in.
    init(_ chip: Chip, isFull: Bool = false) {
        count = chip.rowCount
        // Zeros are no terms.
        pages = .zeroedPages(capacity: count, isLarge: isFull)
        rows = pages.baseAddress.unsafelyUnwrapped
        written = RowSet(count: count)
    }

    deinit { pages.deallocatePages() }

    /// To nothing in any row but those that are kept.
    func clear(except kept: RowSet) {
        kept.forEachGap(below: count) { gap in
            (rows + gap.lowerBound).update(repeating: .none, count: gap.count)
        }
        written = RowSet(count: count)
    }

    /// Says that rows are about to be filled in.
    func prepare(_ rows: Range<Int>) { pages.takePages(of: rows) }

    func noteWrite(_ row: Int) { written.insert(row) }

    func isWritten(_ row: Int) -> Bool { written.contains(row) }

    /// `true` iff one of the rows was written. O(rows / 64).
    func isWritten(in range: Range<Int>) -> Bool { written.contains(anyOf: range) }
}

/// Which rows of a chip one placement reads before it writes them, and which it writes.
final class RowAccess: @unchecked Sendable {
    /// Bits: 1 read at entry, 2 written, 4 read at entry as the placement's own image says.
    let states: UnsafeMutablePointer<UInt8>
    /// What rows held that were read and then written.
    private(set) var overwritten: [Int: Term] = [:]

    init(_ memory: ChipMemory) {
        states = .allocate(capacity: memory.count)
        states.initialize(repeating: 0, count: memory.count)
    }

    deinit { states.deallocate() }

    @inline(__always)
    func noteRead(_ row: Int) {
        if states[row] == 0 { states[row] = 1 }
    }

    func noteWrite(_ row: Int, _ old: Term) {
        if states[row] == 1 { overwritten[row] = old }
        states[row] |= 2
    }
}
