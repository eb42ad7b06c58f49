import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// What linear layers take: for each contraction tile, the terms whose sum it is.
struct LinearInput {
    var terms: [[ValueID]]
    /// The norm whose scalar outputs are yet to be multiplied by.
    var deferred: DeferredNorm?
    /// The power of two that the terms are times.
    var factor: Float = 1
}

/// A norm of x that has not been taken.
struct DeferredNorm {
    var x: [ValueID]
    /// What x is times in the terms.
    var inverse: ValueID?
}

/// A linear layer's weights as tiles: output tile n, contraction tile k.
struct LinearWeights {
    var value: ValueID
    /// For each output tile what its lanes are yet to be multiplied by, one for all that are the
    /// same; empty for nothing.
    var scales: [Use]
    /// Weight vectors of each output tile's tiles.
    var heights: [Int]
    /// The first contraction tiles, of which those of many output tiles lie side by side.
    var packings: [LanePacking] = []
    /// Contraction tiles, with those.
    var contractions: Int

    /// Output tiles whose contraction tiles are packed.
    var packedOutputs: Range<Int> {
        packings.first?.outputs ?? heights.count..<heights.count
    }

    /// Contraction tiles of an output tile that are not packed.
    func ownTiles(_ n: Int) -> Range<Int> {
        (packedOutputs.contains(n) ? packings.count : 0)..<contractions
    }

    /// - Requires: `k` is among the output tile's own.
    func tile(_ n: Int, _ k: Int) -> Tile {
        let before = (0..<n).reduce(0) { $0 + heights[$1] * ownTiles($1).count }
        let start = before + (k - ownTiles(n).lowerBound) * heights[n]
        return Tile([Use(value, start: start)], count: heights[n])
    }

    /// Tile `t` of packed contraction tile `k`; they stand behind all others.
    func packedTile(_ k: Int, _ t: Int) -> Tile {
        let others = packings[..<k].reduce(0) { $0 + $1.tiles } + t
        let height = heights.max() ?? 0
        return Tile([Use(value, start: ownCount + others * height)], count: height)
    }

    private var ownCount: Int {
        heights.indices.reduce(0) { $0 + heights[$1] * ownTiles($1).count }
    }

    /// Weight vectors in all.
    var count: Int {
        ownCount + packings.reduce(0) { $0 + $1.tiles } * (heights.max() ?? 0)
    }
}

/// A sum over the first contraction tiles of an output tile.
struct PartialSum {
    var value: ValueID
    var tiles: Int
}

/// Rows or columns of a weight matrix that a tile's weight vectors or lanes hold.
struct IndexMap {
    /// `count` of them from `position` of the tile on: `base + digits(i)` of the matrix.
    struct Segment {
        var position: Int
        var base: Int
        var count: Int
        var digits: DigitSum
    }
    var segments: [Segment]

    var count: Int { segments.map { $0.position + $0.count }.max() ?? 0 }

    static func range(_ range: Range<Int>) -> IndexMap {
        IndexMap(segments: [
            Segment(position: 0, base: range.lowerBound, count: range.count, digits: .linear(1))
        ])
    }

    /// What stands at positions of `range` when all has moved on by so many.
    /// - Requires: indices of a segment follow one another.
    func moved(by offset: Int, within range: Range<Int>) -> IndexMap {
        IndexMap(
            segments: segments.compactMap { segment in
                precondition(segment.digits == .linear(1), "a part of a segment is not one")
                let first = segment.position + offset
                let kept = (first..<first + segment.count).clamped(to: range)
                guard !kept.isEmpty else { return nil }
                return Segment(
                    position: kept.lowerBound, base: segment.base + kept.lowerBound - first,
                    count: kept.count, digits: segment.digits)
            })
    }

    /// The same again and again, `stride` positions apart.
    func repeated(_ count: Int, stride: Int) -> IndexMap {
        IndexMap(
            segments: (0..<count).flatMap { i in
                segments.map {
                    var segment = $0
                    segment.position += i * stride
                    return segment
                }
            })
    }
}

