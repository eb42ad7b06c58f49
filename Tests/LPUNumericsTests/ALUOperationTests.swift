import LPUSupport
import Testing

@testable import LPUNumerics

private let quiet = canonicalNaN
private let infinity: UInt32 = 0x7f80_0000
private let minusZero: UInt32 = 0x8000_0000
private let one: UInt32 = 0x3f80_0000

/// Words that trip arithmetic: zeros, ones, subnormals, infinities, NaNs of all kinds, int edges.
private let edges: [UInt32] = [
    0, minusZero, 1, 0x8000_0001, 0x007f_ffff, 0x0080_0000, one, 0xbf80_0000, 0x4b00_0001,
    0x4eff_ffff, 0x4f00_0000, 0xcf00_0000, 0x7f7f_ffff, 0xff7f_ffff, infinity, 0xff80_0000, quiet,
    0xffc0_0000, 0x7f80_0001, 0xff80_0001, 0x7fff_ffff, 0xffff_ffff, 31, 32, 127, 128,
    0xffff_ff80, 0xffff_ff7f,
]

/// Each edge with each, and random words, as the two operands.
private func operands(seed: UInt64) -> (a: [UInt32], b: [UInt32]) {
    var generator = SeededGenerator(seed: seed)
    let random = (0..<20_000).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) }
    // Near exponents, so that sums round and cancel.
    let near = random.map { $0 & 0x83ff_ffff | 0x3c00_0000 }
    let a = edges.flatMap { edge in edges.map { _ in edge } }
    let b = edges.flatMap { _ in edges }
    return (a + random + near, b + random.reversed() + near.reversed())
}

/// What the operation means, by other arithmetic than `apply`'s: wider types and `Float`'s own.
private func expected(_ operation: ALUOperation, _ a: UInt32, _ b: UInt32) -> UInt32 {
    let (x, y) = (Float(bitPattern: a), Float(bitPattern: b))
    let (i, j) = (Int64(Int32(bitPattern: a)), Int64(Int32(bitPattern: b)))
    func float(_ value: Float) -> UInt32 { value.isNaN ? quiet : value.bitPattern }
    func int(_ value: Int64) -> UInt32 { UInt32(truncatingIfNeeded: value) }
    func truth(_ value: Bool) -> UInt32 { value ? one : 0 }
    func cast(_ range: ClosedRange<Int64>) -> UInt32 {
        if x.isNaN { return 0 }
        let whole = Double(x).rounded(.toNearestOrEven)
        if whole <= Double(range.lowerBound) { return int(range.lowerBound) }
        return int(whole >= Double(range.upperBound) ? range.upperBound : Int64(whole))
    }
    switch operation {
    case .copy: return a
    case .negate: return x.isNaN ? quiet : a ^ minusZero
    case .absolute: return x.isNaN ? quiet : a & ~minusZero
    case .not: return a ^ 0xffff_ffff
    case .exp: return float(Functions.exp(x))
    case .tanh: return float(Functions.tanh(x))
    case .rsqrt: return float(Functions.rsqrt(x))
    // binary64 has more than twice the digits of fp32, so that rounding twice rounds once.
    case .add: return float(Float(Double(x) + Double(y)))
    case .subtract: return float(Float(Double(x) - Double(y)))
    case .multiply: return float(Float(Double(x) * Double(y)))
    case .max, .min:
        if x.isNaN || y.isNaN { return float(x.isNaN ? y : x) }
        if x == y { return operation == .max ? (x == 0 ? a & b : a) : a | b }
        return (x > y) == (operation == .max) ? a : b
    case .addInt: return int(i + j)
    case .subtractInt: return int(i - j)
    case .multiplyInt: return int(i * j)
    case .maxInt: return int(max(i, j))
    case .minInt: return int(min(i, j))
    case .and: return ~(~a | ~b)
    case .or: return ~(~a & ~b)
    case .xor: return (a | b) - (a & b)
    case .shiftLeft: return int(i << (j & 31))
    case .shiftRight: return int(i >> (j & 31))
    case .less: return truth(Double(x) < Double(y))
    case .lessEqual: return truth(Double(x) <= Double(y))
    case .equal: return truth(Double(x) == Double(y))
    case .notEqual: return truth(Double(x) != Double(y))
    case .lessInt: return i < j ? 1 : 0
    case .lessEqualInt: return i <= j ? 1 : 0
    case .equalInt: return i == j ? 1 : 0
    case .notEqualInt: return i != j ? 1 : 0
    case .mask: return b == 0 || b == minusZero ? 0 : a
    case .maskNot: return b == 0 || b == minusZero ? a : 0
    case .toFP16: return FP16.decode(FP16.encode(x)).bitPattern
    case .toFP8: return FP8.decode(FP8.encode(x)).bitPattern
    case .toInt8: return cast(-128...127)
    case .toInt32: return cast(Int64(Int32.min)...Int64(Int32.max))
    case .toFP32: return float(Float(i))
    case .intToInt8: return int(min(max(i, -128), 127))
    }
}

