import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

extension DecoderLowering {
    /// Inner tiles that are made last, those that the planes sum up at once: gate and up of each.
    private var lateTiles: Int { max(1, planes / 2) }

    /// x + down(silu(gate(norm x)) * up(norm x)).
    mutating func lowerFeedForward(_ x: [[ValueID]]) -> [[ValueID]] {
        let residual = biasedResidual(
            x, "layer.downBias", tensor: "model.layers.$layer.mlp.down_proj.bias",
            if: model.hasFeedForwardBias)
        let partial = places.map {
            lowerFeedForward(x[$0], residual: residual[$0], on: $0)
        }
        return addPartialSums(partial, to: residual, "layer.output")
    }

    /// This chip's part of the down projection's sum, a value an output tile.
    private mutating func lowerFeedForward(
        _ x: [ValueID], residual: [ValueID], on place: Int
    ) -> [ValueID] {
        let prefix = "model.layers.$layer."
        let name = "layer"
        let norm = prefix + "post_attention_layernorm.weight"
        let input = normalise(x, "\(name).ffn", on: place)
        let own = Tiling(place.share(of: model.intermediateSize, plan), lanes: lanes)
        let rows = own.ranges.map { IndexMap.range($0) }
        // silu(g) = g/2 * (1 + tanh(g/2)): the weights are halved.
        let gate = linear(
            "\(name).gate", tensor: prefix + "mlp.gate_proj.weight", rows: rows,
            columns: hiddenColumns, factor: 0.5, inputFactor: input.factor, norm: norm, on: place)
        let up = linear(
            "\(name).up", tensor: prefix + "mlp.up_proj.weight", rows: rows,
            columns: hiddenColumns, factor: Scale.hidden, inputFactor: input.factor, norm: norm,
            on: place)
        var gateBias, upBias: ValueID?
        if model.hasFeedForwardBias {
            gateBias = vector(
                "\(name).gateBias", tensor: prefix + "mlp.gate_proj.bias", rows: rows,
                factor: 0.5, on: place)
            upBias = vector(
                "\(name).upBias", tensor: prefix + "mlp.up_proj.bias", rows: rows,
                factor: Scale.hidden, on: place)
        }
        let inner = own.ranges.indices.map { n in
            chained { l -> [ValueID] in
                let halfGate = l.biased(l.product(input, gate, n), gateBias, n)
                let tanh = l.builder.elementwise(.tanh, halfGate.at())
                let sum = l.builder.elementwise(.add, tanh.at(), 1)
                let silu = l.builder.elementwise(.multiply, sum.at(), halfGate.at())
                let value = l.biased(l.product(input, up, n), upBias, n)
                let product = l.builder.elementwise(.multiply, silu.at(), value.at())
                return l.terms(of: Use(product), l.plan.weightType, "\(name).inner\(n)")
            }
        }
        let down = linear(
            "\(name).down", tensor: prefix + "mlp.down_proj.weight", rows: hiddenColumns,
            columns: rows, inputFactor: Scale.hidden, on: place)
        guard own.count > 0 else { return [] }
        return partialSums(
            LinearInput(terms: inner), down, residual: residual, early: own.count - lateTiles,
            "\(name).output")
    }
}
