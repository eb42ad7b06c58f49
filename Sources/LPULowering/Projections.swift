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
    /// In fp16, not yet times 1/rms.
    var activation: [ValueID]
    /// 1/rms in every lane.
    var scale: ValueID
    /// The norm's weight, folded into the projections.
    var norm: String
    var place: Int
}

/// What a projection is turned by: cosines and signed sines, times what scales its lanes.
struct Turn {
    var cosine: ValueID
    var sine: ValueID
}

/// Queries, keys and values of a layer, from its input to the turn by the token's position.
extension DecoderLowering {
    mutating func attentionInput(
        _ x: [ValueID], on place: Int
    ) -> AttentionInput {
        let (activation, scale) = normalise(x, "layer.attention", on: place)
        let prefix = "model.layers.$layer."
        return AttentionInput(
            prefix: prefix + "self_attn.", activation: activation, scale: scale,
            norm: prefix + "input_layernorm.weight", place: place)
    }

    /// Lanes 2i and 2i + 1 of a head hold the pair (i, i + d/2) that rotates together.
    func rotatedRows(_ heads: [Int?]) -> IndexMap {
        let half = model.headDimension / 2
        let digits = DigitSum([.init(radix: 2, stride: half), .init(radix: 0, stride: 1)])
        return rows(heads, digits)
    }

    func plainRows(_ heads: [Int?]) -> IndexMap { rows(heads, .linear(1)) }

    private func rows(_ heads: [Int?], _ digits: DigitSum) -> IndexMap {
        let d = model.headDimension
        return IndexMap(
            segments: heads.enumerated().compactMap { g, head in
                head.map {
                    IndexMap.Segment(position: g * d, base: $0 * d, count: d, digits: digits)
                }
            })
    }

    /// A projection times 1/rms, with its bias.
    mutating func project(
        _ input: AttentionInput, _ which: String, _ label: String, _ rows: IndexMap,
        factor: Float = 1
    ) -> ValueID {
        let weights = weights(input, which, label, rows, factor: factor)
        let bias =
            model.hasAttentionBias
            ? vector(
                "\(label).bias", tensor: "\(input.prefix)\(which)_proj.bias", rows: [rows],
                factor: factor, on: input.place) : nil
        return chained { l in
            let sum = l.product(input.activation, weights, 0)
            let scaled = l.builder.elementwise(
                .multiply, sum.at(), input.scale.at(), name: "\(label).scaled")
            return l.biased(scaled, bias, 0)
        }
    }

    private mutating func weights(
        _ input: AttentionInput, _ which: String, _ label: String, _ rows: IndexMap, factor: Float
    ) -> LinearWeights {
        linear(
            label, tensor: "\(input.prefix)\(which)_proj.weight", rows: [rows],
            columns: hiddenColumns, factor: factor, norm: input.norm, on: input.place)
    }

    /// What all keys or all queries of the layer are turned by: the position, and the weight of
    /// their norm where there is one; where there is neither norm nor bias, 1/rms comes last and
    /// is part of it.
    mutating func turn(
        _ input: AttentionInput, _ which: String, _ label: String, factor: Float
    ) -> Turn {
        let position = Turn(
            cosine: shared[input.place].cosine, sine: shared[input.place].sine)
        guard model.hasQueryKeyNorm else {
            return model.hasAttentionBias
                ? position : scaled(position, cosine: input.scale, sine: input.scale)
        }
        let half = model.headDimension / 2
        let heads = heads[input.place].perSet
        func weights(_ name: String, base: Int, stride: Int) -> ValueID {
            let digits = DigitSum([.init(radix: 2, stride: stride), .init(radix: 0, stride: 1)])
            let segments = (0..<heads).map {
                IndexMap.Segment(
                    position: $0 * 2 * half, base: base, count: 2 * half, digits: digits)
            }
            return vector(
                "\(label)\(name)", tensor: "\(input.prefix)\(which)_norm.weight",
                rows: [IndexMap(segments: segments)], factor: factor, on: input.place)
        }
        // The sine multiplies the other lane of the pair, normed by that lane's weight.
        return scaled(
            position, cosine: weights("Norm", base: 0, stride: half),
            sine: weights("NormSwapped", base: half, stride: -half))
    }

    private mutating func scaled(_ turn: Turn, cosine: ValueID, sine: ValueID) -> Turn {
        Turn(
            cosine: builder.elementwise(.multiply, turn.cosine.at(), cosine.at()),
            sine: builder.elementwise(.multiply, turn.sine.at(), sine.at()))
    }

    /// A projection, normed head by head where the model does so, turned.
    mutating func projectRotated(
        _ input: AttentionInput, _ which: String, _ label: String, _ rows: IndexMap, _ turn: Turn,
        factor: Float
    ) -> ValueID {
        guard model.hasQueryKeyNorm else {
            if model.hasAttentionBias {
                let value = project(input, which, label, rows, factor: factor)
                return chained { l in l.rotated(value, turn, label) }
            }
            let weights = weights(input, which, label, rows, factor: factor)
            return chained { l in
                l.rotated(l.product(input.activation, weights, 0), turn, label)
            }
        }
        // A factor would vanish in the norm: the norm's weight has it.
        let value = project(input, which, label, rows)
        let square = squareTerms(value)
        let scale = inverseRoot(
            [square.high], [square.low],
            over: shared[input.place].headOnes ?? shared[input.place].ones,
            size: model.headDimension, "\(label).normScale")
        let own = scaled(turn, cosine: scale, sine: scale)
        return chained { l in l.rotated(value, own, label) }
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
