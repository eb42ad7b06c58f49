import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The output projection of attention.
extension DecoderLowering {
    /// x + o(outputs of attention), and how great its elements may be.
    mutating func lowerOutput(_ x: [[ValueID]], _ outputs: [[ValueID]]) -> Residual {
        let tensor = layerPrefix + "self_attn.o_proj.weight"
        let residual = biasedResidual(
            x, "layer.oBias", tensor: layerPrefix + "self_attn.o_proj.bias",
            if: model.hasAttentionBias)
        let mixed = places.map { mix(outputs[$0], on: $0) }
        let ahead = lengthsAhead(mixed.map(\.vectors), "layer.attended")
        let partial = places.map { place -> [ValueID] in
            guard !mixed[place].vectors.isEmpty else { return [] }
            let weights = linear(
                "layer.o", tensor: tensor, rows: hiddenColumns, columns: mixed[place].columns,
                inputFactor: Scale.attention, on: place)
            let row = rowInput(mixed[place].vectors, weights, "layer.attended", on: place)
            return partialSums(
                row.input, row.weights, residual: residual[place], "layer.attended")
        }
        // The planes are idle while the sums are on their way.
        let lengths = places.map { place in
            hasMagnitudes ? length(x[place], "layer.x", on: place) : nil
        }
        let inverses = inverses(
            ahead, Wide(tensor: tensor, inputFactor: Scale.attention), lengths: lengths,
            "layer.attended")
        return Residual(
            tiles: addPartialSums(partial, to: residual, "layer.attended"), inverses: inverses)
    }

    /// A chip's outputs as terms in the weights' type, and the columns of the output projection
    /// that their lanes are.
    private mutating func mix(
        _ groupOutputs: [ValueID], on place: Int
    ) -> (vectors: [[ValueID]], columns: [IndexMap]) {
        var outputs: [[HeadGroup.Head: Use]] = heads[place].sets.map { _ in [:] }
        for (group, output) in zip(headGroups(on: place), groupOutputs) {
            for (i, head) in group.heads.enumerated() {
                outputs[group.set][head] = output.at(i)
            }
        }
        var result: (vectors: [[ValueID]], columns: [IndexMap]) = ([], [])
        for set in outputs.indices {
            let (vectors, columns) = mix(outputs[set], set: set, on: place)
            result.vectors += vectors
            result.columns += columns
        }
        return result
    }

    /// A set's outputs as terms in the weights' type, as many query vectors side by side as a
    /// vector holds, and the columns of the output projection that its lanes are.
    private mutating func mix(
        _ outputs: [HeadGroup.Head: Use], set: Int, on place: Int
    ) -> (vectors: [[ValueID]], columns: [IndexMap]) {
        let heads = heads[place]
        let width = heads.width(set)
        let perVector = lanes / width
        let queries = Array(0..<heads.queryVectors(set))
        var vectors: [[ValueID]] = []
        var columns: [IndexMap] = []
        for first in stride(from: 0, to: queries.count, by: perVector) {
            let members = queries[first..<min(first + perVector, queries.count)]
            vectors.append(
                chained { l in
                    var sum: Use?
                    for j in members {
                        for g in heads.sets[set].indices {
                            guard var use = outputs[.init(keyValue: g, query: j)] else { continue }
                            if j > first {
                                use = l.builder.shift(use, by: (j - first) * width, count: 1).at()
                            }
                            sum = sum.map { l.builder.elementwise(.add, $0, use).at() } ?? use
                        }
                    }
                    guard let sum else { preconditionFailure("a query vector holds a head") }
                    return l.rowTerms(of: sum, "layer.set\(set).mixed\(first)")
                })
            var segments: [IndexMap.Segment] = []
            for j in members {
                let own = heads.sets[set].map { j < $0.queries.count ? $0.queries[j] : nil }
                segments += plainRows(own).segments.map {
                    var segment = $0
                    segment.position += (j - first) * width
                    return segment
                }
            }
            columns.append(IndexMap(segments: segments))
        }
        return (vectors, columns)
    }
}
