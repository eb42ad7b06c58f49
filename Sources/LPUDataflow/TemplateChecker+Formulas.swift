import LPUNumerics
import LPUSupport

extension TemplateChecker {
    /// Whether `formula` says what each element of `value` is.
    mutating func check(_ formula: Formula, _ value: Value) {
        switch formula {
        case .weights(let layout, let factor, _):
            if value.type == .int32 { report("dataflow-type", "weights are not int32") }
            checkWeights(layout, factor, value)
        case .scales(let layout, let factor, _):
            if value.type != .fp32 { report("dataflow-type", "scales are fp32, not \(value.type)") }
            checkWeights(layout, factor, value)
        case .greatestScale(_, let factor, _):
            if value.type != .fp32 { report("dataflow-type", "scales are fp32, not \(value.type)") }
            checkFinite(factor)
        case .constant(let bits, let vectors, let lanes):
            check([bits], value)
            checkInside(vectors, lanes, value)
        case .diagonal(let bits, let offset, let period):
            check([bits], value)
            if period < 1 || !Limits.number.contains(period) || !Limits.number.contains(offset) {
                report("dataflow-formula", "the period is \(period), below 1, or out of 32 bits")
            }
        case .table(let bits, let stride, let run):
            check(bits, value)
            if bits.isEmpty || run < 1 || stride < 0 || !Limits.number.contains(stride) {
                report(
                    "dataflow-formula",
                    "a table has 1 or more elements (\(bits.count)), a run of 1 or more (\(run)), a"
                        + " stride of 0 or more (\(stride))")
            }
        case .rotary(let rotary): check(rotary, value)
        case .zero: break
        }
    }

    private mutating func checkWeights(_ layout: Layout, _ factor: Float, _ value: Value) {
        checkFinite(factor)
        check(layout, value)
    }

    private mutating func checkFinite(_ factor: Float) {
        if !factor.isFinite { report("dataflow-formula", "the factor is \(factor), not finite") }
    }

    /// Whether elements fit the value's type.
    private mutating func check(_ bits: [UInt32], _ value: Value) {
        let width = 8 * value.type.byteCount
        if let high = bits.first(where: { width < 32 && $0 >> UInt32(width) != 0 }) {
            let text = "0x" + String(high, radix: 16)
            report("dataflow-formula", "\(text) has more than the \(width) bits of \(value.type)")
        }
    }

    private mutating func checkInside(_ vectors: Range<Int>, _ lanes: Range<Int>, _ value: Value) {
        let isInside =
            vectors.lowerBound >= 0 && vectors.upperBound <= value.count
            && lanes.lowerBound >= 0 && lanes.upperBound <= program.lanes
        if vectors.isEmpty || lanes.isEmpty || !isInside {
            report(
                "dataflow-formula",
                "vectors \(vectors), lanes \(lanes) are empty or outside \(0..<value.count), "
                    + "\(0..<program.lanes)")
        }
    }

    private mutating func check(_ rotary: Rotary, _ value: Value) {
        if value.type != .fp32 { report("dataflow-type", "a rotary table is fp32") }
        let pairs = rotary.inverseFrequencies.count
        // Division, since a product may leave 64 bits.
        if pairs < 1 || rotary.heads < 1 || rotary.heads > program.lanes / (2 * max(pairs, 1)) {
            report(
                "dataflow-formula",
                "\(rotary.heads) heads of \(pairs) pairs do not fit \(program.lanes) lanes")
        }
        guard (0...Int(Int32.max)).contains(rotary.positionStep) else {
            report("dataflow-range", "a step of \(rotary.positionStep) positions is not 0 or more")
            return
        }
        let last = Double((value.count - 1) * rotary.positionStep)
        for bits in rotary.inverseFrequencies {
            let frequency = Double(bitPattern: bits)
            if !frequency.isFinite || (last * frequency).magnitude >= Trigonometry.limit {
                report(
                    "dataflow-formula",
                    "position \(Int(last)) times frequency \(frequency) is not below 2^20")
            }
        }
    }

    /// Whether the pieces lie in the value, do not overlap, and name elements of one tensor.
    mutating func check(_ layout: Layout, _ value: Value) {
        for piece in layout.pieces {
            checkInside(piece.vectors, piece.lanes, value)
            check(piece, rank: layout.pieces[0].base.count)
        }
        let sorted = layout.pieces.sorted {
            ($0.vectors.lowerBound, $0.lanes.lowerBound)
                < ($1.vectors.lowerBound, $1.lanes.lowerBound)
        }
        for (i, piece) in sorted.enumerated() {
            for other in sorted[(i + 1)...] {
                if other.vectors.lowerBound >= piece.vectors.upperBound { break }
                if other.lanes.overlaps(piece.lanes) && other.vectors.overlaps(piece.vectors) {
                    report(
                        "dataflow-layout",
                        "the pieces of vectors \(piece.vectors) and \(other.vectors) overlap")
                }
            }
        }
    }

    private mutating func check(_ piece: Piece, rank: Int) {
        let ranks = [piece.base.count, piece.vector.count, piece.lane.count]
        if rank < 1 || ranks.contains(where: { $0 != rank }) {
            report(
                "dataflow-layout", "a piece has not the \(max(rank, 1)) coordinates of the first")
        }
        for sum in piece.vector + piece.lane where !sum.isLegal {
            report(
                "dataflow-layout",
                "a sum has more than \(Limits.digits) digits, or a radix below 1 before the last,"
                    + " or leaves 32 bits")
        }
        for base in piece.base where !Limits.number.contains(base) {
            report("dataflow-range", "base \(base) leaves 32 bits")
        }
    }
}

extension DigitSum {
    /// Within bounds, and only the last digit takes the rest.
    fileprivate var isLegal: Bool {
        digits.count <= Limits.digits
            && digits.allSatisfy {
                Limits.number.contains($0.radix) && Limits.number.contains($0.stride)
                    && $0.radix >= 0
            }
            && digits.dropLast().allSatisfy { $0.radix > 0 }
    }
}
