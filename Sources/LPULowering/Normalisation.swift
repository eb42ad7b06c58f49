import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// RMS norms.
extension DecoderLowering {
    /// x as the input of linear layers whose weights hold the norm's weight.
    ///
    /// In fp16, x goes in as it is and 1/rms multiplies the outputs, off the path through the
    /// weights. fp8 and int8 terms need a magnitude that is known: a bound that came ahead of x, or
    /// else they are normed first.
    mutating func normalise(
        _ x: [ValueID], inverse: ValueID?, _ name: String, on place: Int
    ) -> LinearInput {
        guard plan.weightType.byteCount == 1 else {
            return LinearInput(terms: terms(of: x, times: nil, name), deferred: .init(x: x))
        }
        if let inverse {
            return LinearInput(
                terms: scaledTerms(of: x, times: inverse, name, on: place),
                deferred: .init(x: x, inverse: inverse))
        }
        let factor = Scale.normed(size: model.hiddenSize, plan.weightType)
        let inverse = inverseRoot(
            meanOf: x, over: shared[place].ones, size: model.hiddenSize, times: factor,
            "\(name).scale")
        return LinearInput(
            terms: scaledTerms(of: x, times: inverse, name, on: place), factor: factor)
    }

    /// What outputs of a deferred norm are to be multiplied by, and |x|2 if it is to bound what
    /// comes next; nil for an input that is normed.
    ///
    /// The planes take the sums over its squares in the order of the program: after sums of
    /// outputs that do not wait for all of x.
    mutating func scale(
        of input: LinearInput, withLength: Bool = false, _ name: String, on place: Int
    ) -> (scale: ValueID?, length: ValueID?) {
        guard let deferred = input.deferred else { return (nil, nil) }
        let size = model.hiddenSize
        let bound = deferred.inverse.map { inverse in
            chained { l in l.reciprocal(inverse, name: "\(name).bound") }
        }
        return mean(of: deferred.x, over: shared[place].ones, size: size, "\(name).squares") {
            l, mean in
            let inverse = l.builder.elementwise(.rsqrt, mean.at(), name: "\(name).scale")
            let length =
                withLength ? l.length(mean, inverse, size: size, "\(name).length") : nil
            let scale = bound.map {
                l.builder.elementwise(.multiply, inverse.at(), $0.at(), name: "\(name).scale")
            }
            return (scale ?? inverse, length)
        }
    }

    private mutating func scaledTerms(
        of x: [ValueID], times factor: ValueID, _ name: String, on place: Int
    ) -> [[ValueID]] {
        guard let integers = shared[place].integers else {
            return terms(of: x, times: factor, name)
        }
        return x.enumerated().map {
            integerTerms(of: $1, times: factor, integers, "\(name).x\($0)")
        }
    }

    private mutating func terms(
        of x: [ValueID], times factor: ValueID?, _ name: String
    ) -> [[ValueID]] {
        x.enumerated().map { tile, part in
            chained { l in
                let value = factor.map { l.builder.elementwise(.multiply, part.at(), $0.at()) }
                return l.terms(of: Use(value ?? part), l.plan.weightType, "\(name).x\(tile)")
            }
        }
    }

    /// |x|2, a little more for the epsilon.
    mutating func length(_ x: [ValueID], _ name: String, on place: Int) -> ValueID {
        let size = model.hiddenSize
        return mean(of: x, over: shared[place].ones, size: size, "\(name).squares") { l, mean in
            let inverse = l.builder.elementwise(.rsqrt, mean.at())
            return l.length(mean, inverse, size: size, "\(name).length")
        }
    }

    /// What makes the length of so many numbers 127 at most, and what takes it back.
    mutating func inverseLength(
        of x: [ValueID], _ name: String, on place: Int
    ) -> (inverse: ValueID, length: ValueID) {
        let size = x.count * lanes
        return mean(of: x, over: shared[place].ones, size: size, "\(name).squares") { l, mean in
            let root = l.builder.elementwise(.rsqrt, mean.at())
            let inverse = l.builder.elementwise(
                .multiply, root.at(), l.greatest / Float(size).squareRoot(),
                name: "\(name).inverse")
            let length = l.length(mean, root, size: size, "\(name).root")
            return (
                inverse,
                l.builder.elementwise(
                    .multiply, length.at(), 1 / l.greatest, name: "\(name).length")
            )
        }
    }

    private mutating func length(
        _ mean: ValueID, _ inverse: ValueID, size: Int, _ name: String
    ) -> ValueID {
        let root = builder.elementwise(.multiply, mean.at(), inverse.at())
        return builder.elementwise(.multiply, root.at(), Float(size).squareRoot(), name: name)
    }

    /// factor/sqrt(mean of squares + epsilon) of the elements in the lanes that the weight vectors
    /// of `ones` mark, of `size` in all.
    /// - Requires: `factor` is a power of two.
    mutating func inverseRoot(
        meanOf x: [ValueID], over ones: ValueID, size: Int, times factor: Float = 1, _ name: String
    ) -> ValueID {
        mean(of: x, over: ones, size: size, dividedBy: factor * factor, "\(name).squares") {
            l, mean in l.builder.elementwise(.rsqrt, mean.at(), name: name)
        }
    }

    /// What `finish` makes, in the same chain, of the mean of squares + epsilon over a divisor.
    ///
    /// Squares of real residuals leave fp16: their sum over the tiles is scaled by 2^-14, becomes
    /// two terms, the second 2^11 times what the first dropped.
    private mutating func mean<Result>(
        of x: [ValueID], over ones: ValueID, size: Int, dividedBy divisor: Float = 1,
        _ name: String, _ finish: (inout Self, ValueID) -> Result
    ) -> Result {
        // Parts side by side: each addition waits for another. The last tiles, which come while
        // those are made, join at the end.
        let width = 4
        let early = x.count > 2 * width ? x.dropLast(2) : x[...]
        let count = min(width, early.count)
        func square(_ l: inout Self, _ tile: ValueID) -> ValueID {
            l.builder.elementwise(.multiply, tile.at(), tile.at())
        }
        let parts = (0..<count).map { part in
            chained { l -> ValueID in
                let first = (early.count + part) % count
                let squares = stride(from: first, to: early.count, by: count).map {
                    square(&l, early[$0])
                }
                return l.sumInTurn(squares, name)
            }
        }
        let (high, low) = chained { l -> (ValueID, ValueID) in
            let late = x[early.endIndex...].map { square(&l, $0) }
            return l.wideTerms(of: l.sumInTurn(parts + late, name), times: 0x1p-14)
        }
        let unit = 0x1p14 / (Float(size) * divisor)
        let epsilon = Float(model.normEpsilon) / divisor
        // Both terms pass the ones while they are installed.
        return chained { l in
            let sum = l.sumOverLanes([high], ones)
            let scaled = l.builder.elementwise(.multiply, sum.at(), unit)
            let most = l.builder.elementwise(.add, scaled.at(), epsilon)
            let low = l.sumOverLanes([low], ones)
            let rest = l.builder.elementwise(.multiply, low.at(), unit * 0x1p-11)
            return finish(&l, l.builder.elementwise(.add, rest.at(), most.at()))
        }
    }

    /// In every lane the sum of all terms over all lanes, vector by vector.
    mutating func sumOverLanes(
        _ terms: [ValueID], _ ones: ValueID, _ name: String? = nil
    ) -> ValueID {
        let tile = Tile([Use(ones)], count: lanes)
        return builder.matmul(terms.map { MatmulTerm(Use($0), tile) }, name: name)
    }
}
