import LPUModel
import LPUSupport

/// Attention over the cache: positions before this one, and this one by itself.
extension GraphExpansion {
    /// Row `position` is replaced by `update`; what rows before hold was written by the same
    /// operation in earlier steps.
    func cache(past: TensorID, update: [Int32]) -> Elements {
        let tensor = name(block[past].name)
        let channels = block[past].shape(context: positions)[2]
        for (i, number) in update.enumerated() {
            let unscaled = state.unscaled(number)
            state.cached[unscaled.polynomial] = CachedElement(
                tensor: tensor, head: Int32(i / channels), channel: Int32(i % channels),
                coefficient: unscaled.coefficient)
        }
        algebra.cacheUpdates[tensor] = CacheUpdates(elements: update, channels: channels)
        return .cache(tensor: tensor, update: update)
    }

    func scores(_ query: TensorID, _ keys: TensorID) -> Context {
        guard case .cache(let tensor, let update)? = elements[keys.index] else { return Context() }
        let shape = block[query].shape(context: positions)
        let (heads, groups, channels) = (shape[0] * shape[1], shape[1], shape[2])
        let q = numbers(query)
        func row(_ h: Int) -> ContextRow {
            let own = Array(q[h * channels..<(h + 1) * channels])
            let head = h / groups
            let columns = covector(own)
            let key = update[head * channels..<(head + 1) * channels]
            return ContextRow(
                past: (0..<positions).map {
                    self.row(tensor, axis: 2, [Int32(head), Int32($0)], columns)
                },
                current: algebra.sum(zip(own, key).map(algebra.multiply)))
        }
        if let renamings = headRenamings(query, q, groups: groups, channels: channels) {
            return Context(rows: [row(0)], renamings: renamings)
        }
        return Context(rows: (0..<heads).map(row))
    }

    /// What makes of the first head's rows of the projections those of each head; nil where the
    /// heads are not alike.
    private func headRenamings(
        _ query: TensorID, _ q: [Int32], groups: Int, channels: Int
    ) -> [Renaming]? {
        let keys = block.nodes.compactMap { node in
            if case .tensorScatter = node.operation { node.inputs[1] } else { nil }
        }
        let (ofQueries, ofKeys) = (projection(query), keys.flatMap(projection))
        var renamings: [Renaming] = []
        for h in 0..<q.count / channels {
            var shifts: [Int32: [Int32]] = [:]
            for tensor in ofQueries {
                shifts[name(tensor.name)] = shift(h, channels, tensor)
            }
            for tensor in ofKeys {
                shifts[name(tensor.name)] = shift(h / groups, channels, tensor)
            }
            let renaming = Renaming(shifts, algebra)
            guard
                zip(q[..<channels], q[(h * channels)...]).allSatisfy({
                    renaming.polynomial($0) == $1
                })
            else { return nil }
            renamings.append(renaming)
        }
        return renamings
    }

    private func shift(_ head: Int, _ channels: Int, _ tensor: WeightTensor) -> [Int32] {
        [Int32(head * channels)] + Array(repeating: 0, count: tensor.shape.count - 1)
    }

    /// The weights whose rows are a tensor's elements, but for what is done to each head alike.
    private func projection(_ tensor: TensorID) -> [WeightTensor] {
        guard let node = block.nodes.first(where: { $0.output == tensor }) else { return [] }
        switch node.operation {
        case .linear(let weight, let bias): return [weight] + (bias.map { [$0] } ?? [])
        case .rotaryEmbedding, .rmsNormalization, .scale: return projection(node.inputs[0])
        case .add, .gather, .tensorScatter, .queryTimesKeys, .weightsTimesValues, .causalMask,
            .softmax, .multiply, .swish, .argMax, .layerNormalization, .activation, .rows,
            .paddingMask, .maskedMean:
            return []
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
        let context = context(weights)
        let channels = update.count / shape[0]
        func head(_ h: Int, _ columns: ScaledCovector, _ current: Int32) -> [Int32] {
            let head = h / shape[1]
            return (0..<channels).map { channel in
                algebra.add(
                    row(tensor, axis: 1, [Int32(head), Int32(channel)], columns),
                    algebra.multiply(current, update[head * channels + channel]))
            }
        }
        let rows = context.rows.map { (covector($0.past), $0.current) }
        if context.renamings.isEmpty {
            return rows.enumerated().flatMap { head($0, $1.0, $1.1) }
        }
        return context.renamings.enumerated().flatMap { h, renaming in
            guard let columns = renaming.covector(rows[0].0),
                let current = renaming.polynomial(rows[0].1)
            else {
                return (0..<channels).map { _ in algebra.unknown("a head unlike the first") }
            }
            return head(h, columns, current)
        }
    }
}
