import LPUDataflow

/// What a value of a template holds, by number.
enum Content: Hashable {
    /// A list of vectors.
    case vectors(Int32)
    /// Of the images.
    case image(Int)
    /// Of the regions, the rows that a view begins at; how many of its writes are done.
    case region(Int, version: Int, view: Int = 0)
}

/// All that the runs of the templates share.
final class RefinementState {
    let numbers: LaneAlgebra
    var images: [Image] = []
    var regions: [Region] = []
    /// What is stored of which tensor: by the polynomial less its first coefficient.
    var cached: [Int32: CachedElement] = [:]
    var addressMemory: [AddressKey: AddressFunction?] = [:]
    var pairMemory: [Int32: [[Region.Pair]]] = [:]
    var preimageMemory: [AddressFunction: [(offset: Int, positions: Int32)]] = [:]
    var tokenMemory: [TokenKey: PositionSet] = [:]
    private var tokenRows: [TokenRow: [Int32]] = [:]
    var settledMemory: [UInt64: Int32] = [:]
    var shiftMemory: [UInt64: Int32] = [:]
    /// By how far they move what: chips of several templates hold the same parts.
    private var renamings: [[Int32: [Int32]]: Renaming] = [:]
    private var lastUnscaled: (Int32, Double, Int32)?
    private var products: [UInt64: ScaledCovector] = [:]
    private var dots: [UInt64: Int32] = [:]

    /// The token as the last layer's template makes it, that layer, and what it is called behind.
    var token: (polynomial: Int32, base: Int, name: Int32)?

    var runCount = 0
    /// Numbers under comparisons.
    var compared: Set<Int32> = []

    /// Users in flight.
    let users: Int

    init(_ numbers: LaneAlgebra, users: Int) {
        self.numbers = numbers
        self.users = users
    }

    var algebra: Algebra { numbers.algebra }

    /// A polynomial as a coefficient times one whose first coefficient is 1.
    func unscaled(_ polynomial: Int32) -> (coefficient: Double, polynomial: Int32) {
        if let last = lastUnscaled, last.0 == polynomial { return (last.1, last.2) }
        guard let first = algebra.polynomials[polynomial].first else { return (1, polynomial) }
        let leading = algebra.reals[first.coefficient]
        let rest = algebra.divided(polynomial, by: leading, Algebra.unit)
        lastUnscaled = (polynomial, leading, rest)
        return (leading, rest)
    }

    /// - Requires: every cache of the graph is written out.
    func renaming(_ shifts: [Int32: [Int32]]) -> Renaming {
        if let known = renamings[shifts] { return known }
        let renaming = Renaming(shifts, algebra)
        renamings[shifts] = renaming
        return renaming
    }

    // MARK: Contents

    func vector(_ content: Content, _ index: Int) -> Int32 {
        switch content {
        case .vectors(let list): return algebra.lists[list][index]
        case .image(let image): return images[image].vector(index)
        case .region(let region, let version, let view):
            switch regions[region].row(index, version: version, view: view) {
            case .vector(let vector): return vector
            case .segments(let segments): return vector(segments)
            case .recent(let vector, let positions): return recent(vector, positions)
            }
        }
    }

    /// The elements that segments of a stored row stand for.
    private func vector(_ segments: [Segment]) -> Int32 {
        var lanes = [Lane](repeating: .zero, count: numbers.lanes)
        for segment in segments {
            let pattern = algebra.lists[segment.pattern]
            let rows = segment.rows.map { $0(0) }
            for i in stride(from: 1, to: pattern.count, by: 2) {
                var element = [segment.tensor] + rows
                element.insert(pattern[i + 1], at: 1 + Int(segment.axis))
                lanes[Int(pattern[i])] = Lane(
                    polynomial: algebra.scaled(
                        algebra.polynomial(.weight, algebra.lists.intern(element)),
                        by: segment.factor))
            }
        }
        return numbers.vectors.intern(lanes)
    }

