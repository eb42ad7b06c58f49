/// Elements of tensors under other names: every coordinate of a tensor's axis moved by so much,
/// everything else as it is.
///
/// The algebra tells elements apart by whether they are the same, never by which they are. What an
/// expression says of some rows of the tensors, the renamed one therefore says of the others, and
/// ops whose operands are renamed have the renamed results.
final class Renaming {
    unowned let algebra: Algebra
    /// How far each coordinate moves.
    private let shifts: [Int32: [Int32]]
    /// By tensor, once it is asked for.
    private var effects: [Effect?] = []
    private var moved: [Int32: Bool] = [:]
    private let polynomials = NumberMemory()
    private let monomials = NumberMemory()
    private let atoms = NumberMemory()
    private var vectors: [Int32: Int32?] = [:]
    private var covectors: [UInt64: ScaledCovector?] = [:]
    private static let none = UInt64(UInt32.max)

    /// What becomes of a tensor's elements.
    private enum Effect {
        case stays
        case moves([Int32])
        /// The head that each head becomes, or -1.
        case heads([Int32])
    }

    init(_ shifts: [Int32: [Int32]], _ algebra: Algebra) {
        self.shifts = shifts.filter { $0.value.contains { $0 != 0 } }
        self.algebra = algebra
    }

    /// What a renamed form's key tells; of caches only the heads that are mentioned.
    init(_ key: Int32, ofSupport support: Int32, _ algebra: Algebra) {
        var shifts: [Int32: [Int32]] = [:]
        var heads: [Int32: [Int32]] = [:]
        let (items, image) = (algebra.lists[support], algebra.lists[key])
        var place = 1
        for i in stride(from: 0, to: items.count, by: 2) {
            let (tensor, second) = (items[i], items[i + 1])
            if second < 0 {
                let shift = Array(image[place..<place - Int(second)])
                if shift.count > shifts[tensor]?.count ?? 0 { shifts[tensor] = shift }
                place -= Int(second)
            } else {
                var map = heads[tensor] ?? []
                while map.count <= Int(second) { map.append(-1) }
                map[Int(second)] = image[place]
                heads[tensor] = map
                place += 1
            }
        }
        self.shifts = shifts.filter { $0.value.contains { $0 != 0 } }
        self.algebra = algebra
        for (tensor, map) in heads { set(.heads(map), of: tensor) }
    }

    // MARK: Lanes

    /// nil where a lane holds what cannot be renamed.
    func vector(_ vector: Int32, _ numbers: LaneAlgebra) -> Int32? {
        if let known = vectors[vector] { return known }
        var lanes: [Lane] = []
        lanes.reserveCapacity(numbers.lanes)
        for lane in numbers.vectors[vector] {
            guard lane.raw > 0 else {
                lanes.append(lane)
                continue
            }
            guard let polynomial = polynomial(lane.raw) else { break }
            lanes.append(Lane(polynomial: polynomial))
        }
        let isWhole = lanes.count == numbers.lanes
        let result = isWhole ? numbers.vectors.intern(lanes) : nil
        vectors[vector] = .some(result)
        return result
    }

    // MARK: Expressions

