import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// What comes in, constants, and the states before the first layer.
extension EncoderLowering {
    mutating func lowerEmbedding() -> (EncoderConstants, EncoderStates) {
        let ingress = builder.ingress(count: tokens, name: "ingress")
        let token = ingressWord(ingress, 0, "token")
        let type = ingressWord(ingress, 1, "type")
        let constants = makeConstants(isReal: ingressByte(ingress, 8, "isReal"))
        let words = look(
            up: "embeddings.word_embeddings.weight", rows: model.vocabularySize, token, "word")
        let types = look(
            up: "embeddings.token_type_embeddings.weight", rows: model.tokenTypeCount, type, "type")
        let sums = hidden.ranges.enumerated().map { tile, range in
            let positions = builder.image(
                "positions\(tile)", type: .fp32, count: tokens,
                .weights(
                    rowsLayout(
                        "embeddings.position_embeddings.weight", 0..<tokens, from: 0,
                        columns: range),
                    factor: 1, columnScale: nil))
            return chained { l -> ValueID in
                let placed = l.builder.elementwise(.add, Use(words[tile]), Use(positions))
                return l.builder.elementwise(
                    .add, Use(placed), Use(types[tile]), name: "embedded\(tile)")
            }
        }
        return (
            constants, normalised(sums, "embeddings.LayerNorm", over: constants.ones, "embedding")
        )
    }

    // MARK: Ingress

    private mutating func ingressByte(
        _ ingress: ValueID, _ byte: Int, _ name: String
    ) -> ValueID {
        let map = [Int16](repeating: Int16(byte), count: chip.lanesPerSuperlane)
        return builder.distribute(map, Use(ingress), name: name)
    }

    /// Four bytes of every superlane as an int32 in every lane, for each token.
    private mutating func ingressWord(
        _ ingress: ValueID, _ word: Int, _ name: String
    ) -> ValueID {
        let bytes = (0..<4).map {
            Use(ingressByte(ingress, 4 * word + $0, "\(name).byte\($0)"))
        }
        return builder.pack(bytes, as: .int32, name: name)
    }

    // MARK: Constants

    private mutating func makeConstants(isReal: ValueID) -> EncoderConstants {
        let one: UInt32 = 0x3c00
        func ofHeads(_ name: String, _ count: Int, run: Int) -> ValueID {
            let period = (lanes + run - 1) / run
            return builder.image(
                name, type: .int8, count: count,
                .table(
                    bits: [1] + [UInt32](repeating: 0, count: period - 1), stride: period - 1,
                    run: run))
        }
        let ones = builder.image(
            "ones", type: .fp16, count: lanes,
            .constant(bits: one, vectors: 0..<lanes, lanes: 0..<hidden.width))
        let identity = builder.image(
            "identity", type: .fp16, count: heads.dimension,
            .diagonal(bits: one, offset: 0, period: heads.dimension))
        let zero = builder.image("zero", type: .fp16, count: 1, .zero)
        let headLanes = ofHeads(
            "headLanes", heads.sets.map(\.count).max() ?? 1, run: heads.dimension)
        let bounds = chained { l -> ValueID in
            let real = l.builder.elementwise(.notEqualInt, Use(isReal), integer: 0)
            let number = l.builder.elementwise(.toFP32, Use(real))
            let scaled = l.builder.elementwise(.multiply, Use(number), 120_000)
            return l.builder.elementwise(.subtract, Use(scaled), 60_000, name: "bounds")
        }
        let groups = heads.sizes.map { size in
            let first = [UInt32](repeating: 0, count: size - 1)
            let period = (lanes + size - 1) / size
            return EncoderConstants.GroupSize(
                size: size,
                slots: builder.image(
                    "slots\(size)", type: .int8, count: size,
                    .table(bits: [1] + first, stride: size - 1, run: 1)),
                selectors: builder.image(
                    "selectors\(size)", type: .fp16, count: tokens,
                    .table(
                        bits: [one] + [UInt32](repeating: 0, count: period - 1),
                        stride: period - 1, run: size)))
        }
        return EncoderConstants(
            ones: ones, identity: identity, zero: zero, headLanes: headLanes, isReal: isReal,
            bounds: bounds, groups: groups)
    }

    // MARK: Tables

    /// For each token its row of a table of so many rows, a value a tile.
    ///
    /// A gather chooses no bank, so that every part of a table is asked, and those without the row
    /// give a zero row.
    private mutating func look(
        up tensor: String, rows: Int, _ index: ValueID, _ name: String
    ) -> [ValueID] {
        let parts = tableParts(rows)
        let addresses = parts.map { rowAddress(index, $0, "\(name).\($0.lowerBound)") }
        return hidden.ranges.enumerated().map { tile, range in
            let found = zip(parts, addresses).map { part, address in
                let table = builder.image(
                    "\(name)\(tile).\(part.lowerBound)", type: .fp16,
                    count: part.count + 2,
                    .weights(
                        rowsLayout(tensor, part, from: 1, columns: range), factor: 1,
                        columnScale: nil))
                return builder.gather(
                    table.at(), rows: part.count + 2, address: Use(address), count: tokens)
            }
            // In each vector all but one of them are zero.
            let sums = sumsInTurn(found, atMost: 8, "\(name)\(tile)")
            return chained { l in l.sumInTurn(sums, "\(name)\(tile)") }
        }
    }

    /// Parts of a table's rows, which half a bank holds with a zero row before and one behind; of
    /// tables that banks near the VXM do not hold, parts for which there is room beside weights.
    private func tableParts(_ rows: Int) -> [Range<Int>] {
        let halves = Tiling(0..<rows, lanes: chip.rowsPerBank * 7 / 16 - 2).ranges
        let blocks = halves.count * hidden.count * ElementType.fp16.byteCount
        let near = 2 * chip.scratchSlices * chip.banksPerSlice
        return blocks <= 2 * near
            ? halves : Tiling(0..<rows, lanes: chip.rowsPerBank * 5 / 16 - 2).ranges
    }

    /// Rows of a table in the vectors from `first` on.
    private func rowsLayout(
        _ tensor: String, _ rows: Range<Int>, from first: Int, columns: Range<Int>
    ) -> Layout {
        Layout(
            tensor: tensor,
            pieces: [
                Piece(
                    vectors: first..<first + rows.count, lanes: 0..<columns.count,
                    base: [rows.lowerBound, columns.lowerBound], vector: [.linear(1), .zero],
                    lane: [.zero, .linear(1)])
            ])
    }

    /// The row of each token in a part with a zero row before and one behind, as an address.
    private mutating func rowAddress(
        _ index: ValueID, _ part: Range<Int>, _ name: String
    ) -> ValueID {
        let shifts = builder.image(
            "addressShifts", type: .int32, count: 1,
            .diagonal(bits: 8, offset: 1, period: chip.lanesPerSuperlane))
        // Its bytes as those of an int8, which take a quarter of the rows.
        return chained { l -> ValueID in
            let offset = l.builder.elementwise(
                .subtractInt, Use(index), integer: Int32(part.lowerBound - 1))
            let start = l.builder.elementwise(.maxInt, Use(offset), integer: 0)
            let row = l.builder.elementwise(
                .minInt, Use(start), integer: Int32(part.count + 1))
            let shifted = l.builder.elementwise(.shiftRight, Use(row), shifts.at())
            let high = l.builder.elementwise(.shiftLeft, Use(shifted), integer: 24)
            let byte = l.builder.elementwise(.shiftRight, Use(high), integer: 24)
            return l.builder.elementwise(.intToInt8, Use(byte), name: "\(name).address")
        }
    }
}
