import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The sums of gate and up in an inner tile, as far as the planes have got.
private struct InnerSums {
    var gate: PartialSum?
    var up: PartialSum?
}

extension DecoderLowering {
    /// Inner tiles that are made last, those that the planes sum up at once: gate and up of each.
    private var lateTiles: Int { max(1, planes / 2) }

    /// What silu(gate) up is times in its terms.
    private var hiddenScale: Float { Scale.hidden(plan.weightType) }

    /// Each chip's part of down(silu(gate(norm x)) * up(norm x)), on a chip alone added to
    /// `residual`; and what bounds its sum with x.
    mutating func lowerFeedForward(
        _ x: Residual, _ residual: [[ValueID]]
    ) -> (parts: [[ValueID]], inverses: [ValueID]?) {
        let tensor = layerPrefix + "mlp.down_proj.weight"
        let inner = places.map { lowerInner(x, on: $0) }
        let rows = places.map { place in
            let columns = innerTiles(of: place).ranges.map { IndexMap.range($0) }
            let down = linear(
                "layer.down", tensor: tensor, rows: hiddenColumns, columns: columns,
                packings: packings(columns), inputFactor: hiddenScale,
                on: place)
            return rowInput(inner[place].terms, down, "layer.inner", on: place)
        }
        var started = places.map { startedSums(rows[$0].input, rows[$0].weights) }
        func parts(_ outputs: Range<Int>) -> [[ValueID]] {
            places.map { place in
                guard !inner[place].terms.isEmpty else { return [] }
                return partialSums(
                    rows[place].input, rows[place].weights, residual: residual[place],
                    &started[place], outputs, "layer.output")
            }
        }
        // All terms are there when packed tiles have passed: first outputs need not wait for ones.
        let isPacked = rows.allSatisfy { takesPackedTilesFirst($0.weights) }
        let first = isPacked ? min(planes, hidden.count) : 0
        let firstParts = parts(0..<first)
        let ahead = lengthsAhead(inner.map(\.terms), "layer.output")
        let partial = zip(firstParts, parts(first..<hidden.count)).map { $0 + $1 }
        let inverses = inverses(
            ahead, Wide(tensor: tensor, inputFactor: hiddenScale), lengths: inner.map(\.length),
            "layer.output")
        return (partial, inverses)
    }

    /// Tiles of the down projection that the planes take until the last terms are made.
    private var tilesAhead: Int { 6 * planes }

    private func takesPackedTilesFirst(_ weights: LinearWeights) -> Bool {
        weights.packings.reduce(0) { $0 + $1.tiles } >= tilesAhead
    }

    /// Until the last tiles are made, the planes take packed ones, and where those are few sum up
    /// some outputs over the others; in int8 all are made at once.
    private mutating func startedSums(
        _ input: LinearInput, _ weights: LinearWeights
    ) -> StartedSums {
        var started = StartedSums(weights)
        guard plan.weightType != .int8 else { return started }
        let end = tilesAhead / max(1, weights.packings.count)
        multiply(input, weights, &started.packed, upTo: end) { l, n, products in
            started.sums[n] = l.packedSum(products, weights)
        }
        guard !takesPackedTilesFirst(weights) else { return started }
        let made = max(input.terms.count - lateTiles, 0)
        for n in 0..<min(2 * planes, hidden.count) {
            started.sums[n] = sum(input, weights, n, after: started.sums[n], upTo: made)
        }
        return started
    }

    /// x with the bias of the down projection, where there is one.
    mutating func downBiased(_ x: [[ValueID]]) -> [[ValueID]] {
        biasedResidual(
            x, "layer.downBias", tensor: layerPrefix + "mlp.down_proj.bias",
            if: model.hasFeedForwardBias)
    }

    /// A chip's share of the intermediate vector.
    private func innerTiles(of place: Int) -> Tiling {
        plan.innerTiling(
            place.share(of: model.intermediateSize, plan), outputs: hidden.count, on: chip)
    }

