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

/// A published time in which one chip's data reach so many chips, to compare the wiring with.
public struct Reach: Hashable, Sendable {
    public var chips: Int
    public var nanoseconds: Int
    public init(chips: Int, nanoseconds: Int) {
        self.chips = chips
        self.nanoseconds = nanoseconds
    }
}

/// Everything that scheduler, verifier and simulator know of the hardware: data, one value,
/// passed to all three. No hardware number stands in code.
public struct Machine: Hashable, Sendable {
    public var name: String
    public var chip: Chip
    public var topology: Topology
    /// Published figures that no phase takes: the summary sets them beside the topology's.
    public var reaches: [Reach]
    /// One a key of the machine file, in the order of `MachineKey.all`, then axes and reaches.
    public var sources: [Source]

    public init(
        name: String, chip: Chip, topology: Topology, reaches: [Reach] = [], sources: [Source]
    ) {
        self.name = name
        self.chip = chip
        self.topology = topology
        self.reaches = reaches
        self.sources = sources
    }

    public var chipCount: Int { topology.chipCount }
}
