import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The best logit seen so far in each lane, and its token.
private struct Best {
    var logit: ValueID
    var token: ValueID
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
            let best = found.reducedInPairs { better($0, $1) }
            return egressBytes(argmaxOverLanes(best.logit, best.token))
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
            let logits = chained { l in
                l.product(
                    input, weights, n, after: n < early ? sums[n] : nil,
                    name: "logits.\(range.lowerBound)")
            }
            let tile = limited(logits, range, on: place)
            best = best.map { better($0, tile) } ?? tile
        }
        return best
    }

    /// Lanes beyond the vocabulary never win.
    private mutating func limited(
        _ logits: ValueID, _ range: Range<Int>, on place: Int
    ) -> Best {
        let top = Float.greatestFiniteMagnitude
        let limits = (0..<lanes).map { ($0 < range.count ? top : -top).bitPattern }
        let limit = builder.image(
            "limit.\(range.lowerBound)", chip: place, type: .fp32, count: 1,
            .table(bits: limits, stride: 0, run: 1))
        let token = builder.image(
            "token.\(range.lowerBound)", chip: place, type: .int32, count: 1,
            .table(
                bits: (0..<lanes).map { UInt32(range.lowerBound + $0) }, stride: 0, run: 1))
        return Best(
            logit: builder.elementwise(.min, logits.at(), limit.at()),
            token: builder.elementwise(.copy, token.at()))
    }

    /// The greater logit in each lane; of equal ones the old, whose token is lower.
    private mutating func better(_ old: Best, _ new: Best) -> Best {
        let greater = builder.elementwise(.less, old.logit.at(), new.logit.at())
        let token = chained { l -> ValueID in
            let taken = l.builder.elementwise(.mask, new.token.at(), greater.at())
            let kept = l.builder.elementwise(.maskNot, old.token.at(), greater.at())
            return l.builder.elementwise(.or, taken.at(), kept.at())
        }
        return Best(
            logit: builder.elementwise(.max, old.logit.at(), new.logit.at()), token: token)
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
            let shifted = l.builder.elementwise(.shiftRight, token.at(), shifts.at())
            return l.builder.elementwise(.and, shifted.at(), bytes.at(), name: "next")
        }
        return builder.byte(0, of: word.at(), name: "next.bytes")
    }
}
