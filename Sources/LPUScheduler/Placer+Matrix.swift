import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

extension Placer {
    /// Installs all tiles of the bundle's matmuls but runs all terms but the last, whose matmul
    /// belongs to the pattern. Matmuls on the two planes of a side go on side by side, term by
    /// term: where one is late, the other falls into step.
    func preparePlanes(_ b: Int) throws(Infeasibility) {
        guard b > lastPrepared else { return }
        lastPrepared = b
        var ops = matmuls(bundles[b])
        if let next = sideBySide(ops, bundles[b], b + 1) {
            ops.append(next)
            lastPrepared = b + 1
        }
        for (op, terms) in ops {
            guard let plane = planeOf[op] else { continue }
            let bundle = bundles[bundleOf[op].bundle]
            guard terms.count == 1 || bundle.count <= chip.accumulatorRows else {
                throw Infeasibility(
                    at: "\(chips[bundle.chip])", id: "mxm-rows", unit: "accumulator rows",
                    demand: bundle.count, capacity: chip.accumulatorRows, terms: [],
                    remedies: ["a machine with more accumulator rows"])
            }
            rowOf[op] = takeRows(bundle.count, of: planeIndex(plane), place: bundle.chip)
            holdBack(op)
        }
        for k in 0..<(ops.map(\.terms.count).max() ?? 0) {
            for (op, terms) in ops where k < terms.count {
                try install(tileUseOf[op][k])
                guard k < terms.count - 1 else { continue }
                let bundle = bundles[bundleOf[op].bundle]
                for i in 0..<bundle.count {
                    try placeKeptTerm(op, term: k, iteration: i, place: bundle.chip)
                }
            }
        }
    }

    private func matmuls(_ bundle: Bundle) -> [(op: Int, terms: [MatmulTerm])] {
        bundle.ops.compactMap { op in
            guard case .matmul(let terms) = template.ops[op].kind else { return nil }
            return (op, terms)
        }
    }

    /// The only matmul of bundle `b`, if it is of as many terms as the one matmul of the bundle
    /// before and on the other plane of its side, and nothing of it is still to be made.
    private func sideBySide(
        _ ops: [(op: Int, terms: [MatmulTerm])], _ bundle: Bundle, _ b: Int
    ) -> (op: Int, terms: [MatmulTerm])? {
        guard ops.count == 1, b < bundles.count, bundles[b].chip == bundle.chip,
            case let others = matmuls(bundles[b]), others.count == 1,
            let plane = planeOf[ops[0].op], let other = planeOf[others[0].op],
            plane.hemisphere == other.hemisphere, plane.plane != other.plane,
            ops[0].terms.count == others[0].terms.count, ops[0].terms.count > 1,
            others[0].terms.allSatisfy({ term in
                hasCopy(term.activation) && term.tile.sources.allSatisfy { isMade($0.value) }
            })
        else { return nil }
        return others[0]
    }

    /// The first of so many accumulator rows, in turn, so that the sums of ops do not mix.
    private func takeRows(_ count: Int, of p: Int, place: Int) -> Int {
        if planes[place][p].nextRow + count > chip.accumulatorRows { planes[place][p].nextRow = 0 }
        defer { planes[place][p].nextRow += count }
        return planes[place][p].nextRow
    }

    /// The accumulator row of an iteration's sum; more sums than rows go round.
    func accumulatorRow(_ op: Int, iteration i: Int) -> Int {
        (rowOf[op] + i) % chip.accumulatorRows
    }

