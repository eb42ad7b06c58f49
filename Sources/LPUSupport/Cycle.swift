/// A point on the one global schedule time; 0 is when all chips are aligned.
@frozen public struct Cycle: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var index: Int
    @inlinable public init(_ index: Int) { self.index = index }
    @inlinable public static func < (a: Cycle, b: Cycle) -> Bool { a.index < b.index }
    @inlinable public static func + (a: Cycle, b: CycleCount) -> Cycle { Cycle(a.index + b.count) }
    @inlinable public static func - (a: Cycle, b: CycleCount) -> Cycle { Cycle(a.index - b.count) }
    @inlinable public static func - (a: Cycle, b: Cycle) -> CycleCount {
        CycleCount(a.index - b.index)
    }
    /// Prints as in a diagnostic: `@8100`.
    public var description: String { "@\(index)" }
}

/// A duration in cycles.
@frozen public struct CycleCount: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var count: Int
    @inlinable public init(_ count: Int) { self.count = count }
    @inlinable public static func < (a: CycleCount, b: CycleCount) -> Bool { a.count < b.count }
    @inlinable public static func + (a: CycleCount, b: CycleCount) -> CycleCount {
        CycleCount(a.count + b.count)
    }
    @inlinable public static func - (a: CycleCount, b: CycleCount) -> CycleCount {
        CycleCount(a.count - b.count)
    }
    @inlinable public static func * (a: Int, b: CycleCount) -> CycleCount {
        CycleCount(a * b.count)
    }
    public var description: String { "\(count) cycles" }
}
