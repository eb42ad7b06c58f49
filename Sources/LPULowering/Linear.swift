import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A linear layer's weights as tiles: output tile n, contraction tile k.
struct LinearWeights {
    var value: ValueID
    /// Weight vectors of a tile, and of each output tile the same number of contraction tiles.
    var rows: Int
    var contractions: Int

    func tile(_ n: Int, _ k: Int) -> Tile {
        Tile([Use(value, start: (n * contractions + k) * rows)], count: rows)
    }
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
}

extension DecoderLowering {
    /// The weights of `tensor` with the given rows a output tile and columns a contraction tile.
    mutating func linear(
        _ name: String, tensor: String, rows: [IndexMap], columns: [IndexMap],
        factor: Float = 1, norm: String? = nil, on place: Int
    ) -> LinearWeights {
        let height = ((rows.map(\.count).max() ?? 0) + 15) / 16 * 16
        var pieces: [Piece] = []
        for (n, row) in rows.enumerated() {
            for (k, column) in columns.enumerated() {
                let start = (n * columns.count + k) * height
                for r in row.segments {
                    let first = start + r.position
                    pieces += column.segments.map { c in
                        Piece(
                            vectors: first..<first + r.count,
                            lanes: c.position..<c.position + c.count, base: [r.base, c.base],
                            vector: [r.digits, .zero], lane: [.zero, c.digits])
                    }
                }
            }
        }
        let value = builder.image(
            name, chip: place, type: plan.weightType, count: rows.count * columns.count * height,
            .weights(
                Layout(tensor: tensor, pieces: pieces), factor: factor, columnScale: norm))
        return LinearWeights(value: value, rows: height, contractions: columns.count)
    }

    /// Output tile `n`: the sum over all contraction tiles, in their order.
    mutating func product(
        _ activations: [ValueID], _ weights: LinearWeights, _ n: Int, name: String? = nil
    ) -> ValueID {
        builder.matmul(
            activations.enumerated().map { MatmulTerm($1.at(), weights.tile(n, $0)) }, count: 1,
            name: name)
    }

    /// The elements of a vector in fp32, those that `rows[n]` names in vector n.
    mutating func vector(
        _ name: String, tensor: String, rows: [IndexMap], factor: Float = 1, on place: Int
    ) -> ValueID {
        let pieces = rows.enumerated().flatMap { n, row in
            row.segments.map {
                Piece(
                    vectors: n..<n + 1, lanes: $0.position..<$0.position + $0.count,
                    base: [$0.base], vector: [.zero], lane: [$0.digits])
            }
        }
        return builder.image(
            name, chip: place, type: .fp32, count: rows.count,
            .weights(Layout(tensor: tensor, pieces: pieces), factor: factor, columnScale: nil))
    }

    /// `sum` and vector `n` of the bias, where there is one.
    mutating func biased(_ sum: ValueID, _ bias: ValueID?, _ n: Int) -> ValueID {
        bias.map { builder.elementwise(.add, sum.at(), $0.at(n)) } ?? sum
    }

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

    /// x in fp16 and 1/rms(x) in every lane.
    ///
    /// The norm's weight is folded into the layer after it and its scalar multiplies the outputs.
    mutating func normalise(
        _ x: [ValueID], _ name: String, on place: Int
    ) -> (x: [ValueID], scale: ValueID) {
        var activations: [ValueID] = []
        var high: [ValueID] = []
        var low: [ValueID] = []
        for (tile, part) in x.enumerated() {
            activations.append(
                builder.elementwise(.toFP16, part.at(), name: "\(name).x\(tile)"))
            let square = squareTerms(part)
            high.append(square.high)
            low.append(square.low)
        }
        let scale = inverseRoot(
            high, low, over: shared[place].ones, size: model.hiddenSize, "\(name).scale")
        return (activations, scale)
    }

    /// The squares of a vector's elements for a sum over lanes: those of real residuals leave fp16,
    /// so that they are scaled by 2^-14 and become two terms, the second 2^11 times what the first
    /// dropped.
    mutating func squareTerms(_ value: ValueID) -> (high: ValueID, low: ValueID) {
        chained { l in
            let small = l.builder.elementwise(.multiply, value.at(), 0x1p-7)
            let square = l.builder.elementwise(.multiply, small.at(), small.at())
            let high = l.builder.elementwise(.toFP16, square.at())
            let rest = l.builder.elementwise(.subtract, square.at(), high.at())
            let scaled = l.builder.elementwise(.multiply, rest.at(), 0x1p11)
            return (high, l.builder.elementwise(.toFP16, scaled.at()))
        }
    }

    /// 1/sqrt(mean of squares + epsilon): sums of `squareTerms` over the lanes that the weight
    /// vectors of `ones` mark, of `size` elements each.
    mutating func inverseRoot(
        _ high: [ValueID], _ low: [ValueID], over ones: ValueID, size: Int, _ name: String
    ) -> ValueID {
        let ones = Tile([Use(ones)], count: lanes)
        let sums = [high, low].map { part in
            builder.matmul(part.map { MatmulTerm($0.at(), ones) }, count: 1)
        }
        return chained { l in
            let rest = l.builder.elementwise(.multiply, sums[1].at(), 0x1p-11)
            let sum = l.builder.elementwise(.add, sums[0].at(), rest.at())
            let mean = l.builder.elementwise(.multiply, sum.at(), 0x1p14 / Float(size))
            let safe = l.builder.elementwise(.add, mean.at(), Float(l.model.normEpsilon))
            return l.builder.elementwise(.rsqrt, safe.at(), name: name)
        }
    }
}
