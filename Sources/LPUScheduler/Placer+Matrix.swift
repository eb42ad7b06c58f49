import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// The planes that a bundle's matmuls run on, by op.
struct PlaneChoice {
    var hemisphere: Hemisphere
    /// The even plane of a tandem pair.
    var plane: Int
}

extension Placer {
    func planeIndex(_ choice: PlaneChoice) -> Int {
        Int(choice.hemisphere.rawValue) * chip.planesPerHemisphere + choice.plane
    }

    /// Chooses planes for the bundle's matmuls, loads all tiles but runs all terms but the last,
    /// whose matmul belongs to the pattern.
    func preparePlanes(_ b: Int) throws(Infeasibility) {
        let bundle = bundles[b]
        var used: [Int] = []
        for op in bundle.ops {
            guard case .matmul(let terms) = template.ops[op].kind else { continue }
            let type = template.values[terms[0].activation.value.index].type
            let plane = try choosePlane(
                for: terms[0].tile, type: type, place: bundle.chip, avoiding: used)
            used.append(planeIndex(plane))
            planeOf[op] = plane
            rowOf[op] = takeRows(bundle.count, of: planeIndex(plane), place: bundle.chip)
            for (k, term) in terms.enumerated() {
                try install(term.tile, type: type, on: plane, place: bundle.chip, op: op)
                guard k < terms.count - 1 else { break }
                for i in 0..<bundle.count {
                    try placeKeptTerm(op, term: k, iteration: i, place: bundle.chip)
                }
            }
        }
    }

    /// The first of so many accumulator rows, in turn, so that the sums of ops do not mix.
    private func takeRows(_ count: Int, of p: Int, place: Int) -> Int {
        if planes[place][p].nextRow + count > chip.accumulatorRows { planes[place][p].nextRow = 0 }
        defer { planes[place][p].nextRow += count }
        return planes[place][p].nextRow
    }

    /// The first cycle of a matmul whose sum overwrites `row`: its old sum is used up by then.
    func rowReady(_ row: Int, of plane: PlaneChoice, place: Int) -> Int {
        planes[place][planeIndex(plane)].rowUsed[row] + 1 - chip.matmulToAccumulate
    }

    /// The plane whose buffer is free first; a side that holds the tile's rows if they rest.
    private func choosePlane(
        for tile: Tile, type: ElementType, place: Int, avoiding used: [Int]
    ) throws(Infeasibility) -> PlaneChoice {
        let tandem = type == .fp16
        var candidates: [PlaneChoice] = []
        for side in Hemisphere.allCases {
            if let fixed = self.side(of: tile, place: place), fixed != side { continue }
            for plane in 0..<chip.planesPerHemisphere where !tandem || plane % 2 == 0 {
                candidates.append(PlaneChoice(hemisphere: side, plane: plane))
            }
        }
        candidates = choice.order(candidates)
        func rank(_ c: PlaneChoice) -> Int {
            let state = planes[place][planeIndex(c)]
            if state.tile == tile { return -1 }
            let busy = max(state.lastInstall, state.lastMatmul)
            return used.contains(planeIndex(c)) ? busy + 1_000_000 : busy
        }
        let best = candidates.indices.min {
            (rank(candidates[$0]), $0) < (rank(candidates[$1]), $1)
        }
        guard let best else {
            throw Infeasibility(
                at: "\(chips[place])", id: "mxm-planes", unit: "planes", demand: 1, capacity: 0,
                terms: [], remedies: ["a machine with planes for \(type.rawValue)"])
        }
        return candidates[best]
    }

    /// The side on which the tile's rows already rest.
    private func side(of tile: Tile, place: Int) -> Hemisphere? {
        let source = tile.sources[0]
        if let block = blockPlaces[root(source.value).index] {
            return srams[place].hemisphere(of: block.slices[0])
        }
        return tilePlaces[source.value.index].first { $0.start == Int(source.start) }?.hemisphere
    }

    /// Loads and installs `tile` unless the plane holds it.
    private func install(
        _ tile: Tile, type: ElementType, on plane: PlaneChoice, place: Int, op: Int
    ) throws(Infeasibility) {
        let p = planeIndex(plane)
        let tandem = type == .fp16
        // A tandem tile is in both planes of the side, and waits for what either held.
        let held = tandem ? [p, p + 1] : [p]
        guard held.contains(where: { planes[place][$0].tile != tile }) else { return }
        let lastInstall = held.map { planes[place][$0].lastInstall }.max() ?? -1
        let lastMatmul = held.map { planes[place][$0].lastMatmul }.max() ?? -1
        let rows = try weightRows(tile, type: type, on: plane, place: place)
        let queue = chip.queue(of: .loadWeights(plane.hemisphere, plane: plane.plane))
        var cycle = max(0, lastInstall - chip.loadBeforeInstall, rows.ready)
        for column in 0..<(tile.count + chip.weightStreamsPerPlane - 1) / chip.weightStreamsPerPlane
        {
            cycle = try firstCycle(from: cycle, on: place, op: op) { cycle throws(Infeasibility) in
                load(
                    rows, column: column, queue: queue, plane: plane, tandem: tandem,
                    place: place, at: cycle, op: op)
            }
            cycle += 1
        }
        for source in tile.sources {
            let region = root(source.value).index
            lastRead[region] = max(lastRead[region], cycle)
        }
        let matmulQueue = chip.queue(of: .matmul(plane.hemisphere, plane: plane.plane))
        let earliest = max(
            cycle - 1 + chip.installLatency, lastMatmul + 1, lastInstall + chip.installCadence)
        let at = try firstCycle(from: earliest, on: place, op: op) { cycle throws(Infeasibility) in
            guard tables[place].isFree(matmulQueue, at: cycle) else { return false }
            tables[place].issue(
                .install(tandem: tandem), on: matmulQueue, at: cycle, op: OpID(op))
            return true
        }
        for q in held {
            planes[place][q].tile = tile
            planes[place][q].lastInstall = at
            planes[place][q].matmuls = []
        }
    }

