import LPUMachine
import LPUSchedule
import LPUSupport

/// What a run of one placement by itself took and left: enough to do the same for any other
/// placement of the template that finds the same, in its own terms.
struct PlacementRecord {
    /// A row, by its place among the template's touched rows, and the term it holds.
    struct Row {
        var range: Int32
        var offset: Int32
        var term: Term
    }
    /// A vector on its way from one place of the template to another.
    struct Wire: Hashable {
        var place: Int
        var link: LinkID
        var peer: Int
        var peerLink: LinkID
    }
    /// Of one chip.
    struct Part {
        /// Rows read before they are written, that hold the placement's own image.
        var images: [(range: Int, offsets: Range<Int>)] = []
        /// The other rows read before they are written.
        var entries: [Row] = []
        /// Rows written, and what they hold in the end.
        var exits: [Row] = []
    }
    var placement: Int
    var instance: Int
    var parts: [Part]
    var wires: [Wire]
    /// What was done of the instance's ops, slot by slot of coverage.
    var made: [UInt8]
    var issueCount: Int
}

extension PlacementRecord.Part {
    /// Sorts out what a run did to the rows of its chip.
    /// - Complexity: O(touched rows).
    init(
        _ expansion: BurstExpansion, _ program: ChipProgram, _ placement: Placement,
        _ touched: [TouchedRows], _ bases: [Int], _ memory: ChipMemory, _ access: RowAccess,
        on chip: ChipID
    ) {
        for allocation in program.allocations where allocation.isImage {
            addImage(
                allocation, expansion, placement, touched, bases, memory, access, on: chip)
        }
        for (range, base) in bases.enumerated() {
            for offset in 0..<touched[range].rows.count {
                let row = base + offset
                let state = access.states[row]
                if state & 5 == 1 {
                    let term = access.overwritten[row] ?? memory.rows[row]
                    entries.append(.init(range: Int32(range), offset: Int32(offset), term: term))
                }
                if state & 2 != 0 {
                    exits.append(
                        .init(
                            range: Int32(range), offset: Int32(offset), term: memory.rows[row]))
                }
            }
        }
    }

    /// Marks the rows that were read as the placement's own image has them.
    private mutating func addImage(
        _ allocation: Allocation, _ expansion: BurstExpansion, _ placement: Placement,
        _ touched: [TouchedRows], _ bases: [Int], _ memory: ChipMemory, _ access: RowAccess,
        on chip: ChipID
    ) {
        guard let (queue, _) = expansion.place(allocation, placement),
            let terms = expansion.imageTerms(allocation, placement, on: chip)
        else { return }
        let first = Int(allocation.base.row)
        let key = TouchedRows(
            queue: queue, slot: allocation.base.slot, bank: allocation.base.bank,
            rows: first..<first + Int(allocation.rows))
        for (range, base) in zip(touched.indices, bases) where touched[range].isInBank(of: key) {
            let shared = touched[range].rows.clamped(to: key.rows)
            var marked: Range<Int>?
            for row in shared {
                let offset = row - touched[range].rows.lowerBound
                guard access.states[base + offset] & 1 != 0 else { continue }
                let isOverwritten = access.states[base + offset] & 2 != 0
                let held =
                    (isOverwritten ? access.overwritten[base + offset] : nil)
                    ?? memory.rows[base + offset]
                guard terms(row - first) == held else { continue }
                access.states[base + offset] |= 4
                marked = (marked?.lowerBound ?? offset)..<offset + 1
            }
            if let marked { images.append((range, marked)) }
        }
    }
}
