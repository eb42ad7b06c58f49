/// The type of a vector's elements; a vector of it takes `byteCount` aligned streams.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
    /// E4M3FN: 4 exponent bits, 3 fraction bits, no infinity, NaN is 0x7F and 0xFF.
    case fp8
    case int8
    case fp16
    case fp32
    case int32

    /// Bytes an element: the number of aligned streams a vector takes.
    @inlinable public var byteCount: Int {
        switch self {
        case .fp8, .int8: 1
        case .fp16: 2
        case .fp32, .int32: 4
        }
    }

    /// What the VXM widens it to at entry, exactly.
    @inlinable public var widened: ElementType {
        switch self {
        case .fp8, .fp16, .fp32: .fp32
        case .int8, .int32: .int32
        }
    }
}
