/// Cosine and sine in binary64, from IEEE `+ - *` alone, for tables of rotary embeddings.
///
/// Both err by less than 1e-15 for |x| < `limit`: the same bits on any host, unlike its libm.
public enum Trigonometry {
    /// Angles stay below.
    public static let limit = 0x1p20

    /// - Requires: |x| < `limit`.
    public static func cosine(_ x: Double) -> Double { value(x, quarters: 1) }

    /// - Requires: |x| < `limit`.
    public static func sine(_ x: Double) -> Double { value(x, quarters: 0) }

    /// sin(x + quarters * π/2).
    private static func value(_ x: Double, quarters: Int) -> Double {
        precondition(x.magnitude < limit, "the reduction is exact below 2^20")
        // Cody and Waite (1980): k = round(x / (π/2)), and π/2 in three parts of 33 bits (fdlibm's
        // e_rem_pio2.c), so that k, of 20 bits, times a part is exact.
        let shifter = 0x1.8p52
        let k = (x * 0x1.45f306dc9c883p-1 + shifter) - shifter
        let r = ((x - k * 0x1.921fb544p0) - k * 0x1.0b4611a6p-34) - k * 0x1.3198a2ep-69
        let odd = (Int(k) + quarters) & 1 == 1
        let value = odd ? cosineSeries(r) : sineSeries(r)
        return (Int(k) + quarters) & 2 == 2 ? -value : value
    }

    /// The Taylor series to r^15, whose rest is below 2^-54 for |r| <= π/4.
    private static func sineSeries(_ r: Double) -> Double {
        let z = r * r
        var q = -1.0 / 1_307_674_368_000
        q = q * z + 1.0 / 6_227_020_800
        q = q * z - 1.0 / 39_916_800
        q = q * z + 1.0 / 362_880
        q = q * z - 1.0 / 5_040
        q = q * z + 1.0 / 120
        q = q * z - 1.0 / 6
        return r + r * z * q
    }

    /// The Taylor series to r^16, whose rest is below 2^-58 for |r| <= π/4.
    private static func cosineSeries(_ r: Double) -> Double {
        let z = r * r
        var q = 1.0 / 20_922_789_888_000
        q = q * z - 1.0 / 87_178_291_200
        q = q * z + 1.0 / 479_001_600
        q = q * z - 1.0 / 3_628_800
        q = q * z + 1.0 / 40_320
        q = q * z - 1.0 / 720
        q = q * z + 1.0 / 24
        q = q * z - 1.0 / 2
        return 1 + z * q
    }
}
