import Foundation
import LPUMachine

/// The terms that the rows of one chip hold.
final class ChipMemory: @unchecked Sendable {
    let rows: UnsafeMutablePointer<Term>
    let count: Int
    /// `true` iff the chip's memory image is in the rows; else a row that nothing wrote holds
    /// nothing here, and the image is looked up.
    var isLoaded = false
    /// A bit a row: it was written.
    private var isWritten: [UInt64]

    init(_ chip: Chip) {
        count = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice * chip.rowsPerBank
        // Zeros, which are no terms; memory that is never touched is never taken.
        guard let memory = calloc(max(count, 1), MemoryLayout<Term>.stride) else {
            preconditionFailure("no memory for the rows of a chip")
        }
        rows = memory.bindMemory(to: Term.self, capacity: max(count, 1))
        isWritten = Array(repeating: 0, count: count / 64 + 1)
    }

    deinit { free(rows) }

    func noteWrite(_ row: Int) { isWritten[row / 64] |= 1 << (row % 64) }

    /// `true` iff one of the rows was written. O(rows / 64).
    func isWritten(in range: Range<Int>) -> Bool {
        var row = range.lowerBound
        while row < range.upperBound {
            let last = min(range.upperBound - 1, row | 63)
            let mask = UInt64.max >> UInt64(63 - last % 64) & UInt64.max << UInt64(row % 64)
            if isWritten[row / 64] & mask != 0 { return true }
            row = last + 1
        }
        return false
    }

    /// Puts in the image, by `load`, below what was written before.
    func load(_ load: () -> Void) {
        guard !isLoaded else { return }
        var kept: [(row: Int, term: Term)] = []
        for word in isWritten.indices where isWritten[word] != 0 {
            for row in word * 64..<min(word * 64 + 64, count)
            where isWritten[word] >> UInt64(row % 64) & 1 != 0 {
                kept.append((row, rows[row]))
            }
        }
        load()
        for (row, term) in kept { rows[row] = term }
        isLoaded = true
    }
}

/// Which rows of a chip one placement reads before it writes them, and which it writes.
final class RowAccess: @unchecked Sendable {
    /// Bits: 1 read at entry, 2 written, 4 read at entry as the placement's own image says.
    let states: UnsafeMutablePointer<UInt8>
    /// What rows held that were read and then written.
    private(set) var overwritten: [Int: Term] = [:]

    init(_ memory: ChipMemory) {
        guard let bytes = calloc(max(memory.count, 1), 1) else {
            preconditionFailure("no memory for the rows of a chip")
        }
        states = bytes.bindMemory(to: UInt8.self, capacity: max(memory.count, 1))
    }

    deinit { free(states) }

    @inline(__always)
    func noteRead(_ row: Int) {
        if states[row] == 0 { states[row] = 1 }
    }

    func noteWrite(_ row: Int, _ old: Term) {
        if states[row] == 1 { overwritten[row] = old }
        states[row] |= 2
    }
}
