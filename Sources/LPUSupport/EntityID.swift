/// A typed integer name that prints as it parses: `chip17`, `link3`, `op42`.
///
/// One spelling serves the text forms, diagnostics, drawings and reports, so that one search
/// crosses them all.
public protocol EntityID: Hashable, Comparable, Sendable, LosslessStringConvertible {
    /// What stands before the number.
    static var prefix: String { get }
    /// The number, 0 or more.
    var index: Int { get }
    init(_ index: Int)
}

extension EntityID {
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.index < b.index }

    public var description: String { Self.prefix + String(index) }

    /// Parses `prefix` and a decimal number without sign or leading zeros.
    public init?(_ description: String) {
        guard description.hasPrefix(Self.prefix) else { return nil }
        let digits = description.dropFirst(Self.prefix.count)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let value = Int32(digits),
            digits.first != "0" || digits.count == 1
        else { return nil }
        self.init(Int(value))
    }
}

/// One LPU of a machine.
@frozen public struct ChipID: EntityID {
    public static let prefix = "chip"
    @usableFromInline let raw: Int32
    @inlinable public var index: Int { Int(raw) }
    @inlinable public init(_ index: Int) { raw = Int32(index) }
}

/// One C2C link of a chip, numbered as the machine numbers them.
@frozen public struct LinkID: EntityID {
    public static let prefix = "link"
    @usableFromInline let raw: Int32
    @inlinable public var index: Int { Int(raw) }
    @inlinable public init(_ index: Int) { raw = Int32(index) }
}

/// One operation of a dataflow program; opaque to a schedule.
@frozen public struct OpID: EntityID {
    public static let prefix = "op"
    @usableFromInline let raw: Int32
    @inlinable public var index: Int { Int(raw) }
    @inlinable public init(_ index: Int) { raw = Int32(index) }
}

/// One value of a dataflow program, a range of vectors; opaque to a schedule.
@frozen public struct ValueID: EntityID {
    public static let prefix = "v"
    @usableFromInline let raw: Int32
    @inlinable public var index: Int { Int(raw) }
    @inlinable public init(_ index: Int) { raw = Int32(index) }
}
