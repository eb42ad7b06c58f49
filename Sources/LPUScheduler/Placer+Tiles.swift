import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Rows that a tile is loaded from: those of each weight stream one after another in a slice.
struct WeightRows {
    /// Where column 0 comes from, and how many columns the stream takes part in.
    var streams: [(location: Location, count: Int, gather: TileGather?)]
    var columns: Int
    /// From when on all of them may be read.
    var ready: Int
}

extension Placer {
    /// The value in whose rows a region's version rests, or what is gathered from one.
    func root(_ value: ValueID) -> ValueID {
        template.root(tileGathers[value.index]?.table.value ?? value)
    }

    /// Where the tile's weight vectors rest; an image gets its rows here.
    func weightRows(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int
    ) throws(Infeasibility) -> WeightRows {
        let width = chip.weightStreamsPerPlane
        let columns = (tile.count + width - 1) / width
        if let rows = madeRows(tile) { return rows }
        if tile.sources.count == 1, isImage(tile.sources[0].value),
            blockPlaces[root(tile.sources[0].value).index] == nil
        {
            let rest = try tilePlace(tile, type: type, on: plane, place: place)
            return WeightRows(
                streams: rest.slices.map {
                    (
                        Location(
                            slice: $0, bank: UInt8(rest.bank), row: Int32(rest.row),
                            slot: UInt8(rest.slot)), columns, nil
                    )
                }, columns: columns, ready: 0)
        }
        var rows = WeightRows(streams: [], columns: columns, ready: 0)
        for byte in 0..<type.byteCount {
            for s in 0..<width {
                let count = max(0, (tile.count - s + width - 1) / width)
                let (value, vector) = tile.vector(s)
                let gather = tileGathers[value.index]
                let region = gather?.table.value ?? value
                let block = try blockPlace(region)
                rows.ready = max(rows.ready, regionReady[region.index])
                rows.streams.append(
                    (
                        Location(
                            slice: block.slices[byte], bank: UInt8(block.bank),
                            row: Int32(block.row + Int(gather?.table.start ?? 0) + vector),
                            slot: UInt8(block.slot)), count, gather
                    ))
            }
        }
        return rows
    }

    /// `true` iff it rests in SRAM before cycle 0, by itself or as what a parameter is bound to.
    func isImage(_ value: ValueID) -> Bool {
        switch template.values[value.index].origin {
        case .image: true
        case .parameter: bindings[value.index]?.isImage ?? false
        case .op: false
        }
    }

    /// The slot of an image's rows.
    func slot(of value: ValueID, isVector: Bool = false) -> Int {
        let value = template.values[value.index]
        guard case .image = value.origin, movesImages else { return 0 }
        return slots(of: value.chip).lowerBound + (isVector ? 1 : 0)
    }

    /// All slots but slot 0.
    var ownSlots: Range<Int> { 1..<(chips.indices.map { slots(of: $0).upperBound }.max() ?? 1) }

    /// The slots of a place's images, of which no other place's with the same rows are.
    func slots(of place: Int) -> Range<Int> {
        let first = 1 + 2 * mapOf[..<place].count { $0 == mapOf[place] }
        return first..<first + 2
    }

    /// Rows of 16 weight slices (fp16: twice 16) for an image tile, on the plane's side.
    private func tilePlace(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int
    ) throws(Infeasibility) -> TilePlace {
        let value = tile.sources[0].value
        let start = Int(tile.sources[0].start)
        let width = chip.weightStreamsPerPlane
        let rows = (tile.count + width - 1) / width
        let known = tilePlaces[value.index].first {
            $0.start == start && $0.rows >= rows && $0.hemisphere == plane.hemisphere
        }
        if let known { return known }
        let slot = slot(of: value)
        // Where loads are rare, the slices of a side's other plane do as well.
        let planes =
            lastingTiles.contains(tile)
            ? Array(0..<chip.planesPerHemisphere) : [plane.plane]
        let sets = planes.flatMap { weightSets(type: type, plane: $0) }
        var candidates = choice.order(sets).map { set in
            set.map { slice(plane.hemisphere, $0) }
        }
        if type != .fp16,
            !candidates.contains(where: { isFree(rows, in: $0, at: place, slot: slot) })
        {
            candidates = spareSets.map { set in set.map { slice(plane.hemisphere, $0) } }
        }
        // Tiles that follow one another on a plane do so in its slices too, so that their reads
        // fold, up to the row at which all of its banks are even.
        let p = planeIndex(plane)
        let left = planes.reduce(0) { left, number in
            let other = PlaneChoice(hemisphere: plane.hemisphere, plane: number)
            return left + columnsLeft[place][planeIndex(other)]
        }
        let even = evenRow(of: candidates, adding: left, at: place, slot: slot)
        let best = try takeRows(
            rows, of: value, from: candidates, preferring: tileHomes[place][p],
            upTo: even + rows / 2
        ) {
            choice.order(Array(0..<chip.banksPerSlice))
        }
        tileHomes[place][p] = (best.bank, best.slices)
        if isOwnTile(tile) { columnsLeft[place][p] -= rows }
        let result = TilePlace(
            start: start, rows: rows, hemisphere: plane.hemisphere, plane: plane.plane,
            slices: (0..<type.byteCount * width).map { best.slices[$0] }, bank: best.bank,
            row: best.row, slot: slot)
        tilePlaces[value.index].append(result)
        return result
    }

