import LPUMachine
import LPUSupport

/// Bytes that pass into the MXM of one chip for each part of a layer, and for the LM head.
struct StreamedBytes {
    var query = 0
    /// Key and value projections.
    var keyValue = 0
    var keys = 0
    var values = 0
    var output = 0
    var gateAndUp = 0
    var down = 0
    var head = 0

    /// What a stage passes in all.
    func of(_ stage: StageParts) -> Int {
        stage.attentions * (query + keyValue + keys + values + output)
            + stage.feedForwards * (gateAndUp + down) + (stage.isLast ? head : 0)
    }
}

/// Cycles between the points at which a step has activations at the MXM, by the shortest path that
/// the timing assumes.
struct StepPaths {
    /// From the port to the first and to the last embedding vector, where no hop is taken.
    var embedding = 0
    /// From the last matmul of the queries to the first of the scores.
    var query = 0
    /// From a matmul of the scores to the first of the values.
    var score = 0
    /// From a matmul of the values to the first of the output projection.
    var mix = 0
    /// From a matmul of the gate, or of the up projection, to the first of the down projection.
    var gate = 0
    var up = 0
    /// From the matmul of a partial sum to the residual as an activation, on a chip alone.
    var residual = 0
    /// From the matmul of a partial sum to its `send`, and from its arrival to the activation.
    var leave = 0
    var enter = 0
    /// The same as `residual` where other chips contribute.
    var ownPart = 0
    /// From a matmul of the LM head to the egress, without hops.
    var head = 0
    /// Vectors of a partial sum on a link.
    var partVectors = 0
    /// Vectors of the residual that a stage's chips hand over: where stages cross each chip, else
    /// all that are linked to the next stage; nil where partial sums may go there at once.
    var handedVectors: Int?
    /// Whether all scores are needed before the first value is.
    var maximumIsExact = false
}

/// A lower bound in the form of a recurrence over the points of a step: exact integers, no search.
///
/// With the shortest paths and unpadded bytes it is the bound of `Documentation/Bounds.md`; with
/// the lowering's paths and padded tiles it is the estimate that ranks plans.
struct StepTiming {
    let machine: Machine
    let stages: [[ChipID]]
    let stageParts: [StageParts]
    /// Whether stages are cut behind the attention of a layer.
    let crosses: Bool
    let paths: StepPaths
    /// By place.
    let bytes: [StreamedBytes]
    /// Bytes that reach the MXMs of a chip in a cycle.
    let bytesPerCycle: Int
    /// Bytes that the planes of a chip hold beyond what was used.
    let ahead: Int
    /// False to see a step in which links take no time.
    var countsHops = true

    /// What is known of a chip while the step goes on.
    private struct ChipState {
        /// No activation of the op to come is at the MXM earlier, and not all of them are.
        var first = 0
        var last = 0
        /// Bytes of the ops that are done.
        var passed = 0
        var stream: WeightStream
    }

    /// Cycles from the port's `ingress` to the end of its `egress`.
    /// - Complexity: O(layers x degree x degree).
    func length() -> Int {
        var states = entry()
        for (stage, chips) in stages.enumerated() {
            let next = crosses || stage + 1 == stages.count ? nil : stages[stage + 1]
            let ways = ways(from: chips, to: chips)
            let layers = stageParts[stage].feedForwards
            for layer in 0..<layers {
                if crosses, stage > 0, layer == 0 {
                    let before = stages[stage - 1]
                    reduce(attended(&states), &states, self.ways(from: before, to: before))
                    states = crossed(states, from: before, to: chips)
                } else {
                    reduce(attended(&states), &states, ways)
                }
                let sums = fed(&states)
                if let next, layer == layers - 1, paths.handedVectors == nil {
                    reduce(sums, &states, self.ways(from: chips, to: next))
                    for place in states.indices {
                        (states[place].passed, states[place].stream) = (0, emptyStream)
                    }
                } else {
                    reduce(sums, &states, ways)
                }
            }
            if let next, let vectors = paths.handedVectors {
                states = handedOver(states, vectors, from: chips, to: next)
            } else if let next, layers == 0 {
                states = passedOn(states, from: chips, to: next)
            }
        }
        return exit(states)
    }

