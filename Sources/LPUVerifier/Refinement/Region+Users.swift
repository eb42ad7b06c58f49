import LPUDataflow
import LPUSupport

/// What is true of one user's steps is true of all: their rows have other numbers, and that is all.
///
/// A step does the same for every user, since nothing but addresses may depend on the user. So it
/// is enough that each row that is read has a counterpart in each user's steps, that writes meet
/// counterparts alike, and that no step meets a row that another user's steps read.
extension Region {
    /// Rows that steps of user 0 and of another one meet at one position.
    struct Pair: Hashable {
        var first: Int
        var other: Int
    }

    /// What is wrong with that, at the writes to blame; empty for one user.
    func userProblems() -> [(op: OpID, message: String)] {
        guard state.users > 1, let first = writes.first else { return [] }
        var problems: [(op: OpID, message: String)] = []
        // Of each row, the user whose steps read it, and what it is the counterpart of.
        var owners = [Int](repeating: -1, count: count)
        var originals = owners
        var counterparts = Array(repeating: owners, count: state.users)
        for view in views {
            for index in view.reads.sorted() {
                for user in 0..<state.users {
                    let (row, original) = (view.starts[user] + index, view.starts[0] + index)
                    guard owners.indices.contains(row) else {
                        problems.append((first.op, "row \(row) of \(count) is read"))
                        return problems
                    }
                    let isNew = owners[row] < 0 && counterparts[user][original] < 0
                    guard isNew || owners[row] == user && originals[row] == original else {
                        let other = owners[row] < 0 ? user : owners[row]
                        problems.append(
                            (first.op, "row \(row) is read by users \(other) and \(user) alike"))
                        return problems
                    }
                    (owners[row], originals[row]) = (user, original)
                    counterparts[user][original] = row
                }
            }
        }
        for write in writes {
            // Rows that are not named are no user's in particular.
            guard let pairs = pairs(write.address()) else { continue }
            for (user, pairs) in pairs.enumerated() {
                let wrong = pairs.first { pair in
                    guard max(pair.first, pair.other) < write.rows else { return true }
                    let row = write.start + pair.other
                    let counterpart = counterparts[user][write.start + pair.first]
                    return counterpart < 0 ? owners[row] >= 0 : counterpart != row
                }
                if let wrong {
                    problems.append(
                        (
                            write.op,
                            "a step of user \(user) writes row \(write.start + wrong.other) "
                                + "where that of user 0 writes \(write.start + wrong.first)"
                        ))
                    break
                }
            }
        }
        return problems
    }

    /// For each user the rows that an address names, without repetition.
    private func pairs(_ address: Int32) -> [[Pair]]? {
        if let known = state.pairMemory[address] { return known }
        var result: [[Pair]] = []
        for user in 0..<state.users {
            var pairs = Set<Pair>()
            for superlanes in state.superlanes(ofAddress: address) {
                guard let first = state.addresses(address, of: superlanes)?.values,
                    let other = state.addresses(address, of: superlanes, user: user)?.values
                else { return nil }
                pairs.formUnion(zip(first, other).map { Pair(first: $0, other: $1) })
            }
            result.append(pairs.sorted { ($0.first, $0.other) < ($1.first, $1.other) })
        }
        state.pairMemory[address] = result
        return result
    }
}
