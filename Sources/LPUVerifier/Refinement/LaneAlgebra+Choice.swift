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
        return both(x.a, y.a).map { Lane(polynomial: algebra.polynomial(.argument, $0, x.b)) }
    }

    /// An index plus a constant, once all numbers that make the greatest have competed: then it is
    /// one of theirs.
    func shifted(_ index: Lane, by constant: Lane) -> Lane? {
        guard let known = competing(index), let bits = bits(constant),
            var list = candidates(known.a)
        else { return nil }
        let places = stride(from: 0, to: list.count, by: 2)
        let numbers = Set(places.map { list[$0] })
        guard algebra.withMembers(of: known.b, { numbers == Set($0) }) else { return nil }
        for i in places { list[i + 1] &+= Int32(bitPattern: bits) }
        guard places.dropFirst().allSatisfy({ list[$0 - 1] < list[$0 + 1] }) else { return nil }
        return Lane(polynomial: algebra.polynomial(.argument, algebra.lists.intern(list), known.b))
    }

    /// What a lane holds that is an index of several, all negative.
    private func competing(_ index: Lane) -> Atom? {
        guard let atom = index.polynomial.flatMap(algebra.onlyAtom), atom.kind == .argument else {
            return nil
        }
        let list = algebra.lists[atom.a]
        return list[0] == Self.ofParts || list[list.count - 1] < 0 ? atom : nil
    }

    // MARK: Candidates

    /// In the place of a number: lists follow whose candidates compete together. Many are written
    /// out once, when all have come, and not at each step of a tree.
    private static let ofParts: Int32 = -1
    /// Words of a list up to which it is written out.
    private static let shortest = 64

    /// The candidates of two lists as one; nil where an index is of two numbers.
    private func both(_ a: Int32, _ b: Int32) -> Int32? {
        let (x, y) = (algebra.lists[a], algebra.lists[b])
        if x[0] != Self.ofParts, y[0] != Self.ofParts, x.count + y.count <= Self.shortest {
            return merged(x, y).map(algebra.lists.intern)
        }
        return algebra.lists.intern([Self.ofParts] + mergedAscending(parts(a), parts(b)))
    }

    /// In ascending order.
    private func parts(_ list: Int32) -> [Int32] {
        let items = algebra.lists[list]
        return items[0] == Self.ofParts ? Array(items.dropFirst()) : [list]
    }

    /// Numbers and their indices in turn, in the order of these, each once; nil where an index is
    /// of two numbers.
    /// - Complexity: O(n log p) for p parts.
    func candidates(_ list: Int32) -> [Int32]? {
        var rest = parts(list).map { Array(algebra.lists[$0]) }[...]
        while rest.count > 1 {
            var pairs: [[Int32]] = []
            while let a = rest.popFirst() {
                guard let b = rest.popFirst() else {
                    pairs.append(a)
                    break
                }
                let both = a.withUnsafeBufferPointer { a in
                    b.withUnsafeBufferPointer { merged(a, $0) }
                }
                guard let both else { return nil }
                pairs.append(both)
            }
            rest = pairs[...]
        }
        return rest.first
    }

    /// `true` iff a number is one of those of which another is the greatest, or the greatest of
    /// some of them.
    private func isPart(_ number: Int32, of greatest: Int32) -> Bool {
        let key = number.word | greatest.word << 32
        if let known = parts[key] { return known }
        let result = algebra.withMembers(of: greatest) { all in
            algebra.withMembers(of: number) { isPart($0, of: all) }
        }
        parts[key] = result
        return result
    }

    /// `true` iff all of some ascending numbers are among others.
    private func isPart(
        _ part: UnsafeBufferPointer<Int32>, of all: UnsafeBufferPointer<Int32>
    ) -> Bool {
        var low = 0
        for member in part {
            var high = all.count
            while low < high {
                let middle = (low + high) / 2
                if all[middle] < member { low = middle + 1 } else { high = middle }
            }
            guard low < all.count, all[low] == member else { return false }
        }
        return true
    }

    /// Those of two lists that are written out.
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
