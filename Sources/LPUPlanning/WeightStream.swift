/// What reaches the MXMs of a chip, in time: how much may have arrived when, and thus the earliest
/// arrival of the last of so many bytes.
struct WeightStream {
    /// Bytes that reach the planes in a cycle at most.
    let bytesPerCycle: Int
    /// Bytes that the planes hold beyond what was used.
    let ahead: Int
    /// A row of a plane is loaded anew at most so much before the activations that free it.
    let slack: Int

    /// A time until which at most `bytes` had arrived, as `lag = bytesPerCycle * time - bytes`.
    private struct Hold {
        var bytes: Int
        var lag: Int
    }

    /// The greatest lag of those whose bytes every question exceeds, and the others in rising
    /// order of both.
    private var settled = Int.min
    private var pending: [Hold] = []
    private var newest = Int.min

    init(bytesPerCycle: Int, ahead: Int, slack: Int) {
        self.bytesPerCycle = bytesPerCycle
        self.ahead = ahead
        self.slack = slack
    }

    /// Forgets what no question of `total` or more bytes tells apart.
    mutating func settle(below total: Int) {
        while let first = pending.first, first.bytes < total {
            settled = first.lag
            pending.removeFirst()
        }
    }

    /// States that until `time` no op was begun beyond those that take the first `passed` bytes.
    /// - Requires: `passed` never falls.
    mutating func hold(until time: Int, passed: Int) {
        let hold = Hold(
            bytes: passed + ahead, lag: (time - slack) * bytesPerCycle - passed - ahead)
        guard hold.lag > newest else { return }
        newest = hold.lag
        pending.append(hold)
    }

    /// The earliest cycle by which `total` bytes may have arrived.
    /// - Requires: no less than what is settled.
    func arrival(of total: Int) -> Int {
        let last = pending.last { $0.bytes < total }?.lag ?? settled
        guard last != Int.min else { return 0 }
        let sum = last + total
        return sum <= 0 ? 0 : (sum + bytesPerCycle - 1) / bytesPerCycle
    }
}
