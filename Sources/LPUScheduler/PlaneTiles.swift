import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// The planes that a bundle's matmuls run on, by op.
struct PlaneChoice: Hashable {
    var hemisphere: Hemisphere
    /// The even plane of a tandem pair.
    var plane: Int

    /// The other one of a side that has two.
    var beside: PlaneChoice { PlaneChoice(hemisphere: hemisphere, plane: 1 - plane) }
}

/// Matmuls of one tile that follow one another on a plane: it is loaded and installed once.
struct TileUse {
    var tile: Tile
    var type: ElementType
    var plane: PlaneChoice
    var place: Int
    /// The first op that wants it.
    var op: Int
    /// Matmuls that take it.
    var matmuls = 0
    /// The cycle after its last load; nil while it is not loaded.
    var loaded: Int?
    var isInstalled = false
    /// The cycle before which loads would only wait for activations.
    var earliest = 0
}

/// What a plane holds while the schedule grows.
struct PlaneState {
    var lastInstall = -1
    /// The cycle of each tile's first load.
    var loads: [(cycle: Int, use: Int)] = []
    /// The cycle after the last load and those in which activations may pass.
    var nextLoad = 0
    /// The last cycle that a matmul takes.
    var lastMatmul = -1
    /// Of the installed tile.
    var matmuls: [Int] = []
    /// The accumulator row that the next op takes, and of each row the last accumulate so far.
    var nextRow = 0
    var rowUsed: [Int]
    /// Its tiles in program order, and how many of them have been installed.
    var uses: [Int] = []
    var installed = 0

    init(rows: Int) { rowUsed = Array(repeating: -1, count: rows) }
}

/// A tile that rests on a side of a chip once, whichever of its planes use it.
private struct PlacedTile: Hashable {
    var tile: Tile
    var side: Hemisphere
    var place: Int
}

extension Placer {
    func planeIndex(_ choice: PlaneChoice) -> Int {
        Int(choice.hemisphere.rawValue) * chip.planesPerHemisphere + choice.plane
    }

    /// The planes that a tile of `type` takes.
    func held(_ plane: PlaneChoice, _ type: ElementType) -> [Int] {
        let p = planeIndex(plane)
        return type == .fp16 ? [p, p + 1] : [p]
    }

    /// Deals the matmuls out to the planes in program order: so each plane knows which tile it
    /// loads next while it multiplies by the one before.
    func choosePlanes() throws(Infeasibility) {
        var work = chips.map { _ in Array(repeating: 0, count: 2 * chip.planesPerHemisphere) }
        var placed = Set<PlacedTile>()
        let crossings = crossings()
        let isMixed = template.ops.contains { op in
            guard case .matmul(let terms) = op.kind else { return false }
            return template.values[terms[0].activation.value.index].type != .fp16
        }
        var crossed = chips.map { _ in 0 }
        for bundle in bundles {
            var used: [Int] = []
            // Planes that wait for a link together begin together.
            let latest = bundle.ops.map { crossings[$0] }.max() ?? 0
            if latest > crossed[bundle.chip], bundle.ops.contains(where: isMatmul) {
                crossed[bundle.chip] = latest
                for p in work[bundle.chip].indices { work[bundle.chip][p] = 0 }
            }
            // Matmuls of a bundle that take one tile take its rows, which are on one side; fp16
            // takes both of its planes.
            var sides: [Tile: Hemisphere] = [:]
            for op in bundle.ops {
                guard case .matmul(let terms) = template.ops[op].kind else { continue }
                let type = template.values[terms[0].activation.value.index].type
                let plane = try choosePlane(
                    for: terms[0].tile, type: type, count: bundle.count, place: bundle.chip,
                    avoiding: used, on: sides[terms[0].tile], work[bundle.chip])
                used.append(planeIndex(plane))
                if type != .fp16 {
                    sides[terms[0].tile] = plane.hemisphere
                    lastingTiles.formUnion(
                        terms.map(\.tile).filter { isLasting($0, bundle.count) })
                }
                planeOf[op] = plane
                for term in terms {
                    try noteMade(term.tile, type: type, on: plane, place: bundle.chip)
                }
                tileUseOf[op] = terms.map { term in
                    // What is read of a region's tiles for itself finds the planes idle.
                    let isRegion = blockHomes[root(term.tile.sources[0].value).index] != nil
                    let passes = isRegion ? 0 : bundle.count * cadence(type)
                    let known = tileUses.count
                    let use = note(term.tile, type: type, plane, place: bundle.chip, op: op)
                    tileUses[use].matmuls += bundle.count
                    let loads = columns(of: term.tile)
                    let busy = use == known ? max(loads, passes) : passes > loads ? passes : 0
                    // Of two planes that load together each waits for the other.
                    let waits =
                        use == known && type == .fp16 && isMixed && !isMany(bundle.count)
                    for p in held(plane, type) {
                        work[bundle.chip][p] += busy + (waits ? chip.loadCycles : 0)
                    }
                    return use
                }
                for tile in terms.map(\.tile) where isOwnTile(tile) {
                    let home = PlacedTile(
                        tile: tile, side: plane.hemisphere, place: bundle.chip)
                    guard placed.insert(home).inserted else { continue }
                    columnsLeft[bundle.chip][planeIndex(plane)] += columns(of: tile)
                }
            }
        }
    }

