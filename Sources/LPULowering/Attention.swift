import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A set's keys and values of the token, and its caches.
private struct SetValues {
    var key: ValueID
    var value: ValueID
    var cache: Cache
}

/// Scores of a group's heads: of the token itself, and a block of cached tokens each.
private struct Scores {
    /// In every lane.
    var current: ValueID
    var blocks: [ValueID]
    /// Their greatest in each lane.
    var best: ValueID
}

/// exp(score - maximum), of the token itself in every lane and of the cached ones in terms.
private struct Weights {
    var current: ValueID
    var blocks: [[ValueID]]
}

extension DecoderLowering {
    /// x + o(attention(norm x)), the token itself attended outside the cache and appended after.
    mutating func lowerAttention(_ x: [[ValueID]]) -> [[ValueID]] {
        let residual = biasedResidual(
            x, "layer.oBias", tensor: "model.layers.$layer.self_attn.o_proj.bias",
            if: model.hasAttentionBias)
        let partial = places.map {
            lowerAttention(x[$0], residual: residual[$0], on: $0)
        }
        return addPartialSums(partial, to: residual, "layer.attended")
    }

    /// This chip's part of the output projection's sum, a value an output tile.
    private mutating func lowerAttention(
        _ x: [ValueID], residual: [ValueID], on place: Int
    ) -> [ValueID] {
        let heads = heads[place]
        guard !heads.sets.isEmpty else { return [] }
        let input = attentionInput(x, on: place)
        let (queries, sets) = lowerProjections(input)
        var mixed: [[ValueID]] = []
        var columns: [IndexMap] = []
        var outputs: [[HeadGroup.Head: Use]] = heads.sets.map { _ in [:] }
        for (number, group) in headGroups(on: place).enumerated() {
            let output = attend(
                queries[group.set], sets[group.set], group, shared[place].groups[number],
                "layer.group\(number)")
            for (i, head) in group.heads.enumerated() {
                outputs[group.set][head] = output.at(i)
            }
        }
        for set in heads.sets.indices {
            let (vectors, rows) = mix(outputs[set], set: set, on: place)
            mixed += vectors
            columns += rows
        }
        let weights = linear(
            "layer.o", tensor: input.prefix + "o_proj.weight", rows: hiddenColumns,
            columns: columns, inputFactor: Scale.attention, on: place)
        let sums = partialSums(
            LinearInput(terms: mixed), weights, residual: residual, "layer.attended")
        // The planes are idle while the sums are on their way.
        for set in heads.sets.indices {
            append(sets[set].key, sets[set].value, sets[set].cache, set: set, label(set, heads))
        }
        return sums
    }

    private func label(_ set: Int, _ heads: HeadLayout) -> String {
        heads.sets.count == 1 ? "layer" : "layer.set\(set)"
    }

    /// For each set its query vectors, keys and values.
    private mutating func lowerProjections(
        _ input: AttentionInput
    ) -> (queries: [[ValueID]], sets: [SetValues]) {
        let heads = heads[input.place]
        let keyFactor = plan.kvType == .fp8 ? Scale.keys(dimension: heads.dimension) : 1
        let queryFactor = 1 / (Float(heads.dimension).squareRoot() * keyFactor)
        let keyTurn = turn(input, "k", "layer.k", factor: keyFactor)
        // Without norms of their own, keys and queries are turned alike.
        let queryTurn =
            model.hasQueryKeyNorm ? turn(input, "q", "layer.q", factor: queryFactor) : keyTurn
        var queries: [[ValueID]] = []
        var sets: [SetValues] = []
        for set in heads.sets.indices {
            let label = label(set, heads)
            let keyHeads = heads.sets[set].map { Optional($0.head) }
            let key = cached(
                projectRotated(input, "k", "\(label).k", keyHeads, keyTurn, factor: keyFactor),
                "\(label).newKey")
            queries.append(
                (0..<heads.queryVectors(set)).map { j in
                    let queries = heads.sets[set].map {
                        j < $0.queries.count ? $0.queries[j] : nil
                    }
                    return projectRotated(
                        input, "q", "\(label).q\(j)", queries, queryTurn, factor: queryFactor)
                })
            let value = cached(
                project(input, "v", "\(label).v", plainRows(keyHeads)), "\(label).newValue")
            let cache = makeCache(label, set, on: input.place)
            sets.append(SetValues(key: key, value: value, cache: cache))
        }
        return (queries, sets)
    }

