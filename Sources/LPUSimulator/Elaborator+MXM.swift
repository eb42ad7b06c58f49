import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

// MXM: planes are numbered west to east over both sides; an odd one is the high half of a pair.
extension Elaborator {
    /// The plane whose queue it is, and its side.
    private func plane(ofQueue queue: Int) -> (index: Int, side: Hemisphere) {
        let first = chip.queue(of: .loadWeights(.west, plane: 0)).index
        let index = (queue - first) / 3
        return (index, index < chip.planesPerHemisphere ? .west : .east)
    }

    private func edge(_ side: Hemisphere) -> Int { side.sign * chip.edge }

    func issueLoadWeights(_ column: Int, tandem: Bool, _ issue: Issue) throws(Fault) {
        let (index, side) = plane(ofQueue: issue.queue)
        let column = column + cursors[issue.queue].step
        guard (0..<chip.loadCycles).contains(column) else {
            throw fault(
                .addressRange, issue,
                "weight column \(column) is named, a plane has \(chip.loadCycles)")
        }
        for plane in index...(tandem ? index + 1 : index) {
            guard mxm[plane].loadBusyUntil <= issue.cycle else {
                throw fault(.mxmWeights, issue, "the tandem load of the pair is in this cycle")
            }
            mxm[plane].loadBusyUntil = issue.cycle + 1
            let count = chip.weightStreamsPerPlane
            let first = plane % chip.planesPerHemisphere * count
            mxm[plane].buffer(WeightLoad(cycle: issue.cycle, column: column, isTandem: tandem))
            for s in 0..<count {
                let vector = try sample(Stream(side.outward, first + s), at: edge(side), issue)
                pool.retain(vector)
                mxm[plane].buffer(vector)
            }
            updateBufferDeadline(plane)
        }
    }

    func issueInstall(tandem: Bool, _ issue: Issue) throws(Fault) {
        let (index, _) = plane(ofQueue: issue.queue)
        for plane in index...(tandem ? index + 1 : index) {
            try checkFree(plane, issue)
            if let last = mxm[plane].lastInstall, issue.cycle - last < chip.installCadence {
                throw fault(
                    .mxmWeights, issue,
                    "install comes \(issue.cycle - last) cycles after the one before, "
                        + "the cadence is \(chip.installCadence)")
            }
            let arrived = mxm[plane].arrivals(upTo: issue.cycle - chip.installLatency)
            if arrived.isEmpty {
                throw fault(
                    .mxmWeights, issue,
                    "no weights arrived up to \(Cycle(issue.cycle - chip.installLatency))")
            }
            if let other = arrived.first(where: { $0.isTandem != tandem }) {
                throw fault(
                    .mxmWeights, issue,
                    "\(tandem ? "a tandem" : "an") install takes the "
                        + "\(other.isTandem ? "tandem " : "")load of \(Cycle(other.cycle))")
            }
            let kind = tandem ? InstalledWeights.half(cycle: issue.cycle) : .bytes
            mxm[plane].install(arrived.count, as: kind, at: issue.cycle, pool)
            mxm[plane].busyUntil = issue.cycle + 1
            updateBufferDeadline(plane)
        }
    }

    func issueMatmul(_ activation: Stream, _ type: ElementType, _ issue: Issue) throws(Fault) {
        let (index, side) = plane(ofQueue: issue.queue)
        let isTandem = type == .fp16
        try checkInstalled(index, isTandem: isTandem, issue)
        let cadence = isTandem ? chip.tandemCadence : chip.matmulCadence
        for plane in index...(isTandem ? index + 1 : index) {
            try checkFree(plane, issue)
            mxm[plane].busyUntil = issue.cycle + cadence
        }
        var planes: [Vector] = []
        for k in 0..<type.byteCount {
            planes.append(try sample(activation.advanced(by: k), at: edge(side), issue))
        }
        if mxm[index].usedType != type {
            mxm[index].usedType = type
            decode(type, mxm[index].rows + (isTandem ? mxm[index + 1].rows : []), index, issue)
        }
        let sum = mxm[index].begin(type, due: issue.cycle + chip.matmulToAccumulate)
        trace.append(
            .multiply(trace.list(planes), plane: Int32(index), sum: Int32(sum)), issue)
        setDeadline(.sum(plane: index), at: mxm[index].sumDue)
        statistics.multiplyAccumulates += chip.planeRows * chip.lanes
    }

