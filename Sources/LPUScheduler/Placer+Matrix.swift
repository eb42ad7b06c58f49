import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

extension Placer {
    /// Installs all tiles of the bundle's matmuls but runs all terms but the last, whose matmul
    /// belongs to the pattern.
    func preparePlanes(_ b: Int) throws(Infeasibility) {
        let bundle = bundles[b]
        for op in bundle.ops {
            guard case .matmul(let terms) = template.ops[op].kind, let plane = planeOf[op] else {
                continue
            }
            guard terms.count == 1 || bundle.count <= chip.accumulatorRows else {
                throw Infeasibility(
                    at: "\(chips[bundle.chip])", id: "mxm-rows", unit: "accumulator rows",
                    demand: bundle.count, capacity: chip.accumulatorRows, terms: [],
                    remedies: ["a machine with more accumulator rows"])
            }
            rowOf[op] = takeRows(bundle.count, of: planeIndex(plane), place: bundle.chip)
            for k in terms.indices {
                try install(tileUseOf[op][k])
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

    /// Streams for the activation of term `k`, and the first cycle for it as far as loads go.
    ///
    /// Byte planes take a stream of their own, between two of their tiles, so that the tiles of the
    /// side's other plane pass without a gap. Of two terms a tile the first passes between two
    /// tiles of that other plane, half a tile before: so a gap of one cycle is enough for both.
    func activationPath(
        _ op: Int, term k: Int, on plane: PlaneChoice, _ type: ElementType, place: Int
    ) -> (groups: [Int], start: Int) {
        guard type != .fp16 else { return (allGroups, 0) }
        let own = chip.weightStreamsPerPlane / chip.streamsPerGroup
        let uses = tileUseOf[op]
        guard takesTurns(uses[k]), k + 1 < uses.count, uses[k + 1] == uses[k],
            let load = planes[place][planeIndex(plane)].loads.last
        else {
            return (Array(plane.plane * own..<(plane.plane + 1) * own), 0)
        }
        let other = 1 - plane.plane
        return (
            Array(other * own..<(other + 1) * own),
            load.cycle + turn(of: plane, columns: columns(uses[k]))
        )
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
        let row = accumulatorRow(op, iteration: i)
        let path = activationPath(op, term: k, on: plane, type, place: place)
        let start = max(
            path.start,
            // Of many activations each passes behind the last one.
            i > chip.weightStreamsPerPlane
                ? planes[place][planeIndex(plane)].matmuls.last ?? 0 : 0,
            planes[place][planeIndex(plane)].lastInstall,
            rowReady(row, of: plane, place: place),
            earliestArrival(use.value, use.vector(i), type: type, at: edge))
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard canMultiply(plane, type: type, place: place, at: cycle),
                let stream = deliver(
                    use.value, use.vector(i), type: type, to: edge, at: cycle,
                    direction: plane.hemisphere.outward,
                    groups: path.groups, op: op)
            else { return false }
            multiply(plane, activation: stream, type: type, place: place, at: cycle, op: op)
            accumulate(
                plane, row: row, add: k > 0, emit: nil, place: place, matmul: cycle, op: op)
            return true
        }
        noteMatmul(plane, type: type, row: row, place: place, at: at)
    }
}
