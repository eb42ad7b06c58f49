/// Covectors: what each column of a contraction is multiplied by.
extension Algebra {
    /// The sum of two scaled covectors.
    func merge(_ f: ScaledCovector, _ g: ScaledCovector) -> ScaledCovector {
        let ratio = reals.intern(g.coefficient / f.coefficient)
        let shared =
            f.monomial == g.monomial
            ? f.monomial : commonFactor(f.monomial, g.monomial)
        let key = Merge(
            f: f.covector, g: g.covector, ratio: ratio, fMonomial: quotient(f.monomial, shared),
            gMonomial: quotient(g.monomial, shared))
        let sum = merges[key] ?? add(key)
        merges[key] = sum
        return ScaledCovector(
            coefficient: sum.coefficient * f.coefficient,
            monomial: product(sum.monomial, shared) ?? shared, covector: sum.covector)
    }

    private func add(_ key: Merge) -> ScaledCovector {
        let f = scaled(columns(of: key.f), by: 1, key.fMonomial)
        let g = scaled(columns(of: key.g), by: reals[key.ratio], key.gMonomial)
        var runs: [Run] = []
        var (i, j) = (0, 0)
        var at: Int32 = 0
        while i < f.count || j < g.count {
            let x = i < f.count ? f[i] : nil
            let y = j < g.count ? g[j] : nil
            let start = max(at, min(x?.start ?? .max, y?.start ?? .max))
            let inX = x.map { $0.start <= start } ?? false
            let inY = y.map { $0.start <= start } ?? false
            var end = Int32.max
            if let x { end = min(end, inX ? x.end : x.start) }
            if let y { end = min(end, inY ? y.end : y.start) }
            let here =
                switch (inX ? x : nil, inY ? y : nil) {
                case (let x?, let y?): add(x.polynomial, y.polynomial)
                case (let x?, nil): x.polynomial
                case (nil, let y?): y.polynomial
                case (nil, nil): Self.zero
                }
            runs.append(Run(start: start, end: end, polynomial: here))
            at = end
            if let x, x.end <= at { i += 1 }
            if let y, y.end <= at { j += 1 }
        }
        return covector(runs)
    }

    private func scaled(
        _ runs: UnsafeBufferPointer<Run>, by factor: Double, _ monomial: Int32
    ) -> [Run] {
        if factor == 1, monomial == Self.unit { return Array(runs) }
        return runs.map {
            Run(
                start: $0.start, end: $0.end,
                polynomial: scaled($0.polynomial, by: factor, monomial))
        }
    }

    /// The covector of runs in ascending order, what all columns share taken out: the first
    /// coefficient, and where there is more than one column the common factor.
    func covector(_ runs: [Run]) -> ScaledCovector {
        var all: [Run] = []
        all.reserveCapacity(runs.count)
        for run in runs where run.polynomial != Self.zero {
            if let last = all.last, last.end == run.start, last.polynomial == run.polynomial {
                all[all.count - 1].end = run.end
            } else {
                all.append(run)
            }
        }
        guard let first = all.first, let last = all.last else {
            return ScaledCovector(coefficient: 1, monomial: Self.unit, covector: Self.empty)
        }
        let leading = reals[polynomials[first.polynomial][0].coefficient]
        var shared = Self.unit
        if last.end - first.start > 1 {
            shared = polynomials[first.polynomial][0].monomial
            search: for run in all {
                for term in polynomials[run.polynomial] {
                    shared = commonFactor(shared, term.monomial)
                    if shared == Self.unit { break search }
                }
            }
        }
        if leading != 1 || shared != Self.unit {
            for i in all.indices {
                all[i].polynomial = divided(all[i].polynomial, by: leading, shared)
            }
        }
        return ScaledCovector(
            coefficient: leading, monomial: shared, covector: named(covector: covectors.intern(all))
        )
    }

    /// The number of columns, each once.
    func width(_ covector: Int32) -> Int {
        columns(of: covector).reduce(0) { $0 + Int($1.end - $1.start) }
    }
}
