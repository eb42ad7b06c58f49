/// Elements of tensors under other names: every coordinate of a tensor's axis moved by so much,
/// everything else as it is.
///
/// The algebra tells elements apart by whether they are the same, never by which they are. What an
/// expression says of some rows of the tensors, the renamed one therefore says of the others, and
/// ops whose operands are renamed have the renamed results.
final class Renaming {
    private unowned let state: RefinementState
    /// How far each coordinate moves.
    private let shifts: [Int32: [Int32]]
    /// For a cache, the head that each head becomes.
    private var heads: [Int32: [Int32]] = [:]
    private var polynomials = NumberMemory()
    private var monomials = NumberMemory()
    private var atoms = NumberMemory()
    private var vectors: [Int32: Int32?] = [:]
    private var covectors: [UInt64: ScaledCovector?] = [:]
    private static let none = UInt64(UInt32.max)

    private var algebra: Algebra { state.algebra }

    init(_ shifts: [Int32: [Int32]], _ state: RefinementState) {
        self.shifts = shifts.filter { $0.value.contains { $0 != 0 } }
        self.state = state
    }

    // MARK: Lanes

    /// nil where a lane holds what cannot be renamed.
    func vector(_ vector: Int32) -> Int32? {
        if let known = vectors[vector] { return known }
        var lanes: [Lane] = []
        for lane in state.numbers.vectors[vector] {
            guard lane.raw > 0 else {
                lanes.append(lane)
                continue
            }
            guard let polynomial = polynomial(lane.raw) else { break }
            lanes.append(Lane(polynomial: polynomial))
        }
        let isWhole = lanes.count == state.numbers.lanes
        let result = isWhole ? state.numbers.vectors.intern(lanes) : nil
        vectors[vector] = .some(result)
        return result
    }

    // MARK: Expressions

    func polynomial(_ polynomial: Int32) -> Int32? {
        if algebra.isFree(polynomial) { return polynomial }
        if let known = polynomials[polynomial] { return known == Self.none ? nil : Int32(known) }
        let result = renamed(polynomial)
        polynomials[polynomial] = result.map { UInt64($0) } ?? Self.none
        return result
    }

    private func renamed(_ polynomial: Int32) -> Int32? {
        let old = algebra.polynomials[polynomial]
        if old.count == 1 { return renamed(old[0]).map { algebra.polynomial($0) } }
        var terms: [Summand] = []
        terms.reserveCapacity(old.count)
        for term in old {
            guard let renamed = renamed(term) else { return nil }
            terms.append(renamed)
        }
        return algebra.polynomial(terms)
    }

    private func renamed(_ term: Summand) -> Summand? {
        guard var renamed = monomial(term.monomial) else { return nil }
        renamed.coefficient =
            renamed.coefficient == 0
            ? term.coefficient
            : algebra.reals.intern(
                algebra.reals[renamed.coefficient] * algebra.reals[term.coefficient])
        return renamed
    }

    private func monomial(_ monomial: Int32) -> Summand? {
        if algebra.isFree(monomial: monomial) { return Summand(monomial: monomial, coefficient: 0) }
        if let known = monomials[monomial] { return Self.unpacked(known) }
        let result = product(of: monomial)
        monomials[monomial] = Self.packed(result)
        return result
    }

    private func product(of monomial: Int32) -> Summand? {
        var (coefficient, product) = (1.0, Algebra.unit)
        for factor in algebra.monomials[monomial] {
            guard let base = atom(factor.atom),
                let power = algebra.power(base, halves: factor.halves),
                let both = algebra.product(product, power.monomial)
            else { return nil }
            coefficient *= power.coefficient
            product = both
        }
        return Summand(
            monomial: product,
            coefficient: coefficient == 1 ? 0 : algebra.reals.intern(coefficient))
    }

    private func atom(_ number: Int32) -> Summand? {
        if let known = atoms[number] { return Self.unpacked(known) }
        let result = renamed(algebra.atoms[number][0], number)
        atoms[number] = Self.packed(result)
        return result
    }

