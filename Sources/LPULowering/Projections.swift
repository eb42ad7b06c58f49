import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A layer's input on its way into the projections of one chip.
struct AttentionInput {
    /// Of the tensors' names.
    var prefix: String
    var normed: LinearInput
    /// What is left to multiply by, once it is known.
    var scale: ValueID?
    /// The norm's weight, folded into the projections.
    var norm: String
    var place: Int
}

/// A projection of some heads of one chip.
struct Projection {
    /// `q`, `k` or `v`.
    var which: String
    var label: String
    var rows: IndexMap
    var factor: Float
    /// By as many planes it is summed up.
    var parts: Int
    var weights: LinearWeights
}

/// What a projection is turned by: cosines and signed sines, times what scales its lanes.
struct Turn {
    var cosine: ValueID
    var sine: ValueID
}

/// Queries, keys and values of a layer, from its input to the turn by the token's position.
extension DecoderLowering {
    mutating func attentionInput(
        _ x: Residual, on place: Int
    ) -> AttentionInput {
        AttentionInput(
            prefix: layerPrefix + "self_attn.",
            normed: normalise(
                x.tiles[place], inverse: x.inverses?[place], "layer.attention", on: place),
            norm: layerPrefix + "input_layernorm.weight", place: place)
    }

    /// Lanes 2i and 2i + 1 of a head hold the pair (i, i + d/2) that rotates together; swapped, the
    /// other way round.
    func rotatedRows(_ heads: [Int?], swapped: Bool = false) -> IndexMap {
        let half = model.headDimension / 2
        let stride = swapped ? -half : half
        let digits = DigitSum([.init(radix: 2, stride: stride), .init(radix: 0, stride: 1)])
        return rows(heads, digits, offset: swapped ? half : 0)
    }

    func plainRows(_ heads: [Int?]) -> IndexMap { rows(heads, .linear(1), offset: 0) }

    private func rows(_ heads: [Int?], _ digits: DigitSum, offset: Int) -> IndexMap {
        let d = model.headDimension
        return IndexMap(
            segments: heads.enumerated().compactMap { g, head in
                head.map {
                    IndexMap.Segment(
                        position: g * d, base: $0 * d + offset, count: d, digits: digits)
                }
            })
    }

    /// The weights of `which` projection, of `rows`.
    mutating func projection(
        _ input: AttentionInput, _ which: String, _ label: String, _ rows: IndexMap,
        factor: Float = 1, parts: Int
    ) -> Projection {
        Projection(
            which: which, label: label, rows: rows, factor: factor, parts: parts,
            weights: linear(
                label, tensor: "\(input.prefix)\(which)_proj.weight", rows: [rows],
                columns: hiddenColumns, factor: factor, inputFactor: input.normed.factor,
                norm: input.norm, on: input.place))
    }

    /// A projection's sum over all of x, as it comes from the planes.
    mutating func sum(_ input: AttentionInput, _ projection: Projection) -> ValueID {
        sum(input.normed, projection.weights, 0, parts: projection.parts)
    }

    /// A projection with its bias. If `sum` is not there yet, it passes on streams.
    mutating func project(
        _ input: AttentionInput, _ projection: Projection, sum: ValueID? = nil
    ) -> ValueID {
        let label = projection.label
        let weights = scaled(projection.weights, by: input.scale)
        let bias =
            model.hasAttentionBias
            ? vector(
                "\(label).bias", tensor: "\(input.prefix)\(projection.which)_proj.bias",
                rows: [projection.rows], factor: projection.factor, on: input.place) : nil
        return chained { l in
            let sum = sum ?? l.sum(input, projection)
            return l.biased(l.scaled(sum, weights, 0, name: "\(label).scaled"), bias, 0)
        }
    }

    /// What all keys or all queries of the layer are turned by: the position, and the weight of
    /// their norm where there is one.
    mutating func turn(
        _ input: AttentionInput, _ which: String, _ label: String, factor: Float
    ) -> Turn {
        let position = Turn(
            cosine: shared[input.place].cosine, sine: shared[input.place].sine)
        guard model.hasQueryKeyNorm else { return position }
        let heads = heads[input.place].perSet
        func weights(_ name: String, swapped: Bool) -> ValueID {
            var rows = rotatedRows([0], swapped: swapped)
            rows.segments = (0..<heads).map {
                var segment = rows.segments[0]
                segment.position = $0 * model.headDimension
                return segment
            }
            return vector(
                "\(label)\(name)", tensor: "\(input.prefix)\(which)_norm.weight",
                rows: [rows], factor: factor, on: input.place)
        }
        // The sine multiplies the other lane of the pair, normed by that lane's weight.
        return scaled(
            position, cosine: weights("Norm", swapped: false),
            sine: weights("NormSwapped", swapped: true))
    }

    private mutating func scaled(_ turn: Turn, cosine: ValueID, sine: ValueID) -> Turn {
        Turn(
            cosine: builder.elementwise(.multiply, turn.cosine.at(), cosine.at()),
            sine: builder.elementwise(.multiply, turn.sine.at(), sine.at()))
    }

    /// `true` iff projections are turned before they are scaled: nothing stands between.
    var turnsFirst: Bool { !model.hasQueryKeyNorm && !model.hasAttentionBias }

    /// A projection of heads, normed one by one where the model does so, turned.
    mutating func projectRotated(
        _ input: AttentionInput, _ projection: Projection, _ heads: [Int?], _ turn: Turn,
        sum: ValueID? = nil
    ) -> ValueID {
        let label = projection.label
        guard turnsFirst else {
            let value = project(input, projection, sum: sum)
            guard model.hasQueryKeyNorm else {
                return chained { l in l.rotated(value, turn, label) }
            }
            let scale = inverseRoot(
                meanOf: [value], over: shared[input.place].headOnes ?? shared[input.place].ones,
                size: model.headDimension, "\(label).normScale")
            let own = scaled(turn, cosine: scale, sine: scale)
            return chained { l in l.rotated(value, own, label) }
        }
        // Scales of fp8 weights are part of the turn: no multiplication waits for the sum.
        let own = projection.weights.scales.first.map { scales in
            let swapped = self.scales(
                "\(label).scalesSwapped", tensor: "\(input.prefix)\(projection.which)_proj.weight",
                rows: [rotatedRows(heads, swapped: true)], factor: 1 / input.normed.factor,
                norm: input.norm, on: input.place)
            return scaled(turn, cosine: scales.value, sine: swapped)
        }
        return chained { l in
            let rotated = l.rotated(sum ?? l.sum(input, projection), own ?? turn, label)
            guard let scale = input.scale else { return rotated }
            return l.builder.elementwise(
                .multiply, rotated.at(), scale.at(), name: "\(label).scaled")
        }
    }

    /// q cos + swap(q) (+-sin). The distributors copy the vector in passing, once as it is and once
    /// with the lanes of each pair swapped, so that both are equally late.
    private mutating func rotated(_ value: ValueID, _ turn: Turn, _ label: String) -> ValueID {
        let width = chip.lanesPerSuperlane
        let straight = (0..<width).map { Int16($0) }
        let swapped = (0..<width).map { Int16($0 ^ 1) }
        let plain = builder.distribute(straight, value.at())
        let turned = builder.distribute(swapped, value.at())
        let a = builder.elementwise(.multiply, plain.at(), turn.cosine.at())
        let b = builder.elementwise(.multiply, turned.at(), turn.sine.at())
        return builder.elementwise(.add, a.at(), b.at(), name: "\(label).rotated")
    }
}
