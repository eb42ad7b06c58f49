import LPUMachine
import LPUSchedule
import LPUSupport

/// The allocations of one slice by block of rows, gone through in the order of cycles: what is
/// live in a block at a time is found in the few that are, however many there were and will be.
struct RowBlocks {
    /// Rows of a block.
    private static let rows = 32

    /// What is asked of an allocation most: from when and until when it is live, and its rows.
    private struct Life {
        var start: Int
        var end: Int
        var first: Int32
        var rowEnd: Int32
        /// The first block of its rows.
        var block: Int32
    }
    /// Sorted by their first live cycles.
    private let lives: [Life]
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
            at cycle: Int, below next: Int, _ lives: [Life], _ members: inout [Int32],
            _ body: (Int, Life) -> Bool
        ) {
            while toCome < end, Int(members[toCome]) < next { toCome += 1 }
            var i = live
            while i < toCome {
                let number = Int(members[i])
                if lives[number].end <= cycle {
                    members.swapAt(i, live)
                    live += 1
                } else if body(number, lives[number]) {
                    return
                }
                i += 1
            }
        }
    }

    /// - Requires: the allocations are sorted by their first live cycles, in rows of the chip, and
    ///   none is never live.
    init(_ allocations: [Allocation], banks: Int, rowsPerBank: Int) {
        let perBank = rowsPerBank / Self.rows + 1
        self.perBank = perBank
        lives = allocations.map {
            Life(
                start: $0.live.lowerBound.index, end: $0.live.upperBound.index,
                first: $0.base.row, rowEnd: $0.base.row + $0.rows,
                block: Int32(Self.blocks($0, perBank).lowerBound))
        }
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

    /// Calls `body` with each earlier allocation that is live when `number` begins and shares rows
    /// with it, once.
    mutating func forEachOverlap(with number: Int, _ body: (Int) -> Void) {
        let own = lives[number]
        let last = own.block + (own.rowEnd - 1) / Int32(Self.rows) - own.first / Int32(Self.rows)
        for block in own.block...last {
            blocks[Int(block)].forEachLive(at: own.start, below: number, lives, &members) {
                if max($1.block, own.block) == block, $1.first < own.rowEnd, own.first < $1.rowEnd {
                    body($0)
                }
                return false
            }
        }
    }

    /// The end of the rows of the allocation that has a row from `first` to `last`, if it is below
    /// `next`; nil if none.
    mutating func holderEnd(
        of row: Int, _ bank: Int, from first: Int, to last: Int, below next: Int
    ) -> Int? {
        var found: Int?
        let block = bank * perBank + row / Self.rows
        blocks[block].forEachLive(at: first, below: next, lives, &members) { _, held in
            guard held.end > last, held.first <= row, row < held.rowEnd else { return false }
            found = Int(held.rowEnd)
            return true
        }
        return found
    }

    /// The number of an allocation that has a row in a cycle that is not past.
    func holder(of row: Int, _ bank: Int, at cycle: Int) -> Int? {
        let block = blocks[bank * perBank + row / Self.rows]
        for i in block.live..<block.end {
            let held = lives[Int(members[i])]
            if held.start <= cycle, cycle < held.end, held.first <= row, row < held.rowEnd {
                return Int(members[i])
            }
        }
        return nil
    }
}
