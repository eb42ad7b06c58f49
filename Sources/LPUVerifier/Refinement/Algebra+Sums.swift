/// A covector times a coefficient and a monomial.
struct ScaledCovector {
    var coefficient: Double
    var monomial: Int32
    var covector: Int32
}

/// A sum of two covectors, `g` times `ratio`, each times a monomial; the key of a memory.
struct Merge: Hashable {
    var f: Int32
    var g: Int32
    var ratio: Int32
    var fMonomial: Int32
    var gMonomial: Int32
}

extension Algebra {
    func add(_ a: Int32, _ b: Int32) -> Int32 {
        if a == Self.zero { return b }
        if b == Self.zero { return a }
        let (x, y) = (polynomials[a], polynomials[b])
        if x.count == 1, y.count == 1, key(x[0]) == key(y[0]) {
            return combine(x[0], y[0]).map { polynomial($0) } ?? Self.zero
        }
        return withUnsafeTemporaryAllocation(of: Summand.self, capacity: x.count + y.count) {
            let (count, isInOrder) = added(x, y, into: $0)
            let terms = UnsafeBufferPointer(rebasing: $0[..<count])
            return isInOrder ? normal(terms) : polynomial(Array(terms))
        }
    }

    /// Writes the terms of a sum; returns how many, and whether they are in the keys' order.
    private func added(
        _ x: UnsafeBufferPointer<Summand>, _ y: UnsafeBufferPointer<Summand>,
        into terms: UnsafeMutableBufferPointer<Summand>
    ) -> (count: Int, isInOrder: Bool) {
        var (i, j, count) = (0, 0, 0)
        var isInOrder = true
        while i < x.count || j < y.count {
            let (kx, ky) = (i < x.count ? key(x[i]) : .max, j < y.count ? key(y[j]) : .max)
            var term: Summand?
            if kx < ky {
                term = x[i]
            } else if ky < kx {
                term = y[j]
            } else {
                term = combine(x[i], y[j])
                isInOrder = isInOrder && term.map { key($0) == kx } ?? true
            }
            if kx <= ky { i += 1 }
            if ky <= kx { j += 1 }
            guard let term else { continue }
            terms[count] = term
            count += 1
        }
        return (count, isInOrder)
    }

    func subtract(_ a: Int32, _ b: Int32) -> Int32 { add(a, scaled(b, by: -1)) }

    func sum(_ parts: [Int32]) -> Int32 {
        var parts = parts
        while parts.count > 1 {
            parts = stride(from: 0, to: parts.count, by: 2).map {
                $0 + 1 < parts.count ? add(parts[$0], parts[$0 + 1]) : parts[$0]
            }
        }
        return parts.first ?? Self.zero
    }

    /// The polynomial of terms in any order.
    func polynomial(_ terms: [Summand]) -> Int32 {
        guard terms.count > 1 else { return normal(terms) }
        let sorted = terms.sorted { (key($0), $0.monomial) < (key($1), $1.monomial) }
        var result: [Summand] = []
        var isInOrder = true
        for term in sorted {
            if let last = result.last, key(last) == key(term) {
                result.removeLast()
                guard let both = combine(last, term) else { continue }
                isInOrder = isInOrder && key(both) == key(term)
                result.append(both)
            } else {
                result.append(term)
            }
        }
        return isInOrder ? normal(result) : polynomial(result)
    }

    func scaled(_ polynomial: Int32, by factor: Double) -> Int32 {
        scaled(polynomial, by: factor, Self.unit)
    }

    /// The polynomial times a coefficient and a monomial.
    func scaled(_ polynomial: Int32, by factor: Double, _ monomial: Int32) -> Int32 {
        if factor == 0 { return Self.zero }
        if factor == 1, monomial == Self.unit { return polynomial }
        if polynomials[polynomial].count == 1 {
            var term = polynomials[polynomial][0]
            guard let product = product(term.monomial, monomial) else { return Self.zero }
            term.monomial = product
            if factor != 1 { term.coefficient = reals.intern(reals[term.coefficient] * factor) }
            return self.polynomial(term)
        }
        let terms = polynomials[polynomial]
        return withUnsafeTemporaryAllocation(of: Summand.self, capacity: terms.count) {
            var count = 0
            for term in terms {
                guard let product = product(term.monomial, monomial) else { continue }
                let coefficient =
                    factor == 1
                    ? term.coefficient : reals.intern(reals[term.coefficient] * factor)
                $0[count] = Summand(monomial: product, coefficient: coefficient)
                count += 1
            }
            let scaled = UnsafeBufferPointer(rebasing: $0[..<count])
            return monomial == Self.unit ? normal(scaled) : self.polynomial(Array(scaled))
        }
    }

    /// Two terms with one key; nil where they cancel.
    private func combine(_ x: Summand, _ y: Summand) -> Summand? {
        let (a, b) = (reals[x.coefficient], reals[y.coefficient])
        if x.monomial == y.monomial {
            let sum = a + b
            // Equal numbers of `Reals` cancel, and nothing else: a small rest may be scaled up.
            guard sum != 0 else { return nil }
            return Summand(monomial: x.monomial, coefficient: reals.intern(sum))
        }
        if has(.tokens, in: x.monomial) { return combineTokens(x, y) }
        let (f, g) = (contraction(in: x.monomial), contraction(in: y.monomial))
        let merged = merge(
            ScaledCovector(coefficient: a, monomial: f.rest, covector: f.covector),
            ScaledCovector(coefficient: b, monomial: g.rest, covector: g.covector))
        return term(merged, slot: f.slot)
    }

