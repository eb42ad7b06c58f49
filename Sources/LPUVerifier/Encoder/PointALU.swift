import LPUDataflow
import LPUNumerics

/// ALU operations at the point where an encoder is evaluated.
///
/// Real arithmetic: a cast to a narrower float changes nothing, but where what it dropped is taken
/// too: then that is a number of its own, which has to come back in its place. A constant of at
/// least 10^4 that a minimum or a maximum is taken with stands for infinity.
struct PointALU {
    let lanes: Int
    private static let infinite: Float = 1e4

    /// - Parameter isSplit: what a cast drops is taken by another op.
    func apply(
        _ operation: ALUOperation, _ a: PointVector, _ b: PointVector?, isImmediate: Bool,
        isSplit: Bool
    ) -> PointVector {
        if let words = words(operation, a, b) { return words }
        // Bits of the other kind are another number, which nothing here knows.
        func isOfKind(_ operand: PointVector) -> Bool {
            operand.words != nil || operation.takes(operand.isInteger ? .int32 : .fp32)
        }
        guard isOfKind(a), b.map(isOfKind) ?? true else { return unknown(operation, a, b) }
        func binary(_ make: (PointVector) -> PointVector) -> PointVector {
            b.map(make) ?? unknown(operation, a, nil)
        }
        switch operation {
        case .copy: return a
        case .toFP32: return PointVector(numbers: a.numbers)
        case .negate: return PointVector(numbers: a.numbers.map(PrimeField.negated))
        case .toFP16: return cast(a, .roundingToFP16, isSplit)
        case .toFP8: return cast(a, .roundingToFP8, isSplit)
        case .toInt8:
            return PointVector(
                numbers: cast(a, .roundingToInt8, isSplit).numbers, isInteger: true)
        case .exp: return exponential(a)
        case .tanh: return drawn(.tanh, a)
        case .rsqrt:
            let numbers = a.numbers
            return PointVector(
                numbers: numbers.map { PrimeField.drawn(.root, UInt64($0)) }, .root(of: numbers))
        case .add: return binary { lanewise(PrimeField.add, a, $0) }
        case .subtract: return binary { subtract(a, $0) }
        case .multiply: return binary { multiply(a, $0) }
        case .max: return binary { greatest(a, $0, isImmediate: isImmediate) }
        case .min: return binary { least(a, $0) }
        case .mask, .maskNot: return binary { masked(operation, a, $0) }
        case .absolute, .not, .addInt, .subtractInt, .multiplyInt, .maxInt, .minInt, .and, .or,
            .xor, .shiftLeft, .shiftRight, .less, .lessEqual, .equal, .notEqual, .lessInt,
            .lessEqualInt, .equalInt, .notEqualInt, .toInt32, .intToInt8:
            return unknown(operation, a, b)
        }
    }

    /// The machine's own result of what depends on no weight; a root is no bits but what it is of.
    private func words(
        _ operation: ALUOperation, _ a: PointVector, _ b: PointVector?
    ) -> PointVector? {
        guard let first = a.words else { return nil }
        if case .rsqrt = operation { return nil }
        guard let b else { return PointVector(words: operation.apply(first)) }
        return b.words.map { PointVector(words: operation.apply(first, $0)) }
    }

    private func cast(
        _ a: PointVector, _ draw: PrimeField.Draw, _ isSplit: Bool
    ) -> PointVector {
        guard isSplit else { return a }
        return PointVector(
            numbers: a.numbers.map {
                PrimeField.subtract($0, PrimeField.drawn(draw, UInt64($0)))
            })
    }

    private func drawn(_ draw: PrimeField.Draw, _ a: PointVector) -> PointVector {
        PointVector(numbers: a.numbers.map { PrimeField.drawn(draw, UInt64($0)) })
    }

    /// Equal to nothing else.
    private func unknown(
        _ operation: ALUOperation, _ a: PointVector, _ b: PointVector?
    ) -> PointVector {
        let kind = PrimeField.hash("\(operation)")
        let others = b?.numbers ?? Array(repeating: 0, count: lanes)
        return PointVector(
            numbers: zip(a.numbers, others).map {
                PrimeField.drawn(.unknown, kind, UInt64($0) << 32 | UInt64($1))
            })
    }

