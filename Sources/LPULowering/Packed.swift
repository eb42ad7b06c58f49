import LPUDataflow
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The products of packed contraction tiles, as far as the planes have got.
struct PackedProducts {
    /// Tiles of each packing that are done.
    var tiles = 0
    /// Of each packing the terms by how far they are shifted; for look-up only.
    fileprivate var terms: [[Int: [ValueID]]]
    /// Of each output, and how many are missing.
    fileprivate var products: [[ValueID]]
    fileprivate var missing: [Int]

    init(_ weights: LinearWeights) {
        terms = weights.packings.map { _ in [:] }
        products = weights.heights.map { _ in [] }
        missing = weights.heights.map { _ in 0 }
        for packing in weights.packings {
            for piece in (0..<packing.tiles).flatMap(packing.pieces) { missing[piece.output] += 1 }
        }
    }
}

extension Lowering {
    /// Products up to tile `end` of each packing, tile by tile, so that all outputs of a tile pass
    /// it while it is installed. Each rests by itself: no plane waits for what others sum up.
    /// `made` is told each output of which all products are there.
    mutating func multiply(
        _ input: LinearInput, _ weights: LinearWeights, _ packed: inout PackedProducts,
        upTo end: Int, made: (inout Self, Int, [ValueID]) -> Void
    ) {
        while packed.tiles < min(end, weights.packings.map(\.tiles).max() ?? 0) {
            for (k, packing) in weights.packings.enumerated() where packed.tiles < packing.tiles {
                let tile = weights.packedTile(k, packed.tiles)
                for piece in packing.pieces(of: packed.tiles) {
                    let terms = terms(of: input, k, shiftedBy: piece.shift, &packed)
                    packed.products[piece.output].append(
                        builder.matmul(terms.map { MatmulTerm($0.at(), tile) }, count: 1))
                    packed.missing[piece.output] -= 1
                    if packed.missing[piece.output] == 0 {
                        made(&self, piece.output, packed.products[piece.output])
                    }
                }
            }
            packed.tiles += 1
        }
    }

    /// The sum of an output over all packed contraction tiles.
    mutating func packedSum(_ products: [ValueID], _ weights: LinearWeights) -> PartialSum {
        PartialSum(
            value: chained { l in l.sumInTurn(products) }, tiles: weights.packings.count)
    }

    /// Shifts all that packed tiles take.
    mutating func shift(
        _ input: LinearInput, _ weights: LinearWeights, _ packed: inout PackedProducts
    ) {
        for (k, packing) in weights.packings.enumerated() {
            for piece in (0..<packing.tiles).flatMap(packing.pieces) {
                _ = terms(of: input, k, shiftedBy: piece.shift, &packed)
            }
        }
    }

    /// Terms of contraction tile `k` in other lanes, made where they are first asked for.
    private mutating func terms(
        of input: LinearInput, _ k: Int, shiftedBy lanes: Int, _ packed: inout PackedProducts
    ) -> [ValueID] {
        if let known = packed.terms[k][lanes] { return known }
        let terms = input.terms[k].map {
            lanes == 0 ? $0 : builder.shift($0.at(), by: lanes, count: 1)
        }
        packed.terms[k][lanes] = terms
        return terms
    }
}
