import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Where a value that the template makes rests as a source of tiles.
struct MadeSource {
    /// The tile that asks for it first.
    var tile: Tile
    var type: ElementType
    var plane: PlaneChoice
    /// Which of the tile's sources it is, and the rows of the tile, once it has some.
    var number: Int
    var place: TilePlace?
}

/// Tiles whose weight vectors the template makes: they are written where the plane's loads read
/// them.
extension Placer {
    /// `true` iff an op of the template makes the value, and not by scattering into a region.
    func isMadeHere(_ value: ValueID) -> Bool {
        guard case .op = template.values[root(value).index].origin else { return false }
        return tileGathers[value.index] == nil
    }

    /// Notes where a tile's sources are to be, if the template makes them; on the side of the first
    /// plane that takes them.
    func noteMade(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int
    ) throws(Infeasibility) {
        for (number, source) in tile.sources.enumerated() where isMadeHere(source.value) {
            guard let known = madeSources[source.value.index] else {
                madeSources[source.value.index] = MadeSource(
                    tile: tile, type: type, plane: plane, number: number)
                continue
            }
            let isAlike =
                known.tile == tile && known.number == number
                && known.plane.hemisphere == plane.hemisphere
            guard isAlike else {
                throw Infeasibility(
                    at: "\(chips[place]), value '\(template.values[source.value.index].name)'",
                    id: "schedule-tile", unit: "tiles that one made value is a source of",
                    demand: 2, capacity: 1, terms: [], remedies: ["a copy of it for each"])
            }
        }
    }

    /// Gives the sources of made tiles their rows, where they will be written.
    func placeMadeTiles() throws(Infeasibility) {
        for use in tileUses {
            let tile = use.tile
            guard let source = madeSources[tile.sources[0].value.index], source.place == nil
            else { continue }
            let width = chip.weightStreamsPerPlane
            let rows = columns(of: tile)
            let best = try takeRows(
                rows, of: tile.sources[0].value,
                from: choice.order(weightSets(type: use.type, plane: use.plane.plane)).map {
                    set in set.map { slice(use.plane.hemisphere, $0) }
                }
            ) { choice.order(Array(0..<chip.banksPerSlice)) }
            let rest = TilePlace(
                start: 0, rows: rows, hemisphere: use.plane.hemisphere, plane: use.plane.plane,
                slices: (0..<use.type.byteCount * width).map { best.slices[$0] },
                bank: best.bank, row: best.row, slot: 0)
            for n in 0..<tile.count {
                let (value, vector) = tile.vector(n)
                pins[vectorBase[value.index] + vector] = (0..<use.type.byteCount).map { byte in
                    Location(
                        slice: rest.slices[byte * width + n % width], bank: UInt8(rest.bank),
                        row: Int32(rest.row + n / width))
                }
            }
            for source in tile.sources { madeSources[source.value.index]?.place = rest }
        }
    }

    /// The rows of a made tile; nil for others.
    func madeRows(_ tile: Tile) -> WeightRows? {
        guard let rest = madeSources[tile.sources[0].value.index]?.place else { return nil }
        let width = chip.weightStreamsPerPlane
        let ready = (0..<tile.count).map { n -> Int in
            let (value, vector) = tile.vector(n)
            return copies[vectorBase[value.index] + vector].first?.ready ?? 0
        }
        return WeightRows(
            streams: rest.slices.enumerated().map { k, slice in
                (
                    Location(slice: slice, bank: UInt8(rest.bank), row: Int32(rest.row)),
                    max(0, (tile.count - k % width + width - 1) / width), nil
                )
            }, columns: rest.rows, ready: ready.max() ?? 0)
    }

    /// `true` iff all vectors of the value have been written.
    func isWritten(_ value: ValueID) -> Bool {
        (0..<template.values[value.index].count).allSatisfy {
            !copies[vectorBase[value.index] + $0].isEmpty
        }
    }
}
