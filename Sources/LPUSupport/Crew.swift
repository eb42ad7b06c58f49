import Dispatch
import Foundation
import Synchronization

/// Threads for many short maps one after another, which stay awake between them: to put one to
/// sleep and wake it takes long beside such a map, and a system with other work to do hardly ever
/// finds it a processor by itself.
///
/// It takes threads in as `concurrentMap` does, when there are any to spare, and keeps them until
/// it is dismissed.
public final class Crew: Sendable {
    private struct Job: Sendable {
        let indices: SharedIndices
        let body: @Sendable (Int) -> Void
    }
    private struct State: Sendable {
        var job: Job?
        /// Helpers that are at work on it.
        var inside = 0
    }

    private let threads: Int
    private let state = Mutex(State())
    /// Jobs so far.
    private let count = Atomic<Int>(0)
    private let isDismissed = Atomic<Bool>(false)
    private let helpers = DispatchGroup()

    /// - Parameter threads: at most so many are at work, the caller of `forEach` among them.
    /// - Requires: `threads` is positive, and `dismiss` is called in the end.
    public init(threads: Int) {
        precondition(threads > 0, "a crew needs a thread")
        self.threads = threads
    }

    /// Calls `body` with every index of 0..<count, side by side, and returns when all is done.
    /// - Requires: no other call is under way.
    ///
    /// `body` escapes: a helper may let go of it a little after the return, but calls it no more.
    public func forEach(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        guard min(threads, count) > 1 else { return (0..<count).forEach(body) }
        while Helpers.take(below: threads) { takeIn() }
        let indices = SharedIndices(count)
        state.withLock { $0.job = Job(indices: indices, body: body) }
        self.count.wrappingAdd(1, ordering: .releasing)
        while let i = indices.next() { body(i) }
        state.withLock { $0.job = nil }
        var pause = Pause()
        while state.withLock({ $0.inside }) > 0 { pause.wait() }
    }

    /// `transform` of every index of 0..<count, in index order.
    /// - Requires: no other call is under way.
    public func map<T: Sendable>(count: Int, _ transform: @escaping @Sendable (Int) -> T) -> [T] {
        Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            nonisolated(unsafe) let slots = buffer.baseAddress
            forEach(count: count) { i in
                slots.map { ($0 + i).initialize(to: transform(i)) }
            }
            initialized = count
        }
    }

    /// Lets all helpers go.
    public func dismiss() {
        isDismissed.store(true, ordering: .releasing)
        helpers.wait()
    }

    private func takeIn() {
        DispatchQueue(label: "crew").async(group: helpers) {
            var known = 0
            var pause = Pause()
            while !self.isDismissed.load(ordering: .acquiring) {
                let count = self.count.load(ordering: .acquiring)
                if count == known {
                    pause.wait()
                    continue
                }
                (known, pause) = (count, Pause())
                let job = self.state.withLock {
                    if $0.job != nil { $0.inside += 1 }
                    return $0.job
                }
                guard let job else { continue }
                while let i = job.indices.next() { job.body(i) }
                self.state.withLock { $0.inside -= 1 }
            }
            Helpers.give()
        }
    }

    /// Waits for what will soon be, and lets others run meanwhile.
    private struct Pause {
        private var rounds = 0

        mutating func wait() {
            rounds += 1
            if rounds < 10_000 { sched_yield() } else { usleep(200) }
        }
    }
}
