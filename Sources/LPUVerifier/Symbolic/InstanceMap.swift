import LPUDataflow
import LPUMachine
import LPUSupport

/// The terms of one instance of a template and those of another that stand in their places: every
/// root of the one has one root of the other and no two have the same, so that terms are equal
/// there iff they are equal here.
///
/// It exists only where both flatten alike: the same aliases, versions and packs, the same chips
/// but for their numbers, and arguments of one type, as zero by their formulas as the others.
struct InstanceMap {
    private let program: SymbolicProgram
    /// First values of both, and how many there are.
    private let (from, to, count): (Int, Int, Int)
    /// Roots for the roots that are values of the first instance; -1 where there is none.
    private var own: [Int32]
    /// The same for roots that are not: arguments, and values that equal ops made before.
    private var others: [Int32: Int32] = [:]
    /// The second instance's own values, and other roots, that stand for a root already.
    private var isTaken: [Bool]
    private var takenOthers: Set<Int32> = []
    /// First versions of the scatters of both, and how many there are.
    private var versions: [(from: Int, to: Int, count: Int)] = []

    /// - Parameter chips: the second instance's chip for each chip of the first.
    init?(_ program: SymbolicProgram, from i: Int, to j: Int, chips: [Int32: Int32]) {
        guard program.program.instances[i].template == program.program.instances[j].template
        else { return nil }
        self.program = program
        (from, to) = (program.valueBases[i], program.valueBases[j])
        count = program.valueBases[i + 1] - from
        own = Array(repeating: -1, count: count)
        isTaken = Array(repeating: false, count: count)
        for value in 0..<count {
            guard chips[program.chips[from + value]] == program.chips[to + value],
                insert(value, chips)
            else { return nil }
        }
        for value in 0..<count where !hasItsPacks(value) { return nil }
    }

    /// Roots of all bytes of a value.
    private mutating func insert(_ value: Int, _ chips: [Int32: Int32]) -> Bool {
        let (a, b) = (from + value, to + value)
        guard (program.aliases[a] < 0) == (program.aliases[b] < 0) else { return false }
        if program.aliases[a] < 0 {
            let x = program.scatters[Int(-program.aliases[a]) - 1]
            let y = program.scatters[Int(-program.aliases[b]) - 1]
            guard x.start == y.start, x.step == y.step, x.rows == y.rows, x.count == y.count,
                insert(x.region, y.region, chips), insert(x.result, y.result, chips)
            else { return false }
            versions.append((x.firstVersion, y.firstVersion, x.count))
            return true
        }
        for slot in 0..<5 {
            let x = program.entry(a, slot, start: 0, step: 1)
            let y = program.entry(b, slot, start: 0, step: 1)
            guard x.start == y.start, x.step == y.step, x.view == y.view,
                insert(x.root, y.root, chips)
            else { return false }
        }
        return true
    }

    private mutating func insert(_ a: Int32, _ b: Int32, _ chips: [Int32: Int32]) -> Bool {
        let index = Int(a) - from
        let known = own.indices.contains(index) ? own[index] : others[a] ?? -1
        if known >= 0 { return known == b }
        guard take(b) else { return false }
        if own.indices.contains(index) {
            own[index] = b
        } else {
            guard a == b || areAlike(Int(a), Int(b), chips) else { return false }
            others[a] = b
        }
        return true
    }

    /// `false` if the root is taken already.
    private mutating func take(_ root: Int32) -> Bool {
        let index = Int(root) - to
        guard isTaken.indices.contains(index) else { return takenOthers.insert(root).inserted }
        defer { isTaken[index] = true }
        return !isTaken[index]
    }

    /// Two values from outside that may stand for each other.
    private func areAlike(_ a: Int, _ b: Int, _ chips: [Int32: Int32]) -> Bool {
        guard program.aliases[a] == 0, program.aliases[b] == 0,
            program.types[a] == program.types[b], program.counts[a] == program.counts[b],
            let x = program.declaration(a), let y = program.declaration(b)
        else { return false }
        switch (x.origin, y.origin) {
        case (.image(let x), .image(let y)):
            return x == y && program.isRegion(a) == program.isRegion(b)
                && chips[program.chips[a]] == program.chips[b]
        case (.image, _), (_, .image): return false
        case (.op, _), (.parameter, _): return true
        }
    }

    /// A pack whose word is a root of its own is found by the root of its low byte: there must be
    /// one in the other instance too.
    private func hasItsPacks(_ value: Int) -> Bool {
        guard program.aliases[from + value] > 0 else { return true }
        let word = program.entry(from + value, SymbolicProgram.word, start: 0, step: 1)
        return Int(word.root) != from + value || Int(own[value]) == to + value
    }

    /// The term that stands in its place; nil if none does.
    func callAsFunction(_ term: Term) -> Term? {
        guard term.isOfProgram else { return term }
        let index = term.root - from
        var root = -1
        if own.indices.contains(index) {
            root = Int(own[index])
        } else if let other = others[Int32(truncatingIfNeeded: term.root)] {
            root = Int(other)
        } else if let range = versions.first(where: {
            ($0.from..<$0.from + $0.count).contains(term.root)
        }) {
            root = range.to + term.root - range.from
        }
        guard root >= 0 else { return nil }
        return Term(root: root, vector: term.vector, view: term.view)
    }
}