    // MARK: Chains

    private var emptyStream: WeightStream {
        WeightStream(
            bytesPerCycle: bytesPerCycle, ahead: ahead, slack: machine.chip.loadBeforeInstall)
    }

    private func entry() -> [ChipState] {
        stages[0].map { chip in
            let time = paths.embedding + hops(stages[0][0], chip)
            return ChipState(first: time, last: time, stream: emptyStream)
        }
    }

    /// When the first and the last partial sum of a row-parallel op are made on a chip.
    private struct Sums {
        var first: Int
        var last: Int
    }

    private func attended(_ states: inout [ChipState]) -> [Sums?] {
        states.indices.map { place in
            let b = bytes[place]
            guard b.query > 0 else { return nil }
            return attended(&states[place], b)
        }
    }

    private func attended(_ s: inout ChipState, _ b: StreamedBytes) -> Sums {
        s.stream.settle(below: s.passed)
        s.stream.hold(until: s.first, passed: s.passed)
        let queries = s.passed + b.query
        let projected = queries + b.keyValue
        let scored = projected + b.keys
        let mixed = scored + b.values
        let query = max(s.last, s.stream.arrival(of: queries)) + paths.query
        // No cached key is used before a query, no value before a score.
        s.stream.hold(until: s.last + paths.query, passed: projected)
        let lastScore = max(query, s.stream.arrival(of: queries + b.keys)) + paths.score
        let score = paths.maximumIsExact ? lastScore : s.last + paths.query + paths.score
        s.stream.hold(until: score, passed: scored)
        let first = max(lastScore, s.stream.arrival(of: mixed)) + paths.mix
        s.stream.hold(until: score + paths.mix, passed: mixed)
        s.passed = mixed + b.output
        return Sums(first: first, last: max(first, s.stream.arrival(of: s.passed)))
    }

    private func fed(_ states: inout [ChipState]) -> [Sums?] {
        states.indices.map { place in
            guard bytes[place].gateAndUp > 0 else { return nil }
            return fed(&states[place], bytes[place])
        }
    }

    private func fed(_ s: inout ChipState, _ b: StreamedBytes) -> Sums {
        s.stream.settle(below: s.passed)
        s.stream.hold(until: s.first, passed: s.passed)
        let up = s.passed + b.gateAndUp
        let first = max(s.last + paths.gate, s.stream.arrival(of: up) + paths.up)
        s.stream.hold(until: s.last + paths.gate, passed: up)
        s.passed = up + b.down
        return Sums(first: first, last: max(first, s.stream.arrival(of: s.passed)))
    }

    /// How a partial sum gets from one chip to another: the first vector's cycles, and what the
    /// last one comes later.
    private struct Way {
        var path: Int
        var span: Int
    }

    /// By target, then by source.
    private func ways(from sources: [ChipID], to targets: [ChipID]) -> [[Way]] {
        targets.map { target in
            sources.map { source in
                guard source != target else {
                    return Way(path: sources.count == 1 ? paths.residual : paths.ownPart, span: 0)
                }
                return Way(
                    path: paths.leave + hops(source, target) + paths.enter,
                    span: span(paths.partVectors, from: source, to: target))
            }
        }
    }

    /// The residual after an all-reduce, which may be on the next stage's chips.
    private func reduce(_ sums: [Sums?], _ states: inout [ChipState], _ ways: [[Way]]) {
        for target in states.indices {
            var (first, last) = (0, 0)
            for (way, sums) in zip(ways[target], sums) {
                guard let sums else { continue }
                first = max(first, sums.first + way.path)
                last = max(last, max(sums.last, sums.first + way.span) + way.path)
            }
            (states[target].first, states[target].last) = (first, last)
        }
    }

