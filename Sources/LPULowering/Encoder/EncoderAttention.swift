import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Attention of all tokens to all others.
///
/// Scores stand with the tokens that look in the lanes and those that are looked at in the
/// vectors: so the greatest score and the sum of a softmax are taken lane by lane, and what a token
/// is padded with is told by its own vector. The weights are then turned by the MXM: rows of
/// selectors, which hold 1 over their sum, read the columns of what rests as weight vectors.
extension EncoderLowering {
    /// For each tile of the states x + o(attention x).
    mutating func lowerAttention(
        _ x: EncoderStates, _ constants: EncoderConstants
    ) -> [ValueID] {
        let prefix = "encoder.layer.$layer.attention."
        let keys = heads.sets.indices.map { lowerKeys(x, prefix + "self.key", $0) }
        let queries = heads.sets.indices.map {
            lowerQueries(x, prefix + "self.query", $0, constants)
        }
        let scores = heads.groups.enumerated().map { number, group in
            lowerScores(keys, queries, group, constants, "layer.group\(number)")
        }
        let values = lowerValues(x, prefix + "self.value", constants)
        let weights = heads.groups.indices.map { number in
            lowerWeights(
                scores[number], heads.groups[number], constants, "layer.group\(number)")
        }
        // The turn of a group's weights goes before the use of the last one's.
        var turned: [ValueID] = []
        var mixed: [[ValueID]] = []
        for number in heads.groups.indices {
            turned.append(
                turn(weights[number], heads.groups[number], constants, "layer.group\(number)"))
            if number > 0 { mixed.append(mix(turned[number - 1], values[number - 1], number - 1)) }
        }
        mixed.append(mix(turned[turned.count - 1], values[turned.count - 1], turned.count - 1))
        return lowerOutput(mixed, residual: x.values, prefix + "output.dense")
    }

    private func constants(
        of group: EncoderHeads.Group, _ constants: EncoderConstants
    ) -> EncoderConstants.GroupSize {
        guard let own = constants.groups.first(where: { $0.size == group.heads.count }) else {
            preconditionFailure("there are constants of every size")
        }
        return own
    }

    // MARK: Projections

    private mutating func lowerKeys(
        _ x: EncoderStates, _ tensor: String, _ set: Int
    ) -> ValueID {
        project(x, tensor, heads.lanes(ofSet: set), "layer.set\(set).keys")
    }

    /// For each head of a set its queries, 0 in the lanes of the others.
    private mutating func lowerQueries(
        _ x: EncoderStates, _ tensor: String, _ set: Int, _ constants: EncoderConstants
    ) -> [ValueID] {
        let name = "layer.set\(set).queries"
        let all = project(
            x, tensor, heads.lanes(ofSet: set), name,
            factor: 1 / Float(heads.dimension).squareRoot())
        guard heads.sets[set].count > 1 else { return [all] }
        return heads.sets[set].indices.map { head in
            let number = head - heads.sets[set].lowerBound
            return chained { l in
                let own = l.builder.elementwise(
                    .mask, Use(all), constants.headLanes.at(number))
                return l.builder.elementwise(.toFP16, Use(own), name: "\(name).head\(number)")
            }
        }
    }

    /// A projection with its bias, of all tokens.
    private mutating func project(
        _ x: EncoderStates, _ tensor: String, _ rows: IndexMap, _ name: String, factor: Float = 1
    ) -> ValueID {
        let weights = linear(
            name, tensor: "\(tensor).weight", rows: [rows], columns: hiddenColumns,
            factor: factor, on: 0)
        let bias = vector(
            "\(name).bias", tensor: "\(tensor).bias", rows: [rows], factor: factor, on: 0)
        return chained { l in
            let sum = l.products(x.terms, weights, 0)
            let biased = l.builder.elementwise(.add, Use(sum), bias.at())
            return l.builder.elementwise(.toFP16, Use(biased), name: "\(name).fp16")
        }
    }

    /// For each group its values without their bias: vector m c + j holds channel c of head j for
    /// all tokens, in the lanes of that head. The states rest as weight vectors, the rows of the
    /// weights pass as activations: so nothing has to be turned.
    private mutating func lowerValues(
        _ x: EncoderStates, _ tensor: String, _ constants: EncoderConstants
    ) -> [ValueID] {
        let tiles = heads.sizes.map { size in
            (size: size, tiles: x.values.map { stateTile($0, copies: size) })
        }
        return heads.groups.enumerated().map { number, group in
            let (m, name) = (group.heads.count, "layer.group\(number).values")
            let states = tiles.first { $0.size == m }?.tiles ?? []
            let rows = hidden.ranges.enumerated().map { tile, range in
                builder.image(
                    "\(name).rows\(tile)", type: .fp16, count: m * heads.dimension,
                    .weights(
                        Layout(
                            tensor: "\(tensor).weight",
                            pieces: [
                                Piece(
                                    vectors: 0..<m * heads.dimension, lanes: 0..<range.count,
                                    base: [
                                        group.heads.lowerBound * heads.dimension,
                                        range.lowerBound,
                                    ],
                                    vector: [heads.channels(of: group), .zero],
                                    lane: [.zero, .linear(1)])
                            ]),
                        factor: 1, columnScale: nil))
            }
            return chained { l in
                var all = l.builder.matmul(
                    zip(rows, states).map { MatmulTerm(Use($0), $1) },
                    count: m * l.heads.dimension)
                if m > 1 {
                    let slots = l.constants(of: group, constants).slots
                    all = l.builder.elementwise(.mask, Use(all), Use(slots))
                }
                return l.builder.elementwise(.toFP16, Use(all), name: name)
            }
        }
    }

