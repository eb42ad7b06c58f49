import LPUDataflow
import LPUMachine
import LPUNumerics

/// How the planes of a side take turns: activations of one pass between two tiles of the other.
extension Placer {
    /// `true` iff half of the tile's few activations pass between tiles of its own plane, the
    /// others between tiles of the side's other plane.
    func takesTurns(_ use: Int) -> Bool {
        let tile = tileUses[use]
        guard tile.type != .fp16, chip.planesPerHemisphere == 2 else { return false }
        return tile.matmuls == 2
            || tile.matmuls % 2 == 0 && 2 * tile.matmuls <= columns(use) && isOwnTile(tile.tile)
    }

    /// Cycles between two tiles of a plane in which activations of a tile pass.
    func gap(_ use: Int) -> Int { takesTurns(use) ? tileUses[use].matmuls / 2 : 1 }

    /// What passes behind a tile's loads is for the installed tile.
    func gap(behindLoadOn plane: Int, place: Int) -> Int {
        let state = planes[place][plane]
        return state.installed > 0 ? gap(state.uses[state.installed - 1]) : 1
    }

    /// The first cycle from `start` on at which the tile's loads leave a cycle free for what passes
    /// between two tiles of the side's other plane, and that plane's for what passes here.
    ///
    /// Loads take all streams of a plane: what else goes to the edge passes between two tiles.
    func inTurn(_ use: Int, from start: Int) -> Int {
        let (plane, place) = (tileUses[use].plane, tileUses[use].place)
        let other = plane.beside
        guard chip.planesPerHemisphere == 2,
            let last = planes[place][planeIndex(other)].loads.last
        else { return start }
        let pitch = columns(use) + gap(use)
        if takesTurns(use), takesTurns(last.use), columns(last.use) == columns(use),
            gap(last.use) == gap(use)
        {
            guard abs(start - last.cycle) < 2 * pitch else { return start }
            let phase = last.cycle + turn(of: other, use) + 1
            let late = (start - phase) % pitch
            // Where it is a little late, the other plane falls into step.
            if (0...pitch / 4).contains(late) { return start }
            return start + (late > 0 ? pitch : 0) - late
        }
        let near = planes[place][planeIndex(other)].loads.suffix(4)
        return (start..<start + pitch).first { cycle in
            near.allSatisfy { abs($0.cycle - cycle) >= pitch / 2 }
        } ?? start
    }

    /// How long after its tile's first load the last activation of the plane passes between two
    /// tiles of the side's other plane: the even one loads half a tile ahead.
    func turn(of plane: PlaneChoice, _ use: Int) -> Int {
        plane.plane == 0 ? columns(use) / 2 : (columns(use) - 1) / 2 + gap(use) - 1
    }
}
