import LPUMachine
import LPUSchedule
import LPUSupport

/// Folds single issues into bursts: an instruction repeated at one distance, its address stepping
/// by one amount, twice nested.
struct Folding {
    let chip: Chip

    private struct Run {
        var count: Int
        var distance: Int
        var step: Int
    }

    /// Bursts of a chip's issues, sorted by queue and start. O(n log n).
    func bursts(_ issues: [Reservations.Issue]) -> [Burst] {
        let sorted = issues.enumerated().sorted {
            ($0.element.queue, $0.element.cycle, $0.offset)
                < ($1.element.queue, $1.element.cycle, $1.offset)
        }.map(\.element)
        var merged: [Reservations.Issue] = []
        for issue in sorted {
            if let last = merged.last, last.queue == issue.queue, last.cycle == issue.cycle,
                case .memory(let a, let b) = last.instruction,
                case .memory(let c, let d) = issue.instruction
            {
                merged[merged.count - 1].instruction =
                    a == .none ? .memory(c, b) : .memory(a, d)
            } else {
                merged.append(issue)
            }
        }
        var result: [Burst] = []
        var i = 0
        while i < merged.count {
            let burst = fold(merged, from: i)
            result.append(burst)
            i += burst.issueCount
        }
        return result
    }

    private func fold(_ issues: [Reservations.Issue], from i: Int) -> Burst {
        let inner = run(issues, from: i, period: 1)
        var outer = Run(count: 1, distance: 1, step: 0)
        if inner.count > 1 || i + 1 < issues.count {
            outer = run(issues, from: i, period: inner.count, inner: inner)
        }
        return Burst(
            start: Cycle(issues[i].cycle), queue: issues[i].queue, issues[i].instruction,
            inner: Repeat(count: inner.count, distance: inner.distance, step: inner.step),
            outer: Repeat(count: outer.count, distance: outer.distance, step: outer.step),
            op: issues[i].op)
    }

    /// The longest progression of single issues from `i` on (or of copies of the run `inner`).
    private func run(
        _ issues: [Reservations.Issue], from i: Int, period: Int, inner: Run? = nil
    ) -> Run {
        var result = Run(count: 1, distance: 1, step: 0)
        if let inner, inner.count == 1 { return result }
        while true {
            let next = i + result.count * period
            guard next + period <= issues.count, issues[next].queue == issues[i].queue,
                let step = step(from: issues[i], to: issues[next])
            else { break }
            let distance = issues[next].cycle - issues[i].cycle
            if result.count == 1 {
                guard distance <= chip.maxRepeatDistance else { break }
                result.distance = distance
                result.step = step
            }
            guard distance == result.count * result.distance, step == result.count * result.step,
                result.count < chip.maxRepeatCount
            else { break }
            if let inner {
                let follows = (1..<inner.count).allSatisfy { k in
                    issues[next + k].queue == issues[i].queue
                        && issues[next + k].cycle == issues[next].cycle + k * inner.distance
                        && self.step(from: issues[next], to: issues[next + k]) == k * inner.step
                }
                guard follows else { break }
            }
            result.count += 1
        }
        return result
    }

    /// How far the second's address is from the first's, where they are else the same.
    private func step(from a: Reservations.Issue, to b: Reservations.Issue) -> Int? {
        switch (a.instruction, b.instruction) {
        case (.memory(.read(let x, let s), .none), .memory(.read(let y, let t), .none)):
            s == t && x.bank == y.bank && x.slot == y.slot ? Int(y.row - x.row) : nil
        case (.memory(.none, .write(let x, let s)), .memory(.none, .write(let y, let t))):
            s == t && x.bank == y.bank && x.slot == y.slot ? Int(y.row - x.row) : nil
        case (.loadWeights(let x, let s), .loadWeights(let y, let t)):
            s == t ? Int(y - x) : nil
        case (.accumulate(let x, let s, let e), .accumulate(let y, let t, let f)):
            a.op == b.op && s == t && e == f ? Int(y - x) : nil
        case (.memory, _), (.loadWeights, _), (.accumulate, _): nil
        case (.install, _), (.matmul, _), (.alu, _), (.distribute, _), (.transpose, _),
            (.permute, _), (.shift, _), (.rotate, _), (.select, _), (.send, _), (.receive, _),
            (.ingress, _), (.egress, _):
            a.op == b.op && a.instruction == b.instruction ? 0 : nil
        }
    }
}
