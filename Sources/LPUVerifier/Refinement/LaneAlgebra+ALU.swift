import LPUNumerics

/// ALU operations on lanes.
extension LaneAlgebra {
    static let operationNumbers = Dictionary(
        uniqueKeysWithValues: ALUOperation.allCases.enumerated().map { ($1, Int32($0)) })

    /// What nothing here understands: equal for equal operands, and equal to nothing else.
    func opaque(_ operation: ALUOperation, _ a: Lane, _ b: Lane? = nil) -> Lane {
        Lane(
            polynomial: algebra.polynomial(
                .operation, Self.operationNumbers[operation] ?? -3, a.raw, (b ?? .zero).raw))
    }

    func apply(_ operation: ALUOperation, _ a: Lane, _ b: Lane?) -> Lane {
        if operation == .min, let b, let bounded = bounded(a, b) ?? bounded(b, a) {
            return bounded
        }
        if let x = wordNumber(a) {
            guard let b else { return lane(word: words.apply(operation, x, nil)) }
            if let y = wordNumber(b) { return lane(word: words.apply(operation, x, y)) }
        }
        guard let b else { return unary(operation, a) }
        return binary(operation, a, b)
    }

    private func unary(_ operation: ALUOperation, _ a: Lane) -> Lane {
        let x = polynomial(a)
        switch operation {
        case .copy, .toFP16, .toFP8: return a
        case .negate: return Lane(polynomial: algebra.scaled(x, by: -1))
        case .absolute:
            return x == Algebra.zero ? .zero : Lane(polynomial: algebra.polynomial(.absolute, x))
        case .rsqrt: return Lane(polynomial: algebra.inverseRoot(x))
        case .tanh: return Lane(polynomial: algebra.tanh(x))
        case .exp:
            guard isBounded(x) else {
                return Lane(
                    polynomial: algebra.unknown(
                        "an exponential of a number that is not less the greatest of its kind"))
            }
            return Lane(polynomial: algebra.exponential(x))
        case .toInt8: return integer(x)
        case .toFP32: return number(ofInteger: a) ?? opaque(operation, a)
        case .not, .toInt32, .intToInt8: return opaque(operation, a)
        case .add, .subtract, .multiply, .max, .min, .addInt, .subtractInt, .multiplyInt, .maxInt,
            .minInt, .and, .or, .xor, .shiftLeft, .shiftRight, .less, .lessEqual, .equal,
            .notEqual, .lessInt, .lessEqualInt, .equalInt, .notEqualInt, .mask, .maskNot:
            return opaque(operation, a)
        }
    }

    /// A number as an int8 or int32 holds it, rounded.
    func integer(_ polynomial: Int32) -> Lane {
        polynomial == Algebra.zero
            ? .zero : Lane(polynomial: algebra.polynomial(.integer, polynomial))
    }

    /// The number that an int8 or int32 holds; nil for bits of something else.
    func number(ofInteger lane: Lane) -> Lane? {
        if lane == .zero { return lane }
        guard let atom = lane.polynomial.flatMap(algebra.onlyAtom), atom.kind == .integer else {
            return nil
        }
        return Lane(polynomial: atom.a)
    }

    /// The numbers that a vector of integers holds.
    func numbers(ofIntegers vector: Int32) -> Int32? {
        let lanes = vectors[vector].map(number(ofInteger:))
        return lanes.contains(nil) ? nil : vectors.intern(lanes.compactMap(\.self))
    }

