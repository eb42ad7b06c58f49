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

/// Which vectors one MXM plane holds, and which sums are under way. A tandem pair has its low bytes
/// in the even plane's weights, its high bytes in the odd one's, and all else in the even plane.
struct Plane {
    // The weight buffer: loads in their order, and for each its vectors.
    private(set) var loads: [WeightLoad] = []
    private var loadedVectors: [Vector] = []
    /// The installed weight vectors, `.none` where none was loaded.
    private(set) var rows: [Vector]
    private(set) var installed = InstalledWeights.none
    /// What the last matmul took the installed weights for; `nil` before the first one.
    var usedType: ElementType?
    /// The first cycle that the queue of install and matmul, and that of loads, has free.
    var busyUntil = Int.min
    var loadBusyUntil = Int.min
    private(set) var lastInstall: Int?

    /// Sums between `matmul` and `accumulate`, a ring: when each is taken.
    private var sums: [(due: Int, type: ElementType)]
    private var firstSum = 0
    private var sumCount = 0

    /// What the accumulator's rows hold: `nil` if nothing since the step began.
    private var accumulatorTypes: [ElementType?]

    init(chip: Chip) {
        rows = Array(repeating: .none, count: chip.planeRows)
        sums = Array(repeating: (0, .fp32), count: chip.sumDepth)
        accumulatorTypes = Array(repeating: nil, count: chip.accumulatorRows)
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
        (installed, usedType, lastInstall) = (kind, nil, cycle)
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

    /// Notes a matmul whose sums are due in `cycle`, and returns their place in the ring.
    mutating func begin(_ type: ElementType, due cycle: Int) -> Int {
        let place = (firstSum + sumCount) % sums.count
        sums[place] = (cycle, type.widened)
        sumCount += 1
        return place
    }

    /// The cycle in which the oldest sum must be taken.
    var sumDue: Int? { sumCount > 0 ? sums[firstSum].due : nil }

    /// The place in the ring of the oldest sum, and its type.
    /// - Requires: one is due.
    var oldestSum: (place: Int, type: ElementType) { (firstSum, sums[firstSum].type) }

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
        accumulatorTypes[row] = type
        firstSum = (firstSum + 1) % sums.count
        sumCount -= 1
        return nil
    }
}

extension Chip {
    /// Sums of a plane that may be under way.
    var sumDepth: Int { max(matmulToAccumulate, 0) + 1 }
}