    private func lanewise(
        _ operation: (UInt32, UInt32) -> UInt32, _ a: PointVector, _ b: PointVector
    ) -> PointVector {
        PointVector(numbers: zip(a.numbers, b.numbers).map(operation))
    }

    private func subtract(_ a: PointVector, _ b: PointVector) -> PointVector {
        guard case .greatest(let members)? = b.note else {
            return lanewise(PrimeField.subtract, a, b)
        }
        // Minus infinity less anything is that.
        if a.words.map({ isInfinite($0, .minus) }) ?? false { return infinity }
        let numbers = a.numbers
        return PointVector(
            numbers: zip(numbers, b.numbers).map(PrimeField.subtract),
            .below(of: members, minuend: numbers))
    }

    private func multiply(_ a: PointVector, _ b: PointVector) -> PointVector {
        if case .root(let squares)? = a.note, case .root(let others)? = b.note, squares == others {
            var known: (of: UInt32, inverse: UInt32) = (0, 0)
            return PointVector(
                numbers: squares.map { square in
                    if square != known.of { known = (square, PrimeField.inverse(square)) }
                    return known.inverse
                })
        }
        return lanewise(PrimeField.multiply, a, b)
    }

    /// exp of what is less the greatest of several: whatever that is, it cancels where it is the
    /// same, and exp of that alone is taken.
    private func exponential(_ a: PointVector) -> PointVector {
        guard case .below(let members, let minuend)? = a.note else {
            return unknown(.exp, a, nil)
        }
        return PointVector(
            numbers: zip(minuend, members).map { Self.exponential($0, among: $1) })
    }

    static func exponential(_ number: UInt32, among members: UInt32) -> UInt32 {
        PrimeField.drawn(.exponential, UInt64(number) << 32 | UInt64(members))
    }

    // MARK: Bounds

    private var infinity: PointVector {
        PointVector(words: Array(repeating: (-Float.infinity).bitPattern, count: lanes))
    }

    private func isInfinite(_ words: [UInt32], _ sign: FloatingPointSign) -> Bool {
        words.allSatisfy {
            let float = Float(bitPattern: $0)
            return float.sign == sign && float.magnitude >= Self.infinite
        }
    }

    private func greatest(
        _ a: PointVector, _ b: PointVector, isImmediate: Bool
    ) -> PointVector {
        for (words, other) in [(a.words, b), (b.words, a)] {
            guard let words else { continue }
            if isInfinite(words, .minus) { return other }
            if isImmediate, words.allSatisfy({ $0 == 0 }) { return drawn(.positivePart, other) }
        }
        let members = zip(a.members, b.members).map(PrimeField.add)
        return PointVector(
            numbers: members.map { PrimeField.drawn(.greatest, UInt64($0)) },
            .greatest(of: members))
    }

    private func least(_ a: PointVector, _ b: PointVector) -> PointVector {
        guard let bound = b.words else { return unknown(.min, a, b) }
        if isInfinite(bound, .plus) { return a }
        if isInfinite(bound, .minus) { return b }
        return lanewise(Self.least, a, b)
    }

    /// min(x, c), as c min(x / c, 1).
    static func least(_ number: UInt32, _ bound: UInt32) -> UInt32 {
        let share = PrimeField.multiply(number, PrimeField.inverse(bound))
        return PrimeField.multiply(bound, PrimeField.drawn(.least, UInt64(share)))
    }

    private func masked(
        _ operation: ALUOperation, _ a: PointVector, _ b: PointVector
    ) -> PointVector {
        guard let mask = b.words else { return unknown(operation, a, b) }
        let keeps = operation == .mask
        return PointVector(
            numbers: zip(a.numbers, mask).map { ($1 & 0x7fff_ffff != 0) == keeps ? $0 : 0 },
            isInteger: a.isInteger)
    }
}
