import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Reductions over lanes that the MXM cannot do.
extension DecoderLowering {
    /// All turns of a superlane's lanes but that which leaves them as they are.
    var turnsInSuperlane: [[Int16]] {
        let width = chip.lanesPerSuperlane
        return (1..<width).map { turn in (0..<width).map { Int16(($0 + turn) % width) } }
    }

    /// All rotations by whole superlanes but that which leaves them as they are.
    var turnsOfSuperlanes: [[Int16]] {
        (1..<chip.superlanes).map { turn in
            (0..<lanes).map { Int16(($0 + turn * chip.lanesPerSuperlane) % lanes) }
        }
    }

    /// The maximum over all lanes of each vector, in every lane: first over the lanes of a
    /// superlane, then over superlanes; each is one way to the SXMs, which take the turns together,
    /// and back.
    mutating func maximumOverLanes(_ values: ValueID, _ name: String) -> ValueID {
        let result = maximum(values, name, turns: turnsInSuperlane) {
            $0.builder.distribute($1, Use(values))
        }
        return maximum(result, name, turns: turnsOfSuperlanes) {
            $0.builder.permute($1, Use(result))
        }
    }

    /// The maximum of the values and of all their turns: of about the square root of them at once,
    /// each one after another as they come.
    private mutating func maximum(
        _ values: ValueID, _ name: String, turns: [[Int16]],
        _ turn: (inout DecoderLowering, [Int16]) -> ValueID
    ) -> ValueID {
        var size = 1
        while size * size < turns.count { size += 1 }
        let parts = stride(from: 0, to: turns.count, by: size).map { first in
            chained { l -> ValueID in
                let turned = turns[first..<min(first + size, turns.count)].map { turn(&l, $0) }
                return turned.reduce(values) {
                    l.builder.elementwise(.max, Use($1), Use($0), name: name)
                }
            }
        }
        return chained { l in
            var best = parts.first ?? values
            for part in parts.dropFirst() {
                best = l.builder.elementwise(.max, Use(best), Use(part), name: name)
            }
            return best
        }
    }
}
