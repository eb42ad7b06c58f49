/// Whether an expression mentions an element of a tensor, or what no one knows: if not, it is the
/// same under every renaming of tensors' elements.
extension Algebra {
    func isFree(_ polynomial: Int32) -> Bool {
        if let known = freePolynomials[polynomial] { return known == 1 }
        let result = polynomials[polynomial].allSatisfy { isFree(monomial: $0.monomial) }
        freePolynomials[polynomial] = result ? 1 : 0
        return result
    }

    func isFree(monomial: Int32) -> Bool {
        let kinds = kinds(of: monomial)
        if kinds & Self.tensorKinds != 0 { return false }
        if kinds & ~Self.freeKinds == 0 { return true }
        return monomials[monomial].allSatisfy { isFree(atom: $0.atom) }
    }

    func isFree(atom number: Int32) -> Bool {
        let atom = atoms[number][0]
        return switch atom.kind {
        case .named, .tokens, .trigonometric, .indicator, .word, .magnitude: true
        case .quantum: atom.b == Quantum.greatest
        case .weight, .contraction, .chosen, .unknown: false
        case .exponential, .tanh, .absolute, .sum, .guarded, .rest, .recent, .stored:
            isFree(atom.a)
        case .maximum: lists[atom.a].allSatisfy { isFree($0) }
        case .operation: isFree(lane: atom.b) && isFree(lane: atom.c)
        case .byte: isFree(lane: atom.b)
        case .branch:
            isFree(lane: atom.a) && lists[atom.b].allSatisfy { isFree(lane: $0 >> 1) }
        case .either: lists[atom.a].allSatisfy(isFree(lane:))
        case .argument: isFree(atom.b)
        }
    }

    /// Words depend on the token and its position alone.
    private func isFree(lane raw: Int32) -> Bool { raw < 0 || isFree(raw) }

    private static func mask(_ kinds: [Atom.Kind]) -> UInt32 {
        kinds.reduce(0) { $0 | 1 << UInt32($1.rawValue) }
    }
    private static let tensorKinds = mask([.weight, .contraction, .chosen, .unknown])
    private static let freeKinds = mask([
        .named, .tokens, .trigonometric, .indicator, .word, .magnitude,
    ])
}
