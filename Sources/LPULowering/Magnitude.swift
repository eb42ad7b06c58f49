import LPUDataflow
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The residual on every chip, by tile, and what bounds its elements.
///
/// A bound is known before they are: so fp8 terms can be made of each tile as it arrives, and the
/// norm's scalar multiplies outputs. x + the sum of all chips' parts W a is at most
/// |x|2 + max|W| * the sum of all |a|1, and each chip sends its |a|1 ahead of its parts.
struct Residual {
    var tiles: [[ValueID]]
    /// On every chip 448 / bound, in every lane: what elements are times in terms. nil where terms
    /// do not ask for a bound.
    var inverses: [ValueID]?
    /// Cycles from tile to tile where they come over one link; 0 where they do not.
    var pace = 0

    /// What a template takes of it or makes, by chip.
    var values: [[ValueID]] {
        tiles.enumerated().map { place, tiles in
            tiles + (inverses.map { [$0[place]] } ?? [])
        }
    }
}

/// A row-parallel layer's weights, as far as they bound its outputs.
struct Wide {
    var tensor: String
    /// The power of two that its inputs are times.
    var inputFactor: Float
}

extension DecoderLowering {
    /// `true` iff residuals come with a bound: fp8 and int8 terms need one, a bias would be missing
    /// in it.
    var hasMagnitudes: Bool {
        plan.weightType.byteCount == 1 && !model.hasAttentionBias && !model.hasFeedForwardBias
    }

    /// The greatest number of the weights' type.
    var greatest: Float { Scale.greatest(plan.weightType) }

    /// What |a|1 is times on its way, so that fp16 holds it.
    private var lengthScale: Float { 0x1p-8 }

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

    /// 448 over the bounds of x and what is added to it: `lengths` are |x|2, `ahead` |a|1 of all
    /// chips.
    mutating func inverses(
        _ ahead: [ValueID]?, _ weights: Wide, lengths: [ValueID?], _ name: String
    ) -> [ValueID]? {
        guard let ahead else { return nil }
        let arrived = gatherAll(ahead)
        return zip(places, lengths).compactMap { place, length in
            guard let length else { return nil }
            let widest = builder.image(
                "\(name).greatestWeight", chip: place, type: .fp32, count: 1,
                .greatestScale(
                    weights.tensor, factor: greatest / (weights.inputFactor * lengthScale),
                    columnScale: nil))
            return chained { l in
                let sum = l.added(arrived[place], to: nil)
                let parts = l.builder.elementwise(.multiply, sum.at(), widest.at())
                let bound = l.builder.elementwise(.add, parts.at(), length.at())
                return l.inverse(of: bound, name)
            }
        }
    }

    private mutating func inverse(of bound: ValueID, _ name: String) -> ValueID {
        let inverse = reciprocal(bound)
        return builder.elementwise(
            .multiply, inverse.at(), greatest, name: "\(name).inverse")
    }

    /// A residual by itself, no element of which is greater than its length.
    mutating func bounded(_ tiles: [[ValueID]], _ name: String) -> Residual {
        guard hasMagnitudes else { return Residual(tiles: tiles) }
        let inverses = places.map { place in
            let length = length(tiles[place], name, on: place)
            return chained { l in
                // A sum, as all bounds are: law 16 knows no fourth roots.
                let bound = l.builder.elementwise(.add, length.at(), 0x1p-20)
                return l.inverse(of: bound, name)
            }
        }
        return Residual(tiles: tiles, inverses: inverses)
    }

    /// The residual that a template takes as `values`.
    func residual(_ values: [[ValueID]]) -> Residual {
        let inverses = values.compactMap { $0.dropFirst(hidden.count).first }
        return Residual(
            tiles: values.map { Array($0.prefix(hidden.count)) },
            inverses: inverses.isEmpty ? nil : inverses)
    }
}
