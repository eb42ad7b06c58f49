import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A layer's halves, each with a norm behind it.
extension EncoderLowering {
    mutating func lowerLayer(
        _ x: EncoderStates, _ constants: EncoderConstants
    ) -> EncoderStates {
        let prefix = "encoder.layer.$layer."
        let middle = normalised(
            lowerAttention(x, constants), prefix + "attention.output.LayerNorm",
            over: constants.ones, "layer.middle")
        return normalised(
            lowerFeedForward(middle), prefix + "output.LayerNorm", over: constants.ones,
            "layer.output")
    }

    // MARK: Linear layers

    /// Output tile `n` for every token: each contraction tile multiplies all of them while it is
    /// installed.
    mutating func products(
        _ input: [[ValueID]], _ weights: LinearWeights, _ n: Int
    ) -> ValueID {
        let terms = input.enumerated().flatMap { k, terms in
            terms.map { MatmulTerm(Use($0), weights.tile(n, k)) }
        }
        let sums = builder.matmul(terms, count: tokens)
        guard !weights.scales.isEmpty else { return sums }
        let scale = Use(weights.scales[n].value, start: Int(weights.scales[n].start), step: 0)
        return builder.elementwise(.multiply, Use(sums), scale)
    }

    /// What goes into a linear layer, as the terms of activations: in one byte times
    /// `activationFactor`.
    mutating func activations(of value: ValueID, _ name: String) -> [ValueID] {
        guard plan.weightType.byteCount == 1 else {
            return terms(of: Use(value), plan.weightType, name)
        }
        let scaled = builder.elementwise(.multiply, Use(value), activationFactor)
        return terms(of: Use(scaled), plan.weightType, name)
    }

    /// For each tile of the states their sum with a linear layer's output and bias.
    mutating func added(
        _ input: [[ValueID]], _ weights: LinearWeights, bias: String, to residual: [ValueID],
        _ name: String
    ) -> [ValueID] {
        let bias = vector("\(name).bias", tensor: bias, rows: hiddenColumns, on: 0)
        return residual.enumerated().map { n, residual in
            chained { l in
                let sums = l.products(input, weights, n)
                let biased = l.builder.elementwise(.add, Use(sums), bias.at(n))
                return l.builder.elementwise(
                    .add, Use(biased), Use(residual), name: "\(name)\(n)")
            }
        }
    }

    /// For each tile of the states x + down(activation(up x)).
    private mutating func lowerFeedForward(_ x: EncoderStates) -> [ValueID] {
        let prefix = "encoder.layer.$layer."
        let rows = Tiling(0..<model.intermediateSize, lanes: lanes).ranges.map {
            IndexMap.range($0)
        }
        // The functions below take half of their operand, but for relu.
        let factor: Float =
            switch model.activation {
            case .gelu, .geluTanh: 0.5
            case .relu: 1
            }
        let up = linear(
            "layer.up", tensor: prefix + "intermediate.dense.weight", rows: rows,
            columns: hiddenColumns, factor: factor, inputFactor: activationFactor, on: 0)
        let bias = vector(
            "layer.up.bias", tensor: prefix + "intermediate.dense.bias", rows: rows,
            factor: factor, on: 0)
        let inner = rows.indices.map { n in
            let half = chained { l -> ValueID in
                let sums = l.products(x.terms, up, n)
                return l.builder.elementwise(
                    .add, Use(sums), bias.at(n), name: "layer.inner\(n)")
            }
            return chained { l in
                let value = l.activated(half)
                return l.activations(of: value, "layer.inner\(n).activated")
            }
        }
        let down = linear(
            "layer.down", tensor: prefix + "output.dense.weight", rows: hiddenColumns,
            columns: rows, inputFactor: activationFactor, on: 0)
        return added(
            inner, down, bias: prefix + "output.dense.bias", to: x.values, "layer.fed")
    }

    // MARK: Activation

    /// gelu(x) is taken for x (1 + tanh(x (a + b x^2 + c x^4))) / 2, x^2 no more than 36: its
    /// greatest error is 2.6e-5, found for these numbers by a search for the least.
    /// `EncoderTests` measures it.
    enum GELU {
        static let coefficients: [Float] = [0.797_506_6, 0.037_006_827, -0.000_351_708_64]
        static let greatestSquare: Float = 36
        /// sqrt(2 / pi), and that times 0.044715.
        static let tanhCoefficients: [Float] = [0.797_884_56, 0.035_677_408]
    }

    /// The activation of twice `half`; of `half` itself for relu.
    private mutating func activated(_ half: ValueID) -> ValueID {
        switch model.activation {
        case .gelu: gelu(half, GELU.coefficients, greatestSquare: GELU.greatestSquare)
        case .geluTanh: gelu(half, GELU.tanhCoefficients)
        case .relu: builder.elementwise(.max, Use(half), 0)
        }
    }

