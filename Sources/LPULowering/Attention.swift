import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// One query head on its way through attention.
private struct QueryHead {
    /// Terms in the cache's type, zero outside the head's lanes.
    var masked: [ValueID]
    /// Score of the current token, in every lane.
    var current: ValueID
}

/// A head's caches: 16 regions each, one a slice that feeds a plane.
private struct Cache {
    var keys: [ValueID]
    /// The open block of 320 tokens, and all blocks transposed.
    var openValues: [ValueID]
    var values: [ValueID]
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
        let name = "layer"
        let input = attentionInput(x, on: place)
        let keyFactor = plan.kvType == .fp8 ? Scale.keys(dimension: heads.dimension) : 1
        let queryFactor = 1 / (Float(heads.dimension).squareRoot() * keyFactor)
        let keyTurn = turn(input, "k", "\(name).k", factor: keyFactor)
        // Without norms of their own, keys and queries are turned alike.
        let queryTurn =
            model.hasQueryKeyNorm ? turn(input, "q", "\(name).q", factor: queryFactor) : keyTurn
        var mixed: [[ValueID]] = []
        var columns: [IndexMap] = []
        for set in heads.sets.indices {
            let label = heads.sets.count == 1 ? name : "\(name).set\(set)"
            let cache = makeCache(label, set, on: place)
            let keyHeads = heads.sets[set].map { Optional($0.head) }
            let value = cached(
                project(input, "v", "\(label).v", plainRows(keyHeads)), "\(label).newValue")
            let key = cached(
                projectRotated(
                    input, "k", "\(label).k", keyHeads, keyTurn, factor: keyFactor),
                "\(label).newKey")
            for j in 0..<heads.queryVectors(set) {
                let queries = heads.sets[set].map {
                    j < $0.queries.count ? $0.queries[j] : nil
                }
                let query = projectRotated(
                    input, "q", "\(label).q\(j)", queries, queryTurn, factor: queryFactor)
                mixed.append(
                    attend(
                        query, key, value, cache, set: set, queries: queries,
                        "\(label).q\(j)"))
                columns.append(plainRows(queries))
            }
            append(key, value, cache, set: set, label)
        }
        let output = linear(
            "\(name).o", tensor: input.prefix + "o_proj.weight", rows: hiddenColumns,
            columns: columns, inputFactor: Scale.attention, on: place)
        return partialSums(
            LinearInput(terms: mixed), output, residual: residual, "\(name).attended")
    }

    // MARK: Attention

    /// The attention output of the set's heads of query vector j, as terms in the weights' type, in
    /// the heads' lanes.
    private mutating func attend(
        _ query: ValueID, _ key: ValueID, _ value: ValueID, _ cache: Cache, set: Int,
        queries: [Int?], _ label: String
    ) -> [ValueID] {
        var outputs: [ValueID] = []
        for g in queries.indices where queries[g] != nil {
            let head = "\(label).h\(g)"
            let query = maskedQuery(query, key, g: g, head)
            let scores = scores(query, cache, set, head)
            var best = query.current
            for score in scores {
                best = builder.elementwise(.max, best.at(), score.at(), name: "\(head).best")
            }
            let maximum = shift(maximumOverLanes(best, "\(head).maximum"), head)
            let weights = scores.map { score in
                chained { l -> [ValueID] in
                    let rest = l.builder.elementwise(.subtract, score.at(), maximum.at())
                    let weight = l.builder.elementwise(.exp, rest.at())
                    return l.terms(of: weight, l.plan.kvType, "\(head).p")
                }
            }
            let current = chained { l -> ValueID in
                let rest = l.builder.elementwise(.subtract, query.current.at(), maximum.at())
                return l.builder.elementwise(.exp, rest.at(), name: "\(head).pCurrent")
            }
            outputs.append(
                mix(weights, current, value, cache, set: set, g: g, head))
        }
        return chained { l in
            var sum = outputs[0]
            for output in outputs.dropFirst() {
                sum = l.builder.elementwise(.add, sum.at(), output.at())
            }
            return l.terms(of: sum, l.plan.weightType, "\(label).mixed")
        }
    }

    /// What scores are subtracted: the maximum, or so much less that fp8 weights are large.
    private mutating func shift(_ maximum: ValueID, _ head: String) -> ValueID {
        guard plan.kvType == .fp8 else { return maximum }
        return builder.elementwise(
            .subtract, maximum.at(), Scale.probabilityLogarithm,
            name: "\(head).maximum.shifted")
    }

    /// A key or value as the cache will keep it: the token attends to itself as others will to it.
    private mutating func cached(_ value: ValueID, _ name: String) -> ValueID {
        builder.elementwise(plan.kvType == .fp8 ? .toFP8 : .toFP16, value.at(), name: name)
    }

    private mutating func maskedQuery(
        _ query: ValueID, _ key: ValueID, g: Int, _ head: String
    ) -> QueryHead {
        let place = builder[query].chip
        let mask = shared[place].headMasks[g]
        let masked = chained { l -> [ValueID] in
            let mine = l.builder.elementwise(.mask, query.at(), mask.at())
            return l.terms(of: mine, l.plan.kvType, "\(head).masked")
        }
        // The products in two fp16 terms: large scores must not lose their last bits.
        let (high, low) = chained { l -> (ValueID, ValueID) in
            let product = l.builder.elementwise(.multiply, query.at(), key.at())
            let mine = l.builder.elementwise(.mask, product.at(), mask.at())
            let high = l.builder.elementwise(.toFP16, mine.at())
            let rest = l.builder.elementwise(.subtract, mine.at(), high.at())
            return (high, l.builder.elementwise(.toFP16, rest.at()))
        }
        let ones = Tile([Use(shared[place].ones)], count: lanes)
        let current = builder.matmul(
            [MatmulTerm(high.at(), ones), MatmulTerm(low.at(), ones)], count: 1,
            name: "\(head).current")
        return QueryHead(masked: masked, current: current)
    }

    /// Scores of the cached tokens, a block of 320 each; at most -60000 where there is none.
    private mutating func scores(
        _ query: QueryHead, _ cache: Cache, _ set: Int, _ head: String
    ) -> [ValueID] {
        let place = builder[query.current].chip
        return (0..<blockCount).map { block in
            let tokens = min(lanes, (plan.context - block * lanes + 15) / 16 * 16)
            let rows = lanes / chip.weightStreamsPerPlane
            let tile = Tile(
                cache.keys.map { Use($0, start: block * rows) }, count: tokens)
            return chained { l in
                let score = l.builder.matmul(
                    query.masked.map { MatmulTerm($0.at(), tile) }, count: 1)
                return l.builder.elementwise(
                    .min, score.at(), l.shared[place].bounds[block].at(), name: "\(head).scores")
            }
        }
    }

    /// (sum of p v) / (sum of p) in the lanes of the head.
    private mutating func mix(
        _ weights: [[ValueID]], _ current: ValueID, _ value: ValueID, _ cache: Cache, set: Int,
        g: Int, _ head: String
    ) -> ValueID {
        let place = builder[current].chip
        let heads = heads[place]
        let ones = Tile([Use(shared[place].byteOnes ?? shared[place].ones)], count: lanes)
        let share = chained { l -> ValueID in
            let cached = l.builder.matmul(
                weights.joined().map { MatmulTerm($0.at(), ones) }, count: 1)
            let total = l.builder.elementwise(.add, cached.at(), current.at())
            let root = l.builder.elementwise(.rsqrt, total.at())
            let inverse = l.builder.elementwise(.multiply, root.at(), root.at())
            return l.builder.elementwise(
                .mask, inverse.at(), l.shared[place].headMasks[g].at(), name: "\(head).share")
        }
        let rows = heads.rows(set) / chip.weightStreamsPerPlane
        let terms = weights.enumerated().flatMap { block, terms in
            let tile = Tile(
                cache.values.map { Use($0, start: block * rows) }, count: heads.rows(set))
            return terms.map { MatmulTerm($0.at(), tile) }
        }
        return chained { l in
            let cached = l.builder.matmul(terms, count: 1)
            let own = l.builder.elementwise(.multiply, current.at(), value.at())
            let sum = l.builder.elementwise(.add, cached.at(), own.at())
            return l.builder.elementwise(
                .multiply, sum.at(), share.at(), name: "\(head).output")
        }
    }

    // MARK: Cache

    private mutating func makeCache(_ label: String, _ set: Int, on place: Int) -> Cache {
        let slices = chip.weightStreamsPerPlane
        func regions(_ name: String, _ rows: Int) -> [ValueID] {
            (0..<slices).map {
                builder.image(
                    "\(label).\(name)\($0)", chip: place, type: plan.kvType, count: rows, .zero)
            }
        }
        let rows = lanes / slices
        return Cache(
            keys: regions("keys", blockCount * rows + 1),
            openValues: regions("openValues", rows + 1),
            values: regions("values", blockCount * heads[place].rows(set) / slices))
    }

    /// Appends the token's K row, and its V row to the open block, which is transposed anew: the
    /// identity's rows as activations read its columns.
    private mutating func append(
        _ key: ValueID, _ value: ValueID, _ cache: Cache, set: Int, _ label: String
    ) {
        let place = builder[key].chip
        let slices = chip.weightStreamsPerPlane
        let rows = lanes / slices
        var open: [ValueID] = []
        for slice in 0..<slices {
            _ = builder.scatter(
                into: Use(cache.keys[slice]), rows: blockCount * rows + 1,
                address: shared[place].keyRows[slice].at(), data: key.at(), count: 1,
                name: "\(label).keys\(slice).next")
            open.append(
                builder.scatter(
                    into: Use(cache.openValues[slice]), rows: rows + 1,
                    address: shared[place].valueRows[slice].at(), data: value.at(), count: 1,
                    name: "\(label).openValues\(slice).next"))
        }
        let tile = Tile(open.map { Use($0) }, count: lanes)
        var values = cache.values
        let perBlock = heads[place].rows(set) / slices
        for channel in 0..<heads[place].rows(set) {
            let column = chained { l -> ValueID in
                let sum = l.builder.matmul(
                    [MatmulTerm(l.shared[place].identity.at(channel), tile)], count: 1)
                return l.cached(sum, "\(label).column")
            }
            let row = channel / slices
            values[channel % slices] = builder.scatter(
                into: Use(values[channel % slices], start: row),
                rows: (blockCount - 1) * perBlock + 1, address: shared[place].blockRows[set].at(),
                data: column.at(), count: 1,
                name: "\(label).values\(channel % slices).\(row)")
        }
    }
}
