/// The one NaN that this machine's arithmetic produces: quiet, positive, no payload.
///
/// Hosts differ in the sign and payload of a NaN; the machine's bytes may not.
public let canonicalNaN: UInt32 = 0x7fc0_0000

extension Float {
    /// The value's 32-bit word, every NaN as `canonicalNaN`.
    @inlinable @inline(__always) var word: UInt32 { self != self ? canonicalNaN : bitPattern }
}

extension UInt32 {
    @inlinable @inline(__always) var float: Float { Float(bitPattern: self) }
    @inlinable @inline(__always) var int32: Int32 { Int32(bitPattern: self) }
}