extension Lowering {
    /// The weights of `tensor` with the given rows a output tile and columns a contraction tile,
    /// for inputs that are times `inputFactor`. Scales are those of `scaleRows`, else of `rows`.
    mutating func linear(
        _ name: String, tensor: String, rows: [IndexMap], columns: [IndexMap],
        scaleRows: [IndexMap]? = nil, packings: [LanePacking] = [],
        factor: Float = 1, inputFactor: Float = 1, norm: String? = nil, on place: Int
    ) -> LinearWeights {
        let width = chip.weightStreamsPerPlane
        var weights = LinearWeights(
            value: ValueID(0), scales: [],
            heights: rows.map { $0.count.roundedUp(toMultipleOf: width) }, packings: packings,
            contractions: columns.count)
        var pieces: [Piece] = []
        for (n, row) in rows.enumerated() {
            for k in weights.ownTiles(n) {
                pieces += self.pieces(row, columns[k], from: weights.tile(n, k))
            }
        }
        for (k, packing) in packings.enumerated() {
            for t in 0..<packing.tiles {
                for piece in packing.pieces(of: t) {
                    pieces += self.pieces(
                        rows[piece.output], columns[k].moved(by: piece.shift, within: piece.lanes),
                        from: weights.packedTile(k, t))
                }
            }
        }
        weights.value = builder.image(
            name, chip: place, type: plan.weightType, count: weights.count,
            .weights(
                Layout(tensor: tensor, pieces: pieces), factor: factor, columnScale: norm))
        guard plan.weightType.byteCount == 1 else { return weights }
        let scales = self.scales(
            "\(name).scales", tensor: tensor, rows: scaleRows ?? rows,
            factor: 1 / inputFactor, norm: norm, on: place)
        weights.scales = rows.indices.map { scales.at($0) }
        return weights
    }

    /// The elements of a tile that have these rows and columns.
    private func pieces(_ rows: IndexMap, _ columns: IndexMap, from tile: Tile) -> [Piece] {
        rows.segments.flatMap { r in
            let first = Int(tile.sources[0].start) + r.position
            return columns.segments.map { c in
                Piece(
                    vectors: first..<first + r.count,
                    lanes: c.position..<c.position + c.count, base: [r.base, c.base],
                    vector: [r.digits, .zero], lane: [.zero, c.digits])
            }
        }
    }

    /// The weights, whose outputs are yet to be times `scale`.
    mutating func scaled(_ weights: LinearWeights, by scale: ValueID?) -> LinearWeights {
        guard let scale else { return weights }
        var weights = weights
        weights.scales =
            weights.scales.isEmpty
            ? [scale.at()]
            : weights.scales.map { builder.elementwise(.multiply, $0, scale.at()).at() }
        return weights
    }

    /// The scales of fp8 or int8 weights, those of the rows that `rows[n]` names in vector n.
    mutating func scales(
        _ name: String, tensor: String, rows: [IndexMap], factor: Float, norm: String?,
        on place: Int
    ) -> ValueID {
        builder.image(
            name, chip: place, type: .fp32, count: rows.count,
            .scales(
                Layout(tensor: tensor, pieces: vectorPieces(rows)), factor: factor,
                columnScale: norm))
    }

    var planes: Int { plan.planes(of: chip) }

    /// The sum over all contraction tiles in their order, in each the terms in theirs; not scaled.
    /// In `parts` that different planes sum up where so many contraction tiles are there.
    mutating func sum(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, parts: Int
    ) -> ValueID {
        sumInTurn(self.parts(input, weights, n, parts: parts))
    }

    /// What the sum over all contraction tiles is the sum of: `parts` that different planes sum up
    /// where so many contraction tiles are left after `start`, and that.
    mutating func parts(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, after start: PartialSum? = nil,
        parts: Int
    ) -> [ValueID] {
        let first = start?.tiles ?? 0
        let count = input.terms.count - first
        let parts = min(max(1, parts), count)
        let sums = (0..<parts).map { part in
            let (from, to) = (part * count / parts, (part + 1) * count / parts)
            return sum(input, weights, n, first + from..<first + to)
        }
        return (start.map { [$0.value] } ?? []) + sums
    }

    /// The sum over some contraction tiles.
    mutating func sum(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, _ tiles: Range<Int>
    ) -> ValueID {
        guard plan.weightType != .int8 else { return integerSum(input, weights, n, tiles) }
        return builder.matmul(
            tiles.flatMap { k in
                input.terms[k].map { MatmulTerm($0.at(), weights.tile(n, k)) }
            }, count: 1)
    }

    /// The sum over the first `tiles` contraction tiles, those that are left after `start` added to
    /// it; nil for none.
    mutating func sum(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, after start: PartialSum? = nil,
        upTo tiles: Int
    ) -> PartialSum? {
        let first = start?.tiles ?? 0
        guard first < tiles else { return start }
        let rest = sum(input, weights, n, first..<tiles)
        return PartialSum(
            value: start.map { builder.elementwise(.add, rest.at(), $0.value.at()) } ?? rest,
            tiles: tiles)
    }

    /// The sum over all contraction tiles, those that are left after `start` added to it.
    mutating func sum(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, after start: PartialSum?
    ) -> PartialSum {
        let count = input.terms.count
        guard let sum = sum(input, weights, n, after: start, upTo: count) else {
            preconditionFailure("an input has tiles")
        }
        return sum
    }

