/// Cosines and sines of a frequency times an integer that the position gives.
extension Algebra {
    /// - Parameter angle: a list, an integer for every position.
    func angle(isSine: Bool, _ frequency: Double, _ angle: Int32) -> Int32 {
        // Frequencies are compared by their bits: a turn by a nearby one is another turn.
        let bits = frequency.bitPattern
        let number = lists.intern([
            Int32(truncatingIfNeeded: bits), Int32(truncatingIfNeeded: bits >> 32),
        ])
        return polynomial(.trigonometric, isSine ? 1 : 0, number, angle)
    }

    private struct Angle {
        var isSine: Bool
        var frequency: Int32
        var angle: Int32
    }

    /// cos a cos b - sin a sin b = cos(a + b), sin a cos b + cos a sin b = sin(a + b); nil where
    /// the terms are neither.
    func addedAngles(_ terms: [Summand]) -> Int32? {
        guard let x = twoAngles(terms[0]), let y = twoAngles(terms[1]) else { return nil }
        let all = [x.0, x.1, y.0, y.1]
        let (p, q) = (reals[terms[0].coefficient], reals[terms[1].coefficient])
        guard all.allSatisfy({ $0.frequency == x.0.frequency }), p == q || p == -q else {
            return nil
        }
        let isCosine = x.0.isSine == x.1.isSine
        if isCosine {
            guard p == -q, y.0.isSine == y.1.isSine, x.0.isSine != y.0.isSine,
                Set([x.0.angle, x.1.angle]) == Set([y.0.angle, y.1.angle])
            else { return nil }
        } else {
            let (sine, cosine) = x.0.isSine ? (x.0, x.1) : (x.1, x.0)
            let (otherSine, otherCosine) = y.0.isSine ? (y.0, y.1) : (y.1, y.0)
            guard p == q, y.0.isSine != y.1.isSine, sine.angle == otherCosine.angle,
                cosine.angle == otherSine.angle
            else { return nil }
        }
        let (a, b) = (lists[x.0.angle], lists[x.1.angle])
        let sum = lists.intern(zip(a, b).map { $0 + $1 })
        let positive = isCosine && x.0.isSine ? q : p
        let frequency = lists[x.0.frequency]
        let bits =
            UInt64(UInt32(bitPattern: frequency[0]))
            | UInt64(UInt32(bitPattern: frequency[1])) << 32
        return scaled(
            angle(isSine: !isCosine, Double(bitPattern: bits), sum), by: positive)
    }

    private func twoAngles(_ term: Summand) -> (Angle, Angle)? {
        let factors = monomials[term.monomial]
        let angles = factors.compactMap { factor -> Angle? in
            let atom = atoms[factor.atom]
            guard atom.kind == .trigonometric else { return nil }
            return Angle(isSine: atom.a == 1, frequency: atom.b, angle: atom.c)
        }
        if factors.count == 1, angles.count == 1, factors[0].halves == 4 {
            return (angles[0], angles[0])
        }
        guard factors.count == 2, angles.count == 2, factors.allSatisfy({ $0.halves == 2 }) else {
            return nil
        }
        return (angles[0], angles[1])
    }
}
