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
    /// weights. fp8 terms need a magnitude that is known, and so are normed first.
    mutating func normalise(_ x: [ValueID], _ name: String, on place: Int) -> LinearInput {
        let factor = isByteWeights ? Scale.normed(size: model.hiddenSize) : 1
        let inverse = inverseRoot(
            meanOf: x, over: shared[place].ones, size: model.hiddenSize, times: factor,
            "\(name).scale")
        let terms = x.enumerated().map { tile, part in
            chained { l -> [ValueID] in
                let value =
                    l.isByteWeights
                    ? l.builder.elementwise(.multiply, part.at(), inverse.at()) : part
                return l.terms(of: Use(value), l.plan.weightType, "\(name).x\(tile)")
            }
        }
        return LinearInput(terms: terms, scale: isByteWeights ? nil : inverse, factor: factor)
    }

    private var isByteWeights: Bool { plan.weightType.byteCount == 1 }

    /// factor/sqrt(mean of squares + epsilon) of the elements in the lanes that the weight vectors
    /// of `ones` mark, of `size` in all.
    ///
    /// Squares of real residuals leave fp16: their sum over the tiles is scaled by 2^-14, becomes
    /// two terms, the second 2^11 times what the first dropped.
    /// - Requires: `factor` is a power of two.
    mutating func inverseRoot(
        meanOf x: [ValueID], over ones: ValueID, size: Int, times factor: Float = 1, _ name: String
    ) -> ValueID {
        // Parts side by side: an addition waits for the one before.
        let count = min(4, x.count)
        let parts = (0..<count).map { part in
            chained { l -> ValueID in
                let squares = stride(from: part, to: x.count, by: count).map {
                    l.builder.elementwise(.multiply, x[$0].at(), x[$0].at())
                }
                return l.sumInTurn(squares, "\(name).squares")
            }
        }
        let (high, low) = chained { l -> (ValueID, ValueID) in
            let sum = l.sumInTurn(parts, "\(name).squares")
            return l.wideTerms(of: sum, times: 0x1p-14)
        }
        let unit = 0x1p14 / (Float(size) * factor * factor)
        let epsilon = Float(model.normEpsilon) / (factor * factor)
        let ones = Tile([Use(ones)], count: lanes)
        let most = chained { l -> ValueID in
            let sum = l.builder.matmul([MatmulTerm(high.at(), ones)], count: 1)
            let mean = l.builder.elementwise(.multiply, sum.at(), unit)
            return l.builder.elementwise(.add, mean.at(), epsilon)
        }
        return chained { l in
            let sum = l.builder.matmul([MatmulTerm(low.at(), ones)], count: 1)
            let mean = l.builder.elementwise(.multiply, sum.at(), unit * 0x1p-11)
            let all = l.builder.elementwise(.add, mean.at(), most.at())
            return l.builder.elementwise(.rsqrt, all.at(), name: name)
        }
    }
}
