import LPUMachine
import LPUSchedule
import LPUSupport

/// Folds issues into bursts: an instruction repeated at one distance, its address stepping by one
/// amount, and that repeated again.
struct Folding {
    let chip: Chip

    /// Bursts of a chip's issues, sorted by queue and start. O(n log n).
    func bursts(_ issues: [Reservations.Issue]) -> [Burst] {
        let runs = merged(issues)
        var bursts: [Burst] = []
        bursts.reserveCapacity(runs.count)
        for run in runs { append(run, to: &bursts) }
        if chip.repeatDepth > 0 { bursts = inner(bursts) }
        return chip.repeatDepth > 1 ? outer(bursts) : bursts
    }

    /// A run in parts that a Repeat holds; a gather, which samples its address once, in one.
    private func append(_ run: Reservations.Issue, to bursts: inout [Burst]) {
        let step = Self.hasAddress(run.instruction) ? 1 : 0
        var longest = chip.repeatDepth > 0 ? Int32(chip.maxRepeatCount) : 1
        if case .memory(.gather, _) = run.instruction { longest = run.count }
        var done: Int32 = 0
        while done < run.count {
            let count = min(longest, run.count - done)
            bursts.append(
                Burst(
                    start: Cycle(run.cycle + Int(done)), queue: run.queue,
                    Self.stepped(run.instruction, by: Int(done)),
                    inner: count > 1
                        ? Repeat(count: Int(count), distance: 1, step: step) : .once,
                    op: run.op))
            done += count
        }
    }

    /// In order, with read and write halves of a slice in one cycle as one instruction.
    private func merged(_ issues: [Reservations.Issue]) -> [Reservations.Issue] {
        let order = issues.indices.sorted {
            (issues[$0].queue, issues[$0].cycle, $0) < (issues[$1].queue, issues[$1].cycle, $1)
        }
        var result: [Reservations.Issue] = []
        result.reserveCapacity(issues.count)
        var k = 0
        while k < order.count {
            // Runs and single issues of a slice that overlap are written out.
            var end = k + 1
            var last = issues[order[k]].last
            while end < order.count, issues[order[end]].queue == issues[order[k]].queue,
                issues[order[end]].cycle <= last
            {
                last = max(last, issues[order[end]].last)
                end += 1
            }
            if end == k + 1 {
                result.append(issues[order[k]])
            } else {
                result += woven(order[k..<end].map { issues[$0] })
            }
            k = end
        }
        return result
    }

    private func woven(_ issues: [Reservations.Issue]) -> [Reservations.Issue] {
        let singles = issues.flatMap { issue in
            (0..<Int(issue.count)).map { k in
                var single = issue
                single.count = 1
                single.cycle += k
                single.instruction = Self.stepped(issue.instruction, by: k)
                return single
            }
        }
        let order = singles.indices.sorted {
            (singles[$0].cycle, $0) < (singles[$1].cycle, $1)
        }
        var result: [Reservations.Issue] = []
        for issue in order.map({ singles[$0] }) {
            if let last = result.last, last.cycle == issue.cycle,
                case .memory(let a, let b) = last.instruction,
                case .memory(let c, let d) = issue.instruction
            {
                result[result.count - 1].instruction =
                    a == .none ? .memory(c, b) : .memory(a, d)
            } else {
                result.append(issue)
            }
        }
        return result
    }

    /// Single issues into progressions.
    private func inner(_ singles: [Burst]) -> [Burst] {
        fold(singles) {
            $0.inner.count == 1
        } set: {
            $0.inner = $1
        }
    }

    /// Progressions into progressions of them: the next begins after the last one's end.
    private func outer(_ bursts: [Burst]) -> [Burst] {
        fold(bursts) {
            $0.inner.count > 1
        } set: {
            $0.outer = $1
        }
    }

    /// Replaces the longest rows of bursts of one shape, at one distance and step, by one.
    private func fold(
        _ bursts: [Burst], where mayFold: (Burst) -> Bool, set: (inout Burst, Repeat) -> Void
    ) -> [Burst] {
        var result: [Burst] = []
        result.reserveCapacity(bursts.count)
        var i = 0
        while i < bursts.count {
            var burst = bursts[i]
            var count = 1
            if mayFold(burst) {
                var (distance, step) = (1, 0)
                while i + count < bursts.count, count < chip.maxRepeatCount {
                    let next = bursts[i + count]
                    guard next.queue == burst.queue, next.inner == burst.inner,
                        let moved = Self.step(from: burst, to: next)
                    else { break }
                    let far = next.start.index - burst.start.index
                    if count == 1 {
                        guard far <= chip.maxRepeatDistance else { break }
                        (distance, step) = (far, moved)
                    }
                    guard far == count * distance, moved == count * step else { break }
                    count += 1
                }
                if count > 1 { set(&burst, Repeat(count: count, distance: distance, step: step)) }
            }
            result.append(burst)
            i += count
        }
        return result
    }

    private static func hasAddress(_ instruction: Instruction) -> Bool {
        switch instruction {
        case .memory, .loadWeights, .accumulate: true
        case .install, .matmul, .alu, .distribute, .transpose, .permute, .shift, .rotate, .select,
            .send, .receive, .ingress, .egress:
            false
        }
    }

    /// The instruction `k` steps into a run.
    private static func stepped(_ instruction: Instruction, by k: Int) -> Instruction {
        if k == 0 { return instruction }
        switch instruction {
        case .memory(.read(var row, let stream), .none):
            row.row += Int32(k)
            return .memory(.read(row, stream), .none)
        case .loadWeights(let column, let tandem):
            return .loadWeights(column: column + Int16(k), tandem: tandem)
        case .accumulate(let row, let add, let emit):
            return .accumulate(row: row + Int16(k), add: add, emit: emit)
        case .memory: preconditionFailure("only reads of a slice come in runs")
        case .install, .matmul, .alu, .distribute, .transpose, .permute, .shift, .rotate, .select,
            .send, .receive, .ingress, .egress:
            return instruction
        }
    }

    /// How far the second's address is from the first's, where they are else the same.
    private static func step(from x: Burst, to y: Burst) -> Int? {
        switch (x.instruction, y.instruction) {
        case (.memory(.read(let a, let s), .none), .memory(.read(let b, let t), .none)):
            s == t && a.bank == b.bank && a.slot == b.slot ? Int(b.row - a.row) : nil
        case (.memory(.none, .write(let a, let s)), .memory(.none, .write(let b, let t))):
            s == t && a.bank == b.bank && a.slot == b.slot ? Int(b.row - a.row) : nil
        case (.loadWeights(let a, let s), .loadWeights(let b, let t)):
            s == t ? Int(b - a) : nil
        case (.accumulate(let a, let s, let e), .accumulate(let b, let t, let f)):
            x.op == y.op && s == t && e == f ? Int(b - a) : nil
        case (.memory, _), (.loadWeights, _), (.accumulate, _): nil
        case (.install, _), (.matmul, _), (.alu, _), (.distribute, _), (.transpose, _),
            (.permute, _), (.shift, _), (.rotate, _), (.select, _), (.send, _), (.receive, _),
            (.ingress, _), (.egress, _):
            x.op == y.op && x.instruction == y.instruction ? 0 : nil
        }
    }
}