    func isMatmul(_ op: Int) -> Bool {
        if case .matmul = template.ops[op].kind { true } else { false }
    }

    /// Of each op the links that what it takes has crossed at most.
    private func crossings() -> [Int] {
        var ofValue = template.values.map { _ in 0 }
        return template.ops.map { op in
            var most = 0
            op.kind.forEachUse(count: op.count) { use, _ in
                most = max(most, ofValue[use.value.index])
            }
            if case .transfer = op.kind { most += 1 }
            ofValue[op.result.index] = most
            return most
        }
    }

    private func cadence(_ type: ElementType) -> Int {
        type == .fp16 ? chip.tandemCadence : chip.matmulCadence
    }

    /// `true` iff many activations take longer to pass the tile than its loads.
    private func isLasting(_ tile: Tile, _ count: Int) -> Bool {
        isMany(count) && count > columns(of: tile)
    }

    /// The plane with the least work: loads, or activations where they take longer. One that holds
    /// the tile already, if its loads would take longer than `count` activations do, or a side that
    /// holds its rows, comes first, one that holds four tiles more than another last, and one more
    /// where many vectors pass each: every layer takes as many rows of each bank as of the fullest.
    private func choosePlane(
        for tile: Tile, type: ElementType, count: Int, place: Int, avoiding used: [Int],
        on side: Hemisphere?, _ work: [Int]
    ) throws(Infeasibility) -> PlaneChoice {
        let fixed = self.side(of: tile) ?? side
        var candidates: [PlaneChoice] = []
        for side in Hemisphere.allCases where fixed == nil || fixed == side {
            for plane in 0..<chip.planesPerHemisphere where type != .fp16 || plane % 2 == 0 {
                candidates.append(PlaneChoice(hemisphere: side, plane: plane))
            }
        }
        candidates = choice.order(candidates)
        let rows = candidates.map { columnsLeft[place][planeIndex($0)] }
        let isLasting = isLasting(tile, count)
        let slack = isLasting ? chip.loadCycles : 4 * chip.loadCycles
        let most = isOwnTile(tile) ? (rows.min() ?? 0) + slack : Int.max
        func rank(_ candidate: PlaneChoice) -> Int {
            let planes = held(candidate, type)
            if count * cadence(type) <= columns(of: tile),
                planes.allSatisfy({ lastTile(on: $0, place: place) == tile })
            {
                return -1
            }
            let isTaken =
                planes.contains { used.contains($0) }
                || columnsLeft[place][planeIndex(candidate)] >= most
            return (planes.map { work[$0] }.max() ?? 0) + (isTaken ? 1_000_000 : 0)
        }
        // Two matmuls of many vectors that take the same tiles find both planes of a side alike.
        let ties = isLasting ? rows : rows.map { _ in 0 }
        let best = candidates.indices.min {
            (rank(candidates[$0]), ties[$0], $0) < (rank(candidates[$1]), ties[$1], $1)
        }
        guard let best else {
            throw Infeasibility(
                at: "\(chips[place])", id: "mxm-planes", unit: "planes", demand: 1, capacity: 0,
                terms: [], remedies: ["a machine with planes for \(type.rawValue)"])
        }
        return candidates[best]
    }

