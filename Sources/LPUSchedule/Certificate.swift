/// What a verifier checked and found without fault: a plain value, equal for equal schedules
/// however the work was shared out.
public struct Certificate: Hashable, Sendable {
    /// How much one law looked at.
    public struct Scope: Hashable, Sendable {
        public var law: Law
        /// Chips, bursts of all placements and their single issues that the law speaks of.
        public var chips: Int
        public var bursts: Int
        public var issues: Int
        public init(law: Law, chips: Int, bursts: Int, issues: Int) {
            self.law = law
            self.chips = chips
            self.bursts = bursts
            self.issues = issues
        }
    }

    /// How much of a model graph was found in the program, element by element.
    public struct GraphCoverage: Hashable, Sendable {
        /// Operations of all layers, and elements of what they make.
        public var operations: Int
        public var elements: Int
        /// Ops of the program, all instances.
        public var ops: Int
        /// Token positions for which it holds, from 0 on.
        public var positions: Int
        public init(operations: Int, elements: Int, ops: Int, positions: Int) {
            self.operations = operations
            self.elements = elements
            self.ops = ops
            self.positions = positions
        }
    }

    /// The machine's name and the program's digest, as the schedule names them.
    public var machine: String
    public var program: String
    /// One a law that was checked, in the contract's order.
    public var scopes: [Scope]
    /// What law 16 covers; nil where it was not checked.
    public var coverage: GraphCoverage?

    public init(machine: String, program: String, scopes: [Scope]) {
        self.machine = machine
        self.program = program
        self.scopes = scopes
    }

    /// The laws that were not checked, in the contract's order.
    public var unchecked: [Law] {
        Law.allCases.filter { law in !scopes.contains { $0.law == law } }
    }

    /// What the laws that were checked say together, and what none of them says.
    public var statement: String {
        let unchecked = unchecked
        // Without an interval there is one step, of which law 15 says nothing.
        let ofSchedule = Law.allCases.filter { $0 != .intervalFolded && $0 != .refinement }
        var claims: [String] = []
        if !ofSchedule.contains(where: unchecked.contains) {
            claims.append(
                unchecked.contains(.intervalFolded)
                    ? "schedule = program is laws 1-14 for one step alone"
                    : "schedule = program is laws 1-15")
        }
        if !unchecked.contains(.refinement) { claims.append("program = graph is law 16") }
        if claims.isEmpty { claims = ["the schedule is possible, whatever it computes"] }
        return claims.joined(separator: ", ") + "; graph = model is shown by numbers only"
    }
}

extension Certificate: CustomStringConvertible {
    /// A line a law, then what was not checked, then the statement of scope.
    public var description: String {
        var lines = ["certificate: program \(program) on '\(machine)'"]
        lines += scopes.map { scope in
            if scope.law == .refinement, let coverage {
                return "  \(scope.law.rawValue): \(coverage.operations) operations and "
                    + "\(coverage.elements) elements of the graph, \(coverage.ops) ops on "
                    + "\(scope.chips) chips, token positions 0..<\(coverage.positions)"
            }
            return "  \(scope.law.rawValue): \(scope.chips) chips, \(scope.bursts) bursts, "
                + "\(scope.issues) issues"
        }
        if !unchecked.isEmpty {
            lines.append("  not checked: \(unchecked.map(\.rawValue).joined(separator: ", "))")
        }
        return (lines + ["  \(statement)"]).joined(separator: "\n")
    }
}
