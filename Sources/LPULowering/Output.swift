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
        let terms = outputs.map { vectors in
            vectors.enumerated().map { number, vector in
                chained { l in l.rowTerms(of: Use(vector), "layer.mixed\(number)") }
            }
        }
        let ahead = lengthsAhead(terms, "layer.attended")
        let partial = places.map { place -> [ValueID] in
            guard !terms[place].isEmpty else { return [] }
            let columns = mixedVectors(on: place).map { outputColumns($0, on: place) }
            let weights = linear(
                "layer.o", tensor: tensor, rows: hiddenColumns, columns: columns,
                packings: packings(columns), inputFactor: Scale.attention,
                on: place)
            let row = rowInput(terms[place], weights, "layer.attended", on: place)
            var started = StartedSums(row.weights)
            return partialSums(
                row.input, row.weights, residual: residual[place], &started,
                0..<hidden.count, "layer.attended")
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

    /// Query vectors of a set whose heads stand side by side in one vector.
    struct MixedVector {
        var set: Int
        var queries: Range<Int>
    }

    /// As many query vectors of each set side by side as a vector holds.
    func mixedVectors(on place: Int) -> [MixedVector] {
        let heads = heads[place]
        return heads.sets.indices.flatMap { set in
            let (count, slots) = (heads.queryVectors(set), slots(ofSet: set, on: place))
            return stride(from: 0, to: count, by: slots).map {
                MixedVector(set: set, queries: $0..<min($0 + slots, count))
            }
        }
    }

    /// Columns of the output projection that the lanes of a vector are.
    private func outputColumns(_ vector: MixedVector, on place: Int) -> IndexMap {
        let heads = heads[place]
        var segments: [IndexMap.Segment] = []
        for (slot, j) in vector.queries.enumerated() {
            let own = heads.sets[vector.set].map { j < $0.queries.count ? $0.queries[j] : nil }
            segments += plainRows(own).segments.map {
                var segment = $0
                segment.position += slot * heads.width(vector.set)
                return segment
            }
        }
        return IndexMap(segments: segments)
    }

    /// Query vectors of a set that stand side by side.
    func slots(ofSet set: Int, on place: Int) -> Int {
        max(1, min(lanes / heads[place].width(set), heads[place].queryVectors(set)))
    }

    /// The outputs of a chip's heads, in their places side by side.
    ///
    /// Sums take their places while what they are to be multiplied by is still to come.
    mutating func mixed(_ attended: [HeadSums], on place: Int) -> [ValueID] {
        let groups = zip(headGroups(on: place), attended)
        return mixedVectors(on: place).enumerated().map { number, vector in
            let width = heads[place].width(vector.set)
            var outputs: [(parts: [Use], share: Use)] = []
            for (group, made) in groups where group.set == vector.set {
                for (i, head) in group.heads.enumerated() where vector.queries ~= head.query {
                    let slot = head.query - vector.queries.lowerBound
                    let parts =
                        slot < made.parts.count
                        ? made.parts[slot].map { $0.at(i) }
                        : made.parts[0].map {
                            builder.shift($0.at(i), by: slot * width, count: 1).at()
                        }
                    outputs.append((parts, made.shares.at(i)))
                }
            }
            return chained { l in
                let shared = outputs.map { output in
                    let sum = output.parts.dropFirst().reduce(output.parts[0]) {
                        l.builder.elementwise(.add, $0, $1, count: 1).at()
                    }
                    return l.builder.elementwise(.multiply, sum, output.share, count: 1)
                }
                return l.sumInTurn(shared, "layer.mixed\(number)")
            }
        }
    }
}
