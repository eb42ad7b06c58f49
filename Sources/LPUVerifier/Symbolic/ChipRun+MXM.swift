import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Weight vectors of a plane, or of a tandem pair: low bytes and, in tandem, high bytes.
final class InstalledTile {
    private let both: UnsafeMutableBufferPointer<Term>
    private(set) var tandem = false
    /// The product of the program that its vectors were last found to be.
    var matched = -1
    /// The last cycle in which a matmul could find it installed.
    var lastUse = Int.max

    init(rows: Int) { both = .allocate(capacity: 2 * rows) }

    deinit { both.deallocate() }

    var rows: Int { both.count / 2 }
    var low: UnsafeMutableBufferPointer<Term> { .init(rebasing: both[..<rows]) }
    /// Empty but in tandem.
    var high: UnsafeMutableBufferPointer<Term> {
        .init(rebasing: tandem ? both[rows...] : both[rows..<rows])
    }

    /// No vector is in it.
    func clear(tandem: Bool) {
        self.tandem = tandem
        low.update(repeating: .none)
        high.update(repeating: .none)
        (matched, lastUse) = (-1, .max)
    }

    /// A vector of it is wrong, which is reported.
    var isReported: Bool { low.contains(.reported) || high.contains(.reported) }
}

/// A plane's weights, products on their way to the accumulators, and sums.
struct PlaneState {
    struct Load {
        var cycle: Int
        var column: Int
        var tandem: Bool
        var first: Int
    }
    struct Product {
        var cycle = Int.min
        var low = Term.none
        var high = Term.none
        var type = ElementType.fp8
        /// Among the plane's tiles; -1 if none is installed.
        var tile = -1
    }
    /// The first `terms` products of an iteration of an op; op -1: nothing, -2: wrong.
    struct Sum {
        var op = -1
        var iteration = 0
        var terms = 0
    }
    /// Loads that no install has taken, oldest first, and their vectors.
    var loads: [Load] = []
    var loaded: [Term] = []
    /// Those that are installed or that products wait for, and others, to be used again.
    private(set) var tiles: [InstalledTile] = []
    /// The one that is installed; -1 for none.
    private(set) var tile = -1
    var products: [Product]
    var sums: [Sum]

    init(_ chip: Chip) {
        products = Array(
            repeating: Product(), count: powerOfTwo(above: chip.matmulToAccumulate))
        sums = Array(repeating: Sum(), count: chip.accumulatorRows)
    }

    /// A tile without vectors to install in cycle `t`.
    mutating func newTile(rows: Int, tandem: Bool, at t: Int) -> Int {
        let free = tiles.firstIndex { $0.lastUse < t - products.count }
        if free == nil { tiles.append(InstalledTile(rows: rows)) }
        let number = free ?? tiles.count - 1
        tiles[number].clear(tandem: tandem)
        return number
    }

    /// Installs a tile, or none, in the place of what is installed.
    mutating func install(_ number: Int, at t: Int) {
        if tile >= 0 { tiles[tile].lastUse = t }
        tile = number
    }

    /// Moves the loads that an install at `limit + installLatency` takes into `tile`.
    mutating func take(upTo limit: Int, into tile: InstalledTile, streams: Int) {
        let count = loads.firstIndex { $0.cycle > limit } ?? loads.count
        let (low, high) = (tile.low, tile.high)
        loaded.withUnsafeBufferPointer { loaded in
            for load in loads[..<count] {
                let first = load.column * streams
                let rows = first..<min(first + streams, low.count)
                guard load.tandem == tile.tandem else {
                    // Weights loaded for the other mode are bytes of nothing in this one.
                    low[rows].update(repeating: .foreign)
                    if tile.tandem { high[rows].update(repeating: .foreign) }
                    continue
                }
                let source = loaded.baseAddress.unsafelyUnwrapped + load.first
                (low.baseAddress.unsafelyUnwrapped + first).update(from: source, count: rows.count)
                guard tile.tandem else { continue }
                (high.baseAddress.unsafelyUnwrapped + first).update(
                    from: source + streams, count: rows.count)
            }
        }
        drop(count)
    }

    /// Spoils the rows of `tile` whose other half was loaded here by an install of its own.
    mutating func spoil(upTo limit: Int, _ tile: InstalledTile, streams: Int) {
        let count = loads.firstIndex { $0.cycle > limit } ?? loads.count
        for load in loads[..<count] where load.tandem != tile.tandem {
            for s in 0..<streams where load.column * streams + s < tile.low.count {
                tile.low[load.column * streams + s] = .foreign
            }
        }
    }

    private mutating func drop(_ count: Int) {
        loads.removeFirst(count)
        guard let first = loads.first?.first else { return loaded.removeAll(keepingCapacity: true) }
        loaded.removeFirst(first)
        for i in loads.indices { loads[i].first -= first }
    }
}

