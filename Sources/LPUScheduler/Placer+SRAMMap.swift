import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The SRAM map that goes with the instructions: which rows hold what, and how long.
extension Placer {
    /// Sorted by slice, bank, row and first cycle.
    func allocations(of place: Int, issues: [Reservations.Issue]) -> [Allocation] {
        let uses = RowUses(chip: chip, issues: issues)
        let end = (issues.map(\.cycle).max() ?? 0) + 1
        var result: [Allocation] = []
        for (v, value) in template.values.enumerated() where value.chip == place {
            result += vectors(v, value, uses, end, place)
            for tile in tilePlaces[v] { result += rows(of: tile, v, value, end, place) }
            if let block = blockPlaces[v] {
                for (plane, slice) in block.slices.enumerated() {
                    result.append(
                        Allocation(
                            value: ValueID(v), plane: plane,
                            hemisphere: srams[place].hemisphere(of: slice),
                            slice: srams[place].number(of: slice),
                            base: RowAddress(bank: block.bank, row: block.row), rows: value.count,
                            first: 0, run: value.count, innerStride: 1, outerStride: 0,
                            live: Cycle(0)..<Cycle(end), isImage: true))
                }
            }
        }
        return result.sorted {
            ($0.hemisphere, $0.slice, $0.base.bank, $0.base.row, $0.live.lowerBound)
                < ($1.hemisphere, $1.slice, $1.base.bank, $1.base.row, $1.live.lowerBound)
        }
    }

    private func vectors(
        _ v: Int, _ value: Value, _ uses: RowUses, _ end: Int, _ place: Int
    ) -> [Allocation] {
        let isImage = if case .image = value.origin { true } else { false }
        var result: [Allocation] = []
        for vector in 0..<value.count {
            for copy in copies[vectorBase[v] + vector] {
                for (plane, location) in copy.planes.enumerated() {
                    let live = isImage ? 0..<end : uses.life(of: location)
                    result.append(
                        Allocation(
                            value: ValueID(v), plane: plane,
                            hemisphere: srams[place].hemisphere(of: location.slice),
                            slice: srams[place].number(of: location.slice),
                            base: location.address, rows: 1, first: vector, run: 1,
                            innerStride: 0, outerStride: 0,
                            live: Cycle(live.lowerBound)..<Cycle(live.upperBound),
                            isImage: isImage))
                }
            }
        }
        return result
    }

    private func rows(
        of tile: TilePlace, _ v: Int, _ value: Value, _ end: Int, _ place: Int
    ) -> [Allocation] {
        let width = chip.weightStreamsPerPlane
        let rows = tileRows(v, start: tile.start)
        return tile.slices.enumerated().map { k, slice in
            Allocation(
                value: ValueID(v), plane: k / width, hemisphere: tile.hemisphere,
                slice: srams[place].number(of: slice),
                base: RowAddress(bank: tile.bank, row: tile.row), rows: rows,
                first: tile.start + k % width, run: rows, innerStride: width, outerStride: 0,
                live: Cycle(0)..<Cycle(end), isImage: true)
        }
    }

    /// Load columns of the tile of value `v` that starts at a vector.
    private func tileRows(_ v: Int, start: Int) -> Int {
        for op in template.ops {
            guard case .matmul(let terms) = op.kind else { continue }
            for term in terms
            where term.tile.sources[0].value.index == v
                && Int(term.tile.sources[0].start) == start
            {
                return (term.tile.count + chip.weightStreamsPerPlane - 1)
                    / chip.weightStreamsPerPlane
            }
        }
        return 0
    }
}

/// First write and last access of every scratch row.
private struct RowUses {
    let chip: Chip
    private var first: [Int32]
    private var last: [Int32]

    init(chip: Chip, issues: [Reservations.Issue]) {
        self.chip = chip
        let count = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice * chip.rowsPerBank
        first = Array(repeating: Int32.max, count: count)
        last = Array(repeating: -1, count: count)
        for issue in issues {
            guard case .memory(let read, let write) = issue.instruction else { continue }
            if case .read(let row, _) = read { note(issue, row) }
            if case .write(let row, _) = write { note(issue, row) }
        }
    }

    private mutating func note(_ issue: Reservations.Issue, _ row: RowAddress) {
        let i = index(issue.queue, Int(row.bank), Int(row.row))
        first[i] = min(first[i], Int32(issue.cycle))
        last[i] = max(last[i], Int32(issue.cycle))
    }

    private func index(_ slice: QueueID, _ bank: Int, _ row: Int) -> Int {
        (slice.index * chip.banksPerSlice + bank) * chip.rowsPerBank + row
    }

    /// From the write to one past the last access.
    func life(of location: Location) -> Range<Int> {
        let i = index(location.slice, Int(location.bank), Int(location.row))
        return Int(first[i])..<Int(last[i]) + 1
    }
}