    private func recent(_ vector: Int32, _ positions: Int32) -> Int32 {
        numbers.vectors.intern(
            numbers.vectors[vector].map { recentLane($0, positions) })
    }

    func recentLane(_ lane: Lane, _ positions: Int32) -> Lane {
        if lane == .zero { return lane }
        return Lane(
            polynomial: algebra.polynomial(.recent, numbers.polynomial(lane), positions))
    }

    func tileRuns(_ content: Content, _ range: Range<Int>, first: Int) -> [TileRun] {
        if case .image(let image) = content {
            return images[image].tileRuns(range, first: first)
        }
        return range.map { index in
            let row = first + index - range.lowerBound
            return TileRun(rows: row..<row + 1, vector: index, row: tileRow(content, index))
        }
    }

    func tileRow(_ content: Content, _ index: Int) -> TileRow {
        switch content {
        case .vectors, .image: .vector(vector(content, index))
        case .region(let region, let version, let view):
            regions[region].row(index, version: version, view: view)
        }
    }

    /// The elements of the token's row, lane by lane.
    func elements(of row: TokenRow) -> [Int32] {
        if let known = tokenRows[row] { return known }
        let elements = row.lanes.map { lane in
            let columns = zip(row.base, row.digits).map {
                Int32($0 + $1(lane - row.lanes.lowerBound))
            }
            let element = algebra.polynomial(.chosen, algebra.lists.intern([row.tensor] + columns))
            return algebra.scaled(element, by: Double(row.factor), row.cofactor)
        }
        tokenRows[row] = elements
        return elements
    }

    // MARK: Products

    /// A segment's pattern times an activation, not yet a row of the tensor.
    func product(_ pattern: Int32, _ activation: Int32) -> ScaledCovector {
        let key = pattern.word | activation.word << 32
        if let known = products[key] { return known }
        let (list, lanes) = (algebra.lists[pattern], numbers.vectors[activation])
        var columns: [(column: Int32, polynomial: Int32)] = []
        for i in stride(from: 1, to: list.count, by: 2) {
            let lane = lanes[Int(list[i])]
            guard lane != .zero else { continue }
            var polynomial = numbers.polynomial(lane)
            if list[0] >= 0 {
                let scale = algebra.lists.intern([list[0], list[i + 1]])
                polynomial = algebra.multiply(polynomial, algebra.polynomial(.weight, scale))
            }
            columns.append((list[i + 1], polynomial))
        }
        columns.sort { $0 < $1 }
        var runs: [Run] = []
        for (column, polynomial) in columns {
            if let last = runs.last, last.start == column {
                runs[runs.count - 1].polynomial = algebra.add(last.polynomial, polynomial)
            } else {
                runs.append(Run(start: column, end: column + 1, polynomial: polynomial))
            }
        }
        let result = algebra.covector(runs)
        products[key] = result
        return result
    }

    /// The sum over lanes of a weight vector times an activation.
    func dot(_ row: TileRow, _ activation: Int32) -> Int32 {
        let lanes = numbers.vectors[activation]
        switch row {
        case .vector(let vector):
            let key = vector.word | activation.word << 32
            if let known = dots[key] { return known }
            let weights = numbers.vectors[vector]
            let sum = algebra.sum(
                lanes.indices.filter { lanes[$0] != .zero && weights[$0] != .zero }.map {
                    algebra.multiply(
                        numbers.polynomial(weights[$0]), numbers.polynomial(lanes[$0]))
                })
            dots[key] = sum
            return sum
        case .recent(let vector, let positions):
            let weights = numbers.vectors[vector]
            return algebra.sum(
                lanes.indices.filter { lanes[$0] != .zero && weights[$0] != .zero }.map {
                    algebra.multiply(
                        numbers.polynomial(recentLane(weights[$0], positions)),
                        numbers.polynomial(lanes[$0]))
                })
        case .segments: preconditionFailure("segments are multiplied by their patterns")
        }
    }
}
