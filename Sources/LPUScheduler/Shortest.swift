import LPUSupport

/// A placer that one thread at a time works on.
private struct Try: @unchecked Sendable {
    let placer: Placer
}

/// Of several placers of one template, placed by `place`, the first of the shortest, or of those of
/// the fewest rows where they are scarce: what rests in one slice with what decides about a layer's
/// length by luck, and each start of the round robin over slices draws anew.
/// - Throws: what `place` throws of the first one, where it throws of all.
func shortest(
    of placers: [Placer], rowsAreScarce: Bool, threads: Int,
    _ place: @Sendable (Placer) throws(Infeasibility) -> Void
) throws(Infeasibility) -> Placer {
    let tries = placers.map { Try(placer: $0) }
    let costs = concurrentMap(count: tries.count, threads: threads) {
        k -> Result<Int, Infeasibility> in
        do throws(Infeasibility) {
            let placer = tries[k].placer
            try place(placer)
            return .success(rowsAreScarce ? placer.slotRows : placer.lengths().max() ?? 0)
        } catch {
            return .failure(error)
        }
    }
    var best: (cost: Int, placer: Placer)?
    for (cost, placer) in zip(costs, placers) {
        guard case .success(let cost) = cost, best == nil || cost < best!.cost else { continue }
        best = (cost, placer)
    }
    guard let best else {
        _ = try costs[0].get()
        preconditionFailure("a try that places has its cost")
    }
    return best.placer
}

extension Placer {
    /// Rows of each bank that a placement takes for images of its own.
    fileprivate var slotRows: Int {
        ownSlots.reduce(0) { sum, slot in
            sum + (srams.map { $0.rows(ofSlot: slot) }.max() ?? 0)
        }
    }
}
