import LPUMachine
import LPUSchedule
import LPUSupport

/// The allocations of one slice by block of rows, gone through in the order of cycles: what is
/// live in a block at a time is found in the few that are, however many there were and will be.
struct RowBlocks {
    /// Rows of a block.
    private static let rows = 32

    /// Sorted by their first live cycles.
    private let allocations: [Allocation]
    private let perBank: Int
    /// Of each block its members' places, and of those that may still be live now.
    private var blocks: [Block]
    /// Numbers of allocations; those of a block stand together: gone, live, to come. The live ones
    /// in any order, the others ascending.
    private var members: [Int32] = []

    private struct Block {
        var first: Int
        var live: Int
        var toCome: Int
        var end: Int

        /// Goes on to a cycle: all that begins by then is below `next`, and nothing is asked any
        /// more of what ends by then. Calls `body` with those that are live until it says `true`.
        @inline(__always)
        mutating func forEachLive(
            at cycle: Int, below next: Int, _ allocations: [Allocation],
            _ members: inout [Int32], _ body: (Allocation) -> Bool
        ) {
            while toCome < end, Int(members[toCome]) < next { toCome += 1 }
            var i = live
            while i < toCome {
                let allocation = allocations[Int(members[i])]
                if allocation.live.upperBound.index <= cycle {
                    members.swapAt(i, live)
                    live += 1
                } else if body(allocation) {
                    return
                }
                i += 1
            }
        }
    }

    /// - Requires: the allocations are sorted by their first live cycles, in rows of the chip, and
    ///   none is never live.
    init(_ allocations: [Allocation], banks: Int, rowsPerBank: Int) {
        self.allocations = allocations
        perBank = rowsPerBank / Self.rows + 1
        var counts = Array(repeating: 0, count: banks * perBank)
        for allocation in allocations {
            for block in Self.blocks(allocation, perBank) { counts[block] += 1 }
        }
        var first = 0
        blocks = counts.map { count in
            defer { first += count }
            return Block(first: first, live: first, toCome: first, end: first)
        }
        members = Array(repeating: 0, count: first)
        for (number, allocation) in allocations.enumerated() {
            for block in Self.blocks(allocation, perBank) {
                members[blocks[block].end] = Int32(number)
                blocks[block].end += 1
            }
        }
    }

    private static func blocks(_ allocation: Allocation, _ perBank: Int) -> ClosedRange<Int> {
        let first = Int(allocation.base.bank) * perBank
        return first + Int(allocation.base.row) / rows...first
            + (Int(allocation.base.row) + Int(allocation.rows) - 1) / rows
    }

    /// Calls `body` with each earlier allocation that is live when `number` begins and has rows of
    /// the same blocks, once.
    mutating func forEachOverlap(with number: Int, _ body: (Allocation) -> Void) {
        let own = Self.blocks(allocations[number], perBank)
        let start = allocations[number].live.lowerBound.index
        for block in own {
            blocks[block].forEachLive(at: start, below: number, allocations, &members) { other in
                let first = Self.blocks(other, perBank).lowerBound
                if max(first, own.lowerBound) == block { body(other) }
                return false
            }
        }
    }

    /// The allocation that has a row from `first` to `last`, if it is below `next`; nil if none.
    mutating func holder(
        of row: Int, _ bank: Int, from first: Int, to last: Int, below next: Int
    ) -> Allocation? {
        var found: Allocation?
        let block = bank * perBank + row / Self.rows
        blocks[block].forEachLive(at: first, below: next, allocations, &members) { held in
            guard held.live.upperBound.index > last, held.rowRange.contains(row) else {
                return false
            }
            found = held
            return true
        }
        return found
    }

    /// An allocation that has a row in a cycle that is not past.
    func holder(of row: Int, _ bank: Int, at cycle: Int) -> Allocation? {
        let block = blocks[bank * perBank + row / Self.rows]
        for i in block.live..<block.end {
            let held = allocations[Int(members[i])]
            if held.live.contains(Cycle(cycle)), held.rowRange.contains(row) { return held }
        }
        return nil
    }
}
