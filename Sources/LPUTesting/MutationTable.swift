public import LPUSchedule

/// How many mutants of each kind each law refuses.
public struct MutationTable: Sendable {
    private var mutants = Array(repeating: 0, count: Mutation.allCases.count)
    /// Refused by `provenance` or `coverage`, and by no other law.
    private var meanings = Array(repeating: 0, count: Mutation.allCases.count)
    private var survivors = Array(repeating: 0, count: Mutation.allCases.count)
    private var kills = Array(
        repeating: Array(repeating: 0, count: Law.allCases.count),
        count: Mutation.allCases.count)

    public init() {}

    /// Counts a mutant, for each law that refuses it; a survivor if none does.
    public mutating func count(_ mutation: Mutation, laws: [Law]) {
        for (m, kind) in Mutation.allCases.enumerated() where kind == mutation {
            mutants[m] += 1
            if laws.isEmpty { survivors[m] += 1 }
            if !laws.isEmpty, laws.allSatisfy({ $0 == .provenance || $0 == .coverage }) {
                meanings[m] += 1
            }
            for (l, law) in Law.allCases.enumerated() where laws.contains(law) {
                kills[m][l] += 1
            }
        }
    }
}

extension MutationTable: CustomStringConvertible {
    /// A line a kind, a column a law that refused some mutant; `meaning-alone` counts those that
    /// only `provenance` or `coverage` refused.
    public var description: String {
        let laws = Law.allCases.indices.filter { l in kills.contains { $0[l] > 0 } }
        let header =
            ["mutation", "mutants", "survivors", "meaning-alone"]
            + laws.map { Law.allCases[$0].rawValue }
        let rows = Mutation.allCases.indices.map { m in
            [Mutation.allCases[m].rawValue, "\(mutants[m])", "\(survivors[m])", "\(meanings[m])"]
                + laws.map { "\(kills[m][$0])" }
        }
        let total =
            [
                "all", "\(mutants.reduce(0, +))", "\(survivors.reduce(0, +))",
                "\(meanings.reduce(0, +))",
            ]
            + laws.map { l in "\(kills.reduce(0) { $0 + $1[l] })" }
        let table = [header] + rows + [total]
        let widths = header.indices.map { c in table.map { $0[c].count }.max() ?? 0 }
        return table.map { row in
            zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
