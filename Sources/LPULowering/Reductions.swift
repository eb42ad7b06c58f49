import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Reductions over lanes that the MXM cannot do.
extension DecoderLowering {
    // MARK: Maximum

    /// Values whose greatest is the maximum over all lanes of each vector, in every lane: first
    /// over the lanes of a superlane, then over superlanes; each is one way to the SXMs, which
    /// take the turns together, and back.
    mutating func maximaOverLanes(_ values: ValueID, _ name: String) -> [ValueID] {
        let width = chip.lanesPerSuperlane
        let maps = (1..<width).map { turn in (0..<width).map { Int16(($0 + turn) % width) } }
        let maxima = maxima(values, name, turns: maps) { $0.builder.distribute($1, Use(values)) }
        let result = chained { l in l.maximum(of: maxima, name) }
        let rotations = (1..<chip.superlanes).map { rotation($0 * width) }
        return self.maxima(result, name, turns: rotations) { $0.builder.permute($1, Use(result)) }
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

    // MARK: Argmax

    /// Rotations whose maxima, taken one after another, reach every lane: halving while the lanes
    /// are even, then doubling up to the odd rest.
    private var rotations: [Int] {
        var result: [Int] = []
        var rest = lanes
        while rest % 2 == 0 {
            rest /= 2
            result.append(rest)
        }
        // Lanes hold maxima of classes modulo `rest`; cover `rest` neighbours.
        var covered = 1
        while covered < rest {
            let step = min(covered, rest - covered)
            result.append(step)
            covered += step
        }
        return result
    }

    private func rotation(_ by: Int) -> [Int16] {
        (0..<lanes).map { Int16(($0 + by) % lanes) }
    }

    /// The index of the maximum over all lanes, in every lane; of equal ones the lowest index.
    mutating func argmaxOverLanes(_ value: ValueID, _ index: ValueID) -> ValueID {
        var (best, place) = (value, index)
        let rotations = rotations
        for (i, by) in rotations.enumerated() {
            // What turned passes on to all that compare it.
            let (greater, equal, greatest) = chained { l -> (ValueID, ValueID, ValueID) in
                let other = l.builder.permute(l.rotation(by), best.at())
                return (
                    l.builder.elementwise(.less, best.at(), other.at()),
                    l.builder.elementwise(.equal, best.at(), other.at()),
                    i < rotations.count - 1
                        ? l.builder.elementwise(.max, best.at(), other.at()) : best
                )
            }
            let kept = chained { l in
                let notGreater = l.builder.elementwise(.maskNot, place.at(), greater.at())
                return l.builder.elementwise(.maskNot, notGreater.at(), equal.at())
            }
            place = chained { l in
                let other = l.builder.permute(l.rotation(by), place.at())
                let least = l.builder.elementwise(.minInt, place.at(), other.at())
                let lower = l.builder.elementwise(.mask, least.at(), equal.at())
                let taken = l.builder.elementwise(.mask, other.at(), greater.at())
                let either = l.builder.elementwise(.or, lower.at(), taken.at())
                return l.builder.elementwise(.or, either.at(), kept.at())
            }
            best = greatest
        }
        return place
    }
}
