import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

extension DecoderLowering {
    /// Inner tiles that are made last, those that the planes sum up at once: gate and up of each.
    private var lateTiles: Int { max(1, planes / 2) }

    /// x + down(silu(gate(norm x)) * up(norm x)), and how great its elements may be.
    mutating func lowerFeedForward(_ x: Residual) -> Residual {
        let residual = biasedResidual(
            x.tiles, "layer.downBias", tensor: layerPrefix + "mlp.down_proj.bias",
            if: model.hasFeedForwardBias)
        let tensor = layerPrefix + "mlp.down_proj.weight"
        let inner = places.map { lowerInner(x, on: $0) }
        let down = places.map { place in
            linear(
                "layer.down", tensor: tensor, rows: hiddenColumns,
                columns: innerTiles(of: place).ranges.map { .range($0) },
                inputFactor: Scale.hidden, on: place)
        }
        // Until the last tiles are made, the planes sum up a few outputs over the others.
        let begun = places.map { place -> [ValueID] in
            let early = inner[place].terms.count - lateTiles
            return (0..<(early > 0 ? min(2 * planes, hidden.count) : 0)).map {
                sum(LinearInput(terms: inner[place].terms), down[place], $0, 0..<early)
            }
        }
        let ahead = lengthsAhead(inner.map(\.terms), "layer.output")
        let partial = places.map { place -> [ValueID] in
            let terms = inner[place].terms
            guard !terms.isEmpty else { return [] }
            return partialSums(
                LinearInput(terms: terms), down[place], residual: residual[place],
                begun: begun[place], late: max(terms.count - lateTiles, 0)..<terms.count,
                "layer.output")
        }
        let inverses = inverses(
            ahead, Wide(tensor: tensor, inputFactor: Scale.hidden), lengths: inner.map(\.length),
            "layer.output")
        return Residual(
            tiles: addPartialSums(partial, to: residual, "layer.output"), inverses: inverses)
    }

    /// A chip's share of the intermediate vector.
    private func innerTiles(of place: Int) -> Tiling {
        Tiling(place.share(of: model.intermediateSize, plan), lanes: lanes)
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
            columns: hiddenColumns, factor: Scale.hidden, inputFactor: input.factor, norm: norm,
            on: place)
        // The planes sum these up while the norm is still to come.
        let early = input.deferred == nil ? 0 : max(own.count - lateTiles, 0)
        let begun = (0..<early).map { n in
            (gate: sum(input, gate, n), up: sum(input, up, n))
        }
        let (scale, length) = scale(
            of: input, withLength: hasMagnitudes, "\(name).ffn", on: place)
        gate = scaled(gate, by: scale)
        up = scaled(up, by: scale)
        var gateBias, upBias: ValueID?
        if model.hasFeedForwardBias {
            gateBias = vector(
                "\(name).gateBias", tensor: prefix + "mlp.gate_proj.bias", rows: rows,
                factor: 0.5, on: place)
            upBias = vector(
                "\(name).upBias", tensor: prefix + "mlp.up_proj.bias", rows: rows,
                factor: Scale.hidden, on: place)
        }
        let terms = own.ranges.indices.map { n in
            chained { l -> [ValueID] in
                let halfGate = l.biased(
                    l.product(input, gate, n, sum: n < early ? begun[n].gate : nil), gateBias, n)
                let tanh = l.builder.elementwise(.tanh, halfGate.at())
                let sum = l.builder.elementwise(.add, tanh.at(), 1)
                let silu = l.builder.elementwise(.multiply, sum.at(), halfGate.at())
                let value = l.biased(
                    l.product(input, up, n, sum: n < early ? begun[n].up : nil), upBias, n)
                let product = l.builder.elementwise(.multiply, silu.at(), value.at())
                return l.terms(of: Use(product), l.plan.weightType, "\(name).inner\(n)")
            }
        }
        return (terms, length)
    }
}