/// MXM planes.
extension ChipRun {
    func loadWeights(_ queue: Int, _ column: Int, _ tandem: Bool, _ t: Int) {
        let place = places[queue]
        let streams = chip.weightStreamsPerPlane
        let plane = place.index % chip.planesPerHemisphere
        guard column >= 0, (column + 1) * streams <= chip.planeRows,
            (plane + (tandem ? 2 : 1)) * streams <= chip.streamsPerDirection
        else {
            return report(
                .operandTiming, queue, t, "column \(column) of weights is beyond the plane")
        }
        let first = planes[place.index].loaded.count
        // Aligned streams of one diagonal are neighbours in its row of the ring.
        let count = (tandem ? 2 : 1) * streams
        let stream = Stream(place.hemisphere.outward, plane * streams)
        let terms = UnsafeBufferPointer(
            start: ring + slot(stream, place.register, t), count: count)
        planes[place.index].loaded.append(contentsOf: terms)
        for s in 0..<count where terms[s] == .none {
            planes[place.index].loaded[first + s] =
                sampleOne(stream.advanced(by: s), queue, t, "a weight load")
        }
        planes[place.index].loads.append(
            PlaneState.Load(cycle: t, column: column, tandem: tandem, first: first))
    }

    /// Takes what was loaded up to `installLatency` before; rows without a load count as zero.
    func install(_ queue: Int, _ tandem: Bool, _ t: Int) {
        let index = places[queue].index
        let streams = chip.weightStreamsPerPlane
        let limit = t - chip.installLatency
        let number = planes[index].newTile(rows: chip.planeRows, tandem: tandem, at: t)
        let tile = planes[index].tiles[number]
        planes[index].take(upTo: limit, into: tile, streams: streams)
        let isEven = index % chip.planesPerHemisphere % 2 == 0
        let partner = isEven ? index + 1 : index - 1
        let hasPartner = partner / chip.planesPerHemisphere == index / chip.planesPerHemisphere
        if hasPartner && (0..<planeCount).contains(partner) {
            if tandem {
                // The pair is one plane: the odd one's weights are gone.
                planes[partner].spoil(upTo: limit, tile, streams: streams)
                planes[partner].install(-1, at: t)
            } else if !isEven {
                planes[partner].spoil(upTo: limit, tile, streams: streams)
                let other = planes[partner].tile
                if other >= 0, planes[partner].tiles[other].tandem {
                    planes[partner].install(-1, at: t)
                }
            }
        }
        planes[index].install(number, at: t)
    }

    func matmul(_ queue: Int, _ activation: Stream, _ type: ElementType, _ t: Int) {
        let index = places[queue].index
        let low = sampleOne(activation, queue, t, "an activation")
        var high = Term.none
        if type.byteCount == 2 {
            high =
                activation.id + 1 < chip.streamsPerDirection
                ? sampleOne(activation.advanced(by: 1), queue, t, "an activation") : .foreign
        }
        let ring = planes[index].products.count - 1
        planes[index].products[t & ring] = PlaneState.Product(
            cycle: t, low: low, high: high, type: type, tile: planes[index].tile)
    }

    func accumulate(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ row: Int, _ add: Bool, _ emitted: Stream?,
        _ t: Int
    ) {
        let queue = burst.pointee.queue
        let index = places[queue].index
        var sum = PlaneState.Sum(op: -2)
        if planes[index].sums.indices.contains(row) {
            let before = add ? planes[index].sums[row] : PlaneState.Sum()
            sum = extended(burst, before, row, add, exact: emitted != nil, t)
            planes[index].sums[row] = sum
        } else {
            report(.operandTiming, queue, t, "the plane has no accumulator row \(row)")
        }
        guard let emitted else { return }
        if sum.op >= 0 {
            mark(Match(op: sum.op, iteration: sum.iteration), planes: 1, burst, t)
        }
        for plane in 0..<4 where emitted.id + plane < chip.streamsPerDirection {
            let term =
                sum.op < 0
                ? .reported
                : program.term(Int(program.ops[sum.op].result), sum.iteration, plane)
            produce(
                term, emitted.advanced(by: plane), places[queue].register,
                at: t + chip.accumulateLatency)
        }
    }

    /// The sum `before` and the product that arrives now.
    private func extended(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ before: PlaneState.Sum, _ row: Int,
        _ add: Bool, exact: Bool, _ t: Int
    ) -> PlaneState.Sum {
        let queue = burst.pointee.queue
        let wrong = PlaneState.Sum(op: -2)
        let issued = t - chip.matmulToAccumulate
        let plane = planes + places[queue].index
        let product = plane.pointee.products[issued & (plane.pointee.products.count - 1)]
        guard product.cycle == issued else {
            report(
                .operandTiming, queue, t,
                "an accumulate needs the sum of a matmul issued @\(issued), finds none")
            return wrong
        }
        if add && before.op == -1 {
            report(
                .operandTiming, queue, t, "a sum is added to row \(row), which nothing wrote")
            return wrong
        }
        if before.op == -2 || product.low == .reported || product.high == .reported {
            return wrong
        }
        guard product.tile >= 0 else {
            report(.operandTiming, queue, t, "the matmul @\(issued) found no weights installed")
            return wrong
        }
        let tile = plane.pointee.tiles[product.tile]
        let hint = burst.pointee.match.op
        if let match = program.matmul(
            product, tile, before, exact: exact, chip: id.index, hint: hint,
            instance: burst.pointee.instance)
        {
            burst.pointee.match = match
            return PlaneState.Sum(
                op: match.op, iteration: match.iteration, terms: before.terms + 1)
        }
        // No product of the program has such a tile.
        if tile.isReported { return wrong }
        report(
            .provenance, queue, t, program.sumComplaint(hint, before, product, tile, exact: exact))
        return wrong
    }
}