    /// `true` iff x is, but for a constant, one of several numbers less the greatest of them: its
    /// exponential cannot overflow.
    private func isBounded(_ x: Int32) -> Bool {
        for term in algebra.polynomials[x] where algebra.reals[term.coefficient] == -1 {
            let factors = algebra.monomials[term.monomial]
            guard factors.count == 1, factors[0].halves == 2 else { continue }
            let atom = algebra.atoms[factors[0].atom]
            guard atom.kind == .maximum else { continue }
            let rest = algebra.polynomials[x].filter {
                $0 != term && $0.monomial != Algebra.unit
            }
            let number = algebra.polynomial(rest)
            if number == Algebra.zero { return true }
            let members = algebra.members(atom.a)
            if members.contains(number) { return true }
            guard let other = algebra.onlyAtom(number), other.kind == .maximum else { continue }
            if algebra.members(other.a).allSatisfy({ members.contains($0) }) { return true }
        }
        return false
    }

    private func binary(_ operation: ALUOperation, _ a: Lane, _ b: Lane) -> Lane {
        switch operation {
        case .add:
            return Lane(polynomial: algebra.add(polynomial(a), polynomial(b)))
        case .subtract:
            let (x, y) = (polynomial(a), polynomial(b))
            // A number less its rounded self: next to nothing, and all that the rounding lost.
            return Lane(
                polynomial: x == y ? algebra.rest(of: x) : algebra.subtract(x, y))
        case .multiply:
            return Lane(polynomial: algebra.multiply(polynomial(a), polynomial(b)))
        case .max: return greatest(a, b)
        case .min: return least(a, b)
        case .less, .equal: return compared(operation, a, b)
        case .mask: return masked(a, b, true)
        case .maskNot: return masked(a, b, false)
        case .or: return bitsOfBoth(a, b)
        case .and: return bitsKept(a, b)
        case .minInt: return lower(a, b) ?? opaque(operation, min(a, b), max(a, b))
        case .addInt: return shifted(a, by: b) ?? opaque(operation, a, b)
        case .shiftRight: return bits(b) == 0 ? a : opaque(operation, a, b)
        case .subtractInt, .multiplyInt, .maxInt, .xor, .shiftLeft, .lessEqual, .notEqual,
            .lessInt, .lessEqualInt, .equalInt, .notEqualInt:
            return opaque(operation, a, b)
        case .copy, .negate, .absolute, .not, .exp, .tanh, .rsqrt, .toFP16, .toFP8, .toInt8,
            .toInt32, .toFP32, .intToInt8:
            return opaque(operation, a, b)
        }
    }

    private func min(_ a: Lane, _ b: Lane) -> Lane { a.raw < b.raw ? a : b }
    private func max(_ a: Lane, _ b: Lane) -> Lane { a.raw < b.raw ? b : a }

    // MARK: Extremes

    /// Beyond every number that a model makes.
    private static let limit = 1e30
    /// Beyond every score, which bounds replace where a token may not be seen.
    private static let bound: Float = 1e4

    /// `true` iff the lane is a constant that is below every number of a model.
    private func isLowest(_ lane: Lane) -> Bool {
        bits(lane).map { Double(Float(bitPattern: $0)) <= -Self.limit }
            ?? lane.polynomial.flatMap(algebra.constantValue).map { $0 <= -Self.limit } ?? false
    }

    private func greatest(_ a: Lane, _ b: Lane) -> Lane {
        if isLowest(a) { return b }
        if isLowest(b) { return a }
        return Lane(polynomial: algebra.maximum(polynomial(a), polynomial(b)))
    }

    /// A number and a bound: above all numbers, below all, or one or the other by the position.
    private func least(_ a: Lane, _ b: Lane) -> Lane {
        guard let word = a.wordNumber ?? b.wordNumber else {
            return opaque(.min, min(a, b), max(a, b))
        }
        let number = a.wordNumber == nil ? a : b
        if let bits = words.bits(word) {
            let value = Double(Float(bitPattern: bits))
            if value >= Self.limit { return number }
            if value <= -Self.limit { return lane(word: word) }
        }
        return opaque(.min, a, b)
    }