    private func renamed(_ atom: Atom, _ number: Int32) -> Summand? {
        func same() -> Summand { Summand(monomial: algebra.monomial(of: number), coefficient: 0) }
        switch atom.kind {
        case .named, .tokens, .trigonometric, .indicator, .word, .magnitude: return same()
        case .chosen: return shifts[algebra.lists[atom.a][0]] == nil ? same() : nil
        case .quantum: return quantum(atom)
        case .weight:
            guard let element = element(algebra.lists[atom.a]) else { return nil }
            return term(algebra.polynomial(.weight, element))
        case .contraction: return contraction(atom)
        case .exponential, .absolute, .guarded, .recent:
            return polynomial(atom.a).flatMap { term(algebra.polynomial(atom.kind, $0, atom.b)) }
        case .tanh: return polynomial(atom.a).flatMap { term(algebra.tanh($0)) }
        case .rest: return polynomial(atom.a).flatMap { term(algebra.rest(of: $0)) }
        case .sum: return polynomial(atom.a).flatMap(sum)
        case .maximum: return maximum(algebra.lists[atom.a])
        case .stored, .operation, .byte, .branch, .either, .argument, .unknown:
            return algebra.isFree(atom: number) ? same() : nil
        }
    }

    /// The only term of a polynomial.
    private func term(_ polynomial: Int32) -> Summand? {
        let terms = algebra.polynomials[polynomial]
        return terms.count == 1 ? terms[0] : nil
    }

    private func sum(_ polynomial: Int32) -> Summand? {
        let primitive = algebra.primitive(polynomial)
        guard primitive.coefficient > 0 else { return nil }
        let root = algebra.monomial(of: algebra.atom(.sum, primitive.polynomial))
        return algebra.product(primitive.monomial, root).map {
            Summand(monomial: $0, coefficient: algebra.reals.intern(primitive.coefficient))
        }
    }

    private func maximum(_ members: UnsafeBufferPointer<Int32>) -> Summand? {
        var all: [Int32] = []
        for member in members {
            guard let renamed = polynomial(member) else { return nil }
            all.append(renamed)
        }
        return term(algebra.polynomial(.maximum, algebra.lists.intern(all.sorted())))
    }

    private func quantum(_ atom: Atom) -> Summand? {
        if atom.b == Quantum.greatest { return term(algebra.polynomial(.quantum, atom.a, atom.b)) }
        let list = algebra.lists[atom.a]
        guard list.count > 1, let channel = coordinate(list[0], 0, atom.b),
            atom.b >= 0 || channel == atom.b
        else { return nil }
        return term(algebra.polynomial(.quantum, atom.a, channel))
    }

    // MARK: Elements

    /// nil for a head of a cache that becomes none.
    private func coordinate(_ tensor: Int32, _ axis: Int, _ value: Int32) -> Int32? {
        if let updates = state.cacheUpdates[tensor] {
            if axis > 0 { return value }
            let map = heads[tensor] ?? headMap(updates)
            heads[tensor] = map
            return map.indices.contains(Int(value)) && map[Int(value)] >= 0
                ? map[Int(value)] : nil
        }
        guard let shift = shifts[tensor] else { return value }
        return shift.indices.contains(axis) ? value + shift[axis] : nil
    }

    /// A list of a tensor and an element's coordinates.
    private func element(_ list: UnsafeBufferPointer<Int32>) -> Int32? {
        var result = [list[0]]
        for axis in 1..<list.count {
            guard let moved = coordinate(list[0], axis - 1, list[axis]) else { return nil }
            result.append(moved)
        }
        return algebra.lists.intern(result)
    }

    private func contraction(_ atom: Atom) -> Summand? {
        let slot = algebra.lists[atom.a]
        let (tensor, columns) = (slot[0], slot[1])
        var moved = [tensor, columns]
        for k in 2..<slot.count {
            let axis = k - 2 < Int(columns) ? k - 2 : k - 1
            guard let coordinate = coordinate(tensor, axis, slot[k]) else { return nil }
            moved.append(coordinate)
        }
        // The columns of a cache are positions or channels, which stay.
        let shift = state.cacheUpdates[tensor] == nil ? shifts[tensor]?[Int(columns)] ?? 0 : 0
        guard let covector = covector(atom.b, movedBy: shift) else { return nil }
        return algebra.term(covector, slot: algebra.lists.intern(moved))
    }

