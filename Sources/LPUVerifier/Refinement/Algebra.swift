import Foundation

/// A number that a lane may hold and that the algebra does not take apart further.
struct Atom: PoolElement {
    enum Kind: Int32, CaseIterable {
        /// Element `a` (a list: tensor, coordinates) of a weight tensor.
        case weight
        /// Element c of a tensor of the graph that is named instead of written out: `a` of the
        /// names, in the layer `b` counted from the one that is looked at.
        case named
        /// Sum over the columns of covector `b` of slot `a`'s elements times the covector's.
        case contraction
        /// In column c of a tensor the element of the token's row: a list of tensor and column.
        case chosen
        /// 1 for the tokens of set `a` (a list of ranges), else 0.
        case tokens
        /// What channel `b` of the quantised tensor `a` was divided by, or one of `Quantum`.
        case quantum
        /// Cosine (`a` = 0) or sine of frequency `b` (of the reals) times angle function `c`.
        case trigonometric
        /// 1 at the positions of set `a` (a list of ranges), else 0.
        case indicator
        case exponential, tanh, absolute
        /// A sum of magnitudes: what op `a` makes in its iteration `b` in run `c`. Nothing is taken
        /// of it but that it is not negative: where it does not cancel, nothing is equal to it.
        case magnitude
        /// A sum that stands under a root, its greatest common factors taken out.
        case sum
        /// The greatest of list `a`.
        case maximum
        /// Polynomial `a` at the positions of set `b`, at the others minus infinity.
        case guarded
        /// What a rounding of polynomial `a` left over: exactly, a number that is next to nothing.
        case rest
        /// Polynomial `a` as it was at the last of the positions `b` (a list) up to this one.
        case recent
        /// Polynomial `a` as it was at position `b`.
        case stored
        /// Word `a` of `Words`, as a number.
        case word
        /// Operation `a` on the lanes b and c, in a way that nothing here understands.
        case operation
        /// Byte `a` of lane b.
        case byte
        /// The lowest index of list `a` (numbers and indices in turn) whose number is `b`, the
        /// greatest of them and perhaps of others; 0 where none is.
        case argument
        /// A number that is not negative, and that a layer made: polynomial `a` of the layer `b`
        /// counted from the one that is looked at. Nothing else is taken of it.
        case carried
        /// Polynomial `a` as an int8 or int32 holds it, rounded to an integer.
        case integer
        /// Something that could not be followed: reason `a`, number b.
        case unknown
        /// Polynomial `a` of other rows of its tensors, as list `b` says: see `Algebra+Renamed`.
        case renamed
    }
    var kind: Kind
    var a: Int32 = 0
    var b: Int32 = 0
    var c: Int32 = 0

    var word: UInt64 {
        (b.word << 32 | c.word << 8 | kind.rawValue.word) &* 0xd6e8_feb8_6659_fd93 ^ a.word
    }

    /// Never negative: a factor of a sum that may leave its root.
    var isPositive: Bool {
        switch kind {
        case .exponential, .sum, .absolute, .magnitude, .carried, .quantum: true
        case .weight, .named, .contraction, .chosen, .tokens, .trigonometric, .indicator, .tanh,
            .maximum,
            .guarded, .rest, .recent, .stored, .word, .operation, .byte, .argument, .integer,
            .unknown, .renamed:
            false
        }
    }
}

/// Channels of a quantised tensor that are not known by number.
enum Quantum {
    static let ofToken: Int32 = -1
    /// The one with the greatest scale.
    static let greatest: Int32 = -2
}

/// A power of an atom; `halves` is twice the exponent.
struct Factor: PoolElement {
    var atom: Int32
    var halves: Int32
    var word: UInt64 { atom.word | halves.word << 32 }
}

/// A coefficient (a number of `Reals`) times a monomial.
struct Summand: PoolElement {
    var monomial: Int32
    var coefficient: Int32
    var word: UInt64 { monomial.word | coefficient.word << 32 }
}

/// The same polynomial in a range of columns.
struct Run: PoolElement {
    var start: Int32
    var end: Int32
    var polynomial: Int32
    var word: UInt64 { (start.word | end.word << 32) &* 0xd6e8_feb8_6659_fd93 ^ polynomial.word }
}

/// Real numbers by number, those as one that differ by less than fp32 roundings.
struct Reals {
    /// A number is never taken for one that differs from it by more than so much of it.
    static let tolerance = 2e-6
    private(set) var values: [Double] = [1]
    private var near: [UInt64: [Int32]] = [Double(1).bitPattern >> 32: [0]]

    subscript(id: Int32) -> Double { values[Int(id)] }

    mutating func intern(_ value: Double) -> Int32 {
        if value == 1 { return 0 }
        return value < 0 ? exactly(-values[Int(magnitude(-value))]) : magnitude(value)
    }

