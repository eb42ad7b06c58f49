/// Names counted from one layer, as another layer counts them.
extension RefinementState {
    func shifted(_ content: Content, by layers: Int) -> Content {
        guard layers != 0, case .vectors(let list) = content else { return content }
        return .vectors(
            algebra.lists.intern(algebra.lists[list].map { shiftedVector($0, Int32(layers)) }))
    }

    private func shiftedVector(_ vector: Int32, _ layers: Int32) -> Int32 {
        let key = vector.word | layers.word << 32
        if let known = shiftMemory[key] { return known }
        let result = numbers.vectors.intern(
            numbers.vectors[vector].map { lane in
                lane.raw > 0 ? Lane(polynomial: shiftedPolynomial(lane.raw, layers)) : lane
            })
        shiftMemory[key] = result
        return result
    }

    /// A number of the residual stream gets its new name, and the token of the last layer, and its
    /// bytes; what no layer is in stays; a positive number, such as a bound, becomes one of which
    /// nothing else is known.
    private func shiftedPolynomial(_ polynomial: Int32, _ layers: Int32) -> Int32 {
        // Nothing but the last layer is counted so far from where it goes.
        if let token, polynomial == token.polynomial, layers == Int32(token.base) {
            return token.name
        }
        if let atom = algebra.onlyAtom(polynomial), atom.kind == .byte, atom.b > 0 {
            return algebra.polynomial(
                .byte, atom.a, shiftedPolynomial(atom.b, layers), atom.c)
        }
        if let atom = algebra.onlyAtom(polynomial), atom.kind == .named {
            return algebra.polynomial(.named, atom.a, atom.b + layers, atom.c)
        }
        if let atom = algebra.onlyAtom(polynomial), atom.kind == .carried {
            return algebra.polynomial(.carried, atom.a, atom.b + layers)
        }
        if isFreeOfLayers(polynomial) { return polynomial }
        if algebra.isPositive(polynomial) {
            return algebra.polynomial(.carried, polynomial, layers)
        }
        return algebra.unknown("a number that is no whole element of the residual stream")
    }

    private func isFreeOfLayers(_ polynomial: Int32) -> Bool {
        algebra.polynomials[polynomial].allSatisfy { term in
            algebra.monomials[term.monomial].allSatisfy { factor in
                let atom = algebra.atoms[factor.atom]
                return switch atom.kind {
                case .trigonometric, .indicator, .tokens, .word, .unknown: true
                case .byte: atom.b < 0 || isFreeOfLayers(atom.b)
                case .weight, .named, .contraction, .chosen, .quantum, .exponential, .tanh,
                    .absolute, .magnitude, .carried, .sum, .maximum, .guarded, .rest, .recent,
                    .stored,
                    .argument, .operation, .integer, .renamed:
                    false
                }
            }
        }
    }
}
