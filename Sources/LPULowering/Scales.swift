import LPUNumerics

/// The static powers of two that fp8 activations are times. An activation is two fp8 terms, the
/// second what the first dropped, and casts saturate at 448: what is larger loses its excess over
/// 896, what is smaller than 2^-6 bits.
enum Scale {
    /// The greatest number of a type of one byte.
    static func greatest(_ type: ElementType) -> Float { type == .int8 ? 127 : 448 }

    /// A normed vector of `size` elements: the largest power of two by which none saturates, since
    /// |x| <= sqrt(size) * rms.
    static func normed(size: Int, _ type: ElementType) -> Float {
        (greatest(type) / Float(size).squareRoot()).binade
    }

    /// Outputs of attention, and silu(gate) * up.
    static let attention: Float = 1
    static func hidden(_ type: ElementType) -> Float { type == .fp8 ? 0x1p-2 : 1 }

    /// exp(score - maximum), at most 1, is times 256: the exponent has its logarithm added.
    static let probabilityLogarithm: Float = 5.545_177_5
    static let greatestProbability: Float = 256

    /// Keys in an fp8 cache; queries are times its inverse, so that 1/sqrt(dimension), which they
    /// are times too, leaves their magnitude as it is.
    static func keys(dimension: Int) -> Float { 1 / Float(dimension).squareRoot().binade }
}