    /// y (1 + tanh(2y P(4 y^2))) for y = x/2.
    private mutating func gelu(
        _ y: ValueID, _ coefficients: [Float], greatestSquare: Float? = nil
    ) -> ValueID {
        var square = builder.elementwise(.multiply, Use(y), Use(y))
        if let greatestSquare {
            square = builder.elementwise(.min, Use(square), greatestSquare / 4)
        }
        // Powers of two: the numbers stay what they are.
        var power: Float = 2
        let scaled = coefficients.map { c in
            defer { power *= 4 }
            return c * power
        }
        var sum = builder.elementwise(.multiply, Use(square), scaled[scaled.count - 1])
        for c in scaled.dropFirst().dropLast().reversed() {
            let next = builder.elementwise(.add, Use(sum), c)
            sum = builder.elementwise(.multiply, Use(next), Use(square))
        }
        let slope = builder.elementwise(.add, Use(sum), scaled[0])
        let angle = builder.elementwise(.multiply, Use(slope), Use(y))
        let tanh = builder.elementwise(.tanh, Use(angle))
        let twice = builder.elementwise(.add, Use(tanh), 1)
        return builder.elementwise(.multiply, Use(twice), Use(y))
    }

    // MARK: Norm

    /// (x - mean) / sqrt(variance + epsilon) * weight + bias of every token.
    ///
    /// The sums over lanes are products with ones, in two fp16 terms, the second what the first
    /// dropped: for the squares, which may leave fp16, times powers of two.
    mutating func normalised(
        _ x: [ValueID], _ tensor: String, over ones: ValueID, _ name: String
    ) -> EncoderStates {
        let ones = Tile([Use(ones)], count: lanes)
        let size = Float(model.hiddenSize)
        let (high, low) = chained { l -> (ValueID, ValueID) in
            let sum = l.sumInTurn(x, "\(name).sum")
            let high = l.builder.elementwise(.toFP16, Use(sum), name: "\(name).high")
            let rest = l.builder.elementwise(.subtract, Use(sum), Use(high))
            return (high, l.builder.elementwise(.toFP16, Use(rest), name: "\(name).low"))
        }
        let mean = chained { l -> ValueID in
            let sum = l.builder.matmul(
                [MatmulTerm(Use(high), ones), MatmulTerm(Use(low), ones)], count: l.tokens)
            return l.builder.elementwise(.multiply, Use(sum), 1 / size, name: "\(name).mean")
        }
        let centred = x.enumerated().map { tile, part in
            builder.elementwise(
                .subtract, Use(part), Use(mean), name: "\(name).centred\(tile)")
        }
        let terms = chained { l -> (high: ValueID, low: ValueID) in
            let squares = centred.enumerated().map { tile, part in
                let own = l.inLanes(part, tile)
                return l.builder.elementwise(.multiply, Use(own), Use(part))
            }
            return l.wideTerms(of: l.sumInTurn(squares, "\(name).squares"), times: 0x1p-14)
        }
        let unit = 0x1p14 / size
        let most = chained { l -> ValueID in
            let sum = l.builder.matmul([MatmulTerm(Use(terms.high), ones)], count: l.tokens)
            let part = l.builder.elementwise(.multiply, Use(sum), unit)
            return l.builder.elementwise(.add, Use(part), Float(l.model.normEpsilon))
        }
        let root = chained { l -> ValueID in
            let sum = l.builder.matmul([MatmulTerm(Use(terms.low), ones)], count: l.tokens)
            let part = l.builder.elementwise(.multiply, Use(sum), unit * 0x1p-11)
            let all = l.builder.elementwise(.add, Use(part), Use(most))
            return l.builder.elementwise(.rsqrt, Use(all), name: "\(name).scale")
        }
        return scaled(centred, by: root, tensor, name)
    }

    /// The lanes of a tile that holds fewer elements than others: the others hold the mean.
    private mutating func inLanes(_ part: ValueID, _ tile: Int) -> ValueID {
        let range = hidden.range(tile)
        guard range.count < hidden.width else { return part }
        let mask = constant(
            "lanes\(tile)", 1, type: .int8, lanes: 0..<range.count, on: 0)
        return builder.elementwise(.mask, Use(part), mask.at())
    }

    private mutating func scaled(
        _ centred: [ValueID], by root: ValueID, _ tensor: String, _ name: String
    ) -> EncoderStates {
        let weight = vector(
            "\(name).weight", tensor: "\(tensor).weight", rows: hiddenColumns, on: 0)
        let bias = vector("\(name).bias", tensor: "\(tensor).bias", rows: hiddenColumns, on: 0)
        var states = EncoderStates(values: [], terms: [])
        for (tile, part) in centred.enumerated() {
            let value = chained { l -> ValueID in
                let normed = l.builder.elementwise(.multiply, Use(part), Use(root))
                let weighted = l.builder.elementwise(.multiply, Use(normed), weight.at(tile))
                return l.builder.elementwise(
                    .add, Use(weighted), bias.at(tile), name: "\(name)\(tile)")
            }
            states.values.append(value)
            // What other templates take must not pass within a chain alone.
            states.terms.append(
                chained { l in
                    l.activations(of: value, "\(name)\(tile).term")
                })
        }
        return states
    }
}
