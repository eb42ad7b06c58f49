/// What each operation computes, bit by bit. `Documentation/Numerics.md` gives the reasons.
extension ALUOperation {
    /// Applies the operation to every lane: `result[i] = self(a[i], b[i])`.
    ///
    /// A unary operation does not read `b`, which may then be empty. `result` may be `a` or `b`.
    public func apply(
        _ a: UnsafeBufferPointer<UInt32>, _ b: UnsafeBufferPointer<UInt32>,
        into result: UnsafeMutableBufferPointer<UInt32>
    ) {
        precondition(a.count == result.count, "an operand has as many lanes as the result")
        precondition(operandCount == 1 || b.count == result.count, "operands have equal lanes")
        let lanes = Lanes(a: a, b: b, result: result)
        switch self {
        case .copy: lanes.unary { $0 }
        case .not: lanes.unary { ~$0 }
        case .negate: lanes.unary { (-$0.float).word }
        case .absolute: lanes.unary { $0.float.magnitude.word }
        case .exp: lanes.unary { Functions.exp($0.float).word }
        case .tanh: lanes.unary { Functions.tanh($0.float).word }
        case .rsqrt: lanes.unary { Functions.rsqrt($0.float).word }
        case .add: lanes.binary { ($0.float + $1.float).word }
        case .subtract: lanes.binary { ($0.float - $1.float).word }
        case .multiply: lanes.binary { ($0.float * $1.float).word }
        case .max: lanes.binary { extreme($0, $1, first: $0.orderKey > $1.orderKey) }
        case .min: lanes.binary { extreme($0, $1, first: $0.orderKey < $1.orderKey) }
        case .addInt: lanes.binary { $0 &+ $1 }
        case .subtractInt: lanes.binary { $0 &- $1 }
        case .multiplyInt: lanes.binary { $0 &* $1 }
        case .maxInt: lanes.binary { $0.int32 > $1.int32 ? $0 : $1 }
        case .minInt: lanes.binary { $0.int32 < $1.int32 ? $0 : $1 }
        case .and: lanes.binary { $0 & $1 }
        case .or: lanes.binary { $0 | $1 }
        case .xor: lanes.binary { $0 ^ $1 }
        case .shiftLeft: lanes.binary { $0 &<< $1 }
        case .shiftRight: lanes.binary { UInt32(bitPattern: $0.int32 &>> $1.int32) }
        case .less: lanes.binary { $0.float < $1.float ? one : 0 }
        case .lessEqual: lanes.binary { $0.float <= $1.float ? one : 0 }
        case .equal: lanes.binary { $0.float == $1.float ? one : 0 }
        case .notEqual: lanes.binary { $0.float != $1.float ? one : 0 }
        case .lessInt: lanes.binary { $0.int32 < $1.int32 ? 1 : 0 }
        case .lessEqualInt: lanes.binary { $0.int32 <= $1.int32 ? 1 : 0 }
        case .equalInt: lanes.binary { $0 == $1 ? 1 : 0 }
        case .notEqualInt: lanes.binary { $0 != $1 ? 1 : 0 }
        case .mask: lanes.binary { $1 &<< 1 != 0 ? $0 : 0 }
        case .maskNot: lanes.binary { $1 &<< 1 == 0 ? $0 : 0 }
        case .toFP16: lanes.unary { FP16.decode(FP16.encode($0.float)).bitPattern }
        case .toFP8: lanes.unary { FP8.decode(FP8.encode($0.float)).bitPattern }
        case .toInt8: lanes.unary { integer($0.float, -128, 127) }
        case .toInt32: lanes.unary { integer($0.float, -2_147_483_648, 2_147_483_647) }
        case .toFP32: lanes.unary { Float($0.int32).bitPattern }
        case .intToInt8: lanes.unary { UInt32(bitPattern: $0.int32.clampedToInt8) }
        }
    }

    /// The operation on one lane; a unary one ignores `b`.
    public func apply(_ a: UInt32, _ b: UInt32 = 0) -> UInt32 {
        apply([a], [b])[0]
    }

    /// The operation on every lane; for a unary one `b` may be left out.
    public func apply(_ a: [UInt32], _ b: [UInt32] = []) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: a.count) { result, count in
            count = a.count
            let result = UnsafeMutableBufferPointer(rebasing: result[..<count])
            a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in apply(a, b, into: result) }
            }
        }
    }
}

/// The lanes of one operation; each loop is specialised for its body and vectorises.
private struct Lanes {
    let a: UnsafeBufferPointer<UInt32>
    let b: UnsafeBufferPointer<UInt32>
    let result: UnsafeMutableBufferPointer<UInt32>

    @inline(__always) func unary(_ body: (UInt32) -> UInt32) {
        for i in result.indices { result[i] = body(a[i]) }
    }

    @inline(__always) func binary(_ body: (UInt32, UInt32) -> UInt32) {
        for i in result.indices { result[i] = body(a[i], b[i]) }
    }
}

/// The fp32 word of 1.
private let one: UInt32 = 0x3f80_0000

/// a if it is `first` or b is NaN, else b; the canonical NaN if both are: a NaN is a missing value.
@inline(__always) private func extreme(_ a: UInt32, _ b: UInt32, first: Bool) -> UInt32 {
    let number = first ? a : b
    let orA = b.float != b.float ? a.float.word : number
    return a.float != a.float ? b.float.word : orA
}

/// The nearest integer, ties to even, held within `low...high`; 0 for NaN.
@inline(__always) private func integer(_ x: Float, _ low: Double, _ high: Double) -> UInt32 {
    // Adding 1.5 * 2^52 leaves the rounded integer in the low bits.
    let shifted = Functions.clamp(Double(x), low, high) + 0x1.8p52
    return x != x ? 0 : UInt32(truncatingIfNeeded: shifted.bitPattern)
}

extension UInt32 {
    /// Signed integers in the order of the fp32 values, -0 below +0.
    @inline(__always) fileprivate var orderKey: Int32 { int32 ^ (int32 &>> 31 & 0x7fff_ffff) }
}

extension Int32 {
    /// The nearest value of int8.
    @inline(__always) var clampedToInt8: Int32 { self < -128 ? -128 : self > 127 ? 127 : self }
}
