import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The caches of a set of heads. Part p holds the blocks of 320 tokens whose number is p modulo
/// the parts, in 16 regions, one a slice that feeds a plane: so that as many planes as there
/// are parts are fed at once.
struct Cache {
    /// By part and slice.
    var keys: [[ValueID]]
    var openValues: [ValueID]
    /// By part and slice: all blocks, transposed.
    var values: [[ValueID]]
}

extension DecoderLowering {
    /// A key or value as the cache will keep it: the token attends to itself as others will to it.
    mutating func cached(_ value: ValueID, _ name: String) -> ValueID {
        builder.elementwise(plan.kvType == .fp8 ? .toFP8 : .toFP16, Use(value), name: name)
    }

    mutating func makeCache(_ label: String, _ set: Int, on place: Int) -> Cache {
        func regions(_ name: String, _ count: Int, rows: Int) -> [ValueID] {
            (0..<count).map {
                builder.image(
                    "\(label).\(name)\($0)", chip: place, type: plan.kvType, count: rows, .zero)
            }
        }
        let slices = chip.weightStreamsPerPlane
        func parts(_ name: String, rows: Int) -> [[ValueID]] {
            (0..<blocks.parts).map { part in
                regions(part == 0 ? name : "\(name)\(part).", slices, rows: rows)
            }
        }
        return Cache(
            keys: parts("keys", rows: blocks.keyRows),
            openValues: regions("openValues", slices, rows: blocks.rows + 1),
            values: parts(
                "values", rows: blocks.valueRows(perBlock: heads[place].rows(set) / slices)))
    }

    /// Appends the token's K row, and its V row to the open block, which is transposed anew: the
    /// identity's rows as activations read its columns. What belongs into another region goes to
    /// rows that nobody reads.
    mutating func append(
        _ key: ValueID, _ value: ValueID, _ cache: Cache, set: Int, _ label: String
    ) {
        let place = builder[key].chip
        let slices = chip.weightStreamsPerPlane
        for (part, regions) in cache.keys.enumerated() {
            for (slice, region) in regions.enumerated() {
                _ = builder.scatter(
                    into: Use(region), rows: builder[region].count,
                    address: shared[place].keyRows[part * slices + slice].at(), data: key.at(),
                    count: 1, name: "\(builder[region].name).next")
            }
        }
        let open = cache.openValues.enumerated().map { slice, region in
            builder.scatter(
                into: Use(region), rows: builder[region].count,
                address: shared[place].valueRows[slice].at(), data: value.at(), count: 1,
                name: "\(builder[region].name).next")
        }
        let channels = heads[place].rows(set)
        let columns = chained { l -> ValueID in
            let tile = Tile(open.map { Use($0) }, count: l.lanes)
            let sums = l.builder.matmul(
                [MatmulTerm(Use(l.shared[place].identity), tile)], count: channels)
            return l.cached(sums, "\(label).columns")
        }
        for (part, regions) in cache.values.enumerated() {
            for (slice, region) in regions.enumerated() {
                _ = builder.scatter(
                    into: Use(region), rows: builder[region].count - channels / slices + 1,
                    address: shared[place].blockRows[set * blocks.parts + part].at(),
                    data: Use(columns, start: slice, step: slices), count: channels / slices,
                    name: "\(builder[region].name).next")
            }
        }
    }

    // MARK: Rows

    /// The rows that the token at `position` takes: of its region the real one, of the others one
    /// that nobody reads.
    mutating func lowerCacheRows(_ position: ValueID, on place: Int) {
        let slices = Int32(chip.weightStreamsPerPlane)
        let block = chained { l in
            // position / 320 = (position / 64) / 5, exact for positions below 2^20.
            let sixty = l.builder.elementwise(.shiftRight, position.at(), integer: 6)
            let product = l.builder.elementwise(.multiplyInt, sixty.at(), integer: 52_429)
            return l.builder.elementwise(.shiftRight, product.at(), integer: 18, name: "block")
        }
        let inBlock = chained { l in
            let first = l.builder.elementwise(.multiplyInt, block.at(), integer: Int32(l.lanes))
            return l.builder.elementwise(
                .subtractInt, position.at(), first.at(), name: "inBlock")
        }
        let slice = builder.elementwise(.and, inBlock.at(), integer: slices - 1, name: "slice")
        let row = builder.elementwise(.shiftRight, inBlock.at(), integer: 4, name: "row")
        let part = builder.elementwise(.and, block.at(), integer: Int32(blocks.parts - 1))
        let inPart = builder.elementwise(
            .shiftRight, block.at(), integer: Int32(blocks.parts.trailingZeroBitCount))
        let (keyRow, region) = chained { l in
            let first = l.builder.elementwise(
                .multiplyInt, inPart.at(), integer: Int32(l.blocks.rows))
            let keyRow = l.builder.elementwise(.addInt, first.at(), row.at(), name: "keyRow")
            let first16 = l.builder.elementwise(.multiplyInt, part.at(), integer: slices)
            return (
                keyRow, l.builder.elementwise(.addInt, first16.at(), slice.at(), name: "region")
            )
        }
        shared[place].keyRows = candidateRows(
            keyRow, of: region, among: blocks.parts * Int(slices),
            others: blocks.perPart * blocks.rows, "keyRow")
        shared[place].valueRows = candidateRows(
            row, of: slice, among: Int(slices), others: blocks.rows, "valueRow")
        for set in heads[place].sets.indices {
            let perBlock = heads[place].rows(set) / Int(slices)
            let first = builder.elementwise(
                .multiplyInt, inPart.at(), integer: Int32(perBlock), name: "blockRow\(set).row")
            shared[place].blockRows += candidateRows(
                first, of: part, among: blocks.parts, others: blocks.perPart * perBlock,
                "blockRow\(set).")
        }
    }

    /// For each of `count` regions the row, if it is the region, else `others`, as an address.
    private mutating func candidateRows(
        _ row: ValueID, of region: ValueID, among count: Int, others: Int, _ name: String
    ) -> [ValueID] {
        guard count > 1 else { return [address(row, "\(name)0")] }
        let distance = builder.elementwise(
            .subtractInt, row.at(), integer: Int32(others), name: "\(name).distance")
        return (0..<count).map { i in
            let chosen = chained { l in
                let isMine = l.builder.elementwise(
                    .equalInt, region.at(), integer: Int32(i))
                let masked = l.builder.elementwise(.mask, distance.at(), isMine.at())
                return l.builder.elementwise(.addInt, masked.at(), integer: Int32(others))
            }
            return address(chosen, "\(name)\(i)")
        }
    }
}
