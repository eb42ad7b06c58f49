import LPUDataflow
import LPUNumerics

/// The elements of a tensor that a weight vector holds: of one row of the tensor, if the axis that
/// the lanes run along is its columns.
struct Segment {
    var tensor: Int32
    /// The coordinate that the lanes run along.
    var axis: Int32
    /// The other coordinates of weight vector `n`: base + digits(n - origin).
    var rows: [Row]
    /// A list: the tensor that scales the columns or -1, then lane and column in turn.
    var pattern: Int32
    var factor: Double
    /// What the channels were divided by, where they were.
    var quantum: Int32?

    struct Row: Hashable {
        var base: Int
        var digits: DigitSum
        /// The vector at which the digits count from 0.
        var origin: Int

        func callAsFunction(_ vector: Int) -> Int32 { Int32(base + digits(vector - origin)) }
    }
}

/// What a weight vector of a tile holds.
enum TileRow {
    case vector(Int32)
    case segments([Segment])
    /// The vector as it was at the last of some positions (a list) up to this one.
    case recent(vector: Int32, positions: Int32)
}

/// Weight vectors side by side that hold the same but for the row that their number gives.
struct TileRun {
    var rows: Range<Int>
    /// Of the first row, in the value it comes from.
    var vector: Int
    var row: TileRow
}

/// A value that rests in SRAM, with its formula.
final class Image {
    let value: Value
    let formula: Formula
    private let template: ProgramTemplate
    private let numbers: LaneAlgebra
    private var algebra: Algebra { numbers.algebra }
    /// In the order of their vectors, with the greatest end so far.
    private let pieces: [Piece]
    private var ends: [Int] = []
    private var vectors: [Int: Int32] = [:]
    private var patterns: [PatternKey: Int32?] = [:]

    private struct PatternKey: Hashable {
        var lanes: Range<Int>
        var base: Int
        var digits: DigitSum
        var scale: Int32
    }

    init(
        _ value: Value, _ formula: Formula, of template: ProgramTemplate, _ numbers: LaneAlgebra
    ) {
        self.value = value
        self.formula = formula
        self.template = template
        self.numbers = numbers
        pieces = (formula.layout?.pieces ?? []).enumerated().sorted {
            ($0.1.vectors.lowerBound, $0.0) < ($1.1.vectors.lowerBound, $1.0)
        }.map(\.1)
        for piece in pieces { ends.append(max(ends.last ?? 0, piece.vectors.upperBound)) }
    }

    /// Whose elements it holds.
    var tensor: String { formula.layout?.tensor ?? "" }

    /// The pieces that hold an element of a vector in the range.
    func pieces(in range: Range<Int>) -> [Piece] {
        var (low, high) = (0, ends.count)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return pieces[low...].prefix { $0.vectors.lowerBound < range.upperBound }
            .filter { $0.vectors.overlaps(range) }
    }

    // MARK: Vectors

    /// Vector `v` as lanes.
    func vector(_ v: Int) -> Int32 {
        if let known = vectors[v] { return known }
        let vector = numbers.vectors.intern(lanes(v))
        vectors[v] = vector
        return vector
    }

    private func lanes(_ v: Int) -> [Lane] {
        let count = numbers.lanes
        switch formula {
        case .zero: return Array(repeating: .zero, count: count)
        case .constant(let bits, let range, let lanes):
            let lane = constant(bits)
            return (0..<count).map { range.contains(v) && lanes.contains($0) ? lane : .zero }
        case .diagonal(let bits, let offset, let period):
            let lane = constant(bits)
            let first = ((v + offset) % period + period) % period
            return (0..<count).map { $0 % period == first ? lane : .zero }
        case .table(let bits, let stride, let run):
            return (0..<count).map { constant(bits[(v * stride + $0 / run) % bits.count]) }
        case .rotary:
            let lane = Lane(polynomial: algebra.unknown("a row of angles that is not looked up"))
            return Array(repeating: lane, count: count)
        case .greatestScale(_, let factor, _):
            let greatest = quantum.map { algebra.polynomial(.quantum, $0, Quantum.greatest) }
            let lane = Lane(
                polynomial: algebra.scaled(greatest ?? Algebra.one, by: Double(factor)))
            return Array(repeating: lane, count: count)
        case .weights, .scales: return elements(v)
        }
    }

