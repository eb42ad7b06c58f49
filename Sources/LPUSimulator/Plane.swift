import LPUMachine
import LPUNumerics

/// One `loadWeights`, until an install takes it.
struct WeightLoad {
    var cycle: Int
    var column: Int
    var isTandem: Bool
}

/// The weights of a plane that were installed.
enum InstalledWeights: Equatable {
    case none
    /// One byte an element.
    case bytes
    /// Half of the bytes of a tandem pair that was installed in `cycle`.
    case half(cycle: Int)
}

/// What one MXM plane holds. A tandem pair has its low bytes in the even plane's weights, its
/// high bytes in the odd one's, and all else in the even plane.
struct Plane {
    // The weight buffer: loads in their order, and for each its vectors.
    private(set) var loads: [WeightLoad] = []
    private var loadedVectors: [Vector] = []
    /// The installed weight vectors, `.none` where none was loaded.
    private(set) var rows: [Vector]
    private(set) var installed = InstalledWeights.none
    /// `nil` until a matmul names the type of the weights that were installed last.
    private var decodedType: ElementType?
    /// The installed rows decoded, if the cache keeps them; else they are in `scratch`.
    private var tile: WeightTile?
    private var scratch: WeightTile
    /// The first cycle that the queue of install and matmul, and that of loads, has free.
    var busyUntil = Int.min
    var loadBusyUntil = Int.min
    private(set) var lastInstall: Int?

    // Sums between `matmul` and `accumulate`, a ring: the words, and when each is taken.
    private(set) var sums: [(due: Int, type: ElementType)]
    private var sumWords: [UInt32]
    private(set) var firstSum = 0
    private(set) var sumCount = 0
    private let lanes: Int

    /// The accumulator's rows, and what each holds: `nil` if nothing since the step began.
    private(set) var accumulator: [UInt32] = []
    private(set) var accumulatorTypes: [ElementType?]

    init(chip: Chip) {
        lanes = chip.lanes
        rows = Array(repeating: .none, count: chip.planeRows)
        scratch = WeightTile(type: .fp16, rowCount: 0, laneCount: chip.lanes)
        let depth = max(chip.matmulToAccumulate, 0) + 1
        sums = Array(repeating: (0, .fp32), count: depth)
        sumWords = Array(repeating: 0, count: depth * chip.lanes)
        accumulatorTypes = Array(repeating: nil, count: chip.accumulatorRows)
    }

    mutating func reset(_ pool: VectorPool) {
        for vector in rows + loadedVectors { pool.release(vector) }
        loads.removeAll(keepingCapacity: true)
        loadedVectors.removeAll(keepingCapacity: true)
        for row in rows.indices { rows[row] = .none }
        (installed, decodedType) = (.none, nil)
        (busyUntil, loadBusyUntil, lastInstall) = (.min, .min, nil)
        (firstSum, sumCount) = (0, 0)
        for row in accumulatorTypes.indices { accumulatorTypes[row] = nil }
    }

    // MARK: Weights

    /// Buffers a load, the vectors of which follow.
    mutating func buffer(_ load: WeightLoad) { loads.append(load) }

    /// Buffers a vector of the last load; becomes a holder of it.
    mutating func buffer(_ vector: Vector) { loadedVectors.append(vector) }

    /// The loads that an install takes which takes what arrived up to `cycle`.
    func arrivals(upTo cycle: Int) -> ArraySlice<WeightLoad> {
        loads.prefix { $0.cycle <= cycle }
    }

    /// Installs the first `count` loads in place of what was installed.
    mutating func install(
        _ count: Int, as kind: InstalledWeights, at cycle: Int, _ pool: VectorPool
    ) {
        for row in rows.indices {
            pool.release(rows[row])
            rows[row] = .none
        }
        let width = count > 0 ? loadedVectors.count / loads.count : 0
        for (i, load) in loads.prefix(count).enumerated() {
            for k in 0..<width { rows[load.column * width + k] = loadedVectors[i * width + k] }
        }
        loads.removeFirst(count)
        loadedVectors.removeFirst(count * width)
        (installed, decodedType, lastInstall) = (kind, nil, cycle)
    }

