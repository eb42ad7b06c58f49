// Compares exp and tanh with x87's 64-bit expl and tanhl of glibc for every fp32 input whose
// result is not trivially 0, 1, x or infinity. Takes a minute; run from the root of the project:
//   swiftc -O -parse-as-library Sources/LPUNumerics/*.swift Tests/Oracles/exhaustive.swift \
//       -o .build/exhaustive && .build/exhaustive
import Glibc

@main enum Exhaustive {
    static func main() {
        compare("exp x > 0", from: 0x1p-28, to: 89, Functions.exp, expl)
        compare("exp x < 0", from: -0x1p-28, to: -104.5, Functions.exp, expl)
        compare("tanh", from: 0x1p-14, to: 9.5, Functions.tanh, tanhl)
    }

    static func compare(
        _ name: String, from first: Float, to last: Float,
        _ ours: (Float) -> Float, _ truth: (Float80) -> Float80
    ) {
        var (count, wrong, worst) = (0, 0, 0 as Float80)
        for bits in first.bitPattern...last.bitPattern {
            let x = Float(bitPattern: bits)
            let (result, value) = (ours(x), truth(Float80(x)))
            count += 1
            if result != Float(value) { wrong += 1 }
            guard result.isFinite else { continue }
            let place = max(Int(value.exponent) - 23, -149)
            let ulp = Float80(sign: .plus, exponent: place, significand: 1)
            worst = max(worst, abs(Float80(result) - value) / ulp)
        }
        print("\(name): \(count) inputs, \(wrong) not nearest, at most \(worst) ulp")
    }
}
