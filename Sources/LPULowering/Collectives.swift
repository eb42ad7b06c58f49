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
    mutating func partialSums(
        _ activations: [ValueID], _ weights: LinearWeights, residual: [ValueID], _ name: String
    ) -> [ValueID] {
        (0..<hidden.count).map { n in
            chained { l in
                let sum = l.product(activations, weights, n)
                if l.places.count == 1 {
                    return l.builder.elementwise(
                        .add, sum.at(), residual[n].at(), name: "\(name).\(n)")
                }
                return l.builder.elementwise(.toFP16, sum.at(), name: "\(name).part\(n)")
            }
        }
    }

    /// All-reduce in one hop: every chip sends its parts to all others, and all add them in the
    /// order of the chips, so that the replicas of the residual are equal bit for bit. A chip's
    /// own part goes through the wire's type like the others.
    mutating func addPartialSums(
        _ parts: [[ValueID]], to x: [[ValueID]], _ name: String
    ) -> [[ValueID]] {
        guard places.count > 1 else { return parts }
        let contributors = places.filter { !parts[$0].isEmpty }
        var arrived = places.map { _ in [[ValueID]]() }
        for n in 0..<hidden.count {
            for place in places {
                arrived[place].append(
                    contributors.map { from in
                        let part = parts[from][n]
                        return from == place
                            ? part : builder.transfer(part.at(), to: place, count: 1)
                    })
            }
        }
        return places.map { place in
            (0..<hidden.count).map { n in
                chained { l in
                    var sum = x[place][n]
                    for part in arrived[place][n] {
                        sum = l.builder.elementwise(
                            .add, sum.at(), part.at(), name: "\(name).\(n)")
                    }
                    return sum
                }
            }
        }
    }
}
