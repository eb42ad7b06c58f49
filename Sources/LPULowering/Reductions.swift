import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Reductions over lanes that the MXM cannot do.
extension DecoderLowering {
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

    /// The maximum over all lanes, in every lane.
    mutating func maximumOverLanes(_ value: ValueID, _ name: String) -> ValueID {
        var best = value
        for by in rotations {
            best = chained { l in
                let turned = l.builder.permute(l.rotation(by), best.at())
                return l.builder.elementwise(.max, turned.at(), best.at(), name: "\(name).\(by)")
            }
        }
        return best
    }

    /// The index of the maximum over all lanes, in every lane; of equal ones the lowest index.
    mutating func argmaxOverLanes(_ value: ValueID, _ index: ValueID) -> ValueID {
        var (best, place) = (value, index)
        for (i, by) in rotations.enumerated() {
            let otherBest = builder.permute(rotation(by), best.at())
            let otherPlace = builder.permute(rotation(by), place.at())
            let greater = builder.elementwise(.less, best.at(), otherBest.at())
            let equal = builder.elementwise(.equal, best.at(), otherBest.at())
            let lower = chained { l in
                let least = l.builder.elementwise(.minInt, place.at(), otherPlace.at())
                return l.builder.elementwise(.mask, least.at(), equal.at())
            }
            let taken = builder.elementwise(.mask, otherPlace.at(), greater.at())
            let kept = chained { l in
                let notGreater = l.builder.elementwise(.maskNot, place.at(), greater.at())
                return l.builder.elementwise(.maskNot, notGreater.at(), equal.at())
            }
            place = chained { l in
                let either = l.builder.elementwise(.or, lower.at(), taken.at())
                return l.builder.elementwise(.or, either.at(), kept.at())
            }
            if i < rotations.count - 1 {
                best = builder.elementwise(.max, best.at(), otherBest.at())
            }
        }
        return place
    }
}
