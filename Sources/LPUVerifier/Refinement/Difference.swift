/// Where two expressions that should be equal first differ, going down through both.
struct Difference {
    /// Polynomials on the way down, the smallest last: what is there instead of what should be.
    var actual: [Int32]
    /// Both sides, in words.
    var message: String
}

extension LaneAlgebra {
    /// - Requires: the polynomials differ.
    func difference(expected: Int32, actual: Int32) -> Difference {
        var path = [actual]
        let message = differ(expected, actual, &path)
        return Difference(actual: path, message: message)
    }

    private func differ(_ expected: Int32, _ actual: Int32, _ path: inout [Int32]) -> String {
        let (e, a) = (algebra.polynomials[expected], algebra.polynomials[actual])
        let missing = e.filter { !a.contains($0) }
        let extra = a.filter { !e.contains($0) }
        if path.count < 24, let pair = closest(missing, extra) {
            return differ(pair.0, pair.1, &path)
        }
        if missing.isEmpty {
            return "\(text(extra)) is added"
        }
        if extra.isEmpty { return "\(text(missing)) is missing" }
        return "it is \(describe(actual, depth: 1)) instead of \(describe(expected, depth: 1))"
    }

    private func text(_ terms: [Summand]) -> String {
        describe(algebra.polynomial(terms), depth: 1)
    }

    /// The terms that are most alike: of one row of a tensor, or of most factors.
    private func closest(_ missing: [Summand], _ extra: [Summand]) -> (Summand, Summand)? {
        for m in missing {
            if let same = extra.first(where: { algebra.key($0) == algebra.key(m) }) {
                return (m, same)
            }
        }
        guard let m = missing.first else { return nil }
        let kinds = self.kinds(m)
        let best = extra.enumerated().max { x, y in
            let (p, q) = (common(kinds, self.kinds(x.1)), common(kinds, self.kinds(y.1)))
            return (p, -x.0) < (q, -y.0)
        }
        return best.map { (m, $0.1) }
    }

    private func kinds(_ term: Summand) -> [Int32] {
        algebra.monomials[term.monomial].map { algebra.atoms[$0.atom].kind.rawValue }.sorted()
    }

    private func common(_ a: [Int32], _ b: [Int32]) -> Int {
        var rest = b
        var count = 0
        for kind in a {
            if let i = rest.firstIndex(of: kind) {
                rest.remove(at: i)
                count += 1
            }
        }
        return 2 * count - max(a.count, b.count)
    }

    private func differ(_ e: Summand, _ a: Summand, _ path: inout [Int32]) -> String {
        let (x, y) = (algebra.monomials[e.monomial], algebra.monomials[a.monomial])
        let missing = x.filter { !y.contains($0) }
        let extra = y.filter { !x.contains($0) }
        let whole = "it is \(text([a])) instead of \(text([e]))"
        if missing.isEmpty, extra.isEmpty {
            return "\(text([a])) is \(algebra.reals[a.coefficient] / algebra.reals[e.coefficient])"
                + " times what it should be"
        }
        for factor in missing {
            let wanted = algebra.atoms[factor.atom]
            guard
                let other = extra.first(where: {
                    algebra.atoms[$0.atom].kind == wanted.kind && $0.halves == factor.halves
                })
            else { continue }
            let found = algebra.atoms[other.atom]
            if wanted.kind == .contraction, wanted.a == found.a {
                let ratio = algebra.reals[a.coefficient] / algebra.reals[e.coefficient]
                if let inner = differColumns(wanted.b, found.b, times: ratio, &path) {
                    return inner
                }
            }
            if let inner = differ(wanted, found, &path) { return inner }
        }
        return whole
    }

    /// nil where the atoms have nothing inside that could be compared.
    private func differ(_ e: Atom, _ a: Atom, _ path: inout [Int32]) -> String? {
        switch e.kind {
        case .exponential, .tanh, .sum, .absolute, .rest, .recent, .stored, .integer:
            guard e.a != a.a else { return nil }
            path.append(a.a)
            return differ(e.a, a.a, &path)
        case .guarded:
            if e.b != a.b { return nil }
            path.append(a.a)
            return differ(e.a, a.a, &path)
        case .weight, .named, .contraction, .chosen, .tokens, .quantum, .trigonometric, .indicator,
            .maximum, .magnitude, .carried, .word, .operation, .byte, .argument,
            .unknown,
            .renamed:
            return nil
        }
    }

    /// - Parameter ratio: what all that is there is times, against what should be.
    private func differColumns(
        _ e: Int32, _ a: Int32, times ratio: Double, _ path: inout [Int32]
    ) -> String? {
        let (x, y) = (columns(e), columns(a))
        let (n, m) = (algebra.width(e), algebra.width(a))
        for (column, wanted) in x {
            guard let found = y.first(where: { $0.0 == column })?.1 else {
                return "column \(column) of \(n) is not there, \(m) are"
            }
            let scaled = algebra.scaled(found, by: ratio)
            if scaled != wanted {
                if found != wanted { path.append(found) }
                return "column \(column): " + differ(wanted, scaled, &path)
            }
        }
        return "\(m - n) columns too many are there"
    }

    /// Columns one by one, but runs of many by their first.
    private func columns(_ covector: Int32) -> [(Int32, Int32)] {
        algebra.columns(of: covector).map { ($0.start, $0.polynomial) }
    }
}
