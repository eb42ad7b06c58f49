import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Reductions over lanes that the MXM cannot do.
extension DecoderLowering {
    // MARK: Maximum

    /// The maximum over all lanes of each head's vector, in every lane.
    ///
    /// The heads of a group share vectors as early as they can: first each is reduced to w lanes of
    /// every superlane, where the group has 16 / w, then all of them at once, and over superlanes.
    mutating func maximumOverLanes(
        _ values: ValueID, _ group: HeadGroup, _ packing: ValueID, _ name: String
    ) -> ValueID {
        let width = chip.lanesPerSuperlane / group.size
        let folded = folded(values, by: .max, stride: width, times: group.size, "\(name).folded")
        let packed = chained { l -> ValueID in
            var all = l.builder.elementwise(.mask, folded.at(), packing.at())
            for i in 1..<max(group.heads.count, 1) {
                let other = l.builder.elementwise(.mask, folded.at(i), packing.at(i))
                all = l.builder.elementwise(.or, all.at(), other.at())
            }
            return all
        }
        let own = foldedInParts(packed, width: width, "\(name).packed")
        let all = maximumOverSuperlanes(own, "\(name).all")
        let mine = builder.elementwise(.mask, all.at(), Use(packing), name: "\(name).mine")
        return self.folded(mine, by: .or, stride: width, times: group.size, name)
    }

    /// Each lane with those `stride`, 2 `stride`, ... before it in its superlane, `count` in all.
    private mutating func folded(
        _ values: ValueID, by operation: ALUOperation, stride: Int, times count: Int, _ name: String
    ) -> ValueID {
        let superlane = chip.lanesPerSuperlane
        return rounds(values, by: operation, stride: stride, times: count, name) { lane, by in
            (lane + by) % superlane
        }
    }

    /// Each lane with all of its part of a superlane.
    private mutating func foldedInParts(_ value: ValueID, width: Int, _ name: String) -> ValueID {
        rounds(value, by: .max, stride: 1, times: width, name) { lane, by in
            lane / width * width + (lane + by) % width
        }
    }

    /// Rounds of up to four turns within superlanes: a round is one way there and back.
    private mutating func rounds(
        _ values: ValueID, by operation: ALUOperation, stride first: Int, times count: Int,
        _ name: String, _ source: (_ lane: Int, _ by: Int) -> Int
    ) -> ValueID {
        var result = values
        var (stride, rest) = (first, count)
        while rest > 1 {
            let turns = min(rest, 4)
            let maps = (1..<turns).map { turn in
                (0..<chip.lanesPerSuperlane).map { Int16(source($0, turn * stride)) }
            }
            result = chained { l in
                var all = result
                for map in maps {
                    let turned = l.builder.distribute(map, Use(result))
                    all = l.builder.elementwise(operation, Use(turned), Use(all), name: name)
                }
                return all
            }
            stride *= turns
            rest /= turns
        }
        return result
    }

    /// The maximum over the lanes of equal number in all superlanes.
    private mutating func maximumOverSuperlanes(_ value: ValueID, _ name: String) -> ValueID {
        let turns = (1..<chip.superlanes).map { rotation($0 * chip.lanesPerSuperlane) }
        // Parts of about the square root of all, each one after another as they come.
        var size = 1
        while size * size < turns.count { size += 1 }
        let parts = stride(from: 0, to: turns.count, by: size).map { first in
            chained { l -> ValueID in
                var best = value
                for map in turns[first..<min(first + size, turns.count)] {
                    let turned = l.builder.permute(map, value.at())
                    best = l.builder.elementwise(.max, turned.at(), best.at(), name: name)
                }
                return best
            }
        }
        return chained { l in
            var best = parts.first ?? value
            for part in parts.dropFirst() {
                best = l.builder.elementwise(.max, best.at(), part.at(), name: name)
            }
            return best
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
