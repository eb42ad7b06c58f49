import LPUNumerics

/// Decoded weight tiles of rows of the memory image, which never change: each is decoded once, not
/// in every step.
final class TileCache {
    private struct Key: Hashable {
        var type: ElementType
        /// Of the first row that is set.
        var low: Int32
        var high: Int32
    }
    private struct Entry {
        var rows: [Vector]
        var high: [Vector]
        var tile: WeightTile
    }

    private var entries: [Key: Entry] = [:]
    private var bytesLeft: Int

    /// - Parameter bytes: about what the tiles may take; what comes then is decoded every time.
    init(bytes: Int) { bytesLeft = bytes }

    /// The tile of exactly these rows, if it is kept.
    func tile(_ type: ElementType, _ rows: [Vector], _ high: [Vector]) -> WeightTile? {
        guard let key = key(type, rows, high), let entry = entries[key], entry.rows == rows,
            entry.high == high
        else { return nil }
        return entry.tile
    }

    /// `true` iff the rows are of the image and there is room.
    func keeps(_ rows: [Vector], _ high: [Vector]) -> Bool {
        bytesLeft > 0 && rows.allSatisfy { !$0.isPooled } && high.allSatisfy { !$0.isPooled }
    }

    /// Keeps a tile, unless another one that begins alike is kept.
    func insert(_ tile: WeightTile, _ rows: [Vector], _ high: [Vector]) {
        guard let key = key(tile.type, rows, high), entries[key] == nil else { return }
        entries[key] = Entry(rows: rows, high: high, tile: tile)
        bytesLeft -= 4 * tile.rowCount * tile.laneCount
    }

    private func key(_ type: ElementType, _ rows: [Vector], _ high: [Vector]) -> Key? {
        guard let first = rows.firstIndex(where: { $0 != .none }), !rows[first].isPooled else {
            return nil
        }
        return Key(
            type: type, low: rows[first].raw,
            high: high.isEmpty ? .min : high[first].raw)
    }
}
