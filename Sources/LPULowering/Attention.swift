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

/// Scores of a group's heads with the cached tokens.
private struct Scores {
    /// The group's queries.
    var query: ValueID
    /// A block of cached tokens each.
    var blocks: [ValueID]
    /// In every lane what has the greatest of all as its greatest.
    var maxima: [ValueID]
}

/// What a group's heads have made of the values: vector i is head i's.
struct HeadSums {
    /// What adds up to sums of p v: in the lanes of the KV head, and where it passed an SXM, in
    /// those of the next slot of a vector of outputs.
    var parts: [[ValueID]]
    /// 1 / (sum of p), in every lane.
    var shares: ValueID
}

/// exp(score - maximum), of the token itself in every lane and of the cached ones in terms.
private struct Weights {
    var current: ValueID
    var blocks: [[ValueID]]
    /// In each lane the sums of all blocks, a few blocks each.
    var sums: [ValueID]
}

extension DecoderLowering {
    /// attention(norm x): for each chip the outputs of its heads, side by side. The token itself is
    /// attended outside the cache and appended after.
    mutating func lowerAttention(_ x: Residual) -> [[ValueID]] {
        places.map { lowerAttention(x, on: $0) }
    }

    private mutating func lowerAttention(_ x: Residual, on place: Int) -> [ValueID] {
        let heads = heads[place]
        guard !heads.sets.isEmpty else { return [] }
        var input = attentionInput(x, on: place)
        let turns = turns(input)
        let caches = heads.sets.indices.map { makeCache(label($0, heads), $0, on: place) }
        let queries = lowerQueries(&input, turns.query)
        let groups = headGroups(on: place)
        // The planes are idle while a deferred norm is taken, or else while the maximum of the
        // scores is found.
        let early = input.scale == nil ? nil : lowerKeysAndValues(input, turns.key, caches)
        let cachedScores = groups.enumerated().map { number, group in
            scores(
                queries[group.set], turnsFirst ? input.scale : nil, caches[group.set], group,
                shared[place].groups[number], "layer.group\(number)")
        }
        let sets = early ?? lowerKeysAndValues(input, turns.key, caches)
        let columns = heads.sets.indices.map { set in
            append(sets[set].key, sets[set].value, sets[set].cache, set: set, label(set, heads))
        }
        let attended = groups.enumerated().map { number, group in
            attend(
                cachedScores[number], sets[group.set], group, shared[place].groups[number],
                "layer.group\(number)")
        }
        let outputs = mixed(attended, on: place)
        for set in heads.sets.indices { replace(columns[set], sets[set].cache, set: set) }
        return outputs
    }

    private func label(_ set: Int, _ heads: HeadLayout) -> String {
        heads.sets.count == 1 ? "layer" : "layer.set\(set)"
    }

    /// How queries and keys are turned.
    private mutating func turns(_ input: AttentionInput) -> (query: Turn, key: Turn) {
        let factors = factors(heads[input.place])
        let key = turn(input, "k", "layer.k", factor: factors.key)
        // Without norms of their own, keys and queries are turned alike.
        return (
            model.hasQueryKeyNorm ? turn(input, "q", "layer.q", factor: factors.query) : key, key
        )
    }

    /// What queries and keys are times: 1/sqrt(dimension) together.
    private func factors(_ heads: HeadLayout) -> (query: Float, key: Float) {
        let root = Float(heads.dimension).squareRoot()
        let key = plan.kvType == .fp8 ? Scale.keys(dimension: heads.dimension) : 1
        return (1 / (root * key), key)
    }

