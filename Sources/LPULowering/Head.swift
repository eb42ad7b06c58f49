import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

extension DecoderLowering {
    /// Logits, their argmax, and the token on its way out.
    mutating func lowerHead(_ x: [ValueID]) {
        let (activation, scale) = normalise(x, "head")
        let vocabulary = Tiling(model.vocabularySize, lanes: lanes)
        let weights = linear(
            "lmHead",
            tensor: model.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight",
            rows: (0..<vocabulary.count).map { .range(vocabulary.range($0)) },
            columns: hiddenColumns, norm: "model.norm.weight")
        var best: ValueID?
        var place = ValueID(0)
        for n in 0..<vocabulary.count {
            let range = vocabulary.range(n)
            let logits = chained { l -> ValueID in
                let sum = l.product(activation, weights, n)
                return l.builder.elementwise(
                    .multiply, sum.at(), scale.at(), name: "logits\(n)")
            }
            // Lanes beyond the vocabulary never win.
            let limits = (0..<lanes).map {
                ($0 < range.count ? Float.greatestFiniteMagnitude : -Float.greatestFiniteMagnitude)
                    .bitPattern
            }
            let limit = builder.image(
                "limit\(n)", type: .fp32, count: 1, .table(bits: limits, stride: 0, run: 1))
            let index = builder.image(
                "token\(n)", type: .int32, count: 1,
                .table(
                    bits: (0..<lanes).map { UInt32(range.lowerBound + $0) }, stride: 0, run: 1))
            let valid = builder.elementwise(.min, logits.at(), limit.at(), name: "valid\(n)")
            guard let old = best else {
                best = valid
                place = builder.elementwise(.copy, index.at())
                continue
            }
            let greater = builder.elementwise(.less, old.at(), valid.at())
            place = chained { l in
                let taken = l.builder.elementwise(.mask, index.at(), greater.at())
                let kept = l.builder.elementwise(.maskNot, place.at(), greater.at())
                return l.builder.elementwise(.or, taken.at(), kept.at())
            }
            best = builder.elementwise(.max, old.at(), valid.at())
        }
        guard let best else { return }
        lowerEgress(argmaxOverLanes(best, place))
    }

    /// Byte k of the id in lane k of every superlane, k < 4.
    private mutating func lowerEgress(_ token: ValueID) {
        let width = chip.lanesPerSuperlane
        let shifts = builder.image(
            "egressShifts", type: .int32, count: 1,
            .table(bits: (0..<lanes).map { UInt32(8 * min($0 % width, 3)) }, stride: 0, run: 1))
        let bytes = builder.image(
            "egressBytes", type: .int32, count: 1,
            .table(bits: (0..<lanes).map { $0 % width < 4 ? 255 : 0 }, stride: 0, run: 1))
        let word = chained { l -> ValueID in
            let shifted = l.builder.elementwise(.shiftRight, token.at(), shifts.at())
            return l.builder.elementwise(.and, shifted.at(), bytes.at(), name: "next")
        }
        builder.egress(builder.byte(0, of: word.at()).at(), name: "egress")
    }
}