    private func lastTile(on plane: Int, place: Int) -> Tile? {
        planes[place][plane].uses.last.map { tileUses[$0].tile }
    }

    /// The use of a tile that a matmul term makes: the plane's last one if that is the same.
    private func note(
        _ tile: Tile, type: ElementType, _ plane: PlaneChoice, place: Int, op: Int
    ) -> Int {
        let planes = held(plane, type)
        let last = planes.map { self.planes[place][$0].uses.last }
        if let use = last[0], last.allSatisfy({ $0 == use }), tileUses[use].tile == tile,
            tileUses[use].type == type
        {
            return use
        }
        for p in planes {
            self.planes[place][p].uses.append(tileUses.count)
        }
        tileUses.append(TileUse(tile: tile, type: type, plane: plane, place: place, op: op))
        return tileUses.count - 1
    }

    /// Load cycles of a tile, and rows of each of its slices.
    func columns(of tile: Tile) -> Int {
        (tile.count + chip.weightStreamsPerPlane - 1) / chip.weightStreamsPerPlane
    }

    /// The side on which the tile's rows rest or will rest; nil where it may be either.
    private func side(of tile: Tile) -> Hemisphere? {
        let source = tile.sources[0]
        if let made = madeSources[source.value.index] { return made.plane.hemisphere }
        let root = root(source.value).index
        if let block = blockPlaces[root] { return hemisphere(of: block.slices[0]) }
        if isGuest, let side = residentSide(of: tile) { return side }
        return blockHomes[root]?.side
    }

    /// The only side on which another program has the tile; nil where it has it on both or none.
    private func residentSide(of tile: Tile) -> Hemisphere? {
        let source = tile.sources[0]
        let sides = tilePlaces[source.value.index].filter {
            $0.start == Int(source.start) && $0.rows >= columns(of: tile)
        }.map(\.hemisphere)
        return Set(sides).count == 1 ? sides[0] : nil
    }

    // MARK: Loading and installing

    /// Installs the tile, and loads the next one of its planes, which arrives while this one is
    /// multiplied by.
    func install(_ use: Int) throws(Infeasibility) {
        guard !tileUses[use].isInstalled else { return }
        try load(use)
        let (plane, type, place) = (tileUses[use].plane, tileUses[use].type, tileUses[use].place)
        let planes = held(plane, type)
        let states = planes.map { self.planes[place][$0] }
        let queue = chip.queue(of: .matmul(plane.hemisphere, plane: plane.plane))
        let earliest = max(
            (tileUses[use].loaded ?? 0) - 1 + chip.installLatency,
            (states.map(\.lastMatmul).max() ?? -1) + 1,
            (states.map(\.lastInstall).max() ?? -1) + chip.installCadence)
        let op = tileUses[use].op
        let at = try firstCycle(from: earliest, on: place, op: op) { cycle throws(Infeasibility) in
            guard tables[place].isFree(queue, at: cycle) else { return false }
            tables[place].issue(
                .install(tandem: type == .fp16), on: queue, at: cycle, op: OpID(op))
            return true
        }
        tileUses[use].isInstalled = true
        for p in planes {
            self.planes[place][p].lastInstall = at
            self.planes[place][p].matmuls = []
            self.planes[place][p].installed += 1
        }
        for p in planes {
            let state = self.planes[place][p]
            guard state.installed < state.uses.count, mayLoad(state.uses[state.installed]),
                holdBack(tileUses[state.uses[state.installed]].op)
            else { continue }
            try load(state.uses[state.installed])
        }
    }

    /// `true` iff all tiles before it on its planes have been installed and its rows are made.
    func mayLoad(_ use: Int) -> Bool {
        tileUses[use].tile.sources.allSatisfy { isMade($0.value) }
            && held(tileUses[use].plane, tileUses[use].type).allSatisfy {
                let state = planes[tileUses[use].place][$0]
                return state.installed < state.uses.count && state.uses[state.installed] == use
            }
    }

