import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The SRAM map that goes with the instructions: which rows hold what, and how long.
extension Placer {
    /// Sorted by slice, bank, row and first cycle.
    func allocations(of place: Int, ends: [Int]) -> [Allocation] {
        let uses = RowUses(chip: chip, issues: tables[place].issues)
        var result: [Allocation] = []
        for (v, value) in template.values.enumerated()
        where value.chip == place && value.origin != .parameter {
            let end = max(length, ends[v] + 1)
            result += vectors(v, value, uses, end, ends[v], place)
            for tile in tilePlaces[v] { result += rows(of: tile, v, end, place) }
            if let block = blockPlaces[v] {
                for (plane, slice) in block.slices.enumerated() {
                    result.append(
                        Allocation(
                            value: ValueID(v), plane: plane,
                            hemisphere: srams[place].hemisphere(of: slice),
                            slice: srams[place].number(of: slice),
                            base: RowAddress(slot: block.slot, bank: block.bank, row: block.row),
                            rows: value.count,
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

    /// For each value, the last cycle at which one of its rows is read; -1 if none is.
    var lastReads: [Int] {
        let uses = chips.indices.map { RowUses(chip: chip, issues: tables[$0].issues) }
        return template.values.enumerated().map { v, value in
            (0..<value.count).flatMap { copies[vectorBase[v] + $0] }.flatMap(\.planes).map {
                uses[value.chip].life(of: $0).upperBound - 1
            }.max() ?? -1
        }
    }

    private func vectors(
        _ v: Int, _ value: Value, _ uses: RowUses, _ end: Int, _ lastRead: Int, _ place: Int
    ) -> [Allocation] {
        let isImage = if case .image = value.origin { true } else { false }
        var result: [Allocation] = []
        for vector in 0..<value.count {
            for copy in copies[vectorBase[v] + vector] {
                for (plane, location) in copy.planes.enumerated() {
                    let life = isImage ? 0..<end : uses.life(of: location)
                    let live = life.lowerBound..<max(life.upperBound, lastRead + 1)
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
        of tile: TilePlace, _ v: Int, _ end: Int, _ place: Int
    ) -> [Allocation] {
        let width = chip.weightStreamsPerPlane
        return tile.slices.enumerated().map { k, slice in
            Allocation(
                value: ValueID(v), plane: k / width, hemisphere: tile.hemisphere,
                slice: srams[place].number(of: slice),
                base: RowAddress(slot: tile.slot, bank: tile.bank, row: tile.row), rows: tile.rows,
                first: tile.start + k % width, run: tile.rows, innerStride: width, outerStride: 0,
                live: Cycle(0)..<Cycle(end), isImage: true)
        }
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
            if case .read(let row, _) = read, row.slot == 0 { note(issue, row) }
            if case .write(let row, _) = write, row.slot == 0 { note(issue, row) }
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
        guard location.slot == 0 else { return 0..<0 }
        let i = index(location.slice, Int(location.bank), Int(location.row))
        guard last[i] >= 0 else { return 0..<0 }
        return Int(first[i])..<Int(last[i]) + 1
    }
}