    /// For each set and block of a tile its query vectors; where they are turned first,
    /// `input.scale` is yet to multiply them. It is known late: the planes sum the queries up
    /// before.
    private mutating func lowerQueries(
        _ input: inout AttentionInput, _ turn: Turn
    ) -> [[[ValueID]]] {
        let heads = heads[input.place]
        let factor = factors(heads).query
        let count = heads.sets.indices.map { heads.queryVectors($0) }.reduce(0, +)
        func queries(_ set: Int, _ j: Int) -> [Int?] {
            heads.sets[set].map { j < $0.queries.count ? $0.queries[j] : nil }
        }
        let all = heads.sets.indices.flatMap { set in
            (0..<heads.queryVectors(set)).map { (set: set, j: $0) }
        }
        let projections = all.map { set, j in
            // A factor would vanish in a norm: the norm's weight has it.
            projection(
                input, "q", "\(label(set, heads)).q\(j)", rotatedRows(queries(set, j)),
                factor: model.hasQueryKeyNorm ? 1 : factor, parts: planes / count,
                sides: blocks.sides)
        }
        var sums: [ValueID?] = projections.map { _ in nil }
        if !turnsFirst, input.normed.deferred != nil {
            sums = projections.map { sum(input, $0) }
        }
        let sides = 0..<blocks.sides
        func turned(_ input: AttentionInput) -> [[[ValueID]]] {
            var result: [[[ValueID]]] = heads.sets.map { _ in sides.map { _ in [] } }
            for (i, vector) in all.enumerated() {
                let turned = projectRotated(
                    input, projections[i], queries(vector.set, vector.j), turn, sum: sums[i])
                for side in sides { result[vector.set][side].append(turned[side]) }
            }
            return result
        }
        let early = turnsFirst ? turned(input) : []
        input.scale = scale(of: input.normed, "layer.attention", on: input.place).scale
        return turnsFirst ? early : turned(input)
    }

    /// For each set its keys and values.
    private mutating func lowerKeysAndValues(
        _ input: AttentionInput, _ turn: Turn, _ caches: [Cache]
    ) -> [SetValues] {
        let heads = heads[input.place]
        let factor = factors(heads).key
        let parts = planes / (2 * heads.sets.count)
        return heads.sets.indices.map { set in
            let label = label(set, heads)
            let keyHeads = heads.sets[set].map { Optional($0.head) }
            let keys = projection(
                input, "k", "\(label).k", rotatedRows(keyHeads),
                factor: model.hasQueryKeyNorm ? 1 : factor, parts: parts)
            let key = cached(
                projectRotated(input, keys, keyHeads, turn)[0], "\(label).newKey")
            let values = projection(
                input, "v", "\(label).v", plainRows(keyHeads), parts: parts)
            let value = cached(project(input, values), "\(label).newValue")
            return SetValues(key: key, value: value, cache: caches[set])
        }
    }

    // MARK: Attention

    private mutating func attend(
        _ scores: Scores, _ values: SetValues, _ group: HeadGroup,
        _ constants: GroupConstants, _ name: String
    ) -> HeadSums {
        let current = currentScore(scores.query, values.key, name)
        let maximum = chained { l -> ValueID in
            let greatest = l.maximum(of: [current] + scores.maxima, "\(name).greatest")
            guard l.plan.kvType == .fp8 else { return greatest }
            return l.builder.elementwise(
                .subtract, Use(greatest), Scale.probabilityLogarithm, name: "\(name).greatest")
        }
        var terms: [[ValueID]] = []
        // Running sums of two that leave the VXM together; each joins one that rests by then.
        let running = 4
        var sums: [ValueID] = []
        for first in stride(from: 0, to: scores.blocks.count, by: 2) {
            let sum = chained { l -> ValueID in
                let weights = scores.blocks[first..<min(first + 2, scores.blocks.count)].map {
                    let rest = l.builder.elementwise(.subtract, Use($0), Use(maximum))
                    return l.builder.elementwise(.exp, Use(rest))
                }
                terms += weights.map { l.terms(of: Use($0), l.plan.kvType, "\(name).p") }
                return l.sumInTurn(weights + sums.dropLast(running - 1).suffix(1), "\(name).pSum")
            }
            sums.append(sum)
        }
        let weight = chained { l -> ValueID in
            let rest = l.builder.elementwise(.subtract, Use(current), Use(maximum))
            return l.builder.elementwise(.exp, Use(rest), name: "\(name).pCurrent")
        }
        return weighted(
            Weights(current: weight, blocks: terms, sums: sums.suffix(running)), values, group,
            constants, name)
    }