    /// The first load of a row whose earlier vector is still in the buffer, and that one.
    var secondLoad: (first: WeightLoad, second: WeightLoad)? {
        for (i, load) in loads.enumerated() {
            for earlier in loads.prefix(i) where earlier.column == load.column {
                return (earlier, load)
            }
        }
        return nil
    }

    // MARK: Sums

    /// Multiplies the activation with the installed rows, of which `high` are the high bytes of
    /// fp16 ones; the sums are due in `cycle`.
    mutating func multiply(
        _ activation: [UnsafePointer<UInt8>], _ type: ElementType, high: [Vector], due cycle: Int,
        _ pool: VectorPool, _ cache: TileCache
    ) {
        decode(type, high: high, pool, cache)
        let slot = (firstSum + sumCount) % sums.count
        sums[slot] = (cycle, type.widened)
        sumCount += 1
        let rowCount = rows.count
        sumWords.withUnsafeMutableBufferPointer { words in
            let sums = UnsafeMutableBufferPointer(
                rebasing: words[slot * lanes..<slot * lanes + rowCount])
            if let tile {
                tile.multiply(activation, into: sums)
            } else {
                scratch.multiply(activation, into: sums)
            }
        }
    }

    private mutating func decode(
        _ type: ElementType, high: [Vector], _ pool: VectorPool, _ cache: TileCache
    ) {
        if decodedType == type { return }
        decodedType = type
        tile = cache.tile(type, rows, high)
        if tile != nil { return }
        if cache.keeps(rows, high) {
            var new = WeightTile(type: type, rowCount: rows.count, laneCount: lanes)
            fill(&new, type, high, pool)
            cache.insert(new, rows, high)
            tile = new
        } else {
            if scratch.rowCount == 0 {
                scratch = WeightTile(type: type, rowCount: rows.count, laneCount: lanes)
            }
            // Taken out, so that it is changed in place.
            var tile = WeightTile(type: type, rowCount: 0, laneCount: lanes)
            swap(&tile, &scratch)
            fill(&tile, type, high, pool)
            swap(&tile, &scratch)
        }
    }

    private func fill(
        _ tile: inout WeightTile, _ type: ElementType, _ high: [Vector], _ pool: VectorPool
    ) {
        tile.removeAll(type: type)
        for (row, vector) in rows.enumerated() where vector != .none {
            let low = pool.bytes(vector)
            tile.setRow(row, type == .fp16 ? [low, pool.bytes(high[row])] : [low])
        }
    }

    /// The cycle in which the oldest sum must be taken.
    var sumDue: Int? { sumCount > 0 ? sums[firstSum].due : nil }

    /// Puts the oldest sum into an accumulator row, or adds it to what the row holds.
    ///
    /// - Returns: why that is impossible.
    mutating func accumulate(row: Int, add: Bool) -> String? {
        let type = sums[firstSum].type
        guard accumulatorTypes.indices.contains(row) else {
            return "accumulator row \(row) is named, the plane has \(accumulatorTypes.count)"
        }
        if add && accumulatorTypes[row] != type {
            let held = accumulatorTypes[row].map { "holds \($0.rawValue)" } ?? "holds nothing"
            return "a sum in \(type.rawValue) is added to accumulator row \(row), which \(held)"
        }
        if accumulator.isEmpty {
            accumulator = Array(repeating: 0, count: accumulatorTypes.count * lanes)
        }
        accumulatorTypes[row] = type
        let (from, to) = (firstSum * lanes, row * lanes)
        sumWords.withUnsafeBufferPointer { sums in
            accumulator.withUnsafeMutableBufferPointer { rows in
                let sum = UnsafeBufferPointer(rebasing: sums[from..<from + lanes])
                let kept = UnsafeMutableBufferPointer(rebasing: rows[to..<to + lanes])
                let operation = add ? type.accumulation : .copy
                let operand = add ? UnsafeBufferPointer(kept) : sum
                operation.apply(operand, sum, into: kept)
            }
        }
        firstSum = (firstSum + 1) % sums.count
        sumCount -= 1
        return nil
    }

    /// Calls `body` with the words of an accumulator row.
    func withRow(_ row: Int, _ body: (UnsafeBufferPointer<UInt32>) -> Void) {
        accumulator.withUnsafeBufferPointer { words in
            body(UnsafeBufferPointer(rebasing: words[row * lanes..<(row + 1) * lanes]))
        }
    }
}