    private func constant(_ bits: UInt32) -> Lane {
        let planes = (0..<value.type.byteCount).map {
            [UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0))]
        }
        return numbers.lane(bits: value.type.widen(planes)[0])
    }

    private func elements(_ v: Int) -> [Lane] {
        var lanes = [Lane](repeating: .zero, count: numbers.lanes)
        for piece in pieces(in: v..<v + 1) {
            for l in piece.lanes {
                lanes[l] = Lane(polynomial: element(piece.element(vector: v, lane: l)))
            }
        }
        guard value.type == .int8 else { return lanes.map(numbers.named) }
        return lanes.map { numbers.integer(numbers.polynomial($0)) }
    }

    private func element(_ coordinates: [Int]) -> Int32 {
        let channel = Int32(coordinates[0])
        switch formula {
        case .weights(let layout, let factor, let scale):
            var element = weight(layout.tensor, coordinates)
            if let scale {
                element = algebra.multiply(element, weight(scale, coordinates.suffix(1)))
            }
            element = algebra.scaled(element, by: Double(factor))
            guard let quantum else { return element }
            let divisor = Factor(atom: algebra.atom(.quantum, quantum, channel), halves: -2)
            return algebra.scaled(element, by: 1, algebra.monomial([divisor]))
        case .scales(_, let factor, _):
            guard let quantum else { return algebra.constant(Double(factor)) }
            return algebra.scaled(
                algebra.polynomial(.quantum, quantum, channel), by: Double(factor))
        case .greatestScale, .constant, .diagonal, .table, .rotary, .zero: return Algebra.zero
        }
    }

    private func weight(_ tensor: String, _ coordinates: [Int]) -> Int32 {
        algebra.polynomial(
            .weight, algebra.lists.intern([algebra.name(tensor)] + coordinates.map { Int32($0) }))
    }

    /// A list that is equal for weights and the scales of their quantisation; nil where elements
    /// are not scaled.
    private(set) lazy var quantum: Int32? = {
        switch formula {
        case .weights(let layout, let factor, let scale):
            return quantum(layout.tensor, value.type, factor, scale)
        case .scales(let layout, _, let scale): return quantum(ofScales: layout.tensor, scale)
        case .greatestScale(let tensor, _, let scale): return quantum(ofScales: tensor, scale)
        case .constant, .diagonal, .table, .rotary, .zero: return nil
        }
    }()

    private func quantum(ofScales tensor: String, _ scale: String?) -> Int32? {
        var found: Set<Int32?> = []
        for other in template.values {
            guard case .image(.weights(let layout, let factor, scale)) = other.origin,
                layout.tensor == tensor
            else { continue }
            found.insert(quantum(tensor, other.type, factor, scale))
        }
        return found.count == 1 ? found.first ?? nil : algebra.lists.intern([-1])
    }

    private func quantum(
        _ tensor: String, _ type: ElementType, _ factor: Float, _ scale: String?
    ) -> Int32? {
        guard type == .fp8 || type == .int8 else { return nil }
        return algebra.lists.intern([
            algebra.name(tensor), type == .fp8 ? 8 : 7, Int32(bitPattern: factor.bitPattern),
            scale.map(algebra.name) ?? -1,
        ])
    }

    // MARK: Tiles

    /// Weight vectors `range` of the value as rows of a tile, the first of which is row `first`.
    func tileRuns(_ range: Range<Int>, first: Int) -> [TileRun] {
        guard case .weights(let layout, let factor, let scale) = formula else {
            return range.map {
                TileRun(
                    rows: first + $0 - range.lowerBound..<first + $0 - range.lowerBound + 1,
                    vector: $0, row: .vector(vector($0)))
            }
        }
        let pieces = pieces(in: range)
        var bounds = [range.lowerBound, range.upperBound]
        for piece in pieces { bounds += [piece.vectors.lowerBound, piece.vectors.upperBound] }
        bounds = Array(Set(bounds.map { min(max($0, range.lowerBound), range.upperBound) }))
            .sorted()
        let (tensor, scaleName) = (algebra.name(layout.tensor), scale.map(algebra.name) ?? -1)
        return zip(bounds, bounds.dropFirst()).flatMap { from, to -> [TileRun] in
            var segments: [Segment] = []
            for piece in pieces where piece.vectors.contains(from) {
                guard let segment = segment(piece, tensor, scaleName, Double(factor)) else {
                    return (from..<to).map {
                        TileRun(
                            rows: first + $0 - range.lowerBound..<first + $0 - range.lowerBound + 1,
                            vector: $0, row: .vector(vector($0)))
                    }
                }
                segments.append(segment)
            }
            let rows = first + from - range.lowerBound..<first + to - range.lowerBound
            return [TileRun(rows: rows, vector: from, row: .segments(segments))]
        }
    }

    /// nil where the lanes do not run along the last axis alone.
    private func segment(
        _ piece: Piece, _ tensor: Int32, _ scale: Int32, _ factor: Double
    ) -> Segment? {
        let axis = piece.base.count - 1
        guard quantum == nil || axis > 0,
            piece.lane.indices.allSatisfy({ k in
                k == axis || piece.lanes.count == 1
                    || piece.lane[k].digits.allSatisfy { $0.stride == 0 }
            }), piece.vector[axis].digits.allSatisfy({ $0.stride == 0 })
        else { return nil }
        let key = PatternKey(
            lanes: piece.lanes, base: piece.base[axis], digits: piece.lane[axis], scale: scale)
        let pattern: Int32
        if let known = patterns[key] {
            guard let known else { return nil }
            pattern = known
        } else {
            var list = [scale]
            for lane in piece.lanes {
                list += [
                    Int32(lane),
                    Int32(key.base + key.digits(lane - piece.lanes.lowerBound)),
                ]
            }
            pattern = algebra.lists.intern(list)
            patterns[key] = pattern
        }
        return Segment(
            tensor: tensor, axis: Int32(axis),
            rows: (0..<axis).map {
                Segment.Row(
                    base: piece.base[$0], digits: piece.vector[$0],
                    origin: piece.vectors.lowerBound)
            }, pattern: pattern, factor: factor, quantum: quantum)
    }
}
