import LPUMachine
import LPUSupport

/// Sends and receives of one link end so far, in order: for its interval, and its peer's FIFO.
struct LinkHistory {
    var sends: [Int] = []
    var receives: [Int] = []

    /// How many sends are before `cycle`.
    func order(of cycle: Int) -> Int { (sends.lastIndex { $0 < cycle } ?? -1) + 1 }

    /// `true` iff a send at `cycle` keeps the interval a/b with all others: any b + 1 in a row span
    /// at least a cycles, any two at least floor(a/b).
    func maySend(at cycle: Int, every interval: Rational) -> Bool {
        let (a, b) = (interval.numerator, interval.denominator)
        let k = order(of: cycle)
        if k > 0, cycle - sends[k - 1] < a / b { return false }
        if k < sends.count, sends[k] - cycle < a / b { return false }
        func send(_ i: Int) -> Int { i < k ? sends[i] : i == k ? cycle : sends[i - 1] }
        let (first, end) = (max(0, k - b), min(k, sends.count - b) + 1)
        return first >= end || (first..<end).allSatisfy { send($0 + b) - send($0) >= a }
    }

    /// The cycles at which what is sent at `sent` as the `order`-th vector of the link at the other
    /// end, by default as of this one, may be taken in: between its neighbours, and before more can
    /// have come than a FIFO of `depth` holds. nil where there are none.
    func mayTake(sent: Int, order: Int? = nil, over axis: LPUMachine.Axis, depth: Int)
        -> ClosedRange<Int>?
    {
        let order = order ?? self.order(of: sent)
        let arrival = sent + axis.latency
        let wait = (depth - 1) * (axis.interval.numerator / axis.interval.denominator)
        let first = max(arrival, order > 0 ? receives[order - 1] + 1 : 0)
        let last = min(arrival + wait, order < receives.count ? receives[order] - 1 : Int.max)
        return first <= last ? first...last : nil
    }
}