    /// `true` iff its rows are those of an image that only this template places.
    func isOwnTile(_ tile: Tile) -> Bool {
        guard case .image = template.values[tile.sources[0].value.index].origin else {
            return false
        }
        return tile.sources.count == 1
    }

    /// The row that banks of the candidates reach when so many rows more are spread evenly.
    private func evenRow(
        of candidates: [[QueueID]], adding rows: Int, at place: Int, slot: Int
    ) -> Int {
        let tops = candidates.flatMap { slices in
            (0..<chip.banksPerSlice).compactMap {
                srams[mapOf[place]].commonRow(slices, bank: $0, rows: 0, slot: slot)
            }
        }
        return tops.isEmpty ? 0 : (tops.reduce(rows, +) + tops.count - 1) / tops.count
    }

    private func isFree(_ rows: Int, in slices: [QueueID], at place: Int, slot: Int) -> Bool {
        (0..<chip.banksPerSlice).contains {
            srams[mapOf[place]].commonRow(slices, bank: $0, rows: rows, slot: slot) != nil
        }
    }

    /// Takes the lowest rows that are free in all slices of a candidate, for an image value: those
    /// of the preferred one where they end by row `limit`.
    func takeRows(
        _ rows: Int, of value: ValueID, from candidates: [[QueueID]],
        preferring home: (bank: Int, slices: [QueueID])? = nil, upTo limit: Int = 0,
        banks: () -> [Int]
    ) throws(Infeasibility) -> (bank: Int, row: Int, slices: [QueueID]) {
        let place = template.values[value.index].chip
        let slot = slot(of: value)
        var best: (bank: Int, row: Int, slices: [QueueID])?
        for slices in candidates {
            for bank in banks() {
                guard
                    let row = srams[mapOf[place]].commonRow(
                        slices, bank: bank, rows: rows, slot: slot),
                    best == nil || row < best!.row
                else { continue }
                best = (bank, row, slices)
            }
        }
        if let home, candidates.contains(home.slices),
            let row = srams[mapOf[place]].commonRow(
                home.slices, bank: home.bank, rows: rows, slot: slot),
            row + rows <= limit
        {
            best = (home.bank, row, home.slices)
        }
        guard let best else { throw full(place, value) }
        for slice in best.slices {
            srams[mapOf[place]].take(slice, bank: best.bank, upTo: best.row + rows, slot: slot)
        }
        return best
    }

    /// Sets of slice numbers that can feed the plane in one cycle, disjoint between the planes of
    /// a side, so that both load at once.
    func weightSets(type: ElementType, plane: Int) -> [[Int]] {
        let width = chip.weightStreamsPerPlane
        let feed = chip.planesPerHemisphere * width
        let zones = (chip.memSlicesPerHemisphere - scratchSlices) / feed
        return (0..<zones).map { zone in
            let first = scratchSlices + zone * feed
            return type == .fp16
                ? Array(first..<first + 2 * width)
                : Array(first + plane * width..<first + (plane + 1) * width)
        }
    }

    /// Slices near the VXM that feed either plane of a side, for weights that fit nowhere else: the
    /// planes take turns at them.
    private var spareSets: [[Int]] {
        let width = chip.weightStreamsPerPlane
        return scratchSlices >= width ? [Array(0..<width)] : []
    }

    // MARK: Tables and regions