    // MARK: Attention

    /// The outputs of a group's heads, each in the lanes of its KV head.
    private mutating func attend(
        _ queries: [ValueID], _ values: SetValues, _ group: HeadGroup,
        _ constants: GroupConstants, _ name: String
    ) -> ValueID {
        let scores = scores(queries, values, group, constants, name)
        let maximum = maximumOverLanes(scores.best, group, constants.packing, "\(name).maximum")
        let weights = Weights(
            current: chained { l in
                let rest = l.builder.elementwise(.subtract, Use(scores.current), Use(maximum))
                return l.builder.elementwise(.exp, Use(rest), name: "\(name).pCurrent")
            },
            blocks: scores.blocks.map { score in
                chained { l in
                    let rest = l.builder.elementwise(.subtract, Use(score), Use(maximum))
                    let weight = l.builder.elementwise(.exp, Use(rest))
                    return l.terms(of: Use(weight), l.plan.kvType, "\(name).p")
                }
            })
        return weighted(weights, values, group, constants, name)
    }

    /// Scores, block by block, so that all heads pass each tile of keys while it is installed; at
    /// most -60000 where there is no token.
    private mutating func scores(
        _ queries: [ValueID], _ values: SetValues, _ group: HeadGroup,
        _ constants: GroupConstants, _ name: String
    ) -> Scores {
        let place = builder[values.key].chip
        let query = chained { l -> ValueID in
            var all = l.builder.elementwise(
                .mask, queries[0].at(), Use(constants.selectors[0]), name: "\(name).query")
            for j in 1..<constants.selectors.count {
                let other = l.builder.elementwise(
                    .mask, queries[j].at(), Use(constants.selectors[j]))
                all = l.builder.elementwise(.or, Use(all), Use(other), name: "\(name).query")
            }
            return all
        }
        let terms = chained { l in l.terms(of: Use(query), l.plan.kvType, "\(name).query") }
        // The products in two fp16 terms: large scores must not lose their last bits.
        let (high, low) = chained { l -> (ValueID, ValueID) in
            let product = l.builder.elementwise(.multiply, Use(query), values.key.at())
            let high = l.builder.elementwise(.toFP16, Use(product))
            let rest = l.builder.elementwise(.subtract, Use(product), Use(high))
            return (high, l.builder.elementwise(.toFP16, Use(rest)))
        }
        let ones = Tile([Use(shared[place].ones)], count: lanes)
        let current = builder.matmul(
            [MatmulTerm(Use(high), ones), MatmulTerm(Use(low), ones)], name: "\(name).current")
        // A running maximum a part, so that none waits for the last one to rest.
        var best = (0..<self.blocks.parts).map { _ in current }
        var blocks: [ValueID] = []
        for block in 0..<self.blocks.count {
            let tokens = min(lanes, (plan.context - block * lanes + 15) / 16 * 16)
            let (row, part) = block.quotientAndRemainder(dividingBy: self.blocks.parts)
            let tile = Tile(
                values.cache.keys[part].map { Use($0, start: row * self.blocks.rows) },
                count: tokens)
            chained { l in
                let score = l.builder.matmul(terms.map { MatmulTerm(Use($0), tile) })
                let bounded = l.builder.elementwise(
                    .min, Use(score), l.shared[place].bounds[block].at(), name: "\(name).scores")
                best[part] = l.builder.elementwise(
                    .max, Use(best[part]), Use(bounded), name: "\(name).best")
                blocks.append(bounded)
            }
        }
        let all = chained { l in
            best.dropFirst().reduce(best[0]) {
                l.builder.elementwise(.max, Use($0), Use($1), name: "\(name).best")
            }
        }
        return Scores(current: current, blocks: blocks, best: all)
    }