    /// `sum` in the lanes of output tile `n`: scaled, where there is something to scale it by.
    mutating func scaled(
        _ sum: ValueID, _ weights: LinearWeights, _ n: Int, name: String? = nil
    ) -> ValueID {
        guard let last = weights.scales.indices.last else { return sum }
        return builder.elementwise(.multiply, sum.at(), weights.scales[min(n, last)], name: name)
    }

    /// Output tile `n`, of which a sum may be there already.
    mutating func product(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, after start: PartialSum? = nil,
        name: String? = nil
    ) -> ValueID {
        scaled(sum(input, weights, n, after: start).value, weights, n, name: name)
    }

    /// The sum of all, one after another.
    mutating func sumInTurn(_ values: [ValueID], _ name: String? = nil) -> ValueID {
        values.dropFirst().reduce(values[0]) {
            builder.elementwise(.add, Use($0), Use($1), name: name)
        }
    }

    /// The value in two fp16 terms.
    mutating func pairOfTerms(of value: ValueID) -> (high: ValueID, low: ValueID) {
        let high = builder.elementwise(.toFP16, Use(value))
        let rest = builder.elementwise(.subtract, Use(value), Use(high))
        return (high, builder.elementwise(.toFP16, Use(rest)))
    }

    /// `value` times `scale` as two fp16 terms, for sums that leave fp16: the second is 2^11 times
    /// what the first dropped.
    mutating func wideTerms(
        of value: ValueID, times scale: Float
    ) -> (high: ValueID, low: ValueID) {
        let small = builder.elementwise(.multiply, Use(value), scale)
        let high = builder.elementwise(.toFP16, Use(small))
        let rest = builder.elementwise(.subtract, Use(small), Use(high))
        let scaled = builder.elementwise(.multiply, Use(rest), 0x1p11)
        return (high, builder.elementwise(.toFP16, Use(scaled)))
    }

    /// Sums of so many each, until no more than that are left.
    mutating func sumsInTurn(
        _ values: [ValueID], atMost count: Int, _ name: String
    ) -> [ValueID] {
        guard values.count > count else { return values }
        let sums = stride(from: 0, to: values.count, by: count).map { first in
            chained { l in
                l.sumInTurn(Array(values[first..<min(first + count, values.count)]), name)
            }
        }
        return sumsInTurn(sums, atMost: count, name)
    }

    /// The value in a type of the MXM: one fp16 term, or two fp8 ones.
    mutating func terms(of value: Use, _ type: ElementType, _ name: String) -> [ValueID] {
        guard type == .fp8 else {
            return [builder.elementwise(.toFP16, value, name: name)]
        }
        let high = builder.elementwise(.toFP8, value, name: name)
        let rest = builder.elementwise(.subtract, value, Use(high))
        return [high, builder.elementwise(.toFP8, Use(rest), name: "\(name).low")]
    }

    /// The elements of a vector, those that `rows[n]` names in vector n.
    mutating func vector(
        _ name: String, tensor: String, rows: [IndexMap], factor: Float = 1,
        type: ElementType = .fp32, on place: Int
    ) -> ValueID {
        builder.image(
            name, chip: place, type: type, count: rows.count,
            .weights(
                Layout(tensor: tensor, pieces: vectorPieces(rows)), factor: factor,
                columnScale: nil))
    }

    private func vectorPieces(_ rows: [IndexMap]) -> [Piece] {
        rows.enumerated().flatMap { n, row in
            row.segments.map {
                Piece(
                    vectors: n..<n + 1, lanes: $0.position..<$0.position + $0.count,
                    base: [$0.base], vector: [.zero], lane: [$0.digits])
            }
        }
    }

    /// `sum` and vector `n` of the bias, where there is one.
    mutating func biased(_ sum: ValueID, _ bias: ValueID?, _ n: Int) -> ValueID {
        bias.map { builder.elementwise(.add, sum.at(), $0.at(n)) } ?? sum
    }
}

extension DecoderLowering {
    /// The residual on every chip with the bias of the layer whose sums it will take: so that it
    /// is added once, and before the sums are there.
    mutating func biasedResidual(
        _ x: [[ValueID]], _ name: String, tensor: String, if isBiased: Bool
    ) -> [[ValueID]] {
        guard isBiased else { return x }
        return places.map { place in
            let bias = vector(name, tensor: tensor, rows: hiddenColumns, on: place)
            return x[place].enumerated().map { biased($1, bias, $0) }
        }
    }

    var hiddenColumns: [IndexMap] { hidden.ranges.map { .range($0) } }
}
