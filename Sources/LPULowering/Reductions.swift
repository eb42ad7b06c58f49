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

    /// Values whose greatest is the maximum over all lanes of each vector, in every lane: first
    /// over the lanes of a superlane, then over superlanes; each is one way to the SXMs, which
    /// take the turns together, and back.
    mutating func maximaOverLanes(_ values: ValueID, _ name: String) -> [ValueID] {
        let maxima = maxima(values, name, turns: turnsInSuperlane) {
            $0.builder.distribute($1, Use(values))
        }
        let result = chained { l in l.maximum(of: maxima, name) }
        return self.maxima(result, name, turns: turnsOfSuperlanes) {
            $0.builder.permute($1, Use(result))
        }
    }

    /// Maxima of the values and their turns: each of about the square root of them, one after
    /// another as they come.
    private mutating func maxima(
        _ values: ValueID, _ name: String, turns: [[Int16]],
        _ turn: (inout DecoderLowering, [Int16]) -> ValueID
    ) -> [ValueID] {
        guard !turns.isEmpty else { return [values] }
        var size = 1
        while size * size < turns.count { size += 1 }
        return stride(from: 0, to: turns.count, by: size).map { first in
            chained { l in
                let turned = turns[first..<min(first + size, turns.count)].map { turn(&l, $0) }
                return turned.reduce(values) {
                    l.builder.elementwise(.max, Use($1), Use($0), name: name)
                }
            }
        }
    }

    /// The greatest of the values, taken one after another. - Requires: there is one.
    mutating func maximum(of values: [ValueID], _ name: String) -> ValueID {
        values.dropFirst().reduce(values[0]) {
            builder.elementwise(.max, Use($0), Use($1), name: name)
        }
    }
}
