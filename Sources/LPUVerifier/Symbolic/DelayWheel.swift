/// Terms that appear somewhere in a later cycle: one bucket a cycle, reused round and round.
///
/// Plain memory, not arrays: it is written once for every vector that any unit produces.
final class DelayWheel {
    struct Entry {
        var place: Int32
        /// Places from `place` on; each holds the vector after the one before.
        var count: Int32
        var term: Term
    }
    private struct Bucket {
        var base: UnsafeMutablePointer<Entry>
        var count: Int
        var capacity: Int
    }
    private let buckets: UnsafeMutablePointer<Bucket>
    private let mask: Int
    private let waiting: UnsafeMutablePointer<Int>
    /// Entries that have not appeared yet.
    var count: Int { waiting.pointee }

    /// - Parameter delay: the longest that an entry waits.
    init(delay: Int) {
        let size = powerOfTwo(above: delay)
        mask = size - 1
        buckets = .allocate(capacity: size)
        waiting = .allocate(capacity: 1)
        waiting.initialize(to: 0)
        for i in 0..<size {
            (buckets + i).initialize(
                to: Bucket(base: .allocate(capacity: 16), count: 0, capacity: 16))
        }
    }

    deinit {
        for i in 0...mask { buckets[i].base.deallocate() }
        buckets.deallocate()
        waiting.deallocate()
    }

    @inline(__always)
    func push(_ place: Int, _ term: Term, count: Int = 1, at cycle: Int) {
        let bucket = buckets + (cycle & mask)
        if bucket.pointee.count == bucket.pointee.capacity { grow(bucket) }
        bucket.pointee.base[bucket.pointee.count] = Entry(
            place: Int32(truncatingIfNeeded: place), count: Int32(truncatingIfNeeded: count),
            term: term)
        bucket.pointee.count += 1
        waiting.pointee += 1
    }

    /// As many of `terms` as there are before the first that is none, each to the cycle `distance`
    /// after the one before; returns how many.
    @inline(__always)
    func push(
        _ count: Int, from cycle: Int, distance: Int, _ terms: (Int) -> Term,
        to place: (_ cycle: Int) -> Int
    ) -> Int {
        // Locals: what is stored here might else be what the object holds.
        let (buckets, mask) = (self.buckets, self.mask)
        var (cycle, i) = (cycle, 0)
        while i < count {
            let term = terms(i)
            if term == .none { break }
            let bucket = buckets + (cycle & mask)
            if bucket.pointee.count == bucket.pointee.capacity { grow(bucket) }
            bucket.pointee.base[bucket.pointee.count] = Entry(
                place: Int32(truncatingIfNeeded: place(cycle)), count: 1, term: term)
            bucket.pointee.count += 1
            cycle += distance
            i += 1
        }
        waiting.pointee += i
        return i
    }

    private func grow(_ bucket: UnsafeMutablePointer<Bucket>) {
        let capacity = 2 * bucket.pointee.capacity
        let base = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        base.moveInitialize(from: bucket.pointee.base, count: bucket.pointee.count)
        bucket.pointee.base.deallocate()
        bucket.pointee.base = base
        bucket.pointee.capacity = capacity
    }

    /// The entries of `cycle`, in the order in which they were pushed.
    func forEach(_ cycle: Int, _ body: (Entry) -> Void) {
        let bucket = buckets + (cycle & mask)
        for i in 0..<bucket.pointee.count { body(bucket.pointee.base[i]) }
    }

    /// Puts the entries of `cycle` in their places, in the order in which they were pushed.
    /// - Requires: each is one place.
    @inline(__always)
    func settle(_ cycle: Int, in places: UnsafeMutablePointer<Term>) {
        let bucket = buckets + (cycle & mask)
        let entries = bucket.pointee.count
        guard entries > 0 else { return }
        for i in 0..<entries {
            let entry = bucket.pointee.base[i]
            places[Int(entry.place)] = entry.term
        }
        bucket.pointee.count = 0
        waiting.pointee -= entries
    }

    /// The same of entries of several places.
    @inline(__always)
    func settleRuns(_ cycle: Int, in places: UnsafeMutablePointer<Term>) {
        let bucket = buckets + (cycle & mask)
        let entries = bucket.pointee.count
        guard entries > 0 else { return }
        for i in 0..<entries {
            let entry = bucket.pointee.base[i]
            var term = entry.term
            for place in Int(entry.place)..<Int(entry.place) + Int(entry.count) {
                places[place] = term
                term = term.next
            }
        }
        bucket.pointee.count = 0
        waiting.pointee -= entries
    }
}

/// The least power of two greater than `n`, at least 4.
func powerOfTwo(above n: Int) -> Int {
    var size = 4
    while size <= n { size *= 2 }
    return size
}
