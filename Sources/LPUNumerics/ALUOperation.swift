/// What one VXM ALU does in one operation to each lane: a closed set, on 32-bit words.
///
/// Operands were widened at entry; a cast's result narrows to its type and is what a stream
/// carries of it. A chained consumer of a cast sees the narrowed value widened again.
/// `apply` computes them; `Documentation/Numerics.md` defines every bit.
public enum ALUOperation: String, Hashable, Sendable, CaseIterable {
    // Unary. `copy` and `not` act on the word as it is; `negate` and `absolute` on fp32.
    case copy, negate, absolute, not
    case exp, tanh, rsqrt
    // Binary, fp32. `max` and `min` put -0 below +0 and take the number where one is NaN.
    case add, subtract, multiply, max, min
    // Binary, int32: low 32 bits; shifts take the amount modulo 32, `shiftRight` is arithmetic.
    case addInt, subtractInt, multiplyInt, maxInt, minInt, and, or, xor, shiftLeft, shiftRight
    // Compare: 1 or 0, in the type of the operands.
    case less, lessEqual, equal, notEqual
    case lessInt, lessEqualInt, equalInt, notEqualInt
    /// `mask(a, m)` is a, bit by bit, where the word m is not +0 or -0, else +0; `maskNot` is a
    /// where it is. The ALU knows no types: an int32 of only the sign bit counts as zero too, so
    /// a sign is tested by a compare or a shift.
    case mask, maskNot
    // Casts: nearest even, saturating, infinity too; NaN stays NaN in fp16 and fp8, is 0 in ints.
    case toFP16, toFP8, toInt8, toInt32, toFP32, intToInt8

    /// Operands it takes, 1 or 2.
    public var operandCount: Int {
        switch self {
        case .copy, .negate, .absolute, .not, .exp, .tanh, .rsqrt, .toFP16, .toFP8, .toInt8,
            .toInt32, .toFP32, .intToInt8:
            1
        case .add, .subtract, .multiply, .max, .min, .addInt, .subtractInt, .multiplyInt, .maxInt,
            .minInt, .and, .or, .xor, .shiftLeft, .shiftRight, .less, .lessEqual, .equal,
            .notEqual, .lessInt, .lessEqualInt, .equalInt, .notEqualInt, .mask, .maskNot:
            2
        }
    }

    /// `true` iff only the machine's large ALUs have it.
    public var needsLargeALU: Bool {
        switch self {
        case .exp, .tanh, .rsqrt: true
        case .copy, .negate, .absolute, .not, .add, .subtract, .multiply, .max, .min, .addInt,
            .subtractInt, .multiplyInt, .maxInt, .minInt, .and, .or, .xor, .shiftLeft, .shiftRight,
            .less, .lessEqual, .equal, .notEqual, .lessInt, .lessEqualInt, .equalInt,
            .notEqualInt, .mask, .maskNot, .toFP16, .toFP8, .toInt8, .toInt32, .toFP32, .intToInt8:
            false
        }
    }

    /// The type of the result when the first operand's widened type is `operand`.
    public func resultType(of operand: ElementType) -> ElementType {
        switch self {
        case .copy, .not, .mask, .maskNot: operand.widened
        case .negate, .absolute, .exp, .tanh, .rsqrt, .add, .subtract, .multiply, .max, .min, .less,
            .lessEqual, .equal, .notEqual, .toFP32:
            .fp32
        case .addInt, .subtractInt, .multiplyInt, .maxInt, .minInt, .and, .or, .xor, .shiftLeft,
            .shiftRight, .lessInt, .lessEqualInt, .equalInt, .notEqualInt, .toInt32:
            .int32
        case .toFP16: .fp16
        case .toFP8: .fp8
        case .toInt8, .intToInt8: .int8
        }
    }
}