    /// The token's score with itself, in every lane.
    private mutating func currentScore(
        _ query: ValueID, _ key: ValueID, _ name: String
    ) -> ValueID {
        // The products in two fp16 terms: large scores must not lose their last bits.
        let terms = chained { l in
            l.pairOfTerms(of: l.builder.elementwise(.multiply, Use(query), key.at()))
        }
        return sumOverLanes(terms, on: builder.place(of: key), "\(name).current")
    }

    /// The value in two fp16 terms.
    private mutating func pairOfTerms(of value: ValueID) -> [ValueID] {
        let high = builder.elementwise(.toFP16, Use(value))
        let rest = builder.elementwise(.subtract, Use(value), Use(high))
        return [high, builder.elementwise(.toFP16, Use(rest))]
    }

    /// In every lane the sum of all terms over all lanes.
    private mutating func sumOverLanes(
        _ terms: [ValueID], on place: Int, _ name: String? = nil
    ) -> ValueID {
        let ones = Tile([Use(shared[place].ones)], count: lanes)
        return builder.matmul(terms.map { MatmulTerm(Use($0), ones) }, name: name)
    }

    /// The group's queries in the lanes of one block of a tile: vector i is head i's.
    private mutating func groupQueries(
        _ queries: [ValueID], _ scale: ValueID?, _ selectors: [ValueID], _ name: String
    ) -> ValueID {
        chained { l in
            var all = l.builder.elementwise(
                .mask, queries[0].at(), Use(selectors[0]), name: name)
            for j in 1..<selectors.count {
                let other = l.builder.elementwise(.mask, queries[j].at(), Use(selectors[j]))
                all = l.builder.elementwise(.or, Use(all), Use(other), name: name)
            }
            guard let scale else { return all }
            return l.builder.elementwise(.multiply, Use(all), scale.at(), name: name)
        }
    }

    /// Scores, tile by tile, so that all heads pass each tile of keys while it is installed; at
    /// most -60000 where there is no token. Tiles with the fewest blocks come first: they do not
    /// wait for shifted queries.
    private mutating func scores(
        _ queries: [[ValueID]], _ scale: ValueID?, _ cache: Cache, _ group: HeadGroup,
        _ constants: GroupConstants,
        _ name: String
    ) -> Scores {
        let (sides, parts) = (0..<self.blocks.sides, self.blocks.parts)
        let query = sides.map { side in
            groupQueries(
                queries[side], scale, constants.selectors[side], "\(name).query\(ofSide(side))")
        }
        let terms = sides.map { side in
            chained { l in
                l.terms(of: Use(query[side]), l.plan.kvType, "\(name).query\(l.ofSide(side))")
            }
        }
        // A running maximum a part and side, so that none waits for the last one to rest.
        var best: [ValueID?] = Array(repeating: nil, count: sides.count * parts)
        var scores: [ValueID?] = Array(repeating: nil, count: self.blocks.count)
        let keys = keysOfUser(cache)
        for row in (0..<self.blocks.tiles(ofPart: 0)).reversed() {
            for (part, side) in (0..<parts).flatMap({ part in sides.map { (part, $0) } }) {
                guard let block = self.blocks.block(tile: row, ofPart: part, side: side)
                else { continue }
                let tile = keyTile(keys[part], row, ofPart: part)
                scores[block] = boundedScores(
                    terms[side], tile, block, &best[side * parts + part], name)
            }
        }
        let greatest = best.compactMap { $0 }
        let all = chained { l in l.maximum(of: greatest, "\(name).best") }
        return Scores(
            query: query[0], blocks: scores.compactMap { $0 },
            maxima: maximaOverLanes(all, "\(name).maximum"))
    }

