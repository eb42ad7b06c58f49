public import LPUMachine

/// How the token positions of a KV cache are dealt out: blocks of as many as a vector has lanes, a
/// tile of keys each, to parts in turn. Each part has weight slices of its own, so that as many
/// planes as there are parts are fed at once.
public struct CacheBlocks: Hashable, Sendable {
    /// Blocks, the last maybe cut short.
    public let count: Int
    /// A power of two, at most the planes of a chip.
    public let parts: Int
    /// Rows of a block in each slice of its part.
    public let rows: Int
    /// Users whose rows a region holds, one after the other.
    public let users: Int

    /// - Requires: a context of one or more, and as many users.
    public init(context: Int, users: Int = 1, on chip: Chip) {
        self.users = users
        count = (context + chip.lanes - 1) / chip.lanes
        rows = chip.lanes / chip.weightStreamsPerPlane
        var parts = 1
        while 2 * parts <= min(count, 2 * chip.planesPerHemisphere) { parts *= 2 }
        self.parts = parts
    }

    /// Blocks that the fullest part holds.
    public var perPart: Int { (count + parts - 1) / parts }

    /// Blocks that part `part` holds.
    public func count(ofPart part: Int) -> Int { (count - part + parts - 1) / parts }

    /// Rows of a user in a region of keys.
    public var keyRowsOfUser: Int { perPart * rows }

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
