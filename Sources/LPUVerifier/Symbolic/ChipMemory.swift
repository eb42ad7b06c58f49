import Foundation
import LPUMachine

/// The terms that the rows of one chip hold, as far as they are filled in.
final class ChipMemory: @unchecked Sendable {
    let rows: UnsafeMutablePointer<Term>
    let count: Int
    private var written: RowSet

    /// - Parameter isFull: most rows will be filled in.
    init(_ chip: Chip, isFull: Bool = false) {
        count = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice * chip.rowsPerBank
        // Zeros are no terms.
        rows = zeroedPages(of: Term.self, count)
        if isFull { madvise(rows, count * MemoryLayout<Term>.stride, MADV_HUGEPAGE) }
        written = RowSet(count: count)
    }

    deinit { munmap(rows, count * MemoryLayout<Term>.stride) }

    /// To nothing in any row.
    func clear() {
        rows.update(repeating: .none, count: count)
        written = RowSet(count: count)
    }

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

    private let count: Int

    init(_ memory: ChipMemory) {
        count = memory.count
        states = zeroedPages(of: UInt8.self, count)
    }

    deinit { munmap(states, count) }

    @inline(__always)
    func noteRead(_ row: Int) {
        if states[row] == 0 { states[row] = 1 }
    }

    func noteWrite(_ row: Int, _ old: Term) {
        if states[row] == 1 { overwritten[row] = old }
        states[row] |= 2
    }
}

/// Zeros in pages of their own, straight from the system: a page that is never touched is never
/// taken, which an allocator that clears recycled memory does not promise.
/// - Requires: `count` is positive, and all zeros are a value of the type.
private func zeroedPages<T>(of type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let pages = mmap(
        nil, count * MemoryLayout<T>.stride, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else {
        preconditionFailure("no memory for the rows of a chip")
    }
    return pages.bindMemory(to: T.self, capacity: count)
}
