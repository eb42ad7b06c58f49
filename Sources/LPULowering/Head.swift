import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A logit in each lane, and its token less 2^31: all tokens are below 0, which is none.
private struct Best {
    var logit: ValueID
    var token: ValueID

    func map(_ change: (ValueID) -> ValueID) -> Best {
        Best(logit: change(logit), token: change(token))
    }
}

extension DecoderLowering {
    /// Logits and their argmax, as the bytes that go out. The vocabulary is split over the chips;
    /// each learns what the others found and chooses alike.
    mutating func lowerHead(_ x: Residual) -> ValueID {
        let own = places.compactMap { lowerVocabulary(x, on: $0) }
        let logits = gatherAll(own.map(\.logit))
        let tokens = gatherAll(own.map(\.token))
        let bytes = places.map { place in
            let found = zip(logits[place], tokens[place]).map { Best(logit: $0, token: $1) }
            return egressBytes(bestOverLanes(best(of: found)).token)
        }
        return bytes[0]
    }

    /// Per lane, the best of this chip's part of the vocabulary; nil where it has none.
    private mutating func lowerVocabulary(_ x: Residual, on place: Int) -> Best? {
        let own = Tiling(place.share(of: model.vocabularySize, plan), lanes: lanes)
        guard own.count > 0 else { return nil }
        let input = normalise(
            x.tiles[place], inverse: x.inverses?[place], "head", on: place)
        let unscaled = linear(
            "lmHead",
            tensor: model.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight",
            rows: own.ranges.map { .range($0) }, columns: hiddenColumns,
            inputFactor: input.factor, norm: "model.norm.weight", on: place)
        // While x arrives and the norm is taken, the planes sum up outputs that do not wait for it.
        let early = input.deferred == nil ? 0 : min(2 * planes, own.count)
        let sums = (0..<early).map { sum(input, unscaled, $0, after: nil) }
        let weights = scaled(unscaled, by: scale(of: input, "head", on: place).scale)
        var best: Best?
        for (n, range) in own.ranges.enumerated() {
            let limit = limit(of: range, on: place)
            let token = tokens(of: range, on: place)
            let last = best
            best = chained { l in
                let logits = l.product(
                    input, weights, n, after: n < early ? sums[n] : nil,
                    name: "logits.\(range.lowerBound)")
                let logit = l.builder.elementwise(.min, Use(logits), Use(limit))
                guard let last else {
                    return Best(logit: logit, token: l.builder.elementwise(.copy, Use(token)))
                }
                return l.better(last, Best(logit: logit, token: token))
            }
        }
        return best
    }

    /// Lanes beyond the vocabulary never win.
    private mutating func limit(of range: Range<Int>, on place: Int) -> ValueID {
        let top = Float.greatestFiniteMagnitude
        let limits = (0..<lanes).map { ($0 < range.count ? top : -top).bitPattern }
        return builder.image(
            "limit.\(range.lowerBound)", chip: place, type: .fp32, count: 1,
            .table(bits: limits, stride: 0, run: 1))
    }

    /// A lane's token, less 2^31.
    private mutating func tokens(of range: Range<Int>, on place: Int) -> ValueID {
        builder.image(
            "token.\(range.lowerBound)", chip: place, type: .int32, count: 1,
            .table(
                bits: (0..<lanes).map { UInt32(range.lowerBound + $0) | 1 << 31 }, stride: 0,
                run: 1))
    }

    /// The greater logit in each lane; of equal ones that of the lower token. It is made twice:
    /// nothing but its sender takes what is sent.
    private mutating func better(_ old: Best, _ new: Best) -> Best {
        let greater = builder.elementwise(.max, Use(old.logit), Use(new.logit))
        return Best(
            logit: builder.elementwise(.max, Use(old.logit), Use(new.logit)),
            token: lowest(of: [old, new].map { kept($0, at: greater) }))
    }

    /// The greatest logit of all lanes and its token, in every lane: first over the lanes of a
    /// superlane, then over superlanes. A token is chosen while the next maximum is on its way.
    private mutating func bestOverLanes(_ own: Best) -> Best {
        let turned = turnsInSuperlane.map { turn in
            own.map { builder.distribute(turn, Use($0)) }
        }
        let ofSuperlane = best(of: [own] + turned)
        let rotated = turnsOfSuperlanes.map { turn in
            ofSuperlane.map { builder.permute(turn, Use($0)) }
        }
        return best(of: [ofSuperlane] + rotated)
    }

    /// The greatest logit in each lane and its token; of equal ones the lowest.
    private mutating func best(of found: [Best]) -> Best {
        guard found.count > 1 else { return found[0] }
        let greatest = chained { l in l.maximum(of: found.map(\.logit), "greatest") }
        // One after another: together they would wait for each other's slices.
        let tokens = found.map { found in chained { l in l.kept(found, at: greatest) } }
        return Best(logit: greatest, token: chained { l in l.lowest(of: tokens) })
    }

    /// The token where its logit is the greatest, else 0.
    private mutating func kept(_ found: Best, at greatest: ValueID) -> ValueID {
        let isGreatest = builder.elementwise(.equal, Use(found.logit), Use(greatest))
        return builder.elementwise(.mask, Use(found.token), Use(isGreatest), name: "kept")
    }

    private mutating func lowest(of tokens: [ValueID]) -> ValueID {
        tokens.dropFirst().reduce(tokens[0]) {
            builder.elementwise(.minInt, Use($0), Use($1), name: "lowest")
        }
    }

    /// Byte k of the id in lane k of every superlane, k < 4.
    private mutating func egressBytes(_ token: ValueID) -> ValueID {
        let width = chip.lanesPerSuperlane
        let place = builder.place(of: token)
        let shifts = builder.image(
            "egressShifts", chip: place, type: .int32, count: 1,
            .table(bits: (0..<lanes).map { UInt32(8 * min($0 % width, 3)) }, stride: 0, run: 1))
        let bytes = builder.image(
            "egressBytes", chip: place, type: .int32, count: 1,
            .table(bits: (0..<lanes).map { $0 % width < 4 ? 255 : 0 }, stride: 0, run: 1))
        let word = chained { l -> ValueID in
            let id = l.builder.elementwise(.addInt, token.at(), integer: .min)
            let shifted = l.builder.elementwise(.shiftRight, id.at(), shifts.at())
            return l.builder.elementwise(.and, shifted.at(), bytes.at(), name: "next")
        }
        return builder.byte(0, of: word.at(), name: "next.bytes")
    }
}
