import LPUNumerics

/// The index of the greatest of several numbers. Indices that compete are negative, and 0 is none:
/// an index is kept where its number equals the greatest, and the lowest of those kept is taken.
extension LaneAlgebra {
    /// The index where two numbers are equal, else 0: one is the greatest of several, the other its
    /// own, which is one of these or the greatest of some. nil for anything else.
    func kept(_ index: Lane, where condition: Lane) -> Lane? {
        guard let equal = algebra.onlyAtom(condition.raw), equal.kind == .operation,
            equal.a == Self.operationNumbers[.equal]
        else { return nil }
        let (x, y) = (polynomial(Lane(raw: equal.b)), polynomial(Lane(raw: equal.c)))
        return kept(index, of: x, at: y) ?? kept(index, of: y, at: x)
    }

    /// All candidates of `number` are at most that: where it is less than `greatest`, so are they.
    private func kept(_ index: Lane, of number: Int32, at greatest: Int32) -> Lane? {
        guard isPart(number, of: greatest) else { return nil }
        if let bits = bits(index) {
            guard Int32(bitPattern: bits) < 0 else { return nil }
            let candidate = algebra.lists.intern([number, Int32(bitPattern: bits)])
            return Lane(polynomial: algebra.polynomial(.argument, candidate, greatest))
        }
        guard let known = competing(index), known.b == number else { return nil }
        return Lane(polynomial: algebra.polynomial(.argument, known.a, greatest))
    }

    /// The lower of two indices, each of the same greatest number or 0 for none.
    func lower(_ a: Lane, _ b: Lane) -> Lane? {
        if a == b { return a }
        if a == .zero { return competing(b) == nil ? nil : b }
        guard let x = competing(a) else { return nil }
        if b == .zero { return a }
        guard let y = competing(b), x.b == y.b else { return nil }
        return merged(algebra.lists[x.a], algebra.lists[y.a]).map {
            Lane(polynomial: algebra.polynomial(.argument, algebra.lists.intern($0), x.b))
        }
    }

    /// An index plus a constant, once all numbers that make the greatest have competed: then it is
    /// one of theirs.
    func shifted(_ index: Lane, by constant: Lane) -> Lane? {
        guard let known = competing(index), let bits = bits(constant) else { return nil }
        var list = Array(algebra.lists[known.a])
        guard Set(candidates(list).map(\.number)) == Set(members(known.b)) else { return nil }
        for i in stride(from: 1, to: list.count, by: 2) { list[i] &+= Int32(bitPattern: bits) }
        let indices = candidates(list).map(\.index)
        guard zip(indices, indices.dropFirst()).allSatisfy(<) else { return nil }
        return Lane(polynomial: algebra.polynomial(.argument, algebra.lists.intern(list), known.b))
    }

    /// What a lane holds that is an index of several, all negative.
    private func competing(_ index: Lane) -> Atom? {
        guard let atom = index.polynomial.flatMap(algebra.onlyAtom), atom.kind == .argument,
            let last = algebra.lists[atom.a].last, last < 0
        else { return nil }
        return atom
    }

    private func candidates(_ list: [Int32]) -> [(number: Int32, index: Int32)] {
        stride(from: 0, to: list.count, by: 2).map { (list[$0], list[$0 + 1]) }
    }

    /// The numbers of which a number is the greatest, in ascending order: itself, if of no others.
    func members(_ number: Int32) -> [Int32] {
        guard let atom = algebra.onlyAtom(number), atom.kind == .maximum else { return [number] }
        return Array(algebra.members(atom.a))
    }

    /// `true` iff a number is one of those of which another is the greatest, or the greatest of
    /// some of them.
    private func isPart(_ number: Int32, of greatest: Int32) -> Bool {
        let key = number.word | greatest.word << 32
        if let known = parts[key] { return known }
        var rest = members(number)[...]
        for member in members(greatest) where member == rest.first { rest.removeFirst() }
        parts[key] = rest.isEmpty
        return rest.isEmpty
    }

    /// Candidates of two ascending lists in the order of their indices, each once; nil where an
    /// index is of two numbers.
    private func merged(
        _ a: UnsafeBufferPointer<Int32>, _ b: UnsafeBufferPointer<Int32>
    ) -> [Int32]? {
        var all: [Int32] = []
        all.reserveCapacity(a.count + b.count)
        var (i, j) = (0, 0)
        while i < a.count || j < b.count {
            if j == b.count || i < a.count && a[i + 1] < b[j + 1] {
                all += [a[i], a[i + 1]]
                i += 2
            } else {
                if i < a.count, a[i + 1] == b[j + 1] {
                    guard a[i] == b[j] else { return nil }
                    i += 2
                }
                all += [b[j], b[j + 1]]
                j += 2
            }
        }
        return all
    }

    /// The index of the greatest of numbers and their indices in turn, in ascending order.
    func argument(_ candidates: [Int32]) -> Int32 {
        var members: [Int32] = []
        members.reserveCapacity(candidates.count / 2)
        for i in stride(from: 0, to: candidates.count, by: 2) { members.append(candidates[i]) }
        // The graph makes its numbers in the order of their indices.
        let isAscending = zip(members, members.dropFirst()).allSatisfy(<)
        if !isAscending { members = Array(Set(members)).sorted() }
        return algebra.polynomial(
            .argument, algebra.lists.intern(candidates), algebra.maximum(of: members))
    }
}
