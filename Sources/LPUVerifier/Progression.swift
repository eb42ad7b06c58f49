import LPUSchedule
import LPUSupport

/// The cycles of a burst's issues: `rounds` rounds, `period` apart, of `count` cycles each,
/// `distance` apart; a round ends before the next begins.
struct Progression: Hashable {
    var first: Int
    var count: Int
    var distance: Int
    var rounds: Int
    var period: Int

    /// In normal form: a single level is a single round, one cycle has distance and period 1.
    init(first: Int, count: Int, distance: Int, rounds: Int, period: Int) {
        self.first = first
        if rounds == 1 || count == 1 {
            self.count = max(count, rounds)
            self.distance = count == 1 ? period : distance
            (self.rounds, self.period) = (1, 1)
            if self.count == 1 { self.distance = 1 }
        } else if period == count * distance {
            (self.count, self.distance, self.rounds, self.period) = (count * rounds, distance, 1, 1)
        } else {
            (self.count, self.distance, self.rounds, self.period) = (
                count, distance, rounds, period
            )
        }
    }

    /// Of what a burst does so much after each issue.
    init(_ burst: Burst, delay: Int = 0) {
        self.init(
            first: burst.start.index + delay, count: Int(burst.inner.count),
            distance: Int(burst.inner.distance), rounds: Int(burst.outer.count),
            period: Int(burst.outer.distance))
    }

    var roundSpan: Int { (count - 1) * distance }
    var last: Int { first + (rounds - 1) * period + roundSpan }

    /// All its cycles are equal modulo this.
    private var step: Int { rounds == 1 ? distance : gcd(distance, period) }

    /// `true` iff `cycle` is one of them; O(1).
    func contains(_ cycle: Int) -> Bool {
        let offset = cycle - first
        guard offset >= 0 else { return false }
        let inRound = offset - min(offset / period, rounds - 1) * period
        return inRound % distance == 0 && inRound / distance < count
    }

    /// The first cycle that is in both, exactly; O(rounds of both), O(1) for single rounds and for
    /// distances whose common divisor keeps them apart.
    func firstCommon(with other: Progression) -> Int? {
        guard first <= other.last && other.first <= last else { return nil }
        guard (first - other.first) % gcd(step, other.step) == 0 else { return nil }
        // Rounds of each are disjoint and ascend, so the two lists of rounds merge.
        var i = max(0, (other.first - first - roundSpan) / period - 1)
        var j = max(0, (first - other.first - other.roundSpan) / other.period - 1)
        (i, j) = (min(i, rounds - 1), min(j, other.rounds - 1))
        while i < rounds && j < other.rounds {
            let (a, b) = (first + i * period, other.first + j * other.period)
            let (aEnd, bEnd) = (a + roundSpan, b + other.roundSpan)
            if let common = commonCycle(a, distance, aEnd, b, other.distance, bEnd) {
                return common
            }
            if aEnd < bEnd { i += 1 } else { j += 1 }
        }
        return nil
    }
}

/// The first common element of {a, a + d, ... aEnd} and {b, b + e, ... bEnd}, by the Chinese
/// remainder theorem.
private func commonCycle(_ a: Int, _ d: Int, _ aEnd: Int, _ b: Int, _ e: Int, _ bEnd: Int) -> Int? {
    let (low, high) = (max(a, b), min(aEnd, bEnd))
    guard low <= high else { return nil }
    let divisor = gcd(d, e)
    guard (b - a) % divisor == 0 else { return nil }
    let modulus = e / divisor
    let x = ((b - a) / divisor % modulus + modulus) % modulus * inverse(d / divisor, modulus)
    let common = a + x % modulus * d
    let period = d * modulus
    let raised = common + max(0, (low - common + period - 1) / period) * period
    return raised <= high ? raised : nil
}

func gcd(_ a: Int, _ b: Int) -> Int {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
}

/// The x in 0..<m with a * x = 1 (mod m), for coprime a and m.
private func inverse(_ a: Int, _ m: Int) -> Int {
    var (r, s) = ((m, a % m), (0, 1))
    while r.1 != 0 {
        let q = r.0 / r.1
        r = (r.1, r.0 - q * r.1)
        s = (s.1, s.0 - q * s.1)
    }
    return (s.0 % m + m) % m
}
