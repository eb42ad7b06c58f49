import LPUDataflow
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// int8 activations: a fixed point whose greatest magnitude is 127, as two vectors of one value.
/// The first is the number rounded, the second 256 times what that dropped. Both pass each tile
/// while it is installed; their int32 sums, which differ in weight, are added in fp32.
extension Lowering {
    /// How much finer the second vector is than the first.
    static var fineness: Float { 256 }

    /// The sum over some contraction tiles, int8 by int8.
    mutating func integerSum(
        _ input: LinearInput, _ weights: LinearWeights, _ n: Int, _ tiles: Range<Int>
    ) -> ValueID {
        guard builder.chain != nil else {
            return chained { l in l.integerSum(input, weights, n, tiles) }
        }
        let sums = builder.matmul(
            tiles.flatMap { k in
                input.terms[k].map { MatmulTerm(Use($0), weights.tile(n, k)) }
            }, count: 2)
        let numbers = builder.elementwise(.toFP32, Use(sums), count: 2)
        let fine = builder.elementwise(.multiply, numbers.at(1), 1 / Self.fineness)
        return builder.elementwise(.add, fine.at(), numbers.at())
    }
}

/// What tells the two vectors of a number apart: 0 and 1 to mask by, 1 and 256 to multiply by.
struct IntegerConstants {
    var isFine: ValueID
    var factors: ValueID
}

extension DecoderLowering {
    mutating func integerConstants(on place: Int) -> IntegerConstants? {
        guard plan.weightType == .int8 else { return nil }
        return IntegerConstants(
            isFine: builder.image(
                "terms.isFine", chip: place, type: .int8, count: 2,
                .constant(bits: 1, vectors: 1..<2, lanes: 0..<lanes)),
            factors: builder.image(
                "terms.factors", chip: place, type: .fp32, count: 2,
                .table(
                    bits: [Float(1).bitPattern, Self.fineness.bitPattern], stride: 1, run: lanes)))
    }

    /// `value` times `factor` as int8 terms. - Requires: no product is beyond 127.
    mutating func integerTerms(
        of value: ValueID, times factor: ValueID, _ constants: IntegerConstants, _ name: String
    ) -> [ValueID] {
        chained { l in
            let whole = l.builder.elementwise(.multiply, value.at(), factor.at(), count: 2)
            let rounded = l.builder.elementwise(.toInt8, Use(whole), count: 2)
            let number = l.builder.elementwise(.toFP32, Use(rounded), count: 2)
            let dropped = l.builder.elementwise(
                .mask, Use(number), Use(constants.isFine), count: 2)
            let rest = l.builder.elementwise(.subtract, Use(whole), Use(dropped), count: 2)
            let scaled = l.builder.elementwise(
                .multiply, Use(rest), Use(constants.factors), count: 2)
            return [l.builder.elementwise(.toInt8, Use(scaled), count: 2, name: name)]
        }
    }

    /// What a row-parallel layer takes, as terms or, in int8, as it is: see `rowInput`.
    mutating func rowTerms(of value: Use, _ name: String) -> [ValueID] {
        guard plan.weightType == .int8 else { return terms(of: value, plan.weightType, name) }
        // A vector by itself: both terms are made of it.
        return [
            builder[value.value].count == 1
                ? value.value : builder.elementwise(.copy, value, name: name)
        ]
    }

    /// What goes into a row-parallel layer, from what it is the terms of: in int8 numbers, of which
    /// no one knows how great they are. They are divided by their length, which then multiplies
    /// outputs.
    mutating func rowInput(
        _ made: [[ValueID]], _ weights: LinearWeights, _ name: String, on place: Int
    ) -> (input: LinearInput, weights: LinearWeights) {
        guard let constants = shared[place].integers, !made.isEmpty else {
            return (LinearInput(terms: made), weights)
        }
        let values = made.map { $0[0] }
        let (inverse, length) = inverseLength(of: values, "\(name).terms", on: place)
        let terms = values.enumerated().map { n, value in
            integerTerms(of: value, times: inverse, constants, "\(name).terms\(n)")
        }
        return (LinearInput(terms: terms), scaled(weights, by: length))
    }
}
