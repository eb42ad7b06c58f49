/// What is wrong with an input: where, what, and what to do about it.
///
/// Messages are lower case, name both sides of an inequality, and end with the remedy; `id` is
/// stable and in brackets when printed: `machine.txt:3:7: error: … [machine-syntax]`.
public struct Diagnostic: Hashable, Sendable, Comparable {
    /// Where in the input: a file with a line and column, or the path of a key, or an entity.
    public struct Place: Hashable, Sendable, Comparable, CustomStringConvertible {
        public var name: String
        /// From 1; 0 where there is no line.
        public var line: Int
        /// From 1; 0 where there is no column.
        public var column: Int

        public init(_ name: String, line: Int = 0, column: Int = 0) {
            self.name = name
            self.line = line
            self.column = column
        }

        public static func < (a: Place, b: Place) -> Bool {
            (a.name, a.line, a.column) < (b.name, b.line, b.column)
        }

        public var description: String {
            switch (line, column) {
            case (0, _): name
            case (_, 0): "\(name):\(line)"
            case (_, _): "\(name):\(line):\(column)"
            }
        }
    }

    public var place: Place
    public var id: String
    public var message: String
    /// Further lines, such as `try: --chips 168`.
    public var notes: [String]

    public init(at place: Place, id: String, _ message: String, notes: [String] = []) {
        self.place = place
        self.id = id
        self.message = message
        self.notes = notes
    }

    public static func < (a: Diagnostic, b: Diagnostic) -> Bool {
        (a.place, a.id, a.message) < (b.place, b.id, b.message)
    }
}

extension Diagnostic: CustomStringConvertible {
    public var description: String {
        (["\(place): error: \(message) [\(id)]"] + notes.map { "  " + $0 }).joined(separator: "\n")
    }
}

/// The diagnostics of a phase; collected while it runs and thrown at its end.
public struct DiagnosticSet: Error, Sendable, CustomStringConvertible {
    public private(set) var diagnostics: [Diagnostic] = []
    public var isEmpty: Bool { diagnostics.isEmpty }

    public init() {}

    public init(_ diagnostic: Diagnostic) { insert(diagnostic) }

    public mutating func insert(_ diagnostic: Diagnostic) {
        diagnostics.append(diagnostic)
    }

    public mutating func formUnion(_ other: DiagnosticSet) { diagnostics += other.diagnostics }

    /// Throws `self` unless it is empty.
    public func throwIfAny() throws(DiagnosticSet) {
        if !isEmpty { throw self }
    }

    /// In the total order of places, so that a report is stable.
    public var description: String {
        diagnostics.sorted().map(\.description).joined(separator: "\n")
    }
}

/// A well-formed input that does not fit: how much is asked, how much is there, by whom.
public struct Infeasibility: Error, Hashable, Sendable, CustomStringConvertible {
    /// A user of the space and what it takes.
    public struct Term: Hashable, Sendable {
        public var name: String
        public var amount: Int
        public init(_ name: String, _ amount: Int) {
            self.name = name
            self.amount = amount
        }
    }

    public var place: String
    public var id: String
    /// What is short, such as `bytes of SRAM`.
    public var unit: String
    public var demand: Int
    public var capacity: Int
    public var terms: [Term]
    /// Concrete changes that would make it fit.
    public var remedies: [String]

    public init(
        at place: String, id: String, unit: String, demand: Int, capacity: Int, terms: [Term],
        remedies: [String]
    ) {
        self.place = place
        self.id = id
        self.unit = unit
        self.demand = demand
        self.capacity = capacity
        self.terms = terms
        self.remedies = remedies
    }

    public var shortfall: Int { demand - capacity }

    public var description: String {
        var lines = [
            "\(place): error: demand is \(demand) \(unit), capacity \(capacity), "
                + "\(shortfall) too little [\(id)]"
        ]
        if !terms.isEmpty {
            lines.append(
                "  demand: " + terms.map { "\($0.name) \($0.amount)" }.joined(separator: ", "))
        }
        lines += remedies.map { "  try: \($0)" }
        return lines.joined(separator: "\n")
    }
}