@Test(arguments: ALUOperation.allCases)
func everyOperationOverEdgesAndRandomWords(_ operation: ALUOperation) {
    let seed: UInt64 = 23
    let (a, b) = operands(seed: seed)
    let results = operation.apply(a, b)
    for index in a.indices {
        let (x, y) = (a[index], b[index])
        #expect(
            results[index] == expected(operation, x, y),
            "\(operation) \(String(x, radix: 16)) \(String(y, radix: 16)) seed \(seed)")
    }
    for index in a.indices.prefix(200) {
        #expect(operation.apply(a[index], b[index]) == results[index])
    }
}

/// Arithmetic may not pass on a NaN's sign or payload, which differ from host to host.
@Test(arguments: ALUOperation.allCases)
func everyNaNOfArithmeticIsCanonical(_ operation: ALUOperation) {
    switch operation {
    case .copy, .not, .mask, .maskNot, .addInt, .subtractInt, .multiplyInt, .maxInt, .minInt, .and,
        .or, .xor, .shiftLeft, .shiftRight, .less, .lessEqual, .equal, .notEqual, .lessInt,
        .lessEqualInt, .equalInt, .notEqualInt, .toInt8, .toInt32, .intToInt8:
        return  // Bits, integers or truth values: no NaN arises.
    case .negate, .absolute, .exp, .tanh, .rsqrt, .add, .subtract, .multiply, .max, .min, .toFP16,
        .toFP8, .toFP32:
        let (a, b) = operands(seed: 29)
        for word in operation.apply(a, b) where Float(bitPattern: word).isNaN {
            #expect(word == quiet, "\(operation)")
        }
    }
}

@Test func arithmeticOnInfinitiesIsNaN() {
    #expect(ALUOperation.add.apply(infinity, 0xff80_0000) == quiet)
    #expect(ALUOperation.subtract.apply(infinity, infinity) == quiet)
    #expect(ALUOperation.multiply.apply(infinity, minusZero) == quiet)
}

@Test func maximumTakesTheNumberAndOrdersZeros() {
    #expect(ALUOperation.max.apply(0xffc0_1234, one) == one)
    #expect(ALUOperation.min.apply(one, 0x7f80_0001) == one)
    #expect(ALUOperation.max.apply(0xffc0_1234, 0x7f80_0001) == quiet)
    #expect(ALUOperation.max.apply(minusZero, 0) == 0 && ALUOperation.max.apply(0, minusZero) == 0)
    #expect(ALUOperation.min.apply(minusZero, 0) == minusZero)
    #expect(ALUOperation.min.apply(0, minusZero) == minusZero)
}

@Test func masksKeepBitsAndStopNaN() {
    #expect(ALUOperation.mask.apply(0xffff_ffff, one) == 0xffff_ffff)
    #expect(ALUOperation.mask.apply(quiet, 0) == 0)
    #expect(ALUOperation.mask.apply(one, minusZero) == 0)
    #expect(ALUOperation.mask.apply(one, quiet) == one)
    #expect(ALUOperation.maskNot.apply(infinity, 1) == 0)
    #expect(ALUOperation.maskNot.apply(infinity, minusZero) == infinity)
}

@Test func integerCastsRoundToEvenAndSaturate() {
    func cast(_ operation: ALUOperation, _ x: Float) -> Int32 {
        Int32(bitPattern: operation.apply(x.bitPattern))
    }
    for half in -300...300 {
        let whole = Double(half) / 2
        let nearest = Int32(whole.rounded(.toNearestOrEven))
        #expect(cast(.toInt8, Float(whole)) == max(-128, min(127, nearest)), "\(whole)")
        #expect(cast(.toInt32, Float(whole)) == nearest, "\(whole)")
    }
    #expect(cast(.toInt8, .infinity) == 127 && cast(.toInt8, -.infinity) == -128)
    #expect(cast(.toInt32, .infinity) == .max && cast(.toInt32, -.infinity) == .min)
    #expect(cast(.toInt32, 0x1p31) == .max && cast(.toInt32, -0x1p31) == .min)
    #expect(cast(.toInt32, .nan) == 0 && cast(.toInt8, .nan) == 0)
}

@Test func resultMayOverwriteAnOperand() {
    var words = (0..<320).map { Float($0).bitPattern }
    let doubled = ALUOperation.add.apply(words, words)
    words.withUnsafeMutableBufferPointer { buffer in
        let operand = UnsafeBufferPointer(buffer)
        ALUOperation.add.apply(operand, operand, into: buffer)
    }
    #expect(words == doubled)
    #expect(words[7] == Float(14).bitPattern)
}
