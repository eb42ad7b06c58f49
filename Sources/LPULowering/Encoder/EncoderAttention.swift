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
        // The turn of some groups' weights goes before the use of the last ones'.
        var turned: [ValueID] = []
        var mixed: [[ValueID]] = []
        for (number, join) in heads.joins.enumerated() {
            turned += join.map {
                turn(weights[$0], heads.groups[$0], constants, "layer.group\($0)")
            }
            if number > 0 { mixed.append(mix(turned, values, number - 1, constants)) }
        }
        mixed.append(mix(turned, values, heads.joins.count - 1, constants))
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
            factor: factor, inputFactor: activationFactor, on: 0)
        let bias = vector(
            "\(name).bias", tensor: "\(tensor).bias", rows: [rows], factor: factor, on: 0)
        return chained { l in
            let sum = l.products(x.terms, weights, 0)
            let biased = l.builder.elementwise(.add, Use(sum), bias.at())
            return l.builder.elementwise(.toFP16, Use(biased), name: "\(name).fp16")
        }
    }

    /// For each head its values without their bias: vector c holds channel c of all tokens, in the
    /// lanes that the head has in its group's vectors.
    private mutating func lowerValues(
        _ x: EncoderStates, _ tensor: String, _ constants: EncoderConstants
    ) -> [ValueID] {
        var turned = Array(repeating: ValueID(0), count: model.queryHeadCount)
        for (set, all) in heads.sets.enumerated() {
            let groups = heads.groups.filter { $0.set == set }
            let sizes = Set(groups.map(\.heads.count)).sorted()
            let tiles = valueTiles(x, tensor, set, sizes)
            for group in groups {
                let own = zip(sizes, tiles).first { $0.0 == group.heads.count }?.1 ?? []
                for head in group.heads {
                    turned[head] = turnValues(
                        own, from: (head - all.lowerBound) * heads.dimension,
                        slot: head - group.heads.lowerBound, group, constants,
                        "layer.head\(head).values")
                }
            }
        }
        return turned
    }

    /// For each size of groups the terms of a set's values as weight vectors, of each token so many
    /// side by side.
    private mutating func valueTiles(
        _ x: EncoderStates, _ tensor: String, _ set: Int, _ sizes: [Int]
    ) -> [[Tile]] {
        let name = "layer.set\(set).values"
        let weights = linear(
            name, tensor: "\(tensor).weight", rows: [heads.lanes(ofSet: set)],
            columns: hiddenColumns, inputFactor: activationFactor, on: 0)
        func tile(_ values: ValueID, _ size: Int, _ l: inout EncoderLowering) -> [Tile] {
            let copies = (0..<size).map { _ in l.activations(of: values, name) }
            return copies[0].indices.map { term in
                Tile(copies.map { Use($0[term]) }, count: size * l.tokens)
            }
        }
        if sizes.count == 1 {
            return chained { l in [tile(l.products(x.terms, weights, 0), sizes[0], &l)] }
        }
        // Two tiles that one token is written to at once may want one slice.
        let values = chained { l in l.products(x.terms, weights, 0) }
        return sizes.map { size in chained { l in tile(values, size, &l) } }
    }

    /// A head's values, whose channels are in the lanes from `lane` on: rows of an identity read
    /// their columns.
    private mutating func turnValues(
        _ terms: [Tile], from lane: Int, slot: Int, _ group: EncoderHeads.Group,
        _ constants: EncoderConstants, _ name: String
    ) -> ValueID {
        chained { l in
            var values = l.builder.matmul(
                terms.map { MatmulTerm(Use(constants.identity, start: lane), $0) },
                count: l.heads.dimension)
            if group.heads.count > 1 {
                let slots = l.constants(of: group, constants).slots
                values = l.builder.elementwise(.mask, Use(values), slots.at(slot))
            }
            return l.builder.elementwise(.toFP16, Use(values), name: name)
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
            rows: [heads.lanes(of: all)], on: 0)
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