    /// Rows of one slice a byte plane, for values that gather and scatter address by row.
    func blockPlace(_ value: ValueID) throws(Infeasibility) -> BlockPlace {
        let value = root(value)
        if let known = blockPlaces[value.index] { return known }
        let planes = template.values[value.index].type.byteCount
        let rows = template.values[value.index].count
        let slot = slot(of: value)
        let best: (bank: Int, row: Int, slices: [QueueID])
        if let home = blockHomes[value.index] {
            best = try takeRows(rows, of: value, from: feeding(planes, home)) {
                Array(0..<chip.banksPerSlice)
            }
        } else {
            precondition(slot == 0, "a table is of no repeated template")
            best = try takeTable(rows, of: value, planes: planes)
        }
        let result = BlockPlace(
            slices: best.slices, bank: best.bank, row: best.row, slot: slot)
        blockPlaces[value.index] = result
        return result
    }
}

extension Placer {
    /// Regions get their rows first: the many small tiles then fill all banks up to one row.
    func placeRegions() throws(Infeasibility) {
        for (v, home) in blockHomes.enumerated() where home != nil && slot(of: ValueID(v)) > 0 {
            _ = try blockPlace(ValueID(v))
        }
    }

    /// So do tables behind which rows are shared: they end where those begin.
    func placeTables() throws(Infeasibility) {
        guard sharesRows else { return }
        for op in template.ops {
            if case .gather(let table, _, _) = op.kind { _ = try blockPlace(table.value) }
        }
    }

    /// Slices, one a byte plane, that feed the weight stream of the home.
    private func feeding(_ planes: Int, _ home: BlockHome) -> [[QueueID]] {
        let width = chip.weightStreamsPerPlane
        let half = planes == 1 ? home.half : 0
        return weightSets(type: .fp16, plane: 0).map { set in
            (0..<planes).map {
                slice(home.side, set[($0 + half) % 2 * width + (home.stripe + $0 / 2) % width])
            }
        }
    }

    /// Rows of a table that is only gathered from: in the emptiest slices near the VXM, of which it
    /// leaves an eighth, or more, for what passes between ops; else among the weights.
    private func takeTable(
        _ rows: Int, of value: ValueID, planes: Int
    ) throws(Infeasibility) -> (bank: Int, row: Int, slices: [QueueID]) {
        let place = template.values[value.index].chip
        let near = Hemisphere.allCases.flatMap { side in
            (0..<scratchSlices / planes).map { k in
                (0..<planes).map { slice(side, k * planes + $0) }
            }
        }
        let far = Hemisphere.allCases.flatMap { side in
            (0..<chip.weightStreamsPerPlane).flatMap { stripe in
                feeding(planes, BlockHome(side: side, stripe: stripe))
            }
        }
        for (candidates, least) in [(near, scratchRows), (far, 0)] {
            var best: (bank: Int, row: Int, slices: [QueueID])?
            for slices in candidates {
                for bank in 0..<chip.banksPerSlice {
                    guard let row = srams[mapOf[place]].tableRow(slices, bank: bank, rows: rows),
                        row >= max(least, (best?.row ?? -1) + 1)
                    else { continue }
                    best = (bank, row, slices)
                }
            }
            guard let best else { continue }
            for slice in best.slices {
                srams[mapOf[place]].takeTable(slice, bank: best.bank, from: best.row)
            }
            return best
        }
        throw full(place, value)
    }
}

/// Which side and which of the slices that feed a plane a region rests in.
struct BlockHome {
    var side: Hemisphere
    var stripe: Int
    /// Which half of the side's slices single bytes rest in, so that two planes are fed at once.
    var half = 0
}

extension ProgramTemplate {
    /// The value whose rows a scattered version shares.
    func root(_ value: ValueID) -> ValueID {
        guard case .op(let op) = values[value.index].origin,
            case .scatter(let region, _, _, _) = ops[op.index].kind
        else { return value }
        return root(region.value)
    }

    /// The regions of one tile, in different slices of one side, tiles in turn; nil for others.
    func blockHomes(stripes: Int, _ gathers: [TileGather?]) -> [BlockHome?] {
        var homes: [BlockHome?] = values.map { _ in nil }
        var turn = 0
        for op in ops {
            guard case .matmul(let terms) = op.kind else { continue }
            for term in terms where term.tile.sources.count > 1 {
                let roots = term.tile.sources.map {
                    root(gathers[$0.value.index]?.table.value ?? $0.value).index
                }
                guard homes[roots[0]] == nil else { continue }
                // What the template makes itself is no region.
                if case .op = values[roots[0]].origin { continue }
                let side: Hemisphere = turn % 2 == 0 ? .west : .east
                let half = turn / 2 % 2
                turn += 1
                for (s, region) in roots.enumerated() {
                    homes[region] = BlockHome(side: side, stripe: s, half: half)
                }
            }
        }
        return homes
    }
}
