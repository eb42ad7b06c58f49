/// A sign-magnitude binary format narrower than fp32, with subnormals: what fp8 and fp16 share.
///
/// Rounding is to nearest even by integer carry (normal results) or by adding the power of two
/// whose ulp is the format's quantum (subnormal results): no table, no branch, no `Float16`.
@usableFromInline struct NarrowFloat {
    @usableFromInline let fractionBits: Int32
    @usableFromInline let bias: Int32
    /// The sign's bit; all bits below it are the magnitude.
    @usableFromInline let signBit: Int32
    /// The magnitude of the largest finite value.
    @usableFromInline let maximum: Int32
    /// The one code that a NaN encodes to.
    @usableFromInline let nan: Int32

    @inlinable @inline(__always)
    init(fractionBits: Int32, bias: Int32, signBit: Int32, maximum: Int32, nan: Int32) {
        self.fractionBits = fractionBits
        self.bias = bias
        self.signBit = signBit
        self.maximum = maximum
        self.nan = nan
    }

    /// The nearest code in the low bits, ties to even, saturating at `maximum`.
    @inlinable @inline(__always) func encode(_ value: Float) -> Int32 {
        let magnitude = value.magnitude.bitPattern.int32
        let drop = 23 &- fractionBits
        let rebias = (127 &- bias) &<< 23
        let belowHalf = (1 &<< (drop &- 1)) &- 1
        let normal = (magnitude &- rebias &+ belowHalf &+ (magnitude &>> drop & 1)) &>> drop
        let magic = Float(bitPattern: UInt32(bitPattern: (151 &- bias &- fractionBits) &<< 23))
        let subnormal = (value.magnitude + magic).bitPattern.int32 &- magic.bitPattern.int32
        let finite = magnitude < rebias &+ (1 &<< 23) ? subnormal : normal
        let saturated = magnitude < (maximum &<< drop) &+ rebias ? finite : maximum
        let sign = value.bitPattern.int32 < 0 ? signBit : 0
        return magnitude > 0x7f80_0000 ? nan : saturated | sign
    }

    /// The value of a code; a magnitude above `maximum` is NaN.
    @inlinable @inline(__always) func decode(_ code: Int32) -> Float {
        let magnitude = code & (signBit &- 1)
        let quantum = Float(bitPattern: UInt32(bitPattern: (128 &- bias &- fractionBits) &<< 23))
        let subnormal = (Float(magnitude) * quantum).bitPattern.int32
        let normal = (magnitude &<< (23 &- fractionBits)) &+ ((127 &- bias) &<< 23)
        let finite = magnitude < 1 &<< fractionBits ? subnormal : normal
        let sign: Int32 = code & signBit == 0 ? 0 : .min
        let word = magnitude > maximum ? canonicalNaN.int32 : finite | sign
        return Float(bitPattern: UInt32(bitPattern: word))
    }
}

/// fp8 as E4M3FN of the OCP 8-bit floating point specification (2023): bias 7, subnormals down to
/// 2^-9, largest value 448, no infinity; NaN is 0x7F or 0xFF.
public enum FP8 {
    @inlinable static var format: NarrowFloat {
        @inline(__always) get {
            NarrowFloat(fractionBits: 3, bias: 7, signBit: 0x80, maximum: 0x7e, nan: 0x7f)
        }
    }

    /// The nearest code, ties to even; beyond 448, infinity too, it is ±448; NaN is 0x7F.
    @inlinable @inline(__always) public static func encode(_ value: Float) -> UInt8 {
        UInt8(truncatingIfNeeded: format.encode(value))
    }

    /// The exact value of a code; the canonical NaN for 0x7F and 0xFF.
    @inlinable @inline(__always) public static func decode(_ code: UInt8) -> Float {
        format.decode(Int32(code))
    }
}

/// fp16 as IEEE 754 binary16: bias 15, subnormals down to 2^-24, largest finite value 65,504.
public enum FP16 {
    @inlinable static var format: NarrowFloat {
        @inline(__always) get {
            NarrowFloat(fractionBits: 10, bias: 15, signBit: 0x8000, maximum: 0x7bff, nan: 0x7e00)
        }
    }

    /// The nearest code, ties to even; beyond 65,504, infinity too, it is ±65,504; NaN is 0x7E00.
    @inlinable @inline(__always) public static func encode(_ value: Float) -> UInt16 {
        UInt16(truncatingIfNeeded: format.encode(value))
    }

    /// The exact value of a code, infinities included; the canonical NaN for every NaN.
    @inlinable @inline(__always) public static func decode(_ code: UInt16) -> Float {
        let infinity = Float(bitPattern: 0x7f80_0000 | UInt32(code & 0x8000) &<< 16)
        return code & 0x7fff == 0x7c00 ? infinity : format.decode(Int32(code))
    }
}
