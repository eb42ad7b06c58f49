import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Rows that a tile is loaded from: a location a column and weight stream.
struct WeightRows {
    var locations: [[Location?]]
    /// From when on all of them may be read.
    var ready: Int
}

extension Placer {
    /// The value whose rows a scattered version shares.
    func root(_ value: ValueID) -> ValueID {
        guard case .op(let op) = template.values[value.index].origin,
            case .scatter(let region, _, _, _) = template.ops[op.index].kind
        else { return value }
        return root(region.value)
    }

    /// Where the tile's weight vectors rest; an image gets its rows here.
    func weightRows(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int
    ) throws(Infeasibility) -> WeightRows {
        let columns = (tile.count + chip.weightStreamsPerPlane - 1) / chip.weightStreamsPerPlane
        let streams = chip.weightStreamsPerPlane
        if tile.sources.count == 1, isImage(tile.sources[0].value) {
            let rest = try tilePlace(tile, type: type, on: plane, place: place)
            let locations = (0..<columns).map { column in
                rest.slices.map {
                    Optional(Location(slice: $0, bank: UInt8(rest.bank), row: Int32(rest.row + column)))
                }
            }
            return WeightRows(locations: locations, ready: 0)
        }
        var ready = 0
        var locations: [[Location?]] = []
        for column in 0..<columns {
            var row: [Location?] = []
            for byte in 0..<type.byteCount {
                for s in 0..<streams {
                    let n = column * streams + s
                    guard n < tile.count else {
                        row.append(nil)
                        continue
                    }
                    let (value, vector) = tile.vector(n)
                    let block = try blockPlace(value, stripe: n % tile.sources.count)
                    ready = max(ready, regionReady[value.index])
                    row.append(
                        Location(
                            slice: block.slices[byte], bank: UInt8(block.bank),
                            row: Int32(block.row + vector)))
                }
            }
            locations.append(row)
        }
        return WeightRows(locations: locations, ready: ready)
    }

    private func isImage(_ value: ValueID) -> Bool {
        if case .image = template.values[value.index].origin {
            return !consumers[value.index].contains { consumer in
                if case .scatter = template.ops[consumer.op].kind { return true }
                return false
            } && blockPlaces[value.index] == nil
        }
        return false
    }

    /// Rows of 16 weight slices (fp16: twice 16) for an image tile, on the plane's side.
    private func tilePlace(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int
    ) throws(Infeasibility) -> TilePlace {
        let value = tile.sources[0].value
        let start = Int(tile.sources[0].start)
        let known = tilePlaces[value.index].first {
            $0.start == start && $0.hemisphere == plane.hemisphere
        }
        if let known { return known }
        let width = chip.weightStreamsPerPlane
        let rows = (tile.count + chip.weightStreamsPerPlane - 1) / chip.weightStreamsPerPlane
        var best: (bank: Int, row: Int, slices: [QueueID])?
        for set in choice.order(weightSets(type: type, plane: plane.plane)) {
            let slices = set.map { srams[place].slice(plane.hemisphere, $0) }
            for bank in choice.order(Array(0..<chip.banksPerSlice)) {
                guard let row = srams[place].commonRow(slices, bank: bank, rows: rows),
                    best == nil || row < best!.row
                else { continue }
                best = (bank, row, slices)
            }
        }
        guard let best else { throw full(place, value) }
        for slice in best.slices {
            srams[place].take(slice, bank: best.bank, upTo: best.row + rows)
        }
        let result = TilePlace(
            start: start, hemisphere: plane.hemisphere, plane: plane.plane,
            slices: (0..<type.byteCount * width).map { best.slices[$0] }, bank: best.bank,
            row: best.row)
        tilePlaces[value.index].append(result)
        return result
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

    // MARK: Tables and regions

    /// Rows of one slice a byte plane, for values that gather and scatter address by row.
    /// `stripe` spreads the regions that one tile is made of over different slices.
    func blockPlace(_ value: ValueID, stripe: Int) throws(Infeasibility) -> BlockPlace {
        let value = root(value)
        if let known = blockPlaces[value.index] { return known }
        let place = template.values[value.index].chip
        let planes = template.values[value.index].type.byteCount
        let rows = template.values[value.index].count
        let width = chip.weightStreamsPerPlane
        let side: Hemisphere = blockSide(value)
        var best: (bank: Int, row: Int, slices: [QueueID])?
        for set in weightSets(type: .fp16, plane: 0) {
            let slices = (0..<planes).map {
                srams[place].slice(side, set[$0 % 2 * width + (stripe + $0 / 2) % width])
            }
            for bank in 0..<chip.banksPerSlice {
                guard let row = srams[place].commonRow(slices, bank: bank, rows: rows),
                    best == nil || row < best!.row
                else { continue }
                best = (bank, row, slices)
            }
        }
        guard let best else { throw full(place, value) }
        for slice in best.slices {
            srams[place].take(slice, bank: best.bank, upTo: best.row + rows)
        }
        let result = BlockPlace(slices: best.slices, bank: best.bank, row: best.row)
        blockPlaces[value.index] = result
        return result
    }

    /// Regions alternate between the sides by their first letters' index: those of one tile share.
    private func blockSide(_ value: ValueID) -> Hemisphere {
        regionSides[value.index] ?? .west
    }
}