    /// (sum of p v) / (sum of p) in the lanes of each head.
    private mutating func weighted(
        _ weights: Weights, _ values: SetValues, _ group: HeadGroup, _ constants: GroupConstants,
        _ name: String
    ) -> ValueID {
        let place = builder[values.key].chip
        let count = heads[place].rows(group.set)
        let rows = count / chip.weightStreamsPerPlane
        // A sum a part, each on a plane of its own: that of the first on all rows of ones, which
        // other sums use too, those of the others on rows of their own.
        let totals = partSums(weights) { l, part, _ in
            let ones = l.shared[place].byteOnes ?? l.shared[place].ones
            let start = min(part * count, l.lanes - count)
            return Tile([Use(ones, start: start)], count: part == 0 ? l.lanes : count)
        }
        let share = chained { l -> ValueID in
            let total = totals.reduce(weights.current) {
                l.builder.elementwise(.add, Use($0), Use($1))
            }
            let root = l.builder.elementwise(.rsqrt, Use(total))
            let inverse = l.builder.elementwise(.multiply, Use(root), Use(root))
            guard let lanes = constants.headLanes else { return inverse }
            return l.builder.elementwise(.mask, Use(inverse), Use(lanes), name: "\(name).share")
        }
        let own = builder.elementwise(.multiply, Use(weights.current), values.value.at())
        let sums = partSums(weights) { _, part, row in
            Tile(values.cache.values[part].map { Use($0, start: row * rows) }, count: count)
        }
        return chained { l in
            let all = sums.reduce(own) { l.builder.elementwise(.add, Use($0), Use($1)) }
            return l.builder.elementwise(.multiply, Use(all), Use(share), name: "\(name).output")
        }
    }

    /// For each part the sum over its blocks of weights times a tile that the part and the block's
    /// number in it give.
    private mutating func partSums(
        _ weights: Weights, _ tile: (Self, _ part: Int, _ row: Int) -> Tile
    ) -> [ValueID] {
        (0..<blocks.parts).map { part in
            let own = stride(from: part, to: blocks.count, by: blocks.parts)
            return builder.matmul(
                own.enumerated().flatMap { row, block in
                    weights.blocks[block].map { MatmulTerm(Use($0), tile(self, part, row)) }
                })
        }
    }

    // MARK: Output

    /// A set's outputs as terms in the weights' type, as many query vectors side by side as a
    /// vector holds, and the columns of the output projection that its lanes are.
    private mutating func mix(
        _ outputs: [HeadGroup.Head: Use], set: Int, on place: Int
    ) -> (vectors: [[ValueID]], columns: [IndexMap]) {
        let heads = heads[place]
        let width = heads.width(set)
        let perVector = lanes / width
        let queries = Array(0..<heads.queryVectors(set))
        var vectors: [[ValueID]] = []
        var columns: [IndexMap] = []
        for first in stride(from: 0, to: queries.count, by: perVector) {
            let members = queries[first..<min(first + perVector, queries.count)]
            vectors.append(
                chained { l in
                    var sum: Use?
                    for j in members {
                        for g in heads.sets[set].indices {
                            guard var use = outputs[.init(keyValue: g, query: j)] else { continue }
                            if j > first {
                                use = l.builder.shift(use, by: (j - first) * width, count: 1).at()
                            }
                            sum = sum.map { l.builder.elementwise(.add, $0, use).at() } ?? use
                        }
                    }
                    guard let sum else { preconditionFailure("a query vector holds a head") }
                    return l.terms(of: sum, l.plan.weightType, "layer.set\(set).mixed\(first)")
                })
            var segments: [IndexMap.Segment] = []
            for j in members {
                let own = heads.sets[set].map { j < $0.queries.count ? $0.queries[j] : nil }
                segments += plainRows(own).segments.map {
                    var segment = $0
                    segment.position += (j - first) * width
                    return segment
                }
            }
            columns.append(IndexMap(segments: segments))
        }
        return (vectors, columns)
    }
}