    private mutating func exactly(_ value: Double) -> Int32 {
        let cell = value.bitPattern >> 32
        for id in near[cell] ?? [] where values[Int(id)] == value { return id }
        values.append(value)
        near[cell, default: []].append(Int32(values.count - 1))
        return Int32(values.count - 1)
    }

    private mutating func magnitude(_ value: Double) -> Int32 {
        let cell = value.bitPattern >> 32
        for neighbour in [cell, cell &- 1, cell &+ 1] {
            for id in near[neighbour] ?? []
            where abs(values[Int(id)] - value) <= Self.tolerance * value { return id }
        }
        return exactly(value)
    }
}

/// Expressions over the elements of tensors in a normal form: equal numbers of one kind.
///
/// A polynomial is a sum of monomials, each with a coefficient; a monomial a product of powers of
/// atoms. Roundings do not exist: a cast to a narrower float changes nothing. A contraction is an
/// atom, a row of a tensor times a *covector*, which gives every column its factor; contractions
/// of one row add up to one, whatever parts the columns were cut into. Polynomials, monomials,
/// covectors and atoms have numbers, and two are equal iff their numbers are.
final class Algebra {
    let atoms = ElementPool<Atom>()
    let monomials = Pool<Factor>()
    let polynomials = Pool<Summand>()
    let covectors = Pool<Run>()
    let lists = Pool<Int32>()
    var reals = Reals()
    /// Of tensors and of reasons.
    private(set) var names: [String] = []
    private var nameNumbers: [String: Int32] = [:]
    /// Terms of a polynomial stand by these: equal for the contractions of one row, and for what
    /// differs only in the tokens for which it is there.
    private let keys = Column<Int64>()
    private let kinds = Column<UInt32>()
    /// For each polynomial, what it is named as, or -1.
    private let aliases = Column<Int32>()
    /// For each monomial, itself as a polynomial, or -1.
    private let alone = Column<Int32>()
    /// How many there are.
    let tokens: Int
    /// For each atom, itself as a monomial and as a polynomial, or -1.
    private let singles = Column<Single>()
    var unknownCount: Int32 = 0
    var merges: [Merge: ScaledCovector] = [:]
    var primitives: [Int32: Primitive] = [:]
    var tokenUnions: [UInt64: Int32] = [:]
    let supports = Supports()
    let longForms = LongForms()
    /// What a step adds to which cache.
    var cacheUpdates: [Int32: CacheUpdates] = [:]

    /// 0 and 1 as polynomials; 1 as monomial; the covector of no column.
    static let zero: Int32 = 0
    static let one: Int32 = 1
    static let unit: Int32 = 0
    static let empty: Int32 = 0

    init(tokens: Int) {
        self.tokens = tokens
        _ = lists.intern([])
        _ = monomial([])
        _ = polynomials.intern([])
        _ = polynomial(Summand(monomial: Self.unit, coefficient: 0))
        _ = covectors.intern([])
    }

    func name(_ text: String) -> Int32 {
        if let number = nameNumbers[text] { return number }
        names.append(text)
        nameNumbers[text] = Int32(names.count - 1)
        return Int32(names.count - 1)
    }

    // MARK: Making

    func atom(_ kind: Atom.Kind, _ a: Int32 = 0, _ b: Int32 = 0, _ c: Int32 = 0) -> Int32 {
        atoms.intern(Atom(kind: kind, a: a, b: b, c: c))
    }

    /// An atom as a polynomial. One atom by itself is its own monomial and polynomial, which the
    /// pools need not look for.
    func polynomial(of atom: Int32) -> Int32 {
        single(atom).polynomial
    }

    private struct Single: BitwiseCopyable {
        var monomial: Int32 = -1
        var polynomial: Int32 = -1
    }

    private func single(_ atom: Int32) -> Single {
        singles.append(Single(), upTo: atom)
        let known = singles[atom]
        if known.polynomial >= 0 { return known }
        let monomial = monomials.add(Factor(atom: atom, halves: 2))
        noteMonomial(monomial)
        let single = Single(
            monomial: monomial,
            polynomial: polynomial(Summand(monomial: monomial, coefficient: 0)))
        singles[atom] = single
        return single
    }

    /// The polynomial of a term. A monomial by itself is found by its number, which the pool need
    /// not look for.
    func polynomial(_ term: Summand) -> Int32 {
        guard term.coefficient == 0 else { return polynomials.intern(term) }
        alone.append(-1, upTo: term.monomial)
        let known = alone[term.monomial]
        if known >= 0 { return known }
        let polynomial = polynomials.add(term)
        alone[term.monomial] = polynomial
        return polynomial
    }

    func polynomial(
        _ kind: Atom.Kind, _ a: Int32 = 0, _ b: Int32 = 0, _ c: Int32 = 0
    ) -> Int32 {
        polynomial(of: atom(kind, a, b, c))
    }

    func unknown(_ reason: String) -> Int32 {
        unknownCount += 1
        return polynomial(.unknown, name(reason), unknownCount)
    }

