import LPUMachine
import LPUSchedule
import LPUSupport

/// Rows that hold a value from one placement to another, or from step to step.
extension IntervalFolded {
    /// When a row holds which value.
    private struct Life {
        var span: Range<Int>
        var value: Int
    }

    /// What is live only while its placement has the chip meets no other step. Every row that is
    /// live longer must be free of all other steps' values as long. Rows of the image are the same
    /// for all steps (law 4), but for those that are scattered into: of these each user has his own
    /// (law 16).
    func judgeRows(
        _ chip: ChipID, _ uses: [PlacementIndex.Use], _ extents: [[ChipExtent]],
        _ report: inout LawReport
    ) {
        var kept = Set<Int>()
        forEach(uses) { use, placement, allocation in
            guard !allocation.isImage, !allocation.live.isEmpty else { return }
            let span = extents[placement.template][use.member].span ?? 0..<0
            if allocation.live.lowerBound.index < span.lowerBound
                || allocation.live.upperBound.index > span.upperBound
            {
                kept.formUnion(allocation.rows(in: placement, on: machine.chip))
            }
        }
        guard !kept.isEmpty else { return }
        var lives: [Int: [Life]] = [:]
        forEach(uses) { _, placement, allocation in
            guard !allocation.isImage, !allocation.live.isEmpty else { return }
            let start = placement.start.index
            let span =
                start + allocation.live.lowerBound.index..<start
                + allocation.live.upperBound.index
            for row in allocation.rows(in: placement, on: machine.chip) where kept.contains(row) {
                lives[row, default: []].append(
                    Life(span: span, value: allocation.value.index + placement.valueBase))
            }
        }
        for (row, all) in lives.sorted(by: { $0.key < $1.key }) {
            let lives = Self.merged(all)
            guard let (a, b) = clash(lives.map(\.span), modulo: interval) else { continue }
            let (first, second) = (lives[a], lives[b])
            report.add(
                chip: chip, unit: unit(row), cycle: second.span.lowerBound,
                "\(place(row)) holds v\(second.value) and v\(first.value) of another step: in "
                    + "cycles \(residues(second.span)) and \(residues(first.span)) modulo "
                    + "\(interval)")
        }
    }

    /// Lives of one value that overlap in one step are one (law 4).
    private static func merged(_ lives: [Life]) -> [Life] {
        var result: [Life] = []
        for life in lives.sorted(by: { $0.span.lowerBound < $1.span.lowerBound }) {
            if let last = result.last, life.span.lowerBound < last.span.upperBound {
                let end = max(last.span.upperBound, life.span.upperBound)
                result[result.count - 1].span = last.span.lowerBound..<end
            } else {
                result.append(life)
            }
        }
        return result
    }

    private func forEach(
        _ uses: [PlacementIndex.Use],
        _ body: (PlacementIndex.Use, Placement, Allocation) -> Void
    ) {
        for use in uses {
            let placement = schedule.placements[use.placement]
            for allocation in schedule.templates[placement.template].chips[use.member].allocations {
                body(use, placement, allocation)
            }
        }
    }

    // MARK: Rows by number

    private var chip: Chip { machine.chip }

    private func unit(_ row: Int) -> Unit {
        let slice = row / chip.rowsPerBank / chip.banksPerSlice
        return chip.units[slice]
    }

    private func place(_ row: Int) -> String {
        "row \(row % chip.rowsPerBank) of bank "
            + "\(row / chip.rowsPerBank % chip.banksPerSlice)"
    }
}
