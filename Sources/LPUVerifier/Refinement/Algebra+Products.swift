import Foundation

/// A polynomial as a coefficient and a monomial of positive atoms times the rest of it.
struct Primitive {
    var coefficient: Double
    var monomial: Int32
    var polynomial: Int32
}

extension Algebra {
    /// The product of monomials; nil where indicators exclude one another.
    func product(_ a: Int32, _ b: Int32) -> Int32? {
        if a == Self.unit { return b }
        if b == Self.unit { return a }
        let (x, y) = (monomials[a], monomials[b])
        return withUnsafeTemporaryAllocation(of: Factor.self, capacity: x.count + y.count) {
            let count = multiplied(x, y, into: $0)
            let factors = UnsafeBufferPointer(rebasing: $0[..<count])
            var sets: [Factor]?
            for kind in [Atom.Kind.indicator, .tokens] where has(kind, in: a) && has(kind, in: b) {
                guard let merged = withOne(kind, sets ?? Array(factors)) else { return nil }
                sets = merged
            }
            return sets.map { monomial($0) } ?? monomial(factors)
        }
    }

    /// Writes the factors of a product; returns how many.
    private func multiplied(
        _ x: UnsafeBufferPointer<Factor>, _ y: UnsafeBufferPointer<Factor>,
        into factors: UnsafeMutableBufferPointer<Factor>
    ) -> Int {
        var (i, j, count) = (0, 0, 0)
        while i < x.count || j < y.count {
            var factor: Factor
            if j == y.count || i < x.count && x[i].atom < y[j].atom {
                factor = x[i]
                i += 1
            } else if i == x.count || y[j].atom < x[i].atom {
                factor = y[j]
                j += 1
            } else {
                factor = x[i]
                factor.halves += y[j].halves
                i += 1
                j += 1
            }
            if factor.halves != 0 {
                factors[count] = factor
                count += 1
            }
        }
        return count
    }

    /// Indicators of one kind as that of the positions or tokens that all of them have.
    private func withOne(_ kind: Atom.Kind, _ factors: [Factor]) -> [Factor]? {
        let indicators = factors.filter { atoms[$0.atom].kind == kind }
        let sets = indicators.map { PositionSet(lists[atoms[$0.atom].a]) }
        guard let first = sets.first else { return factors }
        let both = sets.dropFirst().reduce(first) { $0.intersection($1) }
        if both.ranges.isEmpty { return nil }
        let one = Factor(atom: atom(kind, lists.intern(both.list)), halves: 2)
        var rest = factors.filter { atoms[$0.atom].kind != kind }
        rest.insert(one, at: rest.firstIndex { $0.atom > one.atom } ?? rest.count)
        return rest
    }

    /// The greatest common factor of two monomials.
    func commonFactor(_ a: Int32, _ b: Int32) -> Int32 {
        if a == b { return a }
        let (x, y) = (monomials[a], monomials[b])
        var factors: [Factor] = []
        var (i, j) = (0, 0)
        while i < x.count, j < y.count {
            if x[i].atom < y[j].atom {
                i += 1
            } else if y[j].atom < x[i].atom {
                j += 1
            } else {
                let (p, q) = (x[i].halves, y[j].halves)
                if (p > 0) == (q > 0) {
                    factors.append(
                        Factor(atom: x[i].atom, halves: p > 0 ? min(p, q) : max(p, q)))
                }
                i += 1
                j += 1
            }
        }
        return monomial(factors)
    }

    /// - Requires: `divisor` is a common factor of `a` and others.
    func quotient(_ a: Int32, _ divisor: Int32) -> Int32 {
        if divisor == Self.unit { return a }
        var divisors = monomials[divisor][...]
        return monomial(
            monomials[a].compactMap { factor in
                guard let first = divisors.first, first.atom == factor.atom else { return factor }
                divisors = divisors.dropFirst()
                let halves = factor.halves - first.halves
                return halves == 0 ? nil : Factor(atom: factor.atom, halves: halves)
            })
    }

