import LPUDataflow
import LPUNumerics

/// A value that rests in SRAM at the point where an encoder is evaluated, vector by vector.
struct PointImage {
    private let value: Value
    private let formula: Formula
    private let lanes: Int
    private let tensor: UInt64
    private let columnScale: UInt64?
    /// What fp8 elements are divided by, and scales are: the draws of a quantisation's rows.
    private let quantum: UInt64?

    /// - Parameters:
    ///   - layer: what `$layer` stands for.
    ///   - seed: of the draws of all weights.
    init(
        _ value: Value, _ formula: Formula, of template: ProgramTemplate, layer: Int, lanes: Int,
        seed: UInt64
    ) {
        self.value = value
        self.formula = formula
        self.lanes = lanes
        func hash(_ name: String) -> UInt64 {
            PrimeField.hash(Self.name(name, layer: layer), seed: seed)
        }
        var found: (tensor: String, scale: String?)?
        switch formula {
        case .weights(let layout, _, let scale), .scales(let layout, _, let scale):
            found = (layout.tensor, scale)
        case .greatestScale(let name, _, let scale): found = (name, scale)
        case .constant, .diagonal, .table, .rotary, .zero: break
        }
        tensor = hash(found?.tensor ?? "")
        columnScale = found?.scale.map(hash)
        quantum = found.flatMap { found in
            Self.quantum(found.tensor, found.scale, value, formula, template).map {
                hash(found.tensor) ^ PrimeField.hash($0)
            }
        }
    }

    static func name(_ name: String, layer: Int) -> String {
        name.replacing("$layer", with: "\(layer)").replacing("$next", with: "\(layer + 1)")
    }

    /// Which quantisation a value's elements or scales are of; nil where they are not scaled.
    private static func quantum(
        _ tensor: String, _ scale: String?, _ value: Value, _ formula: Formula,
        _ template: ProgramTemplate
    ) -> String? {
        func kind(_ type: ElementType, _ factor: Float) -> String? {
            type == .fp8 || type == .int8 ? "\(type) \(factor) \(scale ?? "")" : nil
        }
        if case .weights(_, let factor, _) = formula { return kind(value.type, factor) }
        let kinds = Set(
            template.values.compactMap { other -> String? in
                guard case .image(.weights(let layout, let factor, scale)) = other.origin,
                    layout.tensor == tensor
                else { return nil }
                return kind(other.type, factor)
            })
        return kinds.count == 1 ? kinds.first : "unknown \(value.name)"
    }

    // MARK: Vectors

    func vector(_ v: Int) -> PointVector {
        switch formula {
        case .zero: return PointVector(words: Array(repeating: 0, count: lanes))
        case .constant(let bits, let range, let held):
            return words { range.contains(v) && held.contains($0) ? bits : 0 }
        case .diagonal(let bits, let offset, let period):
            let first = ((v + offset) % period + period) % period
            return words { $0 % period == first ? bits : 0 }
        case .table(let bits, let stride, let run):
            return words { bits[(v * stride + $0 / run) % bits.count] }
        case .rotary, .greatestScale:
            return PointVector(
                numbers: (0..<lanes).map {
                    PrimeField.drawn(.unknown, PrimeField.hash(value.name), UInt64(v * lanes + $0))
                }, isInteger: value.type.widened == .int32)
        case .weights(let layout, let factor, _):
            return elements(v, layout, factor) { weight($0, $1, $2) }
        case .scales(let layout, let factor, _):
            return elements(v, layout, factor) { row, _, _ in PrimeField.inverse(share(row)) }
        }
    }

    private func words(_ bits: (Int) -> UInt32) -> PointVector {
        let planes = value.type.byteCount
        var known: [UInt32: UInt32] = [:]
        return PointVector(
            words: (0..<lanes).map { lane in
                let bits = bits(lane)
                if let word = known[bits] { return word }
                let word = value.type.widen(
                    (0..<planes).map { [UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0))] })[0]
                known[bits] = word
                return word
            })
    }

    private func elements(
        _ v: Int, _ layout: Layout, _ factor: Float,
        _ element: (_ row: Int, _ column: Int, _ rank: Int) -> UInt32
    ) -> PointVector {
        let factor = PrimeField.number(factor)
        var numbers = [UInt32](repeating: 0, count: lanes)
        for piece in layout.pieces where piece.vectors.contains(v) {
            let i = v - piece.vectors.lowerBound
            let rank = piece.base.count
            let row = piece.base[0] + piece.vector[0](i)
            let column = rank > 1 ? piece.base[1] + piece.vector[1](i) : 0
            for lane in piece.lanes {
                let l = lane - piece.lanes.lowerBound
                numbers[lane] = PrimeField.multiply(
                    element(
                        row + piece.lane[0](l), rank > 1 ? column + piece.lane[1](l) : 0, rank),
                    factor)
            }
        }
        return PointVector(numbers: numbers, isInteger: value.type.widened == .int32)
    }

    private func weight(_ row: Int, _ column: Int, _ rank: Int) -> UInt32 {
        var number = Self.weight(tensor, row, column)
        if let columnScale {
            number = PrimeField.multiply(
                number, Self.weight(columnScale, rank > 1 ? column : row, 0))
        }
        return quantum == nil ? number : PrimeField.multiply(number, share(row))
    }

    /// 1 over a row's scale.
    private func share(_ row: Int) -> UInt32 {
        quantum.map { PrimeField.drawn(.scale, $0, UInt64(row)) } ?? 1
    }

    /// The element of a tensor, of which `tensor` is the hash of the name.
    static func weight(_ tensor: UInt64, _ row: Int, _ column: Int) -> UInt32 {
        PrimeField.drawn(.weight, tensor, UInt64(row) << 32 | UInt64(column))
    }
}
