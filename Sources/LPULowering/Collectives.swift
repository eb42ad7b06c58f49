import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// The sums of a row-parallel layer, as far as the planes have got.
struct StartedSums {
    /// By output.
    var sums: [PartialSum?]
    var packed: PackedProducts

    init(_ weights: LinearWeights) {
        sums = weights.heights.map { _ in nil }
        packed = PackedProducts(weights)
    }
}

/// Sums over the chips that share a layer.
extension DecoderLowering {
    /// How the contraction tiles of a row-parallel layer are packed.
    func packings(_ columns: [IndexMap]) -> [LanePacking] {
        plan.packings(columns.map(\.count), outputs: hidden.count, on: chip)
    }

    /// This chip's parts of some outputs of a row-parallel layer: added to the residual at once
    /// where the chip is alone, else rounded to the wire's fp16.
    ///
    /// A plane sums up an output; all planes sum up each of the last ones, so that they leave
    /// evenly and no plane is left over.
    mutating func partialSums(
        _ input: LinearInput, _ weights: LinearWeights, residual: [ValueID],
        _ started: inout StartedSums, _ outputs: Range<Int>, _ name: String
    ) -> [ValueID] {
        var parts: [ValueID?] = weights.heights.map { _ in nil }
        func finish(_ l: inout Self, _ n: Int, _ sum: ValueID) {
            let all = l.scaled(sum, weights, n)
            parts[n] =
                l.places.count == 1
                ? l.builder.elementwise(
                    .add, all.at(), residual[n].at(), name: "\(name).\(n)")
                : l.builder.elementwise(.toFP16, all.at(), name: "\(name).part\(n)")
        }
        let whole = 2 * planes
        func add(_ n: Int) {
            let start = started.sums[n]
            guard n >= whole else {
                chained { l in finish(&l, n, l.sum(input, weights, n, after: start).value) }
                return
            }
            let products = self.parts(input, weights, n, after: start, parts: planes)
            chained { l in finish(&l, n, l.sumInTurn(products)) }
        }
        let packed = weights.packings.count
        func take(upTo tiles: Int) {
            multiply(input, weights, &started.packed, upTo: tiles) { l, n, products in
                guard packed == weights.contractions else {
                    started.sums[n] = l.packedSum(products, weights)
                    return
                }
                l.chained { l in finish(&l, n, l.sumInTurn(products)) }
            }
        }
        for n in outputs where !weights.packedOutputs.contains(n) {
            // What comes later finds all streams taken by loads.
            if n == planes { shift(input, weights, &started.packed) }
            add(n)
        }
        // A packed tile for each plane, an output for each: so outputs leave evenly. Products are
        // there some outputs ahead: nobody waits for them to rest.
        for n in outputs.clamped(to: weights.packedOutputs) {
            let wanted = weights.packings.map { $0.tiles(before: n + planes) }.max() ?? 0
            let round = n > 0 && n % planes == 0 ? max(1, planes / packed) : 0
            take(
                upTo: packed == weights.contractions
                    ? .max : max(wanted, started.packed.tiles + round))
            // Where all its tiles are packed, an output may have left with the last of them.
            if parts[n] == nil { add(n) }
        }
        return outputs.compactMap { parts[$0] }
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
