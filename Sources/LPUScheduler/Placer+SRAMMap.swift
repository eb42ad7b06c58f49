import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The SRAM map that goes with the instructions: which rows hold what, and how long.
extension Placer {
    /// Sorted by slice, bank, row and first cycle.
    func allocations(of place: Int, length: Int, ends: [Int]) -> [Allocation] {
        let uses = RowUses(chip: chip, issues: tables[place].issues)
        var result: [Allocation] = []
        for (v, value) in template.values.enumerated()
        where value.chip == place {
            let end = max(length, ends[v] + 1)
            result += vectors(v, value, uses, end, ends[v], place)
            // The rest of a parameter is listed where it is made.
            if value.origin == .parameter { continue }
            for run in runs(tilePlaces[v]) { result += rows(of: run, v, end) }
            if let block = blockPlaces[v] {
                for (plane, slice) in block.slices.enumerated() {
                    result.append(
                        Allocation(
                            value: ValueID(v), plane: plane,
                            hemisphere: hemisphere(of: slice),
                            slice: number(of: slice),
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

    /// For each parameter, the last cycle at which one of its rows is read; -1 if none is.
    /// - Complexity: O(rows of the chip); keep the result.
    func lastReads() -> [Int] {
        let uses = chips.indices.map { RowUses(chip: chip, issues: tables[$0].issues) }
        return template.values.enumerated().map { v, value in
            (0..<value.count).flatMap { copies[vectorBase[v] + $0] }.flatMap(\.planes).map {
                uses[value.chip].lastReadBeforeWrite(of: $0)
            }.max() ?? -1
        }
    }

    private func vectors(
        _ v: Int, _ value: Value, _ uses: RowUses, _ end: Int, _ lastRead: Int, _ place: Int
    ) -> [Allocation] {
        var result: [Allocation] = []
        for vector in 0..<value.count {
            // What a parameter was given is listed where it is made.
            for copy in copies[vectorBase[v] + vector].dropFirst(given[vectorBase[v] + vector]) {
                // One that was written is a working value, whatever it is a copy of.
                let isImage =
                    if case .image = value.origin { copy.ready == 0 } else { false }
                for (plane, location) in copy.planes.enumerated() {
                    let life = isImage ? 0..<end : life(of: location, v, uses)
                    let live = life.lowerBound..<max(life.upperBound, lastRead + 1)
                    result.append(
                        Allocation(
                            value: ValueID(v), plane: plane,
                            hemisphere: hemisphere(of: location.slice),
                            slice: number(of: location.slice),
                            base: location.address, rows: 1, first: vector, run: 1,
                            innerStride: 1, outerStride: 0,
                            live: Cycle(live.lowerBound)..<Cycle(live.upperBound),
                            isImage: isImage))
                }
            }
        }
        return result
    }

    /// From the first write to one past the last read: of a slot of an exchange, those of all its
    /// slots, since the chip's number decides which is written when.
    private func life(of location: Location, _ value: Int, _ uses: RowUses) -> Range<Int> {
        guard let e = exchangeOf[value],
            let (plane, _) = exchangeHomes[e].slot(at: location.address, of: location.slice)
        else { return uses.life(of: location) }
        let lives = (0...exchanges[e].transfers.count).map {
            uses.life(of: exchangeHomes[e].locations(ofSlot: $0)[plane])
        }
        return (lives.map(\.lowerBound).min() ?? 0)..<(lives.map(\.upperBound).max() ?? 0)
    }

    /// Tiles that follow one another in the same slices, at one distance in the value: one entry a
    /// slice tells of all of them.
    private struct TileRun {
        var first: TilePlace
        var count = 1
        var distance = 0

        /// Adds the tile that follows, if it does.
        mutating func append(_ tile: TilePlace) -> Bool {
            let step = tile.start - (first.start + (count - 1) * distance)
            guard tile.slices == first.slices, tile.bank == first.bank, tile.slot == first.slot,
                tile.rows == first.rows, tile.row == first.row + count * first.rows,
                count == 1 || step == distance
            else { return false }
            distance = step
            count += 1
            return true
        }
    }

    private func runs(_ tiles: [TilePlace]) -> [TileRun] {
        let sorted = tiles.sorted {
            ($0.slices[0], $0.bank, $0.row) < ($1.slices[0], $1.bank, $1.row)
        }
        var result: [TileRun] = []
        for tile in sorted where result.isEmpty || !result[result.count - 1].append(tile) {
            result.append(TileRun(first: tile))
        }
        return result
    }

    private func rows(of run: TileRun, _ v: Int, _ end: Int) -> [Allocation] {
        let (width, tile) = (chip.weightStreamsPerPlane, run.first)
        return tile.slices.enumerated().map { k, slice in
            Allocation(
                value: ValueID(v), plane: k / width, hemisphere: tile.hemisphere,
                slice: number(of: slice),
                base: RowAddress(slot: tile.slot, bank: tile.bank, row: tile.row),
                rows: run.count * tile.rows, first: tile.start + k % width, run: tile.rows,
                innerStride: width, outerStride: run.distance,
                live: Cycle(0)..<Cycle(end), isImage: true)
        }
    }
}

/// When every scratch row that the template touches is written and read.
private struct RowUses {
    private struct Use {
        /// The first write; a row that the template does not write is never written.
        var written = Int.max
        /// The last read from that write on, and the last one before it: of what a parameter left.
        var read = -1
        var readBefore = -1
    }
    private let chip: Chip
    private var uses: [Int: Use] = [:]

    init(chip: Chip, issues: [Reservations.Issue]) {
        self.chip = chip
        for issue in issues {
            // Runs read weights: only single instructions write.
            if case .memory(_, .write(let row, _)) = issue.instruction, row.slot == 0 {
                let i = index(issue.queue, row)
                uses[i, default: Use()].written = min(uses[i]?.written ?? Int.max, issue.cycle)
            }
        }
        for issue in issues {
            guard case .memory(.read(let row, _), _) = issue.instruction, row.slot == 0 else {
                continue
            }
            for k in 0..<Int(issue.count) {
                let i = index(issue.queue, row) + k
                let cycle = issue.cycle + k
                if cycle > uses[i]?.written ?? Int.max {
                    uses[i, default: Use()].read = max(uses[i]?.read ?? -1, cycle)
                } else {
                    uses[i, default: Use()].readBefore = max(uses[i]?.readBefore ?? -1, cycle)
                }
            }
        }
    }

    private func index(_ queue: QueueID, _ row: RowAddress) -> Int {
        (queue.index * chip.banksPerSlice + Int(row.bank)) * chip.rowsPerBank + Int(row.row)
    }

    /// From the write to one past the last read.
    func life(of location: Location) -> Range<Int> {
        guard location.slot == 0, let use = uses[index(location.slice, location.address)],
            use.written < Int.max
        else { return 0..<0 }
        return use.written..<max(use.written, use.read) + 1
    }

    /// The last read of what earlier templates left in the row; -1 if there is none.
    func lastReadBeforeWrite(of location: Location) -> Int {
        guard location.slot == 0 else { return -1 }
        return uses[index(location.slice, location.address)]?.readBefore ?? -1
    }
}
