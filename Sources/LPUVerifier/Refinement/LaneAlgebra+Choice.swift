import LPUNumerics

/// Choices by a comparison: the index of the greatest.
extension LaneAlgebra {
    /// `lane` where the condition holds (or, if not `isKept`, does not), else 0.
    func branch(_ lane: Lane, _ condition: Lane, _ isKept: Bool) -> Lane {
        guard let atom = algebra.onlyAtom(condition.raw), atom.kind == .operation else {
            return opaque(isKept ? .mask : .maskNot, lane, condition)
        }
        var (base, conditions) = (lane, [Int32]())
        if let inner = lane.polynomial.flatMap(algebra.onlyAtom), inner.kind == .branch {
            base = Lane(raw: inner.a)
            conditions = Array(algebra.lists[inner.b])
        }
        let literal = 2 * condition.raw + (isKept ? 1 : 0)
        conditions = mergedAscending(conditions, [literal])
        return Lane(
            polynomial: algebra.polynomial(.branch, base.raw, algebra.lists.intern(conditions)))
    }

    /// The bits of both.
    func either(_ a: Lane, _ b: Lane) -> Lane {
        if a == .zero { return b }
        if b == .zero { return a }
        func parts(_ lane: Lane) -> [Int32] {
            guard let atom = lane.polynomial.flatMap(algebra.onlyAtom), atom.kind == .either else {
                return [lane.raw]
            }
            return Array(algebra.lists[atom.a])
        }
        let all = mergedAscending(parts(a), parts(b))
        return chosen(all)
            ?? Lane(polynomial: algebra.polynomial(.either, algebra.lists.intern(all)))
    }

    private struct Branch {
        var lane: Lane
        /// Of the comparisons: `true` where it is to hold.
        var conditions: [(comparison: Int32, holds: Bool)]
    }

    /// The index of the greater of two numbers: of the lower index if they are equal.
    private func chosen(_ parts: [Int32]) -> Lane? {
        var branches: [Branch] = []
        for part in parts {
            guard part >= 0, let atom = algebra.onlyAtom(part), atom.kind == .branch else {
                return nil
            }
            branches.append(
                Branch(
                    lane: Lane(raw: atom.a),
                    conditions: algebra.lists[atom.b].map { ($0 / 2, $0 % 2 == 1) }))
        }
        guard let less = branches.lazy.flatMap(\.conditions).first(where: { isLess($0.comparison) })
        else { return nil }
        guard let atom = algebra.onlyAtom(less.comparison) else { return nil }
        let (a, b) = (Lane(raw: atom.b), Lane(raw: atom.c))
        let equal = apply(.equal, a, b).raw
        /// The branch with exactly these conditions.
        func branch(_ conditions: (Int32, Bool)...) -> Lane? {
            branches.first { branch in
                branch.conditions.count == conditions.count
                    && conditions.allSatisfy { condition in
                        branch.conditions.contains {
                            $0.comparison == condition.0 && $0.holds == condition.1
                        }
                    }
            }?.lane
        }
        guard let new = branch((less.comparison, true)) else { return nil }
        if branches.count == 2, let old = branch((less.comparison, false)) {
            return joined(old, a, new, b, isAscending: true)
        }
        guard branches.count == 3,
            let old = branch((less.comparison, false), (equal, false)),
            let lower = branch((equal, true)), lower == apply(.minInt, old, new)
        else { return nil }
        return joined(old, a, new, b, isAscending: false)
    }

    private func isLess(_ comparison: Int32) -> Bool {
        algebra.onlyAtom(comparison).map {
            $0.kind == .operation && $0.a == Self.operationNumbers[.less]
        } ?? false
    }

    /// A number and its index, in turn: those whose greatest is `number` at `index`.
    private func candidates(_ index: Lane, _ number: Lane) -> [(number: Int32, index: Int32)]? {
        if let bits = bits(index) { return [(polynomial(number), Int32(bitPattern: bits))] }
        guard let atom = index.polynomial.flatMap(algebra.onlyAtom), atom.kind == .argument,
            atom.b == polynomial(number)
        else { return nil }
        let list = algebra.lists[atom.a]
        return stride(from: 0, to: list.count, by: 2).map { (list[$0], list[$0 + 1]) }
    }

    /// - Parameter isAscending: of equal numbers the first's index was taken.
    private func joined(
        _ i: Lane, _ a: Lane, _ j: Lane, _ b: Lane, isAscending: Bool
    ) -> Lane? {
        guard let first = candidates(i, a), let second = candidates(j, b) else { return nil }
        if isAscending, let last = first.last, let next = second.first, last.index >= next.index {
            return nil
        }
        var all: [Int32] = []
        var (m, n) = (0, 0)
        while m < first.count || n < second.count {
            if n == second.count || m < first.count && first[m].index < second[n].index {
                all += [first[m].number, first[m].index]
                m += 1
            } else {
                if m < first.count, first[m].index == second[n].index {
                    guard first[m].number == second[n].number else { return nil }
                    m += 1
                }
                all += [second[n].number, second[n].index]
                n += 1
            }
        }
        return Lane(polynomial: argument(all))
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
