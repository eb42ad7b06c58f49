import LPUSupport
import Testing

@testable import LPUNumerics

/// A format by its definition, against which the bit arithmetic is judged.
struct Format: Sendable, CustomTestStringConvertible {
    var name: String
    var fractionBits: Int
    var bias: Int
    var maximum: UInt32
    var signBit: UInt32
    var encode: @Sendable (Float) -> UInt32
    var decode: @Sendable (UInt32) -> Float

    var testDescription: String { name }

    static let fp8 = Format(
        name: "fp8", fractionBits: 3, bias: 7, maximum: 0x7e, signBit: 0x80,
        encode: { UInt32(FP8.encode($0)) }, decode: { FP8.decode(UInt8($0)) })
    static let fp16 = Format(
        name: "fp16", fractionBits: 10, bias: 15, maximum: 0x7bff, signBit: 0x8000,
        encode: { UInt32(FP16.encode($0)) }, decode: { FP16.decode(UInt16($0)) })

    /// (-1)^s * 1.f * 2^(e - bias), or 0.f * 2^(1 - bias) where e is 0.
    func value(_ code: UInt32) -> Double {
        let magnitude = Int(code & (signBit - 1))
        let (e, f) = (magnitude >> fractionBits, magnitude & ((1 << fractionBits) - 1))
        let significand = Double(f + (e > 0 ? 1 << fractionBits : 0))
        let scale = Double(sign: .plus, exponent: max(e, 1) - bias - fractionBits, significand: 1)
        return code & signBit == 0 ? significand * scale : -(significand * scale)
    }

    /// The code nearest to x by bisection over the values; ties to the even code.
    func nearest(_ x: Float) -> UInt32 {
        let magnitude = Double(x.magnitude)
        var (low, high) = (0 as UInt32, maximum)
        while high - low > 1 {
            let middle = (low + high) / 2
            if value(middle) <= magnitude { low = middle } else { high = middle }
        }
        let (below, above) = (magnitude - value(low), value(high) - magnitude)
        let code = below < above || (below == above && low % 2 == 0) ? low : high
        return x.sign == .minus ? code | signBit : code
    }
}

@Test(arguments: [Format.fp8, .fp16])
func everyFiniteCodeDecodesToItsValueAndBack(_ format: Format) {
    for code in 0...format.maximum {
        for code in [code, code | format.signBit] {
            let value = format.decode(code)
            #expect(Double(value) == format.value(code), "\(format.name) code \(code)")
            #expect(value.sign == (code & format.signBit == 0 ? .plus : .minus))
            #expect(format.encode(value) == code, "\(format.name) code \(code)")
        }
    }
}

@Test func codesThatAreNotFinite() {
    for code: UInt8 in [0x7f, 0xff] { #expect(FP8.decode(code).bitPattern == canonicalNaN) }
    #expect(FP8.encode(.nan) == 0x7f && FP8.encode(-.nan) == 0x7f)
    #expect(FP16.decode(0x7c00) == .infinity && FP16.decode(0xfc00) == -.infinity)
    for fraction: UInt16 in 0x7c01...0x7fff {
        #expect(FP16.decode(fraction).bitPattern == canonicalNaN)
        #expect(FP16.decode(fraction | 0x8000).bitPattern == canonicalNaN)
    }
    #expect(FP16.encode(.nan) == 0x7e00 && FP16.encode(-.nan) == 0x7e00)
    #expect(FP16.encode(Float(bitPattern: 0x7f80_0001)) == 0x7e00)
}

/// With monotony this fixes `encode` for every fp32: ties at, and the ulps around, each midpoint.
@Test(arguments: [Format.fp8, .fp16])
func roundsToNearestEvenAroundEveryMidpoint(_ format: Format) {
    for code in 0..<format.maximum {
        let middle = Float((format.value(code) + format.value(code + 1)) / 2)
        for (sign, bit) in [(1 as Float, 0 as UInt32), (-1, format.signBit)] {
            let even = code % 2 == 0 ? code : code + 1
            #expect(format.encode(sign * middle) == even | bit, "\(format.name) code \(code)")
            #expect(format.encode(sign * middle.nextDown) == code | bit)
            #expect(format.encode(sign * middle.nextUp) == (code + 1) | bit)
        }
    }
}

@Test(arguments: [Format.fp8, .fp16])
func saturatesBeyondTheLargestValue(_ format: Format) {
    let largest = Float(format.value(format.maximum))
    let step = largest - Float(format.value(format.maximum - 1))
    for x in [
        largest.nextDown, largest.nextUp, largest + step / 2, largest + step, 2 * largest,
        .greatestFiniteMagnitude, .infinity,
    ] {
        #expect(format.encode(x) == format.maximum, "\(x)")
        #expect(format.encode(-x) == format.maximum | format.signBit, "\(-x)")
    }
    #expect(largest == (format.name == "fp8" ? 448 : 65_504))
}

@Test(arguments: [Format.fp8, .fp16])
func everyBinadeRoundsLikeTheDefinition(_ format: Format) {
    let seed: UInt64 = 17
    var generator = SeededGenerator(seed: seed)
    for exponent: UInt32 in 0..<255 {
        for _ in 0..<64 {
            let random = UInt32.random(in: 0...UInt32.max, using: &generator)
            let x = Float(bitPattern: random & 0x807f_ffff | exponent << 23)
            #expect(format.encode(x) == format.nearest(x), "\(format.name) \(x) seed \(seed)")
        }
    }
}

@Test func everyFP16CodeCastsToFP8LikeTheDefinition() {
    let words = (0...UInt16.max).map { FP16.decode($0).bitPattern }
    let cast = ALUOperation.toFP8.apply(words)
    for (word, result) in zip(words, cast) {
        let x = Float(bitPattern: word)
        let expected = x.isNaN ? 0x7f : UInt8(Format.fp8.nearest(x))
        #expect(FP8.encode(x) == expected, "\(x)")
        #expect(result == FP8.decode(expected).bitPattern, "\(x)")
    }
}
