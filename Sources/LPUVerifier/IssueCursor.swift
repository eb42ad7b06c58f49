import LPUSchedule
import LPUSupport

/// One issue of a burst: its cycle, and what is added to the burst's address.
struct Issue {
    var cycle: Int
    var step: Int
    /// The burst's number on its chip.
    var burst: Int
}

/// The issues of one burst, or of an ordered queue's bursts, in the order of their cycles; O(1)
/// each and in space.
struct IssueCursor {
    private let bursts: ArraySlice<Burst>
    private var position: Int
    private var inner = 0
    private var outer = 0

    init(_ burst: Burst) { self.init([burst][...]) }

    /// - Requires: the bursts come one after another.
    init(_ bursts: ArraySlice<Burst>) {
        self.bursts = bursts
        position = bursts.startIndex
    }

    mutating func next() -> Issue? {
        guard position < bursts.endIndex else { return nil }
        let burst = bursts[position]
        let issue = Issue(
            cycle: burst.start.index + inner * Int(burst.inner.distance)
                + outer * Int(burst.outer.distance),
            step: inner * Int(burst.inner.step) + outer * Int(burst.outer.step), burst: position)
        inner += 1
        if inner == burst.inner.count { (inner, outer) = (0, outer + 1) }
        if outer == burst.outer.count { (outer, position) = (0, position + 1) }
        return issue
    }
}