    /// Each chip hands all of the residual to the chip of its place.
    private func crossed(
        _ states: [ChipState], from sources: [ChipID], to targets: [ChipID]
    ) -> [ChipState] {
        states.indices.map { place in
            let (state, near, far) = (states[place], sources[place], targets[place])
            let hop = hops(near, far)
            let span = span(paths.handedVectors ?? 0, from: near, to: far)
            return ChipState(
                first: state.first + hop, last: max(state.last, state.first + span) + hop,
                stream: emptyStream)
        }
    }

    /// The linked places hand over equal shares, and pass them on to all others.
    private func handedOver(
        _ states: [ChipState], _ vectors: Int, from sources: [ChipID], to targets: [ChipID]
    ) -> [ChipState] {
        let linked = linkedPlaces(sources, targets, machine.topology)
        let share = (vectors + linked.count - 1) / linked.count
        let arrivals = linked.map { place -> (first: Int, last: Int) in
            let state = states[place]
            let hop = hops(sources[place], targets[place]) + 2 * machine.chip.edge
            let span = span(share, from: sources[place], to: targets[place])
            return (state.first + hop, max(state.last, state.first + span) + hop)
        }
        let hop = targets.count > 1 ? hops(targets[0], targets[1]) + 2 * machine.chip.edge : 0
        let state = ChipState(
            first: (arrivals.map(\.first).min() ?? 0) + hop,
            last: (arrivals.map(\.last).max() ?? 0) + hop, stream: emptyStream)
        return targets.map { _ in state }
    }

    /// The residual of a stage without layers, of whose chips any may send it.
    private func passedOn(
        _ states: [ChipState], from sources: [ChipID], to targets: [ChipID]
    ) -> [ChipState] {
        targets.map { target in
            let first = zip(states, sources).map { $0.first + hops($1, target) }.min() ?? 0
            let last = zip(states, sources).map { $0.last + hops($1, target) }.min() ?? 0
            return ChipState(first: first, last: last, stream: emptyStream)
        }
    }

    /// The token leaves where it came in.
    private func exit(_ states: [ChipState]) -> Int {
        let chips = stages[stages.count - 1]
        let ends = states.indices.filter { bytes[$0].head > 0 }.map { place -> Int in
            var state = states[place]
            state.stream.hold(until: state.first, passed: state.passed)
            let arrival = state.stream.arrival(of: state.passed + bytes[place].head)
            let last = max(state.last, arrival)
            return last + paths.head + hops(chips[place], stages[0][0])
        }
        return (ends.max() ?? 0) + 1
    }

    // MARK: Links

    /// From `send` on one chip to the vector at the edge of another, by no way less.
    private func hops(_ a: ChipID, _ b: ChipID) -> Int {
        guard countsHops else { return 0 }
        let topology = machine.topology
        let receive = machine.chip.receiveLatency
        guard topology.axes.allSatisfy({ $0.wiring == .allToAll }) else {
            let fastest = topology.axes.map(\.latency).min() ?? 0
            return topology.leastHops(from: a, to: b) * (fastest + receive)
        }
        let (x, y) = (topology.coordinates(of: a), topology.coordinates(of: b))
        return topology.axes.indices.reduce(0) { sum, i in
            sum + (x[i] == y[i] ? 0 : topology.axes[i].latency + receive)
        }
    }

    /// From the first to the last of so many `send`s on the link of a pair; 0 where none joins it.
    private func span(_ vectors: Int, from a: ChipID, to b: ChipID) -> Int {
        guard countsHops, vectors > 1, let link = machine.topology.link(from: a, to: b),
            let axis = machine.topology.axis(of: link)
        else { return 0 }
        let (cycles, sends) = (axis.interval.numerator, axis.interval.denominator)
        let gaps = vectors - 1
        return gaps / sends * cycles + gaps % sends * (cycles / sends)
    }
}