    func polynomial(_ polynomial: Int32) -> Int32? {
        guard moves(algebra.support(polynomial)) else { return polynomial }
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

    func monomial(_ monomial: Int32) -> Summand? {
        if let known = monomials[monomial] { return Self.unpacked(known) }
        let result =
            moves(algebra.support(monomial: monomial))
            ? product(of: monomial) : Summand(monomial: monomial, coefficient: 0)
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
        let result = renamed(algebra.atoms[number], number)
        atoms[number] = Self.packed(result)
        return result
    }

    private func renamed(_ atom: Atom, _ number: Int32) -> Summand? {
        func same() -> Summand { Summand(monomial: algebra.monomial(of: number), coefficient: 0) }
        switch atom.kind {
        case .named, .tokens, .trigonometric, .indicator, .word, .magnitude, .carried:
            return same()
        case .chosen: return shifts[algebra.lists[atom.a][0]] == nil ? same() : nil
        case .quantum: return quantum(atom)
        case .weight:
            guard let element = element(algebra.lists[atom.a]) else { return nil }
            return term(algebra.polynomial(.weight, element))
        case .contraction: return contraction(atom)
        case .exponential, .absolute, .guarded, .recent, .integer:
            return polynomial(atom.a).flatMap { term(algebra.polynomial(atom.kind, $0, atom.b)) }
        case .tanh: return polynomial(atom.a).flatMap { term(algebra.tanh($0)) }
        case .rest: return polynomial(atom.a).flatMap { term(algebra.rest(of: $0)) }
        case .sum: return named(sum: atom.a) ?? polynomial(atom.a).flatMap(sum)
        case .renamed: return renamed(name: algebra.polynomial(of: number), atom)
        case .maximum:
            return (named(members: atom.a) ?? members(atom.a)).flatMap {
                term(algebra.polynomial(.maximum, $0))
            }
        case .stored, .operation, .byte, .argument, .unknown:
            return algebra.support(atom: number) == Algebra.nothing ? same() : nil
        }
    }

    /// The only term of a polynomial.
    func term(_ polynomial: Int32) -> Summand? {
        let terms = algebra.polynomials[polynomial]
        return terms.count == 1 ? terms[0] : nil
    }

    private func sum(_ polynomial: Int32) -> Summand? {
        let primitive = algebra.primitive(polynomial)
        guard primitive.coefficient > 0 else { return nil }
        let root = algebra.monomial(of: algebra.root(of: primitive.polynomial))
        return algebra.product(primitive.monomial, root).map {
            Summand(monomial: $0, coefficient: algebra.reals.intern(primitive.coefficient))
        }
    }

    /// The members of a maximum, written out.
    func members(_ list: Int32) -> Int32? {
        let old = algebra.members(list)
        var all: [Int32] = []
        all.reserveCapacity(old.count)
        for member in old {
            guard let renamed = polynomial(member) else { return nil }
            all.append(renamed)
        }
        return algebra.lists.intern(all.sorted())
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
    func coordinate(_ tensor: Int32, _ axis: Int, _ value: Int32) -> Int32? {
        switch effect(of: tensor) {
        case .stays: return value
        case .moves(let shift): return shift.indices.contains(axis) ? value + shift[axis] : nil
        case .heads(let map):
            if axis > 0 { return value }
            return map.indices.contains(Int(value)) && map[Int(value)] >= 0
                ? map[Int(value)] : nil
        }
    }

    private func effect(of tensor: Int32) -> Effect {
        if Int(tensor) < effects.count, let known = effects[Int(tensor)] { return known }
        let effect: Effect =
            if let updates = algebra.cacheUpdates[tensor] {
                .heads(headMap(updates))
            } else if let shift = shifts[tensor] {
                .moves(shift)
            } else {
                .stays
            }
        set(effect, of: tensor)
        return effect
    }

    private func set(_ effect: Effect, of tensor: Int32) {
        while effects.count <= Int(tensor) { effects.append(nil) }
        effects[Int(tensor)] = effect
    }

    /// `true` iff something of a support becomes another thing, or nothing that could be told.
    func moves(_ support: Int32) -> Bool {
        if support == Algebra.nothing { return false }
        if let known = moved[support] { return known }
        let list = algebra.lists[support]
        let result = stride(from: 0, to: list.count, by: 2).contains { i in
            if list[i] < 0 { return list[i] == Supports.unrenamable }
            return switch effect(of: list[i]) {
            case .stays: false
            case .moves: true
            case .heads: list[i + 1] < 0 || coordinate(list[i], 0, list[i + 1]) != list[i + 1]
            }
        }
        moved[support] = result
        return result
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
        let shift = algebra.cacheUpdates[tensor] == nil ? shifts[tensor]?[Int(columns)] ?? 0 : 0
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
        let result =
            (shift == 0 ? named(covector: covector) : nil)
            ?? renamed(columns: covector, movedBy: shift)
        covectors[key] = .some(result)
        return result
    }

    private func renamed(columns covector: Int32, movedBy shift: Int32) -> ScaledCovector? {
        runs(covector, movedBy: shift).map(algebra.covector)
    }

    func runs(_ covector: Int32, movedBy shift: Int32) -> [Run]? {
        var runs: [Run] = []
        let old = algebra.columns(of: covector)
        runs.reserveCapacity(old.count)
        for run in old {
            guard let polynomial = polynomial(run.polynomial) else { return nil }
            runs.append(
                Run(start: run.start + shift, end: run.end + shift, polynomial: polynomial))
        }
        return runs
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
