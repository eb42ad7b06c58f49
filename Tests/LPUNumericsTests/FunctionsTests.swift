import Testing

@testable import LPUNumerics

private func function(_ operation: ALUOperation) -> (Float) -> Float {
    { Float(bitPattern: operation.apply($0.bitPattern)) }
}

@Test func exponentialIsTheNearest() {
    let exp = function(.exp)
    #expect(FunctionOracle.exp.count > 400)
    for row in FunctionOracle.exp {
        #expect(exp(row.input) == Float(row.value), "exp(\(row.input))")
    }
}

@Test func tangentIsTheNearestAndOdd() {
    let tanh = function(.tanh)
    #expect(FunctionOracle.tanh.count > 200)
    for row in FunctionOracle.tanh {
        let result = tanh(row.input)
        #expect(result == Float(row.value), "tanh(\(row.input))")
        #expect(tanh(-row.input).bitPattern == (-result).bitPattern, "tanh(\(-row.input))")
    }
}

/// r is nearest to 1/√x iff (r - ulp/2)^2 x <= 1 <= (r + ulp/2)^2 x, here in exact integers.
@Test func reciprocalRootIsTheNearestForEverySignificand() {
    #expect(function(.rsqrt)(1) == 1)
    var wrong = 0
    let ones = Float(1).bitPattern
    for chunk in stride(from: ones, to: Float(4).bitPattern, by: 1 << 16) {
        let words = Array(chunk..<chunk + 1 << 16)
        for (word, result) in zip(words, ALUOperation.rsqrt.apply(words)) where word != ones {
            let x = UInt128(Float(bitPattern: word) * 0x1p23)
            let r = UInt128(Float(bitPattern: result) * 0x1p24)
            let one = UInt128(1) << 73
            if (2 * r - 1) * (2 * r - 1) * x > one || (2 * r + 1) * (2 * r + 1) * x < one {
                wrong += 1
            }
        }
    }
    #expect(wrong == 0)
}

@Test func reciprocalRootScalesExactlyOverAllExponents() {
    let rsqrt = function(.rsqrt)
    for significand: Float in [1, 1.25, 1.999999, 2, 3.1415927, 3.9999998] {
        for half in -63...63 {
            let scaled = Float(sign: .plus, exponent: 2 * half, significand: significand)
            guard scaled.isNormal else { continue }
            let expected = Float(
                sign: .plus, exponent: -half, significand: rsqrt(significand))
            #expect(rsqrt(scaled) == expected, "rsqrt(\(scaled))")
        }
    }
    // Subnormal inputs: 2^-148 and 3 * 2^-148 are 4^-74 and 3 * 4^-74.
    #expect(rsqrt(0x1p-148) == 0x1p74)
    #expect(rsqrt(3 * 0x1p-148) == rsqrt(3) * 0x1p74)
}

@Test func functionsAreTotal() {
    let (exp, tanh, rsqrt) = (function(.exp), function(.tanh), function(.rsqrt))
    let infinity = Float.infinity
    let least = Float.leastNonzeroMagnitude
    #expect(exp(infinity) == infinity && exp(-infinity).bitPattern == 0)
    let last = Float(bitPattern: 0x42b1_7217)
    #expect(exp(last).isFinite && exp(last.nextUp) == infinity)
    #expect(exp(1e38) == infinity && exp(-1e38).bitPattern == 0)
    #expect(exp(-103.97) == least && exp(-103.98).bitPattern == 0)
    #expect(exp(0) == 1 && exp(-0.0) == 1 && exp(least) == 1)
    #expect(tanh(infinity) == 1 && tanh(-infinity) == -1 && tanh(1e38) == 1)
    #expect(tanh(0).bitPattern == 0 && tanh(-0.0).bitPattern == 0x8000_0000)
    #expect(tanh(least) == least && tanh(-least) == -least)
    #expect(rsqrt(0) == infinity && rsqrt(-0.0) == infinity)
    #expect(rsqrt(infinity).bitPattern == 0)
    for x in [-least, -1, -.greatestFiniteMagnitude, -infinity] as [Float] {
        #expect(rsqrt(x).bitPattern == canonicalNaN, "rsqrt(\(x))")
    }
}

/// Within a binade sweep of every exponent: no step against the function's direction.
@Test(arguments: [ALUOperation.exp, .tanh, .rsqrt])
func functionsAreMonotone(_ operation: ALUOperation) {
    let positive = (0..<UInt32(255 << 9)).map { $0 << 14 }
    let results = operation.apply(positive).map { Float(bitPattern: $0) }
    for (index, pair) in zip(results, results.dropFirst()).enumerated() {
        let rises = operation != .rsqrt
        #expect(rises ? pair.0 <= pair.1 : pair.0 >= pair.1, "\(operation) near \(positive[index])")
    }
}