    /// Loads the tile's columns in cycles that follow one another.
    private func load(_ use: Int) throws(Infeasibility) {
        guard tileUses[use].loaded == nil else { return }
        let (plane, type, place) = (tileUses[use].plane, tileUses[use].type, tileUses[use].place)
        let (tile, op) = (tileUses[use].tile, tileUses[use].op)
        let rows = try weightRows(tile, type: type, on: plane, place: place)
        for gather in rows.streams.compactMap(\.gather) {
            try ensureImage(gather.address.value, Int(gather.address.start))
        }
        let states = held(plane, type).map { planes[place][$0] }
        let free = states.map { max($0.lastInstall - chip.loadBeforeInstall, $0.nextLoad) }
        let start = inTurn(
            use, from: max(rows.ready, free.max() ?? 0, tileUses[use].earliest))
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            load(rows, plane, type, place: place, at: cycle, op: op)
        }
        tileUses[use].loaded = at + rows.columns
        for p in held(plane, type) {
            planes[place][p].loads.append((at, use))
            planes[place][p].nextLoad = at + rows.columns + gap(behindLoadOn: p, place: place)
        }
        for source in tile.sources {
            let region = root(source.value).index
            lastRead[region] = max(lastRead[region], at + rows.columns)
        }
    }

    func columns(_ use: Int) -> Int { columns(of: tileUses[use].tile) }

    /// Column c arrives at the edge in `cycle + c` on all weight streams of the plane.
    private func load(
        _ rows: WeightRows, _ plane: PlaneChoice, _ type: ElementType, place: Int, at cycle: Int,
        op: Int
    ) -> Bool {
        let table = tables[place]
        let queue = chip.queue(of: .loadWeights(plane.hemisphere, plane: plane.plane))
        guard table.isFree(queue, at: cycle, count: rows.columns) else { return false }
        if type == .fp16 {
            let odd = chip.queue(of: .loadWeights(plane.hemisphere, plane: plane.plane + 1))
            guard table.isFree(odd, at: cycle, count: rows.columns) else { return false }
        }
        let edge = plane.hemisphere.sign * chip.edge
        let direction = plane.hemisphere.outward
        let first = plane.plane * chip.weightStreamsPerPlane
        for (s, source) in rows.streams.enumerated() where source.count > 0 {
            let register = register(of: source.location.slice)
            guard let hops = travel(direction, from: register, to: edge) else { return false }
            let latency = source.gather == nil ? chip.readLatency : chip.gatherLatency
            let issue = cycle - hops - latency
            guard issue >= rows.ready,
                // A run that has sampled its address is not cut in two by what writes meanwhile.
                source.gather == nil
                    ? table.canRead(
                        source.location.slice, bank: Int(source.location.bank), at: issue,
                        count: source.count)
                    : table.isFree(source.location.slice, at: issue, count: source.count),
                table.isFree(
                    Stream(direction, first + s), from: register, at: issue + latency, to: edge,
                    count: source.count)
            else { return false }
        }
        guard let addresses = deliverAddresses(rows, direction, at: cycle, op: op) else {
            return false
        }
        for (s, source) in rows.streams.enumerated() where source.count > 0 {
            let register = register(of: source.location.slice)
            let stream = Stream(direction, first + s)
            let read: MemoryRead
            if let gather = source.gather, let address = addresses[gather.address] {
                read = .gather(
                    window: source.location.address, rows: Int32(gather.rows + source.count - 1),
                    address: address, stream)
            } else {
                read = .read(source.location.address, stream)
            }
            let latency = source.gather == nil ? chip.readLatency : chip.gatherLatency
            let issue = cycle - abs(edge - register) - latency
            table.occupyRun(
                stream, from: register, at: issue + latency, to: edge, count: source.count)
            table.issueRun(
                .memory(read, .none), on: source.location.slice, at: issue, count: source.count,
                op: OpID(source.gather?.op ?? op))
        }
        table.issueRun(
            .loadWeights(column: 0, tandem: type == .fp16), on: queue, at: cycle,
            count: rows.columns, op: OpID(op))
        return true
    }
}
