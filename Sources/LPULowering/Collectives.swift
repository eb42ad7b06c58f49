import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Sums over the chips that share a layer.
extension DecoderLowering {
    /// This chip's part of a row-parallel layer: added to the residual at once where the chip is
    /// alone, else rounded to the wire's fp16.
    ///
    /// The sums of a few outputs are `started`. The outputs that are left when all planes have had
    /// as many are summed up by several planes each.
    mutating func partialSums(
        _ input: LinearInput, _ weights: LinearWeights, residual: [ValueID],
        started: [PartialSum] = [], _ name: String
    ) -> [ValueID] {
        let first = max(started.count, hidden.count - hidden.count % planes)
        return (0..<hidden.count).map { n in
            chained { l in
                let sum =
                    n < first
                    ? l.sum(input, weights, n, after: n < started.count ? started[n] : nil).value
                    : l.sum(input, weights, n, parts: l.planes)
                let all = l.scaled(sum, weights, n)
                if l.places.count == 1 {
                    return l.builder.elementwise(
                        .add, all.at(), residual[n].at(), name: "\(name).\(n)")
                }
                return l.builder.elementwise(.toFP16, all.at(), name: "\(name).part\(n)")
            }
        }
    }

    /// All-reduce in one hop: every chip sends its parts to all others, and all add them in the
    /// order of the chips, so that the replicas of the residual are equal bit for bit. A chip's
    /// own part goes through the wire's type like the others.
    ///
    /// - Parameter isLate: x arrives behind the parts, and is added to their sum.
    mutating func addPartialSums(
        _ parts: [[ValueID]], to x: [[ValueID]], _ name: String, isLate: Bool = false
    ) -> [[ValueID]] {
        guard places.count > 1 else { return parts }
        let contributors = places.filter { !parts[$0].isEmpty }
        let arrived = (0..<hidden.count).map { n in
            gatherAll(contributors.map { parts[$0][n] })
        }
        return places.map { place in
            (0..<hidden.count).map { n in
                chained { l in
                    let name = "\(name).\(n)"
                    guard isLate else {
                        return l.added(
                            arrived[n][place], to: x.isEmpty ? nil : x[place][n], name)
                    }
                    let sum = l.added(arrived[n][place], to: nil, name)
                    return l.builder.elementwise(.add, sum.at(), x[place][n].at(), name: name)
                }
            }
        }
    }

    /// Parts that arrived, added to a value or to 0: those of the first chips and those of the
    /// others side by side, each in their order. Either half of them rests in one slice, so that no
    /// two are operands of one add.
    mutating func added(
        _ parts: [ValueID], to value: ValueID?, _ name: String? = nil
    ) -> ValueID {
        let half = parts.count > 2 ? (parts.count + 1) / 2 : parts.count
        let first =
            value.map { builder.elementwise(.add, $0.at(), parts[0].at(), name: name) }
            ?? builder.elementwise(.add, parts[0].at(), 0, name: name)
        let sum = sumInTurn([first] + parts[1..<half], name)
        guard half < parts.count else { return sum }
        let second = builder.elementwise(.add, parts[half].at(), 0, name: name)
        let other = sumInTurn([second] + parts[(half + 1)...], name)
        return builder.elementwise(.add, sum.at(), other.at(), name: name)
    }

    /// For each chip the parts of all, which stand on different chips, in one hop and their order.
    mutating func gatherAll(_ parts: [ValueID]) -> [[ValueID]] {
        places.map { place in
            parts.map { part in
                builder.place(of: part) == place
                    ? part : builder.transfer(part.at(), to: place, count: 1)
            }
        }
    }
}
