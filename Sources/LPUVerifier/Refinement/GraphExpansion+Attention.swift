import LPUModel
import LPUSupport

/// Attention over the cache: positions before this one, and this one by itself.
extension GraphExpansion {
    /// Row `position` is replaced by `update`; what rows before hold was written by the same
    /// operation in earlier steps.
    func cache(past: TensorID, update: [Int32]) -> Elements {
        let tensor = algebra.name(block[past].name)
        let channels = block[past].shape(context: positions)[2]
        for (i, number) in update.enumerated() {
            let unscaled = state.unscaled(number)
            state.cached[unscaled.polynomial] = CachedElement(
                tensor: tensor, head: Int32(i / channels), channel: Int32(i % channels),
                coefficient: unscaled.coefficient)
        }
        return .cache(tensor: tensor, update: update)
    }

    func scores(_ query: TensorID, _ keys: TensorID) -> [ContextRow] {
        guard case .cache(let tensor, let update)? = elements[keys.index] else { return [] }
        let shape = block[query].shape(context: positions)
        let (groups, channels) = (shape[1], shape[2])
        let q = numbers(query)
        return (0..<shape[0] * groups).map { h in
            let own = Array(q[h * channels..<(h + 1) * channels])
            let head = h / groups
            let columns = covector(own)
            let key = update[head * channels..<(head + 1) * channels]
            return ContextRow(
                past: (0..<positions).map {
                    row(tensor, axis: 2, [Int32(head), Int32($0)], columns)
                },
                current: algebra.sum(zip(own, key).map(algebra.multiply)))
        }
    }

    /// Positions that may be seen are those before this one, and this one.
    func softmax(_ row: ContextRow) -> ContextRow {
        let past = row.past.enumerated().map { position, score -> Int32 in
            var visible = PositionSet()
            visible.append(
                (row.isMasked ? Int32(position + 1) : 0)..<Int32(positions))
            return algebra.exponential(state.numbers.guarded(score, visible))
        }
        let current = algebra.exponential(row.current)
        let sum = algebra.sum(past + [current])
        let root = algebra.inverseRoot(sum)
        let share = algebra.multiply(root, root)
        return ContextRow(
            past: past.map { algebra.multiply($0, share) },
            current: algebra.multiply(current, share))
    }

    func mixed(_ weights: TensorID, _ values: TensorID) -> [Int32] {
        guard case .cache(let tensor, let update)? = elements[values.index] else { return [] }
        let shape = block[weights].shape(context: positions)
        let rows = context(weights)
        let channels = update.count / shape[0]
        return rows.enumerated().flatMap { h, weights -> [Int32] in
            let head = h / shape[1]
            let columns = covector(weights.past)
            return (0..<channels).map { channel in
                algebra.add(
                    row(tensor, axis: 1, [Int32(head), Int32(channel)], columns),
                    algebra.multiply(weights.current, update[head * channels + channel]))
            }
        }
    }
}
