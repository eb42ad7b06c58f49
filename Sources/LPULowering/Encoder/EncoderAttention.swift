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
        var keys: [ValueID] = []
        var queries: [[ValueID]] = []
        var values: [[ValueID]] = []
        var scores: [ValueID] = []
        // The scores of a set follow the projections of the next: by then its queries are made.
        for step in 0...heads.sets.count {
            if step < heads.sets.count {
                keys.append(lowerKeys(x, prefix + "self.key", step))
                queries.append(lowerQueries(x, prefix + "self.query", step, constants))
            }
            if step > 0 {
                values.append(lowerValues(x, prefix + "self.value", step - 1, constants))
                scores += heads.groups.indices.filter { heads.groups[$0].set == step - 1 }.map {
                    lowerScores(keys, queries, heads.groups[$0], constants, "layer.group\($0)")
                }
            }
        }
        var channels: [ValueID] = []
        let weights = heads.groups.enumerated().map { number, group in
            channels += turnValues(values, group, constants)
            return lowerWeights(scores[number], group, constants, "layer.group\(number)")
        }
        // The turn of some groups' weights goes before the use of the last ones'.
        var turned: [ValueID] = []
        var mixed: [[ValueID]] = []
        for (number, join) in heads.joins.enumerated() {
            turned += join.map {
                turn(weights[$0], heads.groups[$0], constants, "layer.group\($0)")
            }
            if number > 0 { mixed.append(mix(turned, channels, number - 1, constants)) }
        }
        mixed.append(mix(turned, channels, heads.joins.count - 1, constants))
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
        return ofHeads(all, set, constants, name)
    }

    /// For each head of a set the vectors in its lanes, 0 in those of the others.
    private mutating func ofHeads(
        _ all: ValueID, _ set: Int, _ constants: EncoderConstants, _ name: String
    ) -> [ValueID] {
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

    /// A projection of all tokens in fp16, with its bias if it is to be added.
    private mutating func project(
        _ x: EncoderStates, _ tensor: String, _ rows: IndexMap, _ name: String,
        factor: Float = 1, isBiased: Bool = true
    ) -> ValueID {
        let weights = linear(
            name, tensor: "\(tensor).weight", rows: [rows], columns: hiddenColumns,
            factor: factor, inputFactor: activationFactor, on: 0)
        let bias =
            isBiased
            ? vector(
                "\(name).bias", tensor: "\(tensor).bias", rows: [rows], factor: factor, type: .fp16,
                on: 0)
            : nil
        return chained { l in
            let sum = l.products(x.terms, weights, 0)
            let biased = bias.map { l.builder.elementwise(.add, Use(sum), $0.at()) } ?? sum
            return l.builder.elementwise(.toFP16, Use(biased), name: "\(name).fp16")
        }
    }

    /// For each head of a set its values without their bias, 0 in the lanes of the others.
    private mutating func lowerValues(
        _ x: EncoderStates, _ tensor: String, _ set: Int, _ constants: EncoderConstants
    ) -> [ValueID] {
        let name = "layer.set\(set).values"
        let all = project(x, tensor, heads.lanes(ofSet: set), name, isBiased: false)
        return ofHeads(all, set, constants, name)
    }

    /// For each head of a group its values turned: vector c holds channel c of all tokens, in the
    /// lanes that the head has in the group's vectors.
    private mutating func turnValues(
        _ values: [[ValueID]], _ group: EncoderHeads.Group, _ constants: EncoderConstants
    ) -> [ValueID] {
        let first = heads.sets[group.set].lowerBound
        let own = group.heads.map { Use(values[group.set][$0 - first]) }
        // A weight vector is 0 but in its own head's lanes: one row reads a channel of every head.
        let turned = MatmulTerm(
            Use(constants.identity), Tile(own, count: own.count * tokens))
        return chained { l in
            let channels = l.builder.matmul([turned], count: l.heads.dimension)
            return group.heads.map { head in
                let lanes = l.constants(of: group, constants).slots
                let slot = head - group.heads.lowerBound
                let own =
                    group.heads.count > 1
                    ? l.builder.elementwise(.mask, Use(channels), lanes.at(slot)) : channels
                return l.builder.elementwise(.toFP16, Use(own), name: "layer.head\(head).values")
            }
        }
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

    /// The outputs of the heads of joined groups, each group's in lanes of its own: the channels of
    /// the others are zeros in its tile. The weights of a token add up to 1, so that the bias of
    /// the values is added here.
    private mutating func mix(
        _ weights: [ValueID], _ values: [ValueID], _ number: Int, _ constants: EncoderConstants
    ) -> [ValueID] {
        let join = heads.joins[number]
        let all = heads.heads(of: join)
        let name = "layer.join\(number)"
        let bias = vector(
            "\(name).valueBias", tensor: "encoder.layer.$layer.attention.self.value.bias",
            rows: [heads.lanes(of: all)], type: .fp16, on: 0)
        let terms = join.map { group in
            let sources = all.map { head in
                heads.groups[group].heads.contains(head)
                    ? Use(values[head]) : Use(noChannels(constants, name))
            }
            return MatmulTerm(
                Use(weights[group]), Tile(sources, count: all.count * heads.dimension))
        }
        return chained { l in
            let sums = l.builder.matmul(terms, count: l.tokens)
            let biased = l.builder.elementwise(.add, Use(sums), bias.at())
            return l.activations(of: biased, "\(name).output")
        }
    }

    /// Zeros as a head's channels: a tile's own, since what is made is of one tile.
    private mutating func noChannels(_ constants: EncoderConstants, _ name: String) -> ValueID {
        builder.elementwise(
            .toFP16, constants.zero.at(), count: heads.dimension, name: "\(name).none")
    }

    private mutating func lowerOutput(
        _ mixed: [[ValueID]], residual: [ValueID], _ tensor: String
    ) -> [ValueID] {
        let weights = linear(
            "layer.o", tensor: "\(tensor).weight", rows: hiddenColumns,
            columns: heads.joins.map { heads.lanes(of: heads.heads(of: $0)) },
            inputFactor: activationFactor, on: 0)
        return added(mixed, weights, bias: "\(tensor).bias", to: residual, "layer.attended")
    }
}