    /// This chip's part of silu(gate) * up as terms, and the length of x.
    private mutating func lowerInner(
        _ x: Residual, on place: Int
    ) -> (terms: [[ValueID]], length: ValueID?) {
        let prefix = layerPrefix
        let name = "layer"
        let norm = prefix + "post_attention_layernorm.weight"
        let input = normalise(
            x.tiles[place], inverse: x.inverses?[place], "\(name).ffn", on: place)
        let own = innerTiles(of: place)
        let rows = own.ranges.map { IndexMap.range($0) }
        // silu(g) = g/2 * (1 + tanh(g/2)): the weights are halved.
        var gate = linear(
            "\(name).gate", tensor: prefix + "mlp.gate_proj.weight", rows: rows,
            columns: hiddenColumns, factor: 0.5, inputFactor: input.factor, norm: norm, on: place)
        var up = linear(
            "\(name).up", tensor: prefix + "mlp.up_proj.weight", rows: rows,
            columns: hiddenColumns, factor: hiddenScale, inputFactor: input.factor, norm: norm,
            on: place)
        var sums = sumsAhead(input, gate, up, count: own.count, pace: x.pace)
        let early = input.deferred == nil ? 0 : max(own.count - lateTiles, 0)
        func finish(_ tiles: Range<Int>) {
            for n in tiles { sums[n] = sum(input, gate, up, n, after: sums[n]) }
        }
        // The planes turn to the norm together, once each has finished a sum.
        finish(0..<min(early, lateTiles))
        let (scale, length) = scale(
            of: input, withLength: hasMagnitudes, "\(name).ffn", on: place)
        finish(min(early, lateTiles)..<early)
        gate = scaled(gate, by: scale)
        up = scaled(up, by: scale)
        var gateBias, upBias: ValueID?
        if model.hasFeedForwardBias {
            gateBias = vector(
                "\(name).gateBias", tensor: prefix + "mlp.gate_proj.bias", rows: rows,
                factor: 0.5, on: place)
            upBias = vector(
                "\(name).upBias", tensor: prefix + "mlp.up_proj.bias", rows: rows,
                factor: hiddenScale, on: place)
        }
        let terms = own.ranges.indices.map { n in
            chained { l -> [ValueID] in
                let halfGate = l.biased(
                    l.product(input, gate, n, after: sums[n].gate), gateBias, n)
                let tanh = l.builder.elementwise(.tanh, halfGate.at())
                let sum = l.builder.elementwise(.add, tanh.at(), 1)
                let silu = l.builder.elementwise(.multiply, sum.at(), halfGate.at())
                let value = l.biased(
                    l.product(input, up, n, after: sums[n].up), upBias, n)
                let product = l.builder.elementwise(.multiply, silu.at(), value.at())
                return l.rowTerms(of: Use(product), "\(name).inner\(n)")
            }
        }
        return (terms, length)
    }

    /// While x still arrives, the planes sum up all outputs over its first tile, then over those
    /// that come first, the narrow ones last, for which it would not come fast enough; and some
    /// over the others while the norm is still to come. What is left when all planes have had as
    /// many outputs several of them sum up.
    private mutating func sumsAhead(
        _ input: LinearInput, _ gate: LinearWeights, _ up: LinearWeights, count: Int, pace: Int
    ) -> [InnerSums] {
        let left = 2 * count % planes / 2
        var sums = Array(repeating: InnerSums(), count: count)
        for tiles in rounds(of: input, outputs: 2 * count, pace: pace) {
            for n in (left..<count).reversed() {
                sums[n] = sum(input, gate, up, n, after: sums[n], upTo: tiles)
            }
        }
        for n in 0..<left {
            let parts = planes / (2 * left)
            func all(_ l: inout Self, _ weights: LinearWeights) -> PartialSum {
                PartialSum(
                    value: l.sum(input, weights, n, parts: parts), tiles: input.terms.count)
            }
            sums[n] = InnerSums(gate: all(&self, gate), up: all(&self, up))
        }
        return sums
    }

    /// Gate and up of an inner tile, over all tiles of x or those before `tiles`.
    private mutating func sum(
        _ input: LinearInput, _ gate: LinearWeights, _ up: LinearWeights, _ n: Int,
        after sums: InnerSums, upTo tiles: Int? = nil
    ) -> InnerSums {
        let tiles = tiles ?? input.terms.count
        return InnerSums(
            gate: sum(input, gate, n, after: sums.gate, upTo: tiles),
            up: sum(input, up, n, after: sums.up, upTo: tiles))
    }

    /// How many contraction tiles all outputs are summed up over before any is over more: so that
    /// the planes are busy for as long as x takes to arrive.
    ///
    /// Where tiles come more slowly than a plane takes them, a round has as many as are there when
    /// the planes get to them.
    private func rounds(of input: LinearInput, outputs: Int, pace: Int) -> [Int] {
        let perPlane = outputs / planes
        let isUneven = outputs % planes > 0
        guard places.count > 1, input.deferred != nil, isUneven || perPlane > 1 else { return [] }
        let (all, cycles) = (input.terms.count, chip.loadCycles + 1)
        var rounds = [min(1, all)]
        guard pace > cycles else { return rounds + [all / max(perPlane, 2)] }
        /// Cycles that tile `last` comes later than it is wanted, with `done` behind all outputs.
        func wait(for last: Int, behind done: Int) -> Int {
            pace * last - cycles * (perPlane * done + last - done)
        }
        while let done = rounds.last, done < all, wait(for: all - 1, behind: done) > 0 {
            let next = (done..<all).last { wait(for: $0, behind: done) <= 0 } ?? done
            rounds.append(next + 1)
        }
        return rounds
    }
}