    /// The first cycle of a matmul whose sum overwrites `row`: its old sum is used up by then.
    func rowReady(_ row: Int, of plane: PlaneChoice, place: Int) -> Int {
        planes[place][planeIndex(plane)].rowUsed[row] + 1 - chip.matmulToAccumulate
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

    /// Streams of the plane itself, between two of its tiles: so that the tiles of the side's other
    /// plane pass without a gap. fp16 takes both planes.
    func ownGroups(of plane: PlaneChoice, _ type: ElementType) -> [Int] {
        guard type != .fp16 else { return allGroups }
        let own = chip.weightStreamsPerPlane / chip.streamsPerGroup
        return Array(plane.plane * own..<(plane.plane + 1) * own)
    }

    /// Those of the side's other plane.
    private func otherGroups(of plane: PlaneChoice, _ type: ElementType) -> [Int] {
        ownGroups(of: plane.beside, type)
    }

    /// Streams for an activation of an op: many pass on the other plane's while this one's next
    /// tile is loaded.
    func activationGroups(_ op: Int, of plane: PlaneChoice, _ type: ElementType) -> [Int] {
        let own = ownGroups(of: plane, type)
        return type != .fp16 && isMany(template.ops[op].count)
            ? own + otherGroups(of: plane, type) : own
    }

    /// The cycles at which an iteration's activation of term `k` may pass on the other plane's
    /// streams, if it is the first of two of its tile: between two of their tiles, half a tile
    /// before the second passes on its own. So a gap of one cycle is enough for both.
    private func turn(
        _ op: Int, term k: Int, iteration i: Int, on plane: PlaneChoice, place: Int
    ) -> Range<Int>? {
        let uses = tileUseOf[op]
        let isFirst =
            template.ops[op].count > 1 ? i == 0 : k + 1 < uses.count && uses[k + 1] == uses[k]
        guard takesTurns(uses[k]), isFirst,
            let load = planes[place][planeIndex(plane)].loads.last
        else { return nil }
        let other = planes[place][planeIndex(plane.beside)]
        if let beside = other.loads.last {
            let between = beside.cycle + columns(beside.use)..<other.nextLoad
            let state = planes[place][planeIndex(plane)]
            if columns(beside.use) != columns(uses[k]), between.lowerBound >= state.lastInstall,
                between.upperBound <= load.cycle + columns(load.use)
            {
                return between
            }
        }
        let end = load.cycle + turn(of: plane, uses[k]) + 1
        return end - gap(uses[k])..<end
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

    /// The stream on which another plane's activation, one of many, passes the edge: whoever wants
    /// it in the same cycle takes it from there.
    func passing(_ value: ValueID, _ vector: Int, register: Int, cycle: Int) -> Stream? {
        passing[vectorBase[value.index] + vector].first {
            $0.register == register && $0.cycle == cycle
        }?.stream
    }

    /// Notes what passes an edge.
    func notePassing(_ delivery: Delivery) {
        guard turn(of: delivery.use.value, delivery.use.vector) != nil else { return }
        passing[vectorBase[delivery.use.value.index] + delivery.use.vector].append(delivery)
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
        let row = accumulatorRow(op, iteration: i)
        let groups = activationGroups(op, of: plane, type)
        let turn = turn(op, term: k, iteration: i, on: plane, place: place)
        let start = max(
            turn?.lowerBound ?? 0,
            // Of many activations each passes behind the last one.
            i > chip.weightStreamsPerPlane
                ? planes[place][planeIndex(plane)].matmuls.last ?? 0 : 0,
            planes[place][planeIndex(plane)].lastInstall,
            rowReady(row, of: plane, place: place),
            earliestArrival(use.value, use.vector(i), type: type, at: edge))
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard canMultiply(plane, type: type, place: place, at: cycle) else { return false }
            let known = passing(use.value, use.vector(i), register: edge, cycle: cycle)
            let stream =
                known
                ?? deliver(
                    use.value, use.vector(i), type: type, to: edge, at: cycle,
                    direction: plane.hemisphere.outward,
                    groups: turn?.contains(cycle) == true
                        ? otherGroups(of: plane, type) : groups, op: op)
            guard let stream else { return false }
            notePassing(
                Delivery(
                    use: (use.value, use.vector(i)), register: edge, cycle: cycle, stream: stream))
            multiply(plane, activation: stream, type: type, place: place, at: cycle, op: op)
            accumulate(
                plane, row: row, add: k > 0, emit: nil, place: place, matmul: cycle, op: op)
            return true
        }
        noteMatmul(plane, type: type, row: row, place: place, at: at)
    }
}
