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
        _ input: [[ValueID]], _ weights: LinearWeights, _ n: Int, parts: Int = 1
    ) -> ValueID {
        let sum =
            plan.weightType == .int8
            ? integerProducts(input, weights, n, parts: parts)
            : builder.matmul(
                input.enumerated().flatMap { k, terms in
                    terms.map { MatmulTerm(Use($0), weights.tile(n, k)) }
                }, count: tokens)
        guard !weights.scales.isEmpty else { return sum }
        let scale = Use(weights.scales[n].value, start: Int(weights.scales[n].start), step: 0)
        return builder.elementwise(.multiply, Use(sum), scale)
    }

    /// The sums of first and of second terms differ in weight: two planes of a side make them side
    /// by side, over some of the contraction tiles in each part.
    private mutating func integerProducts(
        _ input: [[ValueID]], _ weights: LinearWeights, _ n: Int, parts: Int
    ) -> ValueID {
        let tiles = input.indices
        let sums = (0..<parts).map { part -> [ValueID] in
            let own = part * tiles.count / parts..<(part + 1) * tiles.count / parts
            return (0..<2).map { term in
                builder.matmul(
                    own.map { MatmulTerm(Use(input[$0][term]), weights.tile(n, $0)) },
                    count: tokens)
            }
        }
        let numbers = sums.map { $0.map { builder.elementwise(.toFP32, Use($0)) } }
        let fine = sumInTurn(numbers.map { $0[1] })
        let scaled = builder.elementwise(.multiply, Use(fine), 1 / Self.fineness)
        return builder.elementwise(.add, Use(scaled), Use(sumInTurn(numbers.map { $0[0] })))
    }

    /// What goes into a linear layer, as the terms of activations: in fp8 times
    /// `activationFactor`.
    mutating func activations(of value: ValueID, _ name: String) -> [ValueID] {
        switch plan.weightType {
        case .fp8:
            let scaled = builder.elementwise(.multiply, Use(value), activationFactor)
            return terms(of: Use(scaled), .fp8, name)
        case .int8:
            let first = builder.elementwise(.toInt8, Use(value), name: name)
            let number = builder.elementwise(.toFP32, Use(first))
            let rest = builder.elementwise(.subtract, Use(value), Use(number))
            let finer = builder.elementwise(.multiply, Use(rest), Self.fineness)
            return [first, builder.elementwise(.toInt8, Use(finer), name: "\(name).low")]
        case .fp16, .fp32, .int32: return terms(of: Use(value), plan.weightType, name)
        }
    }

    /// For each tile of the states their sum with a linear layer's output and bias.
    mutating func added(
        _ input: [[ValueID]], _ weights: LinearWeights, bias: String, to residual: [ValueID],
        _ name: String
    ) -> [ValueID] {
        let bias = vector("\(name).bias", tensor: bias, rows: hiddenColumns, type: .fp16, on: 0)
        return residual.enumerated().map { n, residual in
            chained { l in
                // Tiles go to the two sides in turn; both share an odd one.
                let isOdd = n % 2 == 0 && n == weights.scales.count - 1 && input.count > 1
                let sums = l.products(input, weights, n, parts: isOdd ? 2 : 1)
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
            factor: factor, type: .fp16, on: 0)
        var halves: [ValueID] = []
        var inner: [[ValueID]] = []
        // Products go on while those before are activated.
        for n in 0..<rows.count + 2 {
            if n < rows.count {
                halves.append(
                    chained { l in
                        let sums = l.products(x.terms, up, n)
                        let biased = l.builder.elementwise(.add, Use(sums), bias.at(n))
                        return l.builder.elementwise(
                            .toFP16, Use(biased), name: "layer.inner\(n)")
                    })
            }
            guard n >= 2 else { continue }
            inner.append(
                chained { l in
                    let value = l.activated(halves[n - 2])
                    return l.activations(of: value, "layer.inner\(n - 2).activated")
                })
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
    /// The sums over lanes are products with ones. Each lane of the squares is two fp16 terms,
    /// times powers of two, since they may leave fp16: the second is what the first dropped.
    mutating func normalised(
        _ x: [ValueID], _ tensor: String, over ones: ValueID, _ name: String
    ) -> EncoderStates {
        let ones = Tile([Use(ones)], count: lanes)
        let size = Float(model.hiddenSize)
        let narrow = chained { l in
            l.builder.elementwise(
                .toFP16, Use(l.sumInTurn(x, "\(name).sum")), name: "\(name).narrow")
        }
        let mean = chained { l in
            let sum = l.builder.matmul([MatmulTerm(Use(narrow), ones)], count: l.tokens)
            return l.builder.elementwise(.multiply, Use(sum), 1 / size, name: "\(name).mean")
        }
        var centred: [ValueID] = []
        let terms = chained { l -> (high: ValueID, low: ValueID) in
            centred = x.enumerated().map { tile, part in
                l.builder.elementwise(
                    .subtract, Use(part), Use(mean), name: "\(name).centred\(tile)")
            }
            let squares = centred.enumerated().map { tile, part in
                let own = l.inLanes(part, tile)
                return l.builder.elementwise(.multiply, Use(own), Use(part))
            }
            return l.wideTerms(of: l.sumInTurn(squares, "\(name).squares"), times: 0x1p-14)
        }
        let unit = 0x1p14 / size
        let root = chained { l -> ValueID in
            let sums = [terms.high, terms.low].map {
                l.builder.matmul([MatmulTerm(Use($0), ones)], count: l.tokens)
            }
            let most = l.builder.elementwise(.multiply, Use(sums[0]), unit)
            let rest = l.builder.elementwise(.multiply, Use(sums[1]), unit * 0x1p-11)
            let all = l.builder.elementwise(.add, Use(most), Use(rest))
            let positive = l.builder.elementwise(.add, Use(all), Float(l.model.normEpsilon))
            return l.builder.elementwise(.rsqrt, Use(positive), name: "\(name).scale")
        }
        return scaled(centred, by: root, tensor, name)
    }

    /// The lanes of a tile that holds fewer elements than others: the others hold the mean.
    private mutating func inLanes(_ part: ValueID, _ tile: Int) -> ValueID {
        let range = hidden.ranges[tile]
        guard range.count < hidden.width else { return part }
        let mask = constant(
            "lanes\(tile)", 1, type: .int8, lanes: 0..<range.count, on: 0)
        return builder.elementwise(.mask, Use(part), mask.at())
    }

    private mutating func scaled(
        _ centred: [ValueID], by root: ValueID, _ tensor: String, _ name: String
    ) -> EncoderStates {
        let weight = vector(
            "\(name).weight", tensor: "\(tensor).weight", rows: hiddenColumns, type: .fp16, on: 0)
        let bias = vector(
            "\(name).bias", tensor: "\(tensor).bias", rows: hiddenColumns, type: .fp16, on: 0)
        var states = EncoderStates(values: [], terms: [])
        for (tile, part) in centred.enumerated() {
            chained { l in
                let normed = l.builder.elementwise(.multiply, Use(part), Use(root))
                let weighted = l.builder.elementwise(.multiply, Use(normed), weight.at(tile))
                let value = l.builder.elementwise(
                    .add, Use(weighted), bias.at(tile), name: "\(name)\(tile)")
                states.values.append(value)
                states.terms.append(l.activations(of: value, "\(name)\(tile).term"))
            }
        }
        return states
    }
}