    func covector(_ scaled: ScaledCovector) -> ScaledCovector? {
        guard let outer = monomial(scaled.monomial),
            let inner = covector(scaled.covector, movedBy: 0),
            let product = algebra.product(outer.monomial, inner.monomial)
        else { return nil }
        return ScaledCovector(
            coefficient: scaled.coefficient * algebra.reals[outer.coefficient]
                * inner.coefficient,
            monomial: product, covector: inner.covector)
    }

    private func covector(_ covector: Int32, movedBy shift: Int32) -> ScaledCovector? {
        let key = covector.word | shift.word << 32
        if let known = covectors[key] { return known }
        var runs: [Run] = []
        let old = algebra.covectors[covector]
        for run in old {
            guard let polynomial = polynomial(run.polynomial) else { break }
            runs.append(
                Run(start: run.start + shift, end: run.end + shift, polynomial: polynomial))
        }
        let result = runs.count == old.count ? algebra.covector(runs) : nil
        covectors[key] = .some(result)
        return result
    }

    // MARK: Caches

    /// A head becomes the one whose keys or values are made of the renamed rows.
    private func headMap(_ updates: CacheUpdates) -> [Int32] {
        let heads = updates.elements.count / updates.channels
        return (0..<heads).map { head in
            let own = updates.elements[head * updates.channels..<(head + 1) * updates.channels]
            let renamed = own.map(polynomial)
            return (0..<heads).first { other in
                zip(
                    renamed,
                    updates.elements[other * updates.channels..<(other + 1) * updates.channels]
                )
                .allSatisfy { $0 == $1 }
            }.map { Int32($0) } ?? -1
        }
    }

    // MARK: Memory

    private static func packed(_ term: Summand?) -> UInt64 {
        term.map {
            UInt64(UInt32(bitPattern: $0.monomial)) << 32
                | UInt64(UInt32(bitPattern: $0.coefficient))
        }
            ?? .max - 1
    }

    private static func unpacked(_ word: UInt64) -> Summand? {
        if word == .max - 1 { return nil }
        return Summand(
            monomial: Int32(truncatingIfNeeded: word >> 32),
            coefficient: Int32(truncatingIfNeeded: word))
    }
}

/// The row that a step adds to a cache, as the graph writes it.
struct CacheUpdates {
    /// Head by head.
    var elements: [Int32]
    var channels: Int
}

/// Words by small numbers, in pages: few of many numbers are asked for.
struct NumberMemory {
    private var pages: [ContiguousArray<UInt64>] = []
    private static var pageBits: Int { 9 }
    private static var absent: UInt64 { .max }

    subscript(number: Int32) -> UInt64? {
        get {
            let page = Int(number) >> Self.pageBits
            guard page < pages.count, !pages[page].isEmpty else { return nil }
            let word = pages[page][Int(number) & (1 << Self.pageBits - 1)]
            return word == Self.absent ? nil : word
        }
        set {
            let page = Int(number) >> Self.pageBits
            while pages.count <= page { pages.append([]) }
            if pages[page].isEmpty {
                pages[page] = ContiguousArray(repeating: Self.absent, count: 1 << Self.pageBits)
            }
            pages[page][Int(number) & (1 << Self.pageBits - 1)] = newValue ?? Self.absent
        }
    }
}

extension Algebra {
    /// A term, which is one atom's renaming, to the power `halves` / 2; nil where it has none here.
    func power(_ base: Summand, halves: Int32) -> (coefficient: Double, monomial: Int32)? {
        let coefficient = reals[base.coefficient]
        if halves == 2 { return (coefficient, base.monomial) }
        var factors: [Factor] = []
        for factor in monomials[base.monomial] {
            guard factor.halves * halves % 2 == 0 else { return nil }
            factors.append(Factor(atom: factor.atom, halves: factor.halves * halves / 2))
        }
        var power = 1.0
        if coefficient != 1 {
            guard coefficient > 0 || halves % 2 == 0 else { return nil }
            let whole = halves / 2
            for _ in 0..<abs(whole) { power *= coefficient }
            if whole < 0 { power = 1 / power }
            if halves % 2 != 0 {
                let root = coefficient.squareRoot()
                power = halves > 0 ? power * root : power / root
            }
        }
        return (power, monomial(factors))
    }
}
