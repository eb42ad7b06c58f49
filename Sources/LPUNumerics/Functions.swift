/// `exp`, `tanh` and `rsqrt` of fp32, from IEEE binary64 `+ - * /` alone.
///
/// Each is the fp32 nearest to the true value (0.5 ulp) for every fp32 input, subnormal results
/// included. The binary64 result, good to some 2^-51, is rounded once; that no input lies too near
/// to a tie is no theorem but the outcome of trying all: Tests/Oracles/exhaustive.swift, to be run
/// again after any change here. None branches, so that a loop over lanes vectorises.
enum Functions {
    /// e^x: +0 for -inf, +inf above 88.72284.
    @inline(__always) static func exp(_ x: Float) -> Float {
        // Beyond the clamps the rounding to fp32 gives 0 and infinity by itself.
        let (p, scale) = exponentialLessOne(clamp(Double(x), -110, 100))
        return x != x ? .nan : Float(scale + scale * p)
    }

    /// Odd in every bit: ±0 for ±0, ±1 for ±inf.
    @inline(__always) static func tanh(_ x: Float) -> Float {
        // tanh x = (e^2x - 1) / (e^2x + 1); without a subtraction of near values for any x >= 0.
        let (p, scale) = exponentialLessOne(clamp(2 * Double(x.magnitude), 0, 40))
        let lessOne = scale * p + (scale - 1)
        let result = Float(lessOne / (lessOne + 2)).bitPattern | x.bitPattern & 0x8000_0000
        return x != x ? .nan : result.float
    }

    /// 1/√x: +inf for ±0, +0 for +inf, NaN below 0.
    ///
    /// Newton's iteration from the bits' halved exponent (Lomont, 2003: within 3.5 %), which each
    /// step squares to 2^-9, 2^-17, 2^-34, 2^-69. Not `squareRoot`, which may call the host's libm.
    @inline(__always) static func rsqrt(_ x: Float) -> Float {
        // With 2^400 for infinity every intermediate is finite, and the rounding gives 0.
        let v = clamp(Double(x), 0, 0x1p400)
        var y = Double(bitPattern: 0x5fe6_eb50_c7b5_37a9 &- v.bitPattern &>> 1)
        y += 0.5 * y * (1 - v * y * y)
        y += 0.5 * y * (1 - v * y * y)
        y += 0.5 * y * (1 - v * y * y)
        y += 0.5 * y * (1 - v * y * y)
        return x >= 0 ? Float(y) : .nan
    }

    /// p and scale = 2^k with e^y = scale * (1 + p) and |p| < 0.42; y in -700...700.
    ///
    /// Reduction by k = round(y / ln 2) (Cody and Waite, 1980), ln 2 in two parts as in fdlibm;
    /// then the Taylor series of e^r - 1 to r^13 / 13!, whose rest is below 2^-57 at |r| = ln2 / 2.
    @inline(__always)
    private static func exponentialLessOne(_ y: Double) -> (p: Double, scale: Double) {
        // Adding 1.5 * 2^52 leaves the rounded integer in the low bits.
        let shifter = 0x1.8p52
        let shifted = y * 0x1.71547652b82fep0 + shifter
        let k = shifted - shifter
        let r = (y - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33
        var q = 1.0 / 6_227_020_800
        q = q * r + 1.0 / 479_001_600
        q = q * r + 1.0 / 39_916_800
        q = q * r + 1.0 / 3_628_800
        q = q * r + 1.0 / 362_880
        q = q * r + 1.0 / 40_320
        q = q * r + 1.0 / 5_040
        q = q * r + 1.0 / 720
        q = q * r + 1.0 / 120
        q = q * r + 1.0 / 24
        q = q * r + 1.0 / 6
        q = q * r + 1.0 / 2
        let scale = Double(bitPattern: (shifted.bitPattern &+ 1023) &<< 52)
        return (r + r * r * q, scale)
    }

    /// x held within `low...high`; `high` for NaN.
    @inline(__always)
    static func clamp(_ x: Double, _ low: Double, _ high: Double) -> Double {
        let belowHigh = x < high ? x : high
        return belowHigh > low ? belowHigh : low
    }
}