    /// Terms that a product may have; a longer one stays a product of two that is not written out.
    private var longestProduct: Int { 4096 }

    func multiply(_ a: Int32, _ b: Int32) -> Int32 {
        if a == Self.zero || b == Self.zero { return Self.zero }
        if a == Self.one { return b }
        if b == Self.one { return a }
        let (x, y) = (polynomials[a], polynomials[b])
        if y.count == 1 {
            return scaledSum(a, by: y[0])
        }
        if x.count == 1 { return scaledSum(b, by: x[0]) }
        guard x.count * y.count <= longestProduct else {
            return polynomial(.operation, -1, min(a, b), max(a, b))
        }
        var terms: [Summand] = []
        for s in x {
            for t in y {
                guard let product = product(s.monomial, t.monomial) else { continue }
                let coefficient = reals[s.coefficient] * reals[t.coefficient]
                terms.append(Summand(monomial: product, coefficient: reals.intern(coefficient)))
            }
        }
        return polynomial(terms)
    }

    /// A polynomial times a term, where a sum may meet its own root.
    private func scaledSum(_ polynomial: Int32, by term: Summand) -> Int32 {
        let coefficient = reals[term.coefficient]
        if polynomials[polynomial].count > 1, has(.sum, in: term.monomial) {
            let primitive = primitive(polynomial)
            let root = root(of: primitive.polynomial)
            if monomials[term.monomial].contains(where: { $0.atom == root && $0.halves < 0 }),
                let squared = product(
                    primitive.monomial, monomial([Factor(atom: root, halves: 2)])),
                let monomial = product(squared, term.monomial)
            {
                return self.polynomial(
                    Summand(
                        monomial: monomial,
                        coefficient: reals.intern(primitive.coefficient * coefficient)))
            }
        }
        return scaled(polynomial, by: coefficient, term.monomial)
    }

    /// `true` iff it is a product of what is never negative, times a positive constant.
    func isPositive(_ polynomial: Int32) -> Bool {
        let terms = polynomials[polynomial]
        return terms.count == 1 && reals[terms[0].coefficient] > 0
            && monomials[terms[0].monomial].allSatisfy { atoms[$0.atom].isPositive }
    }

    /// Takes the first coefficient out, and what positive atoms all terms share.
    func primitive(_ polynomial: Int32) -> Primitive {
        if let known = primitives[polynomial] { return known }
        let terms = polynomials[polynomial]
        guard let first = terms.first else {
            return Primitive(coefficient: 1, monomial: Self.unit, polynomial: Self.zero)
        }
        var shared = monomial(
            monomials[first.monomial].filter { atoms[$0.atom].isPositive })
        for term in terms.dropFirst() where shared != Self.unit {
            shared = commonFactor(shared, term.monomial)
        }
        let leading = reals[first.coefficient]
        let rest = divided(polynomial, by: leading, shared)
        let result = Primitive(coefficient: leading, monomial: shared, polynomial: rest)
        primitives[polynomial] = result
        return result
    }

    /// - Requires: `monomial` is a common factor of all terms.
    func divided(_ polynomial: Int32, by coefficient: Double, _ monomial: Int32) -> Int32 {
        if coefficient == 1, monomial == Self.unit { return polynomial }
        return self.polynomial(
            polynomials[polynomial].map { term in
                Summand(
                    monomial: quotient(term.monomial, monomial),
                    coefficient: coefficient == 1
                        ? term.coefficient
                        : reals.intern(reals[term.coefficient] / coefficient))
            })
    }

    // MARK: Functions

