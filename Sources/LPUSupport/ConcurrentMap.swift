import Dispatch

/// `transform` of every index of 0..<count, on at most `threads` threads; the results stand in
/// index order, so that they are the same for any number of threads.
/// - Requires: `threads` is positive.
public func concurrentMap<T: Sendable>(
    count: Int, threads: Int, _ transform: @Sendable (Int) -> T
) -> [T] {
    precondition(threads > 0, "a map needs a thread")
    let workers = min(threads, count)
    guard workers > 1 else { return (0..<count).map(transform) }
    return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
        nonisolated(unsafe) let slots = buffer.baseAddress
        // Neighbours cost alike, so dealing them out in turn is balanced enough.
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            for i in stride(from: worker, to: count, by: workers) {
                (slots.unsafelyUnwrapped + i).initialize(to: transform(i))
            }
        }
        initialized = count
    }
}
