import Dispatch
import Synchronization

/// `transform` of every index of 0..<count, on at most `threads` threads; the results stand in
/// index order, so that they are the same for any number of threads.
///
/// Maps may stand in one another and side by side: whichever has indices left takes in a thread
/// that another one has no more use for, until `threads` of the process are at work.
/// - Requires: `threads` is positive.
public func concurrentMap<T: Sendable>(
    count: Int, threads: Int, _ transform: @Sendable (Int) -> T
) -> [T] {
    precondition(threads > 0, "a map needs a thread")
    guard min(threads, count) > 1 else { return (0..<count).map(transform) }
    return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
        nonisolated(unsafe) let slots = buffer.baseAddress.unsafelyUnwrapped
        withoutActuallyEscaping(transform) { transform in
            let map = SharedIndices(count)
            let helpers = DispatchGroup()
            while let i = map.next() {
                if map.hasMore, Helpers.take(below: threads) {
                    // A queue of its own always gets a thread, however many others wait.
                    DispatchQueue(label: "concurrentMap").async(group: helpers) {
                        while let i = map.next() { (slots + i).initialize(to: transform(i)) }
                        Helpers.give()
                    }
                }
                (slots + i).initialize(to: transform(i))
            }
            // Who waits leaves his place to others.
            Helpers.give()
            helpers.wait()
            Helpers.force()
        }
        initialized = count
    }
}

/// The indices of a map, each given out once.
final class SharedIndices: Sendable {
    private let count: Int
    private let given = Atomic<Int>(0)

    init(_ count: Int) { self.count = count }

    var hasMore: Bool { given.load(ordering: .relaxed) < count }

    func next() -> Int? {
        let index = given.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < count ? index : nil
    }
}

/// Threads at work beside the callers of all maps.
enum Helpers {
    private static let count = Atomic<Int>(0)

    /// Counts one more if there are fewer than `threads` at work, the caller among them.
    static func take(below threads: Int) -> Bool {
        var known = count.load(ordering: .relaxed)
        while known < threads - 1 {
            let (isDone, found) = count.compareExchange(
                expected: known, desired: known + 1, ordering: .relaxed)
            if isDone { return true }
            known = found
        }
        return false
    }

    static func force() { count.wrappingAdd(1, ordering: .relaxed) }

    static func give() { count.wrappingSubtract(1, ordering: .relaxed) }
}

/// Both results, worked out side by side where `threads` allows it.
public func concurrently<A: Sendable, B: Sendable>(
    threads: Int, _ first: @Sendable () -> A, _ second: @Sendable () -> B
) -> (A, B) {
    let both = concurrentMap(count: 2, threads: threads) { index -> (A?, B?) in
        index == 0 ? (first(), nil) : (nil, second())
    }
    guard let a = both[0].0, let b = both[1].1 else {
        preconditionFailure("a map has a result for every index")
    }
    return (a, b)
}
