import LPUDataflow
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The residual on every chip, by tile.
struct Residual {
    var tiles: [[ValueID]]
    /// How great its elements may be, by chip; nil where nothing tells before they are there.
    var magnitudes: [Magnitude]?
}

/// A bound of the magnitude of a residual's elements, in every lane, known before they are: fp8
/// terms can be made of each tile as it arrives, and the norm's scalar multiplies outputs.
///
/// x + the sum of all chips' parts W a is at most |x|2 + max|W| * the sum of all |a|1. Each chip
/// sends its |a|1 ahead of its parts.
struct Magnitude {
    /// What elements are times: 448 / bound.
    var inverse: ValueID
    /// bound / 448.
    var value: ValueID
}

/// A row-parallel layer's weights, as far as they bound its outputs.
struct Wide {
    var tensor: String
    /// The power of two that its inputs are times.
    var inputFactor: Float
}

extension DecoderLowering {
    /// What |a|1 is times on its way, so that fp16 holds it.
    private var lengthScale: Float { 0x1p-8 }

    /// `true` iff residuals come with a bound: fp8 terms need one, a bias would be missing in it.
    var hasMagnitudes: Bool {
        plan.weightType == .fp8 && !model.hasAttentionBias && !model.hasFeedForwardBias
    }

    /// |a|1 of each chip's terms of a, for all others.
    ///
    /// The second term is at most 1/16 of the first.
    mutating func lengthsAhead(_ terms: [[[ValueID]]], _ name: String) -> [ValueID]? {
        guard hasMagnitudes else { return nil }
        return places.filter { !terms[$0].isEmpty }.map { place in
            let all = chained { l -> ValueID in
                let magnitudes = terms[place].map {
                    l.builder.elementwise(.absolute, $0[0].at())
                }
                let sum = l.sumInTurn(magnitudes)
                return l.builder.elementwise(.toFP16, sum.at(), name: "\(name).magnitudes")
            }
            let ones = Tile([Use(shared[place].ones)], count: lanes)
            return chained { l in
                let sum = l.builder.matmul([MatmulTerm(all.at(), ones)], count: 1)
                let scaled = l.builder.elementwise(
                    .multiply, sum.at(), l.lengthScale * 17 / 16)
                return l.builder.elementwise(.toFP16, scaled.at(), name: "\(name).length")
            }
        }
    }

    /// The bounds of x and what is added to it: `lengths` are |x|2, `ahead` |a|1 of all chips.
    mutating func magnitudes(
        _ ahead: [ValueID]?, _ weights: Wide, lengths: [ValueID?], _ name: String
    ) -> [Magnitude]? {
        guard let ahead else { return nil }
        let arrived = gatherAll(ahead)
        return zip(places, lengths).compactMap { place, length in
            guard let length else { return nil }
            let widest = builder.image(
                "\(name).greatestWeight", chip: place, type: .fp32, count: 1,
                .greatestScale(
                    weights.tensor, factor: Scale.greatest / (weights.inputFactor * lengthScale),
                    columnScale: nil))
            let inverse = chained { l -> ValueID in
                let first = l.builder.elementwise(.add, arrived[place][0].at(), 0)
                let sum = arrived[place].dropFirst().reduce(first) {
                    l.builder.elementwise(.add, $0.at(), $1.at())
                }
                let parts = l.builder.elementwise(.multiply, sum.at(), widest.at())
                let bound = l.builder.elementwise(.add, parts.at(), length.at())
                let root = l.builder.elementwise(.rsqrt, bound.at())
                let inverse = l.builder.elementwise(.multiply, root.at(), root.at())
                return l.builder.elementwise(
                    .multiply, inverse.at(), Scale.greatest, name: "\(name).inverse")
            }
            let value = chained { l -> ValueID in
                let root = l.builder.elementwise(.rsqrt, inverse.at())
                return l.builder.elementwise(
                    .multiply, root.at(), root.at(), name: "\(name).magnitude")
            }
            return Magnitude(inverse: inverse, value: value)
        }
    }
}
