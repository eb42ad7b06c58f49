import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Look-ups by the token and by its position, in tables that may be larger than a bank.
extension DecoderLowering {
    // MARK: Embedding

    /// The token's embedding row, in fp32 on every chip: the chips hold equal shares of the
    /// vocabulary and add up what they find.
    ///
    /// A gather chooses no bank, so that every part of a share is asked, and those without the
    /// token give a zero row.
    mutating func lowerEmbedding() -> [[ValueID]] {
        let found = places.map { place in
            let parts = vocabularyParts(of: place)
            let addresses = parts.map { tokenAddress($0, on: place) }
            let scale = embeddingScale(parts, addresses, on: place)
            return (0..<hidden.count).map { tile in
                let rows = zip(parts, addresses).map { part, address in
                    let table = embeddingTable(part, tile, on: place)
                    let row = builder.gather(
                        table.at(), rows: builder[table].count, address: address.at(), count: 1)
                    return plan.weightType == .int8
                        ? builder.elementwise(.toFP32, row.at()) : row
                }
                let row = scaled(sum(rows), by: scale)
                return places.count == 1
                    ? builder.elementwise(.copy, row.at(), name: "x.embedding.\(tile)")
                    : builder.elementwise(.toFP16, row.at(), name: "x.embedding.\(tile).part")
            }
        }
        return addPartialSums(found, to: [], "x.embedding")
    }

    /// The scale of the token's row in every lane, or zero; nil for weights that have none.
    private mutating func embeddingScale(
        _ parts: [Range<Int>], _ addresses: [ValueID], on place: Int
    ) -> ValueID? {
        guard plan.weightType.byteCount == 1 else { return nil }
        let rows = zip(parts, addresses).map { part, address in
            let table = builder.image(
                "embeddingScales.\(part.lowerBound)", chip: place, type: .fp32,
                count: part.count + 2,
                .scales(
                    embeddingLayout(part, lanes: lanes, column: 0, step: 0), factor: 1,
                    columnScale: nil))
            return builder.gather(
                table.at(), rows: builder[table].count, address: address.at(), count: 1)
        }
        return sum(rows)
    }

    /// The sum of vectors of which all but one are zero.
    private mutating func sum(_ rows: [ValueID]) -> ValueID {
        rows.reducedInPairs { builder.elementwise(.add, $0.at(), $1.at()) }
    }

    private mutating func scaled(_ row: ValueID, by scale: ValueID?) -> ValueID {
        scale.map { builder.elementwise(.multiply, row.at(), $0.at()) } ?? row
    }

    /// Equal parts of a chip's share of the vocabulary, which half a bank holds with a zero row
    /// before and one behind. The last ones may reach beyond the vocabulary.
    private func vocabularyParts(of place: Int) -> [Range<Int>] {
        let share = (model.vocabularySize + places.count - 1) / places.count
        let parts = Tiling(0..<share, lanes: chip.rowsPerBank * 7 / 16 - 2)
        return (0..<parts.count).map {
            let start = place * share + $0 * parts.width
            return start..<min(start + parts.width, (place + 1) * share)
        }
    }

    /// The token's row in a part, or a zero row.
    private mutating func tokenAddress(_ part: Range<Int>, on place: Int) -> ValueID {
        // The start differs from chip to chip, so it is data and no immediate.
        let before = constant(
            "tokensBefore.\(part.lowerBound)", UInt32(bitPattern: Int32(part.lowerBound - 1)),
            type: .int32, on: place)
        let row = chained { l in
            let offset = l.builder.elementwise(
                .subtractInt, l.shared[place].token.at(), before.at())
            let start = l.builder.elementwise(.maxInt, offset.at(), integer: 0)
            return l.builder.elementwise(.minInt, start.at(), integer: Int32(part.count + 1))
        }
        return address(row, "tokenAddress.\(part.lowerBound)")
    }

    private mutating func embeddingTable(
        _ part: Range<Int>, _ tile: Int, on place: Int
    ) -> ValueID {
        let range = hidden.ranges[tile]
        return builder.image(
            "embedding\(tile).\(part.lowerBound)", chip: place, type: plan.weightType,
            count: part.count + 2,
            .weights(
                embeddingLayout(part, lanes: range.count, column: range.lowerBound, step: 1),
                factor: 1, columnScale: nil))
    }

    /// Row 1 + i holds the part's token i, from a column on; tokens there are none of are zero.
    private func embeddingLayout(
        _ part: Range<Int>, lanes: Int, column: Int, step: Int
    ) -> Layout {
        let real = part.clamped(to: 0..<model.vocabularySize)
        let piece = Piece(
            vectors: 1..<real.count + 1, lanes: 0..<lanes, base: [real.lowerBound, column],
            vector: [.linear(1), .zero], lane: [.zero, step == 0 ? .zero : .linear(step)])
        return Layout(
            tensor: "model.embed_tokens.weight", pieces: real.isEmpty ? [] : [piece])
    }

    // MARK: Rotary embedding

    /// The cosines and signed sines of the token's position.
    mutating func lowerRotary(_ position: ValueID, on place: Int) {
        guard plan.splitsRotaryTables(on: chip) else {
            let row = address(position, "positionAddress")
            shared[place].cosine = rotaryRow(row, rows: plan.context, step: 1, isSine: false)
            shared[place].sine = rotaryRow(row, rows: plan.context, step: 1, isSine: true)
            return
        }
        // Position 256 a + b: cos(a + b) = cos a cos b - sin a sin b, where the signs of the sines
        // cancel, and sin(a + b) = sin a cos b + cos a sin b.
        let coarse = builder.elementwise(.shiftRight, position.at(), integer: 8)
        let fine = builder.elementwise(.and, position.at(), integer: 255)
        let (a, b) = (address(coarse, "coarseAddress"), address(fine, "fineAddress"))
        let count = (plan.context + 255) / 256
        let cosineA = rotaryRow(a, rows: count, step: 256, isSine: false)
        let sineA = rotaryRow(a, rows: count, step: 256, isSine: true)
        let cosineB = rotaryRow(b, rows: 256, step: 1, isSine: false)
        let sineB = rotaryRow(b, rows: 256, step: 1, isSine: true)
        shared[place].cosine = chained { l in
            let cosines = l.builder.elementwise(.multiply, cosineA.at(), cosineB.at())
            let sines = l.builder.elementwise(.multiply, sineA.at(), sineB.at())
            return l.builder.elementwise(.subtract, cosines.at(), sines.at(), name: "cosine")
        }
        shared[place].sine = chained { l in
            let one = l.builder.elementwise(.multiply, sineA.at(), cosineB.at())
            let other = l.builder.elementwise(.multiply, cosineA.at(), sineB.at())
            return l.builder.elementwise(.add, one.at(), other.at(), name: "sine")
        }
    }

    /// The addressed row of the cosines or signed sines of every `step`th position.
    private mutating func rotaryRow(
        _ address: ValueID, rows: Int, step: Int, isSine: Bool
    ) -> ValueID {
        let frequencies = (model.rotary?.inverseFrequencies() ?? []).map(\.bitPattern)
        let place = builder.place(of: address)
        let name = "\(isSine ? "sines" : "cosines").\(step)"
        let table = builder.image(
            name, chip: place, type: .fp32, count: rows,
            .rotary(
                Rotary(
                    inverseFrequencies: frequencies, isSine: isSine, positionStep: step,
                    heads: max(turnedHeads(on: place), 1))))
        return builder.gather(
            table.at(), rows: rows, address: address.at(), count: 1, name: "\(name).row")
    }
}