    /// The same for some tokens and for others is that for all of them.
    private func combineTokens(_ x: Summand, _ y: Summand) -> Summand {
        let (a, b) = (chosenTokens(x.monomial), chosenTokens(y.monomial))
        let union = x.coefficient == y.coefficient ? union(a.set, b.set) : Self.overlap
        guard union != Self.overlap else {
            let both = unknown("what is looked up twice for one token")
            return polynomials[both][0]
        }
        guard union != Self.everyToken else {
            return Summand(monomial: a.rest, coefficient: x.coefficient)
        }
        let chosen = monomial(of: atom(.tokens, union))
        return Summand(
            monomial: product(a.rest, chosen) ?? a.rest, coefficient: x.coefficient)
    }

    private static var overlap: Int32 { -1 }
    private static var everyToken: Int32 { -2 }

    /// The list of the tokens of two lists, if no token is in both.
    private func union(_ a: Int32, _ b: Int32) -> Int32 {
        let key = a.word | b.word << 32
        if let known = tokenUnions[key] { return known }
        let (x, y) = (PositionSet(lists[a]), PositionSet(lists[b]))
        var union = Self.overlap
        if x.intersection(y).ranges.isEmpty {
            let all = x.union(y)
            union = all.ranges == [0..<Int32(tokens)] ? Self.everyToken : lists.intern(all.list)
        }
        tokenUnions[key] = union
        return union
    }

    private func chosenTokens(_ monomial: Int32) -> (set: Int32, rest: Int32) {
        let factors = monomials[monomial]
        if let (tokens, other) = tokensAndOther(factors) {
            return (tokens.a, self.monomial(of: other.atom))
        }
        let atom = factors.first { atoms[$0.atom].kind == .tokens }
        return (
            atom.map { atoms[$0.atom].a } ?? lists.intern([]),
            self.monomial(factors.filter { atoms[$0.atom].kind != .tokens })
        )
    }

    /// A row of a tensor times a covector; nil for nothing.
    func term(_ scaled: ScaledCovector, slot: Int32) -> Summand? {
        guard scaled.covector != Self.empty else { return nil }
        let atom = atom(slot: slot, scaled.covector)
        guard let product = product(scaled.monomial, monomial(of: atom)) else { return nil }
        return Summand(monomial: product, coefficient: reals.intern(scaled.coefficient))
    }

    /// One column taken as it is is that element.
    private func atom(slot: Int32, _ covector: Int32) -> Int32 {
        let runs = covectors[covector]
        if runs.count == 1, runs[0].end == runs[0].start + 1, runs[0].polynomial == Self.one {
            let parts = lists[slot]
            var element = [parts[0]] + parts[2...]
            element.insert(runs[0].start, at: 1 + Int(parts[1]))
            return atom(.weight, lists.intern(element))
        }
        return atom(.contraction, slot, covector)
    }

    private func contraction(
        in monomial: Int32
    ) -> (slot: Int32, covector: Int32, rest: Int32) {
        var rest = Array(monomials[monomial])
        for (i, factor) in rest.enumerated() {
            let atom = atoms[factor.atom]
            guard atom.kind == .contraction else { continue }
            rest.remove(at: i)
            return (atom.a, atom.b, self.monomial(rest))
        }
        preconditionFailure("terms of one key and two monomials are contractions")
    }

    private func normal(_ terms: [Summand]) -> Int32 {
        terms.withUnsafeBufferPointer { normal($0) }
    }

    /// - Requires: terms are in the order of their keys, no two of one key.
    private func normal(_ terms: UnsafeBufferPointer<Summand>) -> Int32 {
        if terms.contains(where: { has(.rest, in: $0.monomial) }) {
            let rest = withoutRests(terms)
            return rest.count == 1 ? polynomial(rest[0]) : polynomials.intern(rest)
        }
        if terms.count == 2, has(.trigonometric, in: terms[0].monomial),
            has(.trigonometric, in: terms[1].monomial), let turned = addedAngles(Array(terms))
        {
            return turned
        }
        return terms.count == 1 ? polynomial(terms[0]) : polynomials.intern(terms)
    }

    /// x and what a rounding of x left over are x.
    private func withoutRests(_ terms: UnsafeBufferPointer<Summand>) -> [Summand] {
        terms.filter { term in
            guard has(.rest, in: term.monomial) else { return true }
            var factors = Array(monomials[term.monomial])
            guard
                let i = factors.firstIndex(where: {
                    $0.halves == 2 && atoms[$0.atom].kind == .rest
                })
            else { return true }
            let whole = atoms[factors[i].atom].a
            factors.remove(at: i)
            let (cofactor, scale) = (monomial(factors), reals[term.coefficient])
            return !polynomials[whole].allSatisfy { part in
                guard let product = product(part.monomial, cofactor) else { return false }
                let coefficient = reals.intern(reals[part.coefficient] * scale)
                return terms.contains { $0.monomial == product && $0.coefficient == coefficient }
            }
        }
    }
}
