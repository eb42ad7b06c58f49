import LPUSupport

/// How a strategy decides between equals: in the first free place, or by a seeded draw.
struct Choice {
    /// Chains of the program become rigid bundles; otherwise every value rests in SRAM.
    var followsChains: Bool
    /// Cycles that are tried for one bundle before it counts as impossible.
    var searchWindow: Int
    /// nil: always the first.
    var generator: SeededGenerator?

    static var list: Choice {
        Choice(followsChains: true, searchWindow: 20_000, generator: nil)
    }

    static func random(seed: UInt64) -> Choice {
        Choice(
            followsChains: false, searchWindow: 20_000, generator: SeededGenerator(seed: seed))
    }

    /// `true` iff nothing is drawn.
    var isList: Bool { generator == nil }

    /// The elements in the order in which they are to be tried.
    mutating func order<T>(_ elements: [T]) -> [T] {
        guard generator != nil else { return elements }
        return elements.shuffled(using: &generator!)
    }

    /// A delay to add to the earliest cycle.
    mutating func delay() -> Int {
        guard generator != nil else { return 0 }
        return Int.random(in: 0..<24, using: &generator!)
    }

    /// A start for a round robin over `count` places.
    mutating func start(of count: Int, rotor: Int) -> Int {
        guard generator != nil else { return rotor % count }
        return Int.random(in: 0..<count, using: &generator!)
    }
}
