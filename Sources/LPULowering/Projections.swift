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
    /// Blocks of a tile of keys in whose lanes it is wanted.
    var sides: Int
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
        factor: Float = 1, parts: Int, sides: Int = 1
    ) -> Projection {
        Projection(
            which: which, label: label, rows: rows, factor: factor, parts: parts, sides: sides,
            weights: linear(
                label, tensor: "\(input.prefix)\(which)_proj.weight", rows: [rows],
                columns: hiddenColumns,
                scaleRows: [rows.repeated(sides, stride: blocks.width)], factor: factor,
                inputFactor: input.normed.factor,
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
        let heads = turnedHeads(on: input.place)
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

    /// Heads that are side by side where keys and queries are turned.
    func turnedHeads(on place: Int) -> Int {
        (blocks.sides - 1) * blocks.width / model.headDimension + heads[place].perSet
    }

    private mutating func scaled(_ turn: Turn, cosine: ValueID, sine: ValueID) -> Turn {
        Turn(
            cosine: builder.elementwise(.multiply, turn.cosine.at(), cosine.at()),
            sine: builder.elementwise(.multiply, turn.sine.at(), sine.at()))
    }

    /// `true` iff projections are turned before they are scaled: nothing stands between.
    var turnsFirst: Bool { !model.hasQueryKeyNorm && !model.hasAttentionBias }

    /// A projection of heads, normed one by one where the model does so, turned: for each side that
    /// it is wanted on once, in the lanes of that side.
    mutating func projectRotated(
        _ input: AttentionInput, _ projection: Projection, _ heads: [Int?], _ turn: Turn,
        sum: ValueID? = nil
    ) -> [ValueID] {
        let label = projection.label
        guard turnsFirst else {
            let value = project(input, projection, sum: sum)
            guard model.hasQueryKeyNorm else {
                return rotated(turn, projection) { _ in value }
            }
            let scale = inverseRoot(
                meanOf: [value], over: shared[input.place].headOnes ?? shared[input.place].ones,
                size: model.headDimension, "\(label).normScale")
            let own = scaled(turn, cosine: scale, sine: scale)
            return rotated(own, projection) { _ in value }
        }
        // Scales of fp8 weights are part of the turn: no multiplication waits for the sum.
        let own = projection.weights.scales.first.map { scales in
            let swapped = self.scales(
                "\(label).scalesSwapped", tensor: "\(input.prefix)\(projection.which)_proj.weight",
                rows: [
                    rotatedRows(heads, swapped: true)
                        .repeated(projection.sides, stride: blocks.width)
                ], factor: 1 / input.normed.factor, norm: input.norm, on: input.place)
            return scaled(turn, cosine: scales.value, sine: swapped)
        }
        return rotated(own ?? turn, projection, times: input.scale) { l in
            sum ?? l.sum(input, projection)
        }
    }

    /// A value turned where it stands, and shifted to the lanes of every other side, times `scale`.
    /// The first shift takes the value as it passes, further ones where it rests.
    private mutating func rotated(
        _ turn: Turn, _ projection: Projection, times scale: ValueID? = nil,
        _ value: (inout Self) -> ValueID
    ) -> [ValueID] {
        let width = blocks.width
        func rotated(_ l: inout Self, _ value: ValueID, _ side: Int) -> ValueID {
            let label = projection.label + l.ofSide(side)
            let placed = side == 0 ? value : l.builder.shift(value.at(), by: side * width)
            let rotated = l.rotated(placed, turn, label)
            guard let scale else { return rotated }
            return l.builder.elementwise(
                .multiply, rotated.at(), scale.at(), name: "\(label).scaled")
        }
        let near = 0..<min(projection.sides, 2)
        let (first, all) = chained { l -> (ValueID, [ValueID]) in
            let first = value(&l)
            return (first, near.map { rotated(&l, first, $0) })
        }
        return all
            + (near.upperBound..<projection.sides).map { side in
                chained { l in rotated(&l, first, side) }
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
