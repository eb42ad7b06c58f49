/// A side of the chip, seen from the VXM in the middle.
@frozen public enum Hemisphere: UInt8, Hashable, Sendable, CaseIterable, Comparable {
    case west, east

    /// -1 for west, +1 for east: the sign of its registers.
    @inlinable public var sign: Int { self == .west ? -1 : 1 }
    /// `w` or `e`, as in `mem.e12`.
    public var letter: String { self == .west ? "w" : "e" }
    /// The direction that leaves the VXM for this side's edge.
    @inlinable public var outward: Direction { self == .west ? .west : .east }
    /// The direction that leaves this side's edge for the VXM.
    @inlinable public var inward: Direction { self == .west ? .east : .west }
    @inlinable public static func < (a: Hemisphere, b: Hemisphere) -> Bool {
        a.rawValue < b.rawValue
    }
}

/// Where a stream flows to.
@frozen public enum Direction: UInt8, Hashable, Sendable, CaseIterable {
    case west, east

    /// Registers a value moves in one cycle: -1 or +1.
    @inlinable public var sign: Int { self == .west ? -1 : 1 }
}

/// A stream: a direction and an id; prints as `s12e` (eastward) or `s3w`.
@frozen public struct Stream: Hashable, Sendable, CustomStringConvertible {
    /// id in the low byte, direction in the high one.
    public let raw: UInt16

    /// - Requires: `id` is in 0..<256; the machine bounds it further.
    @inlinable public init(_ direction: Direction, _ id: Int) {
        raw = UInt16(UInt8(id)) | UInt16(direction.rawValue) << 8
    }

    @inlinable public var id: Int { Int(raw & 0xff) }
    @inlinable public var direction: Direction { raw >> 8 == 0 ? .west : .east }
    /// The stream `k` further of the same direction.
    @inlinable public func advanced(by k: Int) -> Stream { Stream(direction, id + k) }

    public var description: String { "s\(id)\(direction == .west ? "w" : "e")" }
}
