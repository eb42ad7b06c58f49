public import LPUMachine

/// How the token positions of a KV cache are dealt out: blocks of as many as a vector has lanes, a
/// tile of keys each, to banks in turn. Each bank has weight slices of its own, so that as many
/// planes as there are banks are fed at once.
public struct CacheBlocks: Hashable, Sendable {
    /// Blocks, the last maybe cut short.
    public let count: Int
    /// A power of two, at most the planes of a chip.
    public let banks: Int
    /// Rows of a block in each slice of its bank.
    public let rows: Int

    /// - Requires: a context of one or more.
    public init(context: Int, on chip: Chip) {
        count = (context + chip.lanes - 1) / chip.lanes
        rows = chip.lanes / chip.weightStreamsPerPlane
        var banks = 1
        while 2 * banks <= min(count, 2 * chip.planesPerHemisphere) { banks *= 2 }
        self.banks = banks
    }

    /// Blocks that the fullest bank holds.
    public var perBank: Int { (count + banks - 1) / banks }

    /// Rows of a region of keys: one more is for tokens of other slices and banks.
    public var keyRows: Int { perBank * rows + 1 }

    /// Rows of a region of transposed values, of which a block takes `perBlock`: where there are
    /// several banks, one block more is for those of others.
    public func valueRows(perBlock: Int) -> Int {
        (perBank + (banks > 1 ? 1 : 0)) * perBlock
    }
}