    /// A number where the position lets it be seen, else next to minus infinity.
    private func bounded(_ number: Lane, _ bound: Lane) -> Lane? {
        guard number.raw >= 0, let word = bound.wordNumber, words.bits(word) == nil,
            let steps = words.steps(word),
            steps.allSatisfy({ abs(Float(bitPattern: $0.bits)) >= Self.bound })
        else { return nil }
        let visible = set(steps) { Float(bitPattern: $0) > 0 }
        return Lane(polynomial: guarded(number.raw, visible))
    }

    func guarded(_ polynomial: Int32, _ visible: PositionSet) -> Int32 {
        let number = visible.ranges.isEmpty ? Algebra.zero : polynomial
        return algebra.polynomial(.guarded, number, algebra.lists.intern(visible.list))
    }

    private func compared(_ operation: ALUOperation, _ a: Lane, _ b: Lane) -> Lane {
        let one = lane(bits: Float(1).bitPattern)
        let isLess = operation == .less
        if a == b { return isLess ? .zero : one }
        if isLowest(b) { return .zero }
        if isLowest(a) { return isLess ? one : .zero }
        return isLess ? opaque(operation, a, b) : opaque(operation, min(a, b), max(a, b))
    }

    // MARK: Bits

    private func masked(_ a: Lane, _ condition: Lane, _ isKept: Bool) -> Lane {
        if let bits = bits(condition) { return (bits << 1 != 0) == isKept ? a : .zero }
        if let word = condition.wordNumber {
            if a == .zero { return a }
            guard let steps = words.steps(word) else {
                return opaque(isKept ? .mask : .maskNot, a, condition)
            }
            let set = set(steps) { ($0 << 1 != 0) == isKept }
            if set.ranges.isEmpty { return .zero }
            return Lane(polynomial: algebra.multiply(polynomial(a), indicator(set)))
        }
        return (isKept ? kept(a, where: condition) : nil)
            ?? opaque(isKept ? .mask : .maskNot, a, condition)
    }

    private func bitsOfBoth(_ a: Lane, _ b: Lane) -> Lane {
        if a == .zero { return b }
        return b == .zero ? a : opaque(.or, min(a, b), max(a, b))
    }

    /// Only whole low bytes or nothing are kept.
    private func bitsKept(_ a: Lane, _ b: Lane) -> Lane {
        if a == .zero || b == .zero { return .zero }
        return bits(a) != nil ? opaque(.and, b, a) : opaque(.and, a, b)
    }

    /// Byte `k` of a lane of 32 bits.
    func byte(_ k: Int, of lane: Lane) -> Lane {
        if let word = wordNumber(lane) { return self.lane(word: words.byte(k, of: word)) }
        if let atom = algebra.onlyAtom(lane.raw), atom.kind == .operation,
            let constant = bits(Lane(raw: atom.c))
        {
            let source = Lane(raw: atom.b)
            if atom.a == Self.operationNumbers[.shiftRight], constant % 8 == 0,
                Int(constant) / 8 + k < 4
            {
                return byte(Int(constant) / 8 + k, of: source)
            }
            if atom.a == Self.operationNumbers[.and] {
                let kept = constant >> UInt32(8 * k) & 255
                if kept == 255 { return byte(k, of: source) }
                if kept == 0 { return .zero }
            }
        }
        return Lane(polynomial: algebra.polynomial(.byte, Int32(k), lane.raw))
    }

    /// The number of which these are the bytes, lowest first.
    func pack(_ bytes: [Lane]) -> Lane {
        let numbers = bytes.compactMap(wordNumber)
        if numbers.count == bytes.count, let word = words.pack(numbers) { return lane(word: word) }
        let atoms = bytes.compactMap { $0.polynomial.flatMap(algebra.onlyAtom) }
        if bytes.count == 4, atoms.count == 4,
            atoms.indices.allSatisfy({
                atoms[$0].kind == .byte && atoms[$0].a == Int32($0) && atoms[$0].b == atoms[0].b
            })
        {
            return Lane(raw: atoms[0].b)
        }
        return Lane(polynomial: algebra.unknown("bytes of different numbers together"))
    }
}
