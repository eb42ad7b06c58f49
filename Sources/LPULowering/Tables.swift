import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Look-ups by the token and by its position, in tables that may be larger than a bank.
extension DecoderLowering {
    // MARK: Embedding

    /// The token's embedding row, in fp32 on every chip: the chips hold the tables of the hidden
    /// vector's tiles in turn and hand their rows to the others.
    ///
    /// A gather chooses no bank, so that every part of the table is asked, and those without the
    /// token give a zero row.
    mutating func lowerEmbedding() -> [[ValueID]] {
        var x = places.map { _ in [ValueID]() }
        let parts = vocabularyParts
        let addresses = places.prefix(hidden.count).map { tokenAddresses(parts, on: $0) }
        for tile in 0..<hidden.count {
            let owner = tile % places.count
            let tables = parts.map { embeddingTable($0, tile, on: owner) }
            let rows = zip(tables, addresses[owner]).map {
                builder.gather($0.at(), rows: builder[$0].count, address: $1.at(), count: 1)
            }
            let row = sum(rows)
            for place in places {
                let here =
                    place == owner ? row : builder.transfer(row.at(), to: place, count: 1)
                x[place].append(
                    builder.elementwise(.copy, here.at(), name: "x.embedding.\(tile)"))
            }
        }
        return x
    }

    /// The sum of vectors of which all but one are zero, pair by pair.
    private mutating func sum(_ rows: [ValueID]) -> ValueID {
        guard rows.count > 1 else { return rows[0] }
        return sum(
            stride(from: 0, to: rows.count, by: 2).map { i in
                guard i + 1 < rows.count else { return rows[i] }
                return builder.elementwise(.add, rows[i].at(), rows[i + 1].at())
            })
    }

    /// Parts of the table that a quarter of a bank holds with a zero row before and one behind: as
    /// many as there are slices that feed a plane, or times that, so that all are filled alike.
    private var vocabularyParts: [Range<Int>] {
        let whole = 0..<model.vocabularySize
        let count = Tiling(whole, lanes: chip.rowsPerBank / 4 - 2).count
        guard count > 1 else { return [whole] }
        let slices = chip.weightStreamsPerPlane
        let even = (count + slices - 1) / slices * slices
        return Tiling(whole, lanes: (whole.count + even - 1) / even).ranges
    }

    /// For each part, the token's row in it, or a zero row.
    private mutating func tokenAddresses(_ parts: [Range<Int>], on place: Int) -> [ValueID] {
        parts.map { part in
            let row = chained { l in
                let offset = l.builder.elementwise(
                    .subtractInt, l.shared[place].token.at(), integer: Int32(part.lowerBound - 1))
                let start = l.builder.elementwise(.maxInt, offset.at(), integer: 0)
                return l.builder.elementwise(.minInt, start.at(), integer: Int32(part.count + 1))
            }
            return address(row, "tokenAddress.\(part.lowerBound)")
        }
    }

    private mutating func embeddingTable(
        _ part: Range<Int>, _ tile: Int, on place: Int
    ) -> ValueID {
        let range = hidden.range(tile)
        let piece = Piece(
            vectors: 1..<part.count + 1, lanes: 0..<range.count,
            base: [part.lowerBound, range.lowerBound], vector: [.linear(1), .zero],
            lane: [.zero, .linear(1)])
        return builder.image(
            "embedding\(tile).\(part.lowerBound)", chip: place, type: .fp16, count: part.count + 2,
            .weights(
                Layout(tensor: "model.embed_tokens.weight", pieces: [piece]), factor: 1,
                columnScale: nil))
    }

    // MARK: Rotary embedding

    /// The cosines and signed sines of the token's position.
    mutating func lowerRotary(_ position: ValueID, on place: Int) {
        guard plan.context > chip.rowsPerBank else {
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
        let frequencies = model.rotary.inverseFrequencies().map(\.bitPattern)
        let place = builder[address].chip
        let name = "\(isSine ? "sines" : "cosines").\(step)"
        let table = builder.image(
            name, chip: place, type: .fp32, count: rows,
            .rotary(
                Rotary(
                    inverseFrequencies: frequencies, isSine: isSine, positionStep: step,
                    heads: max(heads[place].perSet, 1))))
        return builder.gather(
            table.at(), rows: rows, address: address.at(), count: 1, name: "\(name).row")
    }
}
