/// What expressions mention of tensors: a renaming that moves nothing of it leaves them as they
/// are.
///
/// A support is a list of pairs in ascending order: a tensor and minus its rank, or a cache and one
/// of its heads, or one of the marks.
final class Supports {
    fileprivate let polynomials = NumberMemory()
    fileprivate let covectors = NumberMemory()
    fileprivate let members = NumberMemory()
    fileprivate var unions: [UInt64: Int32] = [:]
    fileprivate var mentions: [UInt64: Int32] = [:]
    fileprivate var last: (key: UInt64, support: Int32) = (.max, 0)

    /// In the place of a tensor: something that has no renamed form that could be told.
    static var unrenamable: Int32 { -2 }
    /// What may be renamed, but changes its form then.
    static var changing: Int32 { -1 }
}

extension Algebra {
    /// The support of what mentions nothing.
    static let nothing: Int32 = 0

    /// `true` iff no element of a tensor is mentioned, and nothing that no one knows.
    func isFree(_ polynomial: Int32) -> Bool { support(polynomial) == Self.nothing }

    /// `true` iff what has the support has the same form when it is renamed.
    func keepsForm(_ support: Int32) -> Bool { lists[support].first.map { $0 >= 0 } ?? true }

    func support(_ polynomial: Int32) -> Int32 {
        if let known = supports.polynomials[polynomial] {
            return Int32(truncatingIfNeeded: known)
        }
        var all = Self.nothing
        for term in polynomials[polynomial] { all = union(all, support(monomial: term.monomial)) }
        supports.polynomials[polynomial] = all.word
        return all
    }

    func support(monomial: Int32) -> Int32 {
        if kinds(of: monomial) & ~Self.freeKinds == 0 { return Self.nothing }
        var all = Self.nothing
        for factor in monomials[monomial] { all = union(all, support(atom: factor.atom)) }
        return all
    }

    func support(covector: Int32) -> Int32 {
        if let known = supports.covectors[covector] { return Int32(truncatingIfNeeded: known) }
        var all = Self.nothing
        if let form = renamedForm(ofCovector: covector) {
            all = image(ofSupport: support(covector: form.base), form.key)
        } else {
            for run in covectors[covector] { all = union(all, support(run.polynomial)) }
        }
        supports.covectors[covector] = all.word
        return all
    }

    /// However members are ordered, their greatest is one atom.
    func support(members list: Int32) -> Int32 {
        if let known = supports.members[list] { return Int32(truncatingIfNeeded: known) }
        var all = Self.nothing
        if let form = renamedForm(ofMembers: list) {
            all = image(ofSupport: support(members: form.base), form.key)
        } else {
            for member in lists[list] { all = union(all, support(member)) }
        }
        supports.members[list] = all.word
        return all
    }

    func support(atom number: Int32) -> Int32 {
        let atom = atoms[number]
        switch atom.kind {
        case .named, .tokens, .trigonometric, .indicator, .word, .magnitude, .carried:
            return Self.nothing
        case .weight:
            let element = lists[atom.a]
            return mention(element[0], rank: element.count - 1, first: element[1])
        case .contraction:
            let slot = lists[atom.a]
            // Heads of caches are rows, never columns.
            let row = mention(slot[0], rank: slot.count - 1, first: slot.count > 2 ? slot[2] : -1)
            return union(row, support(covector: atom.b))
        case .chosen: return union(mark(Supports.changing), mention(lists[atom.a][0], -1))
        case .quantum where atom.b == Quantum.greatest: return Self.nothing
        case .quantum:
            // A list of less says that several quantisations have the tensor.
            return lists[atom.a].count > 1
                ? union(mark(Supports.changing), mention(lists[atom.a][0], -1))
                : mark(Supports.unrenamable)
        case .exponential, .absolute, .guarded, .recent, .integer: return support(atom.a)
        case .tanh, .rest: return changing(support(atom.a))
        case .sum: return hasFixedOrder(atom.a) ? support(atom.a) : changing(support(atom.a))
        case .maximum: return support(members: atom.a)
        case .renamed:
            return image(ofSupport: support(lists[atom.b][0]), atom.b)
        case .stored: return unrenamable(support(atom.a))
        case .operation: return unrenamable(union(support(lane: atom.b), support(lane: atom.c)))
        case .byte: return unrenamable(support(lane: atom.b))
        case .argument: return unrenamable(support(atom.b))
        case .unknown: return mark(Supports.unrenamable)
        }
    }

    /// Words depend on the token and its position alone.
    private func support(lane raw: Int32) -> Int32 { raw < 0 ? Self.nothing : support(raw) }

    /// `true` iff the first term's coefficient is the same however the terms are sorted.
    func hasFixedOrder(_ polynomial: Int32) -> Bool {
        let terms = polynomials[polynomial]
        return terms.first?.monomial == Self.unit || terms.allSatisfy { $0.coefficient == 0 }
    }

    // MARK: Sets

    private func mark(_ mark: Int32) -> Int32 { lists.intern([mark, 0]) }

    private func changing(_ support: Int32) -> Int32 {
        support == Self.nothing ? support : union(mark(Supports.changing), support)
    }

    private func unrenamable(_ support: Int32) -> Int32 {
        support == Self.nothing ? support : union(mark(Supports.unrenamable), support)
    }

    private func mention(_ tensor: Int32, rank: Int, first: Int32) -> Int32 {
        if cacheUpdates[tensor] == nil { return mention(tensor, -Int32(rank)) }
        return first >= 0 ? mention(tensor, first) : mark(Supports.unrenamable)
    }

    private func mention(_ tensor: Int32, _ second: Int32) -> Int32 {
        let key = tensor.word | second.word << 32
        if supports.last.key == key { return supports.last.support }
        let support = supports.mentions[key] ?? lists.intern([tensor, second])
        supports.mentions[key] = support
        supports.last = (key, support)
        return support
    }

    private func union(_ a: Int32, _ b: Int32) -> Int32 {
        if a == b || b == Self.nothing { return a }
        if a == Self.nothing { return b }
        let key = a.word | b.word << 32
        if let known = supports.unions[key] { return known }
        let union = support(ofPairs: pairs(a) + pairs(b))
        supports.unions[key] = union
        return union
    }

    private func pairs(_ support: Int32) -> [(Int32, Int32)] {
        let list = lists[support]
        return stride(from: 0, to: list.count, by: 2).map { (list[$0], list[$0 + 1]) }
    }

    private func support(ofPairs pairs: [(Int32, Int32)]) -> Int32 {
        var list: [Int32] = []
        for (a, b) in pairs.sorted(by: <)
        where list.count < 2 || list[list.count - 2] != a || list[list.count - 1] != b {
            list += [a, b]
        }
        return lists.intern(list)
    }

    /// What is mentioned by the renamed form.
    private func image(ofSupport support: Int32, _ key: Int32) -> Int32 {
        var place = 1
        return self.support(
            ofPairs: pairs(support).map { tensor, second in
                defer { place += second < 0 ? -Int(second) : 1 }
                return (tensor, second < 0 ? second : lists[key][place])
            })
    }

    private static let freeKinds: UInt32 = [
        Atom.Kind.named, .tokens, .trigonometric, .indicator, .word, .magnitude, .carried,
    ].reduce(0) { $0 | 1 << UInt32($1.rawValue) }
}
