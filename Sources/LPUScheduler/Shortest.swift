import LPUSupport

/// A placer that one thread at a time works on.
private struct Try: @unchecked Sendable {
    let placer: Placer
}

/// Of several placers of one template, placed by `place`, the first of the shortest: what rests in
/// one slice with what decides about a layer's length by luck, and each start of the round robin
/// over slices draws anew.
/// - Throws: what `place` throws of the first one, where it throws of all.
func shortest(
    of placers: [Placer], threads: Int,
    _ place: @Sendable (Placer) throws(Infeasibility) -> Void
) throws(Infeasibility) -> Placer {
    let tries = placers.map { Try(placer: $0) }
    let lengths = concurrentMap(count: tries.count, threads: threads) {
        k -> Result<Int, Infeasibility> in
        do throws(Infeasibility) {
            try place(tries[k].placer)
            return .success(tries[k].placer.lengths().max() ?? 0)
        } catch {
            return .failure(error)
        }
    }
    var best: (length: Int, placer: Placer)?
    for (length, placer) in zip(lengths, placers) {
        guard case .success(let length) = length, best == nil || length < best!.length else {
            continue
        }
        best = (length, placer)
    }
    guard let best else {
        _ = try lengths[0].get()
        preconditionFailure("a try that places has a length")
    }
    return best.placer
}
