import LPUDataflow
import LPUMachine
import LPUSupport

extension Placer {
    /// Has the loads of a sum wait until they can follow one another closely, the last of them just
    /// before its activation: a tile that is loaded as soon as its plane is free only waits there.
    /// Sums of many vectors take longer to pass than their tiles to load, and begin at once.
    /// - Returns: `false` where an activation is still to be made.
    @discardableResult
    func holdBack(_ op: Int) -> Bool {
        guard case .matmul(let terms) = template.ops[op].kind, template.ops[op].count == 1,
            let plane = planeOf[op]
        else { return true }
        guard terms.allSatisfy({ hasCopy($0.activation) }) else { return false }
        // Of each tile when its last activation is there, and how long the tiles behind it take.
        var tiles: [(use: Int, ready: Int, behind: Int)] = []
        for (term, use) in zip(terms, tileUseOf[op]).reversed() {
            let activation = term.activation
            let ready = earliestArrival(
                activation.value, activation.vector(0),
                type: template.values[activation.value.index].type,
                at: plane.hemisphere.sign * chip.edge)
            if let last = tiles.last, last.use == use {
                tiles[tiles.count - 1].ready = max(last.ready, ready)
            } else {
                let behind = tiles.last.map { $0.behind + columns($0.use) + 1 } ?? 0
                tiles.append((use, ready, behind))
            }
        }
        let end = tiles.map { $0.ready + $0.behind }.max() ?? 0
        for (use, _, behind) in tiles where isOwnTile(tileUses[use].tile) {
            // A tile's time more, for what else is read then.
            let ahead = behind + columns(use) + chip.installLatency + chip.loadCycles
            tileUses[use].earliest = end - ahead
        }
        return true
    }
}