    /// One load cycle: every weight stream of the plane arrives at the edge in `cycle`.
    private func load(
        _ rows: WeightRows, column: Int, queue: QueueID, plane: PlaneChoice, tandem: Bool,
        place: Int, at cycle: Int, op: Int
    ) -> Bool {
        let table = tables[place]
        guard table.isFree(queue, at: cycle) else { return false }
        if tandem {
            let odd = chip.queue(of: .loadWeights(plane.hemisphere, plane: plane.plane + 1))
            guard table.isFree(odd, at: cycle) else { return false }
        }
        let edge = plane.hemisphere.sign * chip.edge
        let direction = plane.hemisphere.outward
        let first = plane.plane * chip.weightStreamsPerPlane
        for (s, location) in rows.locations[column].enumerated() {
            guard let location else { continue }
            let stream = Stream(direction, first + s)
            let register = srams[place].register(of: location.slice)
            guard let hops = travel(direction, from: register, to: edge) else { return false }
            let issue = cycle - hops - chip.readLatency
            guard issue >= rows.ready,
                table.canRead(location.slice, bank: Int(location.bank), at: issue),
                table.isFree(stream, from: register, at: issue + chip.readLatency, to: edge)
            else { return false }
            table.occupy(stream, from: register, at: issue + chip.readLatency, to: edge)
            table.issue(
                .memory(.read(location.address, stream), .none), on: location.slice, at: issue,
                op: OpID(op))
        }
        table.issue(
            .loadWeights(column: Int16(column), tandem: tandem), on: queue, at: cycle,
            op: OpID(op))
        return true
    }

    // MARK: Matmuls

    /// `true` iff a matmul of the plane may issue at `cycle`.
    func canMultiply(_ plane: PlaneChoice, type: ElementType, place: Int, at cycle: Int) -> Bool {
        let state = planes[place][planeIndex(plane)]
        let cadence = type == .fp16 ? chip.tandemCadence : chip.matmulCadence
        return cycle >= state.lastInstall
            && tables[place].isFree(
                chip.queue(of: .matmul(plane.hemisphere, plane: plane.plane)), at: cycle)
            && tables[place].isFree(
                chip.queue(of: .accumulate(plane.hemisphere, plane: plane.plane)),
                at: cycle + chip.matmulToAccumulate)
            && !state.matmuls.contains { abs($0 - cycle) < cadence }
    }

    /// Issues the matmul; its accumulate follows when the emission's stream is known.
    func multiply(
        _ plane: PlaneChoice, activation: Stream, type: ElementType, place: Int, at cycle: Int,
        op: Int
    ) {
        tables[place].issue(
            .matmul(activation: activation, type),
            on: chip.queue(of: .matmul(plane.hemisphere, plane: plane.plane)), at: cycle,
            op: OpID(op))
    }

    func noteMatmul(
        _ plane: PlaneChoice, type: ElementType, row: Int, place: Int, at cycle: Int
    ) {
        let p = planeIndex(plane)
        planes[place][p].rowUsed[row] = max(
            planes[place][p].rowUsed[row], cycle + chip.matmulToAccumulate)
        let last = cycle + (type == .fp16 ? chip.tandemCadence : chip.matmulCadence) - 1
        for q in type == .fp16 ? [p, p + 1] : [p] {
            planes[place][q].matmuls.append(cycle)
            planes[place][q].lastMatmul = max(planes[place][q].lastMatmul, last)
        }
    }

    func accumulate(
        _ plane: PlaneChoice, row: Int, add: Bool, emit: Stream?, place: Int, matmul cycle: Int,
        op: Int
    ) {
        tables[place].issue(
            .accumulate(row: Int16(row), add: add, emit: emit),
            on: chip.queue(of: .accumulate(plane.hemisphere, plane: plane.plane)),
            at: cycle + chip.matmulToAccumulate, op: OpID(op))
    }

    /// A term whose sum is kept in the plane.
    private func placeKeptTerm(
        _ op: Int, term k: Int, iteration i: Int, place: Int
    ) throws(Infeasibility) {
        guard case .matmul(let terms) = template.ops[op].kind, let plane = planeOf[op] else {
            return
        }
        let use = terms[k].activation
        let type = template.values[use.value.index].type
        try ensureImage(use.value, use.vector(i))
        let edge = plane.hemisphere.sign * chip.edge
        let row = rowOf[op] + i
        let start = max(
            planes[place][planeIndex(plane)].lastInstall,
            rowReady(row, of: plane, place: place),
            earliestArrival(use.value, use.vector(i), type: type, at: edge))
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard canMultiply(plane, type: type, place: place, at: cycle),
                let stream = deliver(
                    use.value, use.vector(i), type: type, to: edge, at: cycle,
                    direction: plane.hemisphere.outward, groups: allGroups, op: op)
            else { return false }
            multiply(plane, activation: stream, type: type, place: place, at: cycle, op: op)
            accumulate(
                plane, row: row, add: k > 0, emit: nil, place: place, matmul: cycle, op: op)
            return true
        }
        noteMatmul(plane, type: type, row: row, place: place, at: at)
    }
}
