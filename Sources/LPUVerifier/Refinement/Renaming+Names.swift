/// Long expressions, whose renamed forms have names.
extension Renaming {
    /// What stays is itself; the name of a long covector; nil for others.
    func named(covector: Int32) -> ScaledCovector? {
        let support = algebra.support(covector: covector)
        guard moves(support) else {
            return ScaledCovector(coefficient: 1, monomial: Algebra.unit, covector: covector)
        }
        let form = algebra.renamedForm(ofCovector: covector)
        guard form != nil || algebra.mayBeNamed(covector: covector) else { return nil }
        let base = form?.base ?? covector
        guard let key = key(base, ofSupport: algebra.support(covector: base), after: form?.key),
            let sample = polynomial(algebra.sample(ofCovector: covector))
        else { return nil }
        return ScaledCovector(
            coefficient: 1, monomial: Algebra.unit,
            covector: key.isIdentity
                ? base : algebra.renamed(covector: base, key.list, sample: sample))
    }

    /// The name of many members of a maximum; nil for others.
    func named(members: Int32) -> Int32? {
        let form = algebra.renamedForm(ofMembers: members)
        guard form != nil || algebra.mayBeNamed(members: members) else { return nil }
        let base = form?.base ?? members
        guard let key = key(base, ofSupport: algebra.support(members: base), after: form?.key),
            let sample = polynomial(algebra.sample(ofMembers: members))
        else { return nil }
        return key.isIdentity ? base : algebra.renamed(members: base, key.list, sample: sample)
    }

    /// A long sum under a root, or one that has a name.
    func named(sum: Int32) -> Summand? {
        if let atom = algebra.onlyAtom(sum), atom.kind == .renamed {
            return name(atom.a, sample: algebra.sample(ofPolynomial: sum), after: atom.b)
                .map(root)
        }
        guard algebra.mayBeNamed(sum: sum) else { return nil }
        return name(sum, sample: algebra.sample(ofPolynomial: sum), after: nil).map(root)
    }

    /// The renamed form of what is one already.
    func renamed(name: Int32, _ atom: Atom) -> Summand? {
        self.name(atom.a, sample: algebra.sample(ofPolynomial: name), after: atom.b).flatMap(term)
    }

    private func root(_ polynomial: Int32) -> Summand {
        Summand(
            monomial: algebra.monomial(of: algebra.atom(.sum, polynomial)), coefficient: 0)
    }

    private func name(_ base: Int32, sample: Int32, after key: Int32?) -> Int32? {
        guard let key = self.key(base, ofSupport: algebra.support(base), after: key),
            let sample = monomial(sample)
        else { return nil }
        return key.isIdentity
            ? base : algebra.renamed(polynomial: base, key.list, sample: sample.monomial)
    }

    /// Where everything in a support goes, after it went where an earlier key says; nil where
    /// something goes nowhere, or two things to one place.
    private func key(
        _ base: Int32, ofSupport support: Int32, after earlier: Int32?
    ) -> (list: [Int32], isIdentity: Bool)? {
        let items = algebra.lists[support]
        let old = earlier.map { algebra.lists[$0] }
        var key = [base]
        var isIdentity = true
        var heads: Set<[Int32]> = []
        for i in stride(from: 0, to: items.count, by: 2) {
            let (tensor, second) = (items[i], items[i + 1])
            for axis in 0..<(second < 0 ? -Int(second) : 1) {
                let origin = second < 0 ? 0 : second
                guard let new = coordinate(tensor, axis, old?[key.count] ?? origin) else {
                    return nil
                }
                if second >= 0, !heads.insert([tensor, new]).inserted { return nil }
                isIdentity = isIdentity && new == origin
                key.append(new)
            }
        }
        return (key, isIdentity)
    }

    // MARK: Written out

    func written(covector: Int32) -> Int32 {
        guard let runs = runs(covector, movedBy: 0) else {
            let unknown = algebra.unknown("a sum over other rows")
            return algebra.covectors.intern(Run(start: 0, end: 1, polynomial: unknown))
        }
        return algebra.covectors.intern(runs)
    }

    func written(members: Int32) -> Int32 {
        self.members(members) ?? algebra.lists.intern(algebra.unknown("numbers of other rows"))
    }

    func written(polynomial: Int32) -> Int32 {
        self.polynomial(polynomial) ?? algebra.unknown("a sum of other rows")
    }
}