    /// 1 over the root.
    func inverseRoot(_ polynomial: Int32) -> Int32 {
        let primitive = primitive(polynomial)
        guard primitive.coefficient > 0,
            monomials[primitive.monomial].allSatisfy({ $0.halves % 2 == 0 })
        else { return self.polynomial(.operation, -2, polynomial) }
        var factor = monomial(
            monomials[primitive.monomial].map {
                Factor(atom: $0.atom, halves: -$0.halves / 2)
            })
        if primitive.polynomial != Self.one {
            let root = Factor(atom: self.root(of: primitive.polynomial), halves: -1)
            factor = product(factor, monomial([root])) ?? factor
        }
        let coefficient = 1 / primitive.coefficient.squareRoot()
        return self.polynomial(
            Summand(monomial: factor, coefficient: reals.intern(coefficient)))
    }

    func tanh(_ polynomial: Int32) -> Int32 {
        guard let first = polynomials[polynomial].first else { return Self.zero }
        if reals[first.coefficient] >= 0 { return self.polynomial(.tanh, polynomial) }
        return scaled(self.polynomial(.tanh, scaled(polynomial, by: -1)), by: -1)
    }

    /// The exponential, with a factor of its own for each maximum, which cancel in a softmax; a
    /// guard becomes an indicator.
    func exponential(_ polynomial: Int32) -> Int32 {
        var rest: [Summand] = []
        var factors: [Int32] = []
        var coefficient = 1.0
        for term in polynomials[polynomial] {
            let power = reals[term.coefficient]
            if term.monomial == Self.unit {
                coefficient *= Foundation.exp(power)
                continue
            }
            let parts = monomials[term.monomial]
            let atom = atoms[parts[0].atom]
            if parts.count == 1, parts[0].halves == 2, power == power.rounded() {
                if atom.kind == .maximum {
                    let raised = Factor(
                        atom: self.atom(.exponential, self.polynomial(of: parts[0].atom)),
                        halves: Int32(2 * power))
                    factors.append(
                        self.polynomial(
                            Summand(monomial: monomial([raised]), coefficient: 0)))
                    continue
                }
                if atom.kind == .guarded, power == 1 {
                    if lists[atom.b].isEmpty { return Self.zero }
                    factors.append(self.polynomial(.indicator, atom.b))
                    rest += polynomials[atom.a]
                    continue
                }
            }
            rest.append(term)
        }
        let remaining = self.polynomial(rest)
        if remaining != Self.zero { factors.append(self.polynomial(.exponential, remaining)) }
        return scaled(factors.reduce(Self.one, multiply), by: coefficient)
    }

    /// What is left of a polynomial when its rounded self is taken from it.
    func rest(of polynomial: Int32) -> Int32 {
        let primitive = primitive(polynomial)
        return scaled(
            self.polynomial(.rest, primitive.polynomial), by: primitive.coefficient,
            primitive.monomial)
    }

    func maximum(_ a: Int32, _ b: Int32) -> Int32 {
        if a == b { return a }
        return withMembers(of: a) { x in
            withMembers(of: b) { maximum(of: mergedAscending(x, $0)) }
        }
    }

    /// The numbers of which a number is the greatest, in ascending order: itself, if of no others.
    func withMembers<Result>(
        of number: Int32, _ body: (UnsafeBufferPointer<Int32>) -> Result
    ) -> Result {
        if let atom = onlyAtom(number), atom.kind == .maximum { return body(members(atom.a)) }
        return withUnsafePointer(to: number) { body(UnsafeBufferPointer(start: $0, count: 1)) }
    }
}

/// The members of two ascending lists, each once.
func mergedAscending<Numbers: RandomAccessCollection>(
    _ a: Numbers, _ b: Numbers
) -> [Int32] where Numbers.Element == Int32, Numbers.Index == Int {
    [Int32](unsafeUninitializedCapacity: a.count + b.count) { all, count in
        var (i, j) = (0, 0)
        while i < a.count, j < b.count {
            let (x, y) = (a[i], b[j])
            all.initializeElement(at: count, to: min(x, y))
            count += 1
            if x <= y { i += 1 }
            if y <= x { j += 1 }
        }
        for rest in [a[i...], b[j...]] {
            for member in rest {
                all.initializeElement(at: count, to: member)
                count += 1
            }
        }
    }
}