    /// The scores of one block; `best` is the greatest so far.
    private mutating func boundedScores(
        _ terms: [ValueID], _ tile: Tile, _ block: Int, _ best: inout ValueID?, _ name: String
    ) -> ValueID {
        let place = builder.place(of: terms[0])
        let last = best
        let (bounded, greatest) = chained { l -> (ValueID, ValueID) in
            let score = l.builder.matmul(terms.map { MatmulTerm(Use($0), tile) })
            let bounded = l.builder.elementwise(
                .min, Use(score), l.shared[place].bounds[block].at(), name: "\(name).scores")
            let greatest = last.map {
                l.builder.elementwise(.max, Use($0), Use(bounded), name: "\(name).best")
            }
            return (bounded, greatest ?? bounded)
        }
        best = greatest
        return bounded
    }

    private mutating func weighted(
        _ weights: Weights, _ values: SetValues, _ group: HeadGroup, _ constants: GroupConstants,
        _ name: String
    ) -> HeadSums {
        let place = builder.place(of: values.key)
        let count = heads[place].rows(group.set)
        let rows = count / chip.weightStreamsPerPlane
        let own = builder.elementwise(
            .multiply, Use(weights.current), values.value.at(), name: "\(name).own")
        let cached = valuesOfUser(values.cache, set: group.set)
        // The next slot's sums take their lanes on their way from the planes.
        let slots = slots(ofSet: group.set, on: place)
        let shift =
            slots == 2 && constants.headLanes == nil ? heads[place].width(group.set) : nil
        let parts = partSums(weights, shift: shift, "\(name).sums") { _, part, row in
            Tile(cached[part].map { Use($0, start: row * rows) }, count: count)
        }
        let shares = share(weights, on: place, name)
        if let shift {
            let shifted = builder.shift(Use(own), by: shift, name: "\(name).own")
            return HeadSums(
                parts: [[own] + parts.map(\.sum), [shifted] + parts.compactMap(\.shifted)],
                shares: shares)
        }
        let sums = chained { l -> ValueID in
            let all = l.sumInTurn([own] + parts.map(\.sum))
            guard let lanes = constants.headLanes else { return all }
            return l.builder.elementwise(.mask, Use(all), Use(lanes), name: "\(name).sums")
        }
        return HeadSums(parts: [[sums]], shares: shares)
    }

    /// 1 / (sum of p), in every lane.
    ///
    /// The sums of a lane over its blocks become two fp16 terms times a power of two by which the
    /// first does not overflow. What the second loses is little beside a sum of at least the
    /// greatest p.
    private mutating func share(_ weights: Weights, on place: Int, _ name: String) -> ValueID {
        let greatest = plan.kvType == .fp8 ? Scale.greatestProbability : 1
        var shift: Float = 1
        while Float(blocks.count) * greatest * shift > 0x1p15 { shift /= 2 }
        func times(_ l: inout Self, _ value: ValueID, _ factor: Float) -> ValueID {
            factor == 1 ? value : l.builder.elementwise(.multiply, Use(value), factor)
        }
        let terms = chained { l in
            let sum = l.sumInTurn(weights.sums, "\(name).pSum")
            return l.pairOfTerms(of: times(&l, sum, shift))
        }
        return chained { l in
            let sum = l.sumOverLanes(terms, on: place)
            let all = l.builder.elementwise(
                .add, Use(times(&l, sum, 1 / shift)), Use(weights.current))
            return l.reciprocal(all, name: "\(name).share")
        }
    }

    /// For each part the sum over its blocks of weights times a tile that the part and the block's
    /// number in it give, and the same `shift` lanes further.
    private mutating func partSums(
        _ weights: Weights, shift: Int?, _ name: String,
        _ tile: (Self, _ part: Int, _ row: Int) -> Tile
    ) -> [(sum: ValueID, shifted: ValueID?)] {
        (0..<blocks.parts).map { part in
            let own = stride(from: part, to: blocks.count, by: blocks.parts)
            return chained { l in
                let sum = l.builder.matmul(
                    own.enumerated().flatMap { row, block in
                        weights.blocks[block].map { MatmulTerm(Use($0), tile(l, part, row)) }
                    }, name: name)
                return (sum, shift.map { l.builder.shift(Use(sum), by: $0, name: name) })
            }
        }
    }
}
