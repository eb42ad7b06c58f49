/// How sure a number is.
public enum Grade: String, Hashable, Sendable, CaseIterable {
    /// Published by the maker or in a paper.
    case published = "P"
    /// Read out of programs that users hand-scheduled and ran on real chips.
    case user = "U"
    /// Derived by arithmetic from published or user numbers.
    case derived = "D"
    /// A single analyst.
    case analyst = "C"
    /// Ours: a parameter to sweep, never a fact.
    case hypothesis = "H"
}

/// The grade of a number and where it comes from.
public struct Source: Hashable, Sendable {
    public var key: String
    public var grade: Grade
    public var reason: String
    public init(key: String, grade: Grade, reason: String) {
        self.key = key
        self.grade = grade
        self.reason = reason
    }
}

/// Everything that scheduler, verifier and simulator know of the hardware: data, one value,
/// passed to all three. No hardware number stands in code.
public struct Machine: Hashable, Sendable {
    public var name: String
    public var chip: Chip
    public var topology: Topology
    /// One a key of the machine file, in the file's order.
    public var sources: [Source]

    public init(name: String, chip: Chip, topology: Topology, sources: [Source]) {
        self.name = name
        self.chip = chip
        self.topology = topology
        self.sources = sources
    }

    public var chipCount: Int { topology.chipCount }
}