    private func decode(
        _ type: ElementType, _ rows: [Vector], _ plane: Int, _ issue: Issue
    ) {
        let origins = rows.map { $0 == .none ? TileRow.unset : TileRow(origin: pool.origin($0)) }
        let tile = trace.number(of: TileSource(plane: plane, type: type, rows: origins))
        trace.append(
            .decode(tile: Int32(tile), plane: Int32(plane), rows: trace.list(rows)), issue)
    }

    func issueAccumulate(
        _ row: Int, add: Bool, emit: Stream?, _ issue: Issue
    ) throws(Fault) {
        let (index, side) = plane(ofQueue: issue.queue)
        guard mxm[index].sumDue == issue.cycle else {
            let due = mxm[index].sumDue.map { "the next one is due in \(Cycle($0))" }
            throw fault(.mxmWeights, issue, "no sum is due, \(due ?? "no matmul is under way")")
        }
        let row = row + cursors[issue.queue].step
        let (sum, type) = mxm[index].oldestSum
        if let error = mxm[index].accumulate(row: row, add: add) {
            throw fault(.mxmWeights, issue, error)
        }
        setDeadline(.sum(plane: index), at: mxm[index].sumDue)
        trace.accumulatorRows[index] = max(trace.accumulatorRows[index], row + 1)
        let count = emit == nil ? 0 : ElementType.fp32.byteCount
        let vectors = (0..<count).map { _ in pool.allocate() }
        trace.append(
            .accumulate(
                plane: Int32(index), sum: Int32(sum), row: Int32(row),
                add ? type.accumulation : .copy, emit: trace.list(vectors)), issue)
        guard let emit else { return }
        for (k, vector) in vectors.enumerated() {
            try produce(
                vector, on: emit.advanced(by: k), at: edge(side), after: chip.accumulateLatency,
                issue)
        }
    }

    private func checkFree(_ plane: Int, _ issue: Issue) throws(Fault) {
        guard mxm[plane].busyUntil > issue.cycle else { return }
        throw fault(
            .mxmWeights, issue,
            "plane \(plane % chip.planesPerHemisphere) is busy before "
                + "\(Cycle(mxm[plane].busyUntil))")
    }

    private func checkInstalled(_ index: Int, isTandem: Bool, _ issue: Issue) throws(Fault) {
        switch mxm[index].installed {
        case .none: throw fault(.mxmWeights, issue, "no weights are installed")
        case .bytes:
            if isTandem {
                throw fault(.mxmWeights, issue, "a tandem matmul finds weights of one byte")
            }
        case .half:
            if !isTandem {
                throw fault(.mxmWeights, issue, "a matmul of bytes finds tandem weights")
            }
            if mxm[index + 1].installed != mxm[index].installed {
                throw fault(.mxmWeights, issue, "the pair's odd plane has other weights by now")
            }
        }
    }

    // MARK: Deadlines

    private func updateBufferDeadline(_ plane: Int) {
        let again = mxm[plane].secondLoad?.second
        setDeadline(
            .weights(plane: plane), at: again.map { $0.cycle + chip.loadBeforeInstall })
    }

    private func unit(_ plane: Int, _ make: (Hemisphere, Int) -> Unit) -> Int {
        let (side, p) = plane.quotientAndRemainder(dividingBy: chip.planesPerHemisphere)
        return chip.queue(of: make(side == 0 ? .west : .east, p)).index
    }

    func bufferFault(_ plane: Int, _ cycle: Int) -> Fault {
        let queue = unit(plane) { .loadWeights($0, plane: $1) }
        let loads = mxm[plane].secondLoad.map {
            "column \($0.first.column) of \(Cycle($0.first.cycle)) and of \(Cycle($0.second.cycle))"
        }
        return fault(
            .mxmWeights, Issue(queue: queue, cycle: cycle),
            "no install has taken the first of two loads of \(loads ?? "a column")")
    }

    func sumFault(_ plane: Int, _ cycle: Int) -> Fault {
        let queue = unit(plane) { .accumulate($0, plane: $1) }
        return fault(
            .mxmWeights, Issue(queue: queue, cycle: cycle),
            "no accumulate takes the sum of the matmul of "
                + "\(Cycle(cycle - chip.matmulToAccumulate))")
    }
}
