public import LPUMachine
public import LPUModel

/// How the token positions of a KV cache are dealt out: blocks of as many as a vector has lanes, to
/// parts in turn. Each part has weight slices of its own, so that as many planes as there are parts
/// are fed at once. Where the keys of a position take half of the lanes at most, a tile holds
/// several blocks of a part that follow one another side by side: rows of the tile are positions,
/// and each block has lanes of its own.
public struct CacheBlocks: Hashable, Sendable {
    /// Blocks, the last maybe cut short.
    public let count: Int
    /// A power of two, at most the planes of a chip.
    public let parts: Int
    /// Rows of a block in each slice of its part.
    public let rows: Int
    /// Users whose rows a region holds, one after the other.
    public let users: Int
    /// Blocks of keys side by side in a tile.
    public let sides: Int
    /// Lanes from a block of keys to the next one in its tile; all lanes for one block.
    public let width: Int

    /// Of a plan, in whose stages no set of KV heads is wider than `width` lanes.
    public init(_ model: ModelConfiguration, _ plan: Plan, on chip: Chip) {
        let heads = plan.headsOfChips(model).map(\.keyValues).max() ?? 0
        let widest = min(max(heads, 1), max(1, chip.lanes / model.headDimension))
        self.init(
            context: plan.context, users: plan.users, width: widest * model.headDimension,
            on: chip)
    }

    /// - Parameter width: lanes that the keys of a position take.
    /// - Requires: a context of one or more, as many users, and lanes.
    public init(context: Int, users: Int = 1, width: Int, on chip: Chip) {
        self.users = users
        count = (context + chip.lanes - 1) / chip.lanes
        rows = chip.lanes / chip.weightStreamsPerPlane
        var parts = 1
        while 2 * parts <= min(count, 2 * chip.planesPerHemisphere) { parts *= 2 }
        self.parts = parts
        // A row is written superlane by superlane.
        let most = width % chip.lanesPerSuperlane == 0 ? max(1, chip.lanes / width) : 1
        sides = min(most, (count + parts - 1) / parts)
        self.width = sides > 1 ? width : chip.lanes
    }

    /// Blocks that the fullest part holds.
    public var perPart: Int { (count + parts - 1) / parts }

    /// Blocks that part `part` holds.
    public func count(ofPart part: Int) -> Int { (count - part + parts - 1) / parts }

    /// Tiles of keys that part `part` holds.
    public func tiles(ofPart part: Int) -> Int { (count(ofPart: part) + sides - 1) / sides }

    /// Tiles of keys of all parts.
    public var tiles: Int { (0..<parts).reduce(0) { $0 + tiles(ofPart: $1) } }

    /// The block that tile `tile` of part `part` holds on side `side`; nil where it holds none.
    public func block(tile: Int, ofPart part: Int, side: Int) -> Int? {
        let block = (tile * sides + side) * parts + part
        return block < count ? block : nil
    }

    /// Rows of a user in a region of keys.
    public var keyRowsOfUser: Int { tiles(ofPart: 0) * rows }

    /// Rows of a region of keys: one more is for tokens of other slices and parts.
    public var keyRows: Int { users * keyRowsOfUser + 1 }

    /// Rows of a region of the values of open blocks: one more is for those of other slices.
    public var openRows: Int { users * rows + 1 }

    /// Rows of a region of transposed values, of which a block takes `perBlock`: where there are
    /// several parts, one block more is for those of others.
    public func valueRows(perBlock: Int) -> Int {
        (users * perPart + (parts > 1 ? 1 : 0)) * perBlock
    }
}