    /// The states as weight vectors, each so many times side by side.
    private mutating func stateTile(_ states: ValueID, copies: Int) -> Tile {
        let sources = (0..<copies).map { _ in
            Use(builder.elementwise(.toFP16, Use(states), name: "layer.states"))
        }
        return Tile(sources, count: copies * tokens)
    }

    // MARK: Softmax

    /// For each token that is looked at the scores of all that look, by head; at most -60000 of one
    /// that fills the context up.
    private mutating func lowerScores(
        _ keys: [ValueID], _ queries: [[ValueID]], _ group: EncoderHeads.Group,
        _ constants: EncoderConstants, _ name: String
    ) -> ValueID {
        let first = heads.sets[group.set].lowerBound
        let own = group.heads.map { Use(queries[group.set][$0 - first]) }
        return chained { l in
            let sums = l.builder.matmul(
                [
                    MatmulTerm(
                        Use(keys[group.set]), Tile(own, count: own.count * l.tokens))
                ],
                count: l.tokens)
            return l.builder.elementwise(
                .min, Use(sums), Use(constants.bounds), name: "\(name).scores")
        }
    }

    /// What `turn` takes: exp(score - maximum) of each head in its lanes, and 1 over their sum.
    private struct SoftmaxWeights {
        var ofHeads: [ValueID]
        var share: ValueID
    }

    private mutating func lowerWeights(
        _ scores: ValueID, _ group: EncoderHeads.Group, _ constants: EncoderConstants,
        _ name: String
    ) -> SoftmaxWeights {
        let slots = self.constants(of: group, constants).slots
        let maximum = reduced(scores, by: .max, "\(name).maximum")
        var ofHeads: [ValueID] = []
        let all = chained { l -> ValueID in
            let rest = l.builder.elementwise(.subtract, Use(scores), maximum.at())
            let power = l.builder.elementwise(.exp, Use(rest))
            let all = l.builder.elementwise(.toFP16, Use(power), name: "\(name).p")
            ofHeads = [all]
            guard group.heads.count > 1 else { return all }
            ofHeads = group.heads.indices.map { head in
                let number = head - group.heads.lowerBound
                let own = l.builder.elementwise(.mask, Use(all), slots.at(number))
                return l.builder.elementwise(
                    .toFP16, Use(own), name: "\(name).p.head\(number)")
            }
            return all
        }
        let sum = reduced(all, by: .add, "\(name).pSum")
        let share = chained { l in l.reciprocal(sum, name: "\(name).share") }
        return SoftmaxWeights(ofHeads: ofHeads, share: share)
    }

    /// For each token that looks its weights, in lane m t + j that of token t by head j.
    private mutating func turn(
        _ weights: SoftmaxWeights, _ group: EncoderHeads.Group, _ constants: EncoderConstants,
        _ name: String
    ) -> ValueID {
        let selectors = self.constants(of: group, constants).selectors
        let tile = Tile(
            weights.ofHeads.map { Use($0) }, count: weights.ofHeads.count * tokens)
        return chained { l in
            let shares = l.builder.elementwise(
                .multiply, Use(selectors), weights.share.at())
            let row = l.builder.elementwise(.toFP16, Use(shares))
            let turned = l.builder.matmul([MatmulTerm(Use(row), tile)], count: l.tokens)
            return l.builder.elementwise(.toFP16, Use(turned), name: "\(name).turned")
        }
    }

    /// The outputs of a group's heads. The weights of a token add up to 1, so that the bias of the
    /// values is added here.
    private mutating func mix(
        _ weights: ValueID, _ values: ValueID, _ number: Int
    ) -> [ValueID] {
        let group = heads.groups[number]
        let name = "layer.group\(number)"
        let bias = vector(
            "\(name).valueBias", tensor: "encoder.layer.$layer.attention.self.value.bias",
            rows: [heads.lanes(of: group)], on: 0)
        let tile = Tile([Use(values)], count: group.heads.count * heads.dimension)
        return chained { l in
            let sums = l.builder.matmul([MatmulTerm(Use(weights), tile)], count: l.tokens)
            let biased = l.builder.elementwise(.add, Use(sums), bias.at())
            return l.terms(of: Use(biased), l.plan.weightType, "\(name).output")
        }
    }

    private mutating func lowerOutput(
        _ mixed: [[ValueID]], residual: [ValueID], _ tensor: String
    ) -> [ValueID] {
        let weights = linear(
            "layer.o", tensor: "\(tensor).weight", rows: hiddenColumns,
            columns: heads.groups.map { heads.lanes(of: $0) }, on: 0)
        return added(mixed, weights, bias: "\(tensor).bias", to: residual, "layer.attended")
    }
}
