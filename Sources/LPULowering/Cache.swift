import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The caches of a set of heads, in blocks of as many tokens as a vector has lanes. Part p holds
/// the blocks whose number is p modulo the parts, in regions, one a slice that feeds a plane: so
/// that as many planes as there are parts are fed at once. A tile of keys holds several blocks side
/// by side where they are narrow.
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
            openValues: regions("openValues", slices, rows: blocks.openRows),
            values: parts(
                "values", rows: blocks.valueRows(perBlock: heads[place].rows(set) / slices)))
    }

    /// The first `rows` rows of the token's user in a region in which each user has `perUser`.
    private mutating func rowsOfUser(
        _ region: ValueID, _ rows: Int, perUser: Int, at address: ValueID?
    ) -> ValueID {
        guard let address else { return region }
        return builder.gather(
            Use(region), rows: (blocks.users - 1) * perUser + 1, address: address.at(),
            count: rows, name: "\(builder[region].name).ofUser")
    }

    /// The user's keys, by part and slice.
    mutating func keysOfUser(_ cache: Cache) -> [[ValueID]] {
        cache.keys.enumerated().map { part, regions in
            let last = blocks.tiles(ofPart: part) - 1
            let tile = keyTile(regions, last, ofPart: part)
            let rows = last * blocks.rows + tile.count / regions.count
            return regions.map {
                rowsOfUser(
                    $0, rows, perUser: blocks.keyRowsOfUser,
                    at: shared[builder.place(of: $0)].userRows?.keys)
            }
        }
    }

    /// The user's transposed values of a set, by part and slice.
    mutating func valuesOfUser(_ cache: Cache, set: Int) -> [[ValueID]] {
        cache.values.enumerated().map { part, regions in
            regions.map { region in
                let place = builder.place(of: region)
                let perBlock = heads[place].rows(set) / chip.weightStreamsPerPlane
                return rowsOfUser(
                    region, blocks.count(ofPart: part) * perBlock,
                    perUser: blocks.perPart * perBlock, at: shared[place].userRows?.values[set])
            }
        }
    }

    /// A tile of a part's keys: as many weight vectors as its first block has tokens.
    func keyTile(_ keys: [ValueID], _ tile: Int, ofPart part: Int) -> Tile {
        Tile(
            keys.map { Use($0, start: tile * blocks.rows) },
            count: tokens(inBlock: tile * blocks.sides * blocks.parts + part))
    }

    /// Tokens of a block, in whole load columns.
    func tokens(inBlock block: Int) -> Int {
        min(
            lanes,
            (plan.context - block * lanes).roundedUp(toMultipleOf: chip.weightStreamsPerPlane))
    }

    /// Appends the token's K row, and its V row to the open block. What belongs into another region
    /// goes to rows that nobody reads.
    /// - Returns: the open block transposed anew: the identity's rows as activations read its
    ///   columns.
    mutating func append(
        _ key: ValueID, _ value: ValueID, _ cache: Cache, set: Int, _ label: String
    ) -> ValueID {
        let place = builder.place(of: key)
        let slices = chip.weightStreamsPerPlane
        let key = onAllSides(key, "\(label).newKey")
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
        let user = open.map {
            rowsOfUser(
                $0, blocks.rows, perUser: blocks.rows, at: shared[place].userRows?.openValues)
        }
        let channels = heads[place].rows(set)
        return chained { l -> ValueID in
            let tile = Tile(user.map { Use($0) }, count: l.lanes)
            let sums = l.builder.matmul(
                [MatmulTerm(Use(l.shared[place].identity), tile)], count: channels)
            return l.cached(sums, "\(label).columns")
        }
    }

    /// A key in the lanes of every block of a tile: which of them is written, the address says.
    private mutating func onAllSides(_ key: ValueID, _ name: String) -> ValueID {
        guard blocks.sides > 1 else { return key }
        let shifted = (1..<blocks.sides).map { builder.shift(key.at(), by: $0 * blocks.width) }
        return chained { l in
            let all = shifted.reduce(key) { l.builder.elementwise(.add, $0.at(), $1.at()) }
            return l.cached(all, name)
        }
    }

    /// Puts the open block's columns in the place of its old ones, which no one reads any more.
    mutating func replace(_ columns: ValueID, _ cache: Cache, set: Int) {
        let place = builder.place(of: columns)
        let slices = chip.weightStreamsPerPlane
        let channels = heads[place].rows(set)
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
    mutating func lowerCacheRows(_ position: ValueID, ofUser slot: ValueID?, on place: Int) {
        let slices = Int32(chip.weightStreamsPerPlane)
        let (block, inBlock) = divided(
            position, below: plan.context, by: lanes, "block", "inBlock")
        let (row, slice) = divided(inBlock, below: lanes, by: Int(slices), "row", "slice")
        let (inPart, part) = divided(block, below: blocks.count, by: blocks.parts)
        let user = slot.map { userRows($0, on: place) }
        let tile = lowerKeyTile(inPart, on: place)
        let (keyRow, region) = chained { l in
            let first = l.builder.elementwise(
                .multiplyInt, tile.number.at(), integer: Int32(l.blocks.rows))
            var keyRow = l.builder.elementwise(.addInt, first.at(), row.at(), name: "keyRow")
            if let user {
                keyRow = l.builder.elementwise(
                    .addInt, keyRow.at(), user.keys.at(), name: "keyRow.ofUser")
            }
            let firstOfPart = l.builder.elementwise(
                .multiplyInt, part.at(), integer: slices)
            return (
                keyRow,
                l.builder.elementwise(.addInt, firstOfPart.at(), slice.at(), name: "region")
            )
        }
        shared[place].keyRows = candidateRows(
            keyRow, of: onSide(tile.side, region, on: place), among: blocks.parts * Int(slices),
            others: blocks.keyRows - 1, "keyRow")
        let openRow =
            user.map {
                builder.elementwise(
                    .addInt, row.at(), $0.openValues.at(), name: "openRow.ofUser")
            } ?? row
        shared[place].valueRows = candidateRows(
            openRow, of: slice, among: Int(slices), others: blocks.openRows - 1, "valueRow")
        for set in heads[place].sets.indices {
            let perBlock = heads[place].rows(set) / Int(slices)
            let own = builder.elementwise(
                .multiplyInt, inPart.at(), integer: Int32(perBlock), name: "blockRow\(set).row")
            let first =
                user.map {
                    builder.elementwise(
                        .addInt, own.at(), $0.values[set].at(), name: "blockRow\(set).ofUser")
                } ?? own
            shared[place].blockRows += candidateRows(
                first, of: part, among: blocks.parts,
                others: blocks.users * blocks.perPart * perBlock, "blockRow\(set).")
        }
    }

    /// Quotient and remainder of a number that is below `limit`.
    private mutating func divided(
        _ value: ValueID, below limit: Int, by divisor: Int, _ quotient: String? = nil,
        _ remainder: String? = nil
    ) -> (quotient: ValueID, remainder: ValueID) {
        let zeros = Int32(divisor.trailingZeroBitCount)
        guard divisor != 1 << zeros else {
            let rest = builder.elementwise(
                .and, value.at(), integer: Int32(divisor - 1), name: remainder)
            return (
                builder.elementwise(.shiftRight, value.at(), integer: zeros, name: quotient), rest
            )
        }
        guard let reciprocal = Reciprocal(of: divisor, below: limit) else {
            preconditionFailure("a plan whose context has no reciprocal is refused")
        }
        let number = chained { l in
            let odd = l.builder.elementwise(.shiftRight, value.at(), integer: zeros)
            let product = l.builder.elementwise(
                .multiplyInt, odd.at(), integer: reciprocal.factor)
            return l.builder.elementwise(
                .shiftRight, product.at(), integer: reciprocal.shift, name: quotient)
        }
        let rest = chained { l in
            let first = l.builder.elementwise(.multiplyInt, number.at(), integer: Int32(divisor))
            return l.builder.elementwise(.subtractInt, value.at(), first.at(), name: remainder)
        }
        return (number, rest)
    }

    /// Of a part's block the tile that holds its keys, and where there are several in a tile, the
    /// side that they take.
    private mutating func lowerKeyTile(
        _ block: ValueID, on place: Int
    ) -> (number: ValueID, side: ValueID?) {
        guard blocks.sides > 1 else { return (block, nil) }
        let sides = Int32(blocks.sides)
        // Exact for as many blocks as a region has room for.
        let product = builder.elementwise(
            .multiplyInt, block.at(), integer: 65_536 / sides + 1)
        let tile = builder.elementwise(.shiftRight, product.at(), integer: 16, name: "keyTile")
        let first = builder.elementwise(.multiplyInt, tile.at(), integer: sides)
        return (
            tile, builder.elementwise(.subtractInt, block.at(), first.at(), name: "side")
        )
    }

    /// The region in the lanes of side `side`, in others none: a row is written there only.
    private mutating func onSide(
        _ side: ValueID?, _ region: ValueID, on place: Int
    ) -> ValueID {
        guard let side else { return region }
        let own = builder.image(
            "sides", chip: place, type: .int32, count: 1,
            .table(bits: (0..<lanes).map { UInt32($0 / blocks.width) }, stride: 0, run: 1))
        let count = Int32(blocks.parts * chip.weightStreamsPerPlane)
        let distance = builder.elementwise(.subtractInt, side.at(), own.at())
        let others = builder.elementwise(.multiplyInt, distance.at(), integer: count)
        return builder.elementwise(
            .addInt, region.at(), others.at(), name: "region.ofSide")
    }

    /// How far the user's rows are from those of user 0, in every lane; as addresses for all reads.
    private mutating func userRows(_ slot: ValueID, on place: Int) -> UserRows {
        func times(_ rows: Int, _ name: String) -> ValueID {
            builder.elementwise(.multiplyInt, slot.at(), integer: Int32(rows), name: name)
        }
        let perBlock = heads[place].sets.indices.map {
            heads[place].rows($0) / chip.weightStreamsPerPlane
        }
        let rows = UserRows(
            keys: times(blocks.keyRowsOfUser, "user.keys"),
            openValues: times(blocks.rows, "user.openValues"),
            values: perBlock.enumerated().map {
                times(blocks.perPart * $1, "user.values\($0)")
            })
        shared[place].userRows = UserRows(
            keys: address(rows.keys, "userKeys"),
            openValues: address(rows.openValues, "userOpenValues"),
            values: rows.values.enumerated().map { address($1, "userValues\($0)") })
        return rows
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