    func constant(_ value: Double) -> Int32 {
        guard value != 0 else { return Self.zero }
        return polynomial(Summand(monomial: Self.unit, coefficient: reals.intern(value)))
    }

    /// - Requires: factors are in the order of their atoms, none with exponent 0.
    func monomial(_ factors: [Factor]) -> Int32 { factors.withUnsafeBufferPointer(monomial) }

    /// An atom as a monomial.
    func monomial(of atom: Int32) -> Int32 { single(atom).monomial }

    func monomial(_ factors: UnsafeBufferPointer<Factor>) -> Int32 {
        if factors.count == 1, factors[0].halves == 2 {
            return monomial(of: factors[0].atom)
        }
        let id = monomials.intern(factors)
        noteMonomial(id)
        return id
    }

    private func noteMonomial(_ id: Int32) {
        guard Int(id) == keys.count else { return }
        let factors = monomials[id]
        var kinds: UInt32 = 0
        for factor in factors { kinds |= 1 << UInt32(atoms[factor.atom].kind.rawValue) }
        self.kinds.append(kinds)
        keys.append(Int64(id))
        if has(.contraction, in: id) || has(.tokens, in: id) {
            keys[id] = key(of: factors, id)
        }
    }

    /// The kinds of its factors, a bit each.
    func kinds(of monomial: Int32) -> UInt32 { kinds[monomial] }

    /// `true` iff an atom of this kind is a factor.
    func has(_ kind: Atom.Kind, in monomial: Int32) -> Bool {
        kinds[monomial] & 1 << UInt32(kind.rawValue) != 0
    }

    /// Of what multiplies a contraction only positive atoms, those of norms and of softmax, may go
    /// under its sum: parts of a row that differ in them add up.
    private func key(of factors: UnsafeBufferPointer<Factor>, _ id: Int32) -> Int64 {
        if has(.tokens, in: id) {
            if let (_, other) = tokensAndOther(factors) { return 3 << 32 | Int64(other.atom) }
            let rest = factors.filter { atoms[$0.atom].kind != .tokens }
            return 2 << 32 | Int64(lists.intern([-2] + rest.flatMap { [$0.atom, $0.halves] }))
        }
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 + 2 * factors.count) {
            var (slot, count): (Int32?, Int) = (nil, 2)
            for factor in factors {
                let atom = atoms[factor.atom]
                if atom.kind == .contraction {
                    if slot != nil || factor.halves != 2 { return Int64(id) }
                    slot = atom.a
                } else if !atom.isPositive {
                    ($0[count], $0[count + 1]) = (factor.atom, factor.halves)
                    count += 2
                }
            }
            guard let slot else { return Int64(id) }
            if count == 2 { return 1 << 32 | Int64(slot) }
            ($0[0], $0[1]) = (-1, slot)
            return 1 << 32 | Int64(lists.intern(UnsafeBufferPointer(rebasing: $0[..<count])))
        }
    }

    /// The factors of two: the one of tokens, the other not, which stands by itself.
    func tokensAndOther(
        _ factors: UnsafeBufferPointer<Factor>
    ) -> (tokens: Atom, other: Factor)? {
        guard factors.count == 2 else { return nil }
        let (x, y) = (atoms[factors[0].atom], atoms[factors[1].atom])
        if x.kind == .tokens, y.kind != .tokens, factors[1].halves == 2 { return (x, factors[1]) }
        if y.kind == .tokens, x.kind != .tokens, factors[0].halves == 2 { return (y, factors[0]) }
        return nil
    }

    func key(_ term: Summand) -> Int64 { keys[term.monomial] }

    // MARK: Looking

    /// The only atom of a polynomial that is one.
    func onlyAtom(_ polynomial: Int32) -> Atom? {
        let terms = polynomials[polynomial]
        guard terms.count == 1, terms[0].coefficient == 0 else { return nil }
        let factors = monomials[terms[0].monomial]
        guard factors.count == 1, factors[0].halves == 2 else { return nil }
        return atoms[factors[0].atom]
    }

    func constantValue(_ polynomial: Int32) -> Double? {
        let terms = polynomials[polynomial]
        if terms.isEmpty { return 0 }
        guard terms.count == 1, terms[0].monomial == Self.unit else { return nil }
        return reals[terms[0].coefficient]
    }

    // MARK: Names

    /// From now on `polynomial` is named as `name`, a polynomial too.
    func alias(_ polynomial: Int32, as name: Int32) {
        aliases.append(-1, upTo: polynomial)
        aliases[polynomial] = name
    }

    func clearAliases() { aliases.removeAll() }

    /// The name, or the polynomial itself.
    func named(_ polynomial: Int32) -> Int32 {
        guard Int(polynomial) < aliases.count, aliases[polynomial] >= 0 else {
            return polynomial
        }
        return aliases[polynomial]
    }
}
