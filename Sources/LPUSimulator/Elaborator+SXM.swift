import LPUMachine
import LPUSchedule

// SXM: at the edge, in either direction.
extension Elaborator {
    private func edge(_ issue: Issue) -> Int {
        switch units[issue.queue] {
        case .distributor(let side, _), .transposer(let side, _), .permutor(let side, _),
            .shifter(let side, _):
            side.sign * chip.edge
        case .memory, .alu, .loadWeights, .matmul, .accumulate, .link, .host:
            preconditionFailure("\(units[issue.queue]) is not in the SXM")
        }
    }

    /// Emits on each of `count` streams what `operation` makes of the one that comes in.
    private func map(
        _ from: Stream, _ to: Stream, _ count: Int, after latency: Int, _ issue: Issue,
        _ operation: (_ input: Vector, _ output: Vector) -> Operation
    ) throws(Fault) {
        let register = edge(issue)
        for k in 0..<count {
            let input = try sample(from.advanced(by: k), at: register, issue)
            let output = pool.allocate()
            trace.append(operation(input, output), issue)
            try produce(output, on: to.advanced(by: k), at: register, after: latency, issue)
        }
    }

    func issueDistribute(
        _ from: Stream, _ to: Stream, _ count: Int, _ map: LaneMapID, _ issue: Issue
    ) throws(Fault) {
        try self.map(from, to, count, after: chip.distributeLatency, issue) {
            .distribute($0, to: $1, map)
        }
    }

    func issuePermute(
        _ from: Stream, _ to: Stream, _ count: Int, _ map: LaneMapID, _ issue: Issue
    ) throws(Fault) {
        try self.map(from, to, count, after: chip.permuteLatency, issue) {
            .permute($0, to: $1, map)
        }
    }

    func issueShift(
        _ from: Stream, _ to: Stream, _ count: Int, _ by: Int, _ issue: Issue
    ) throws(Fault) {
        try map(from, to, count, after: chip.shiftLatency, issue) {
            .shift($0, to: $1, by: Int32(by))
        }
    }

    func issueRotate(
        _ from: Stream, _ to: Stream, _ count: Int, _ by: Int, _ issue: Issue
    ) throws(Fault) {
        try map(from, to, count, after: chip.rotateLatency, issue) {
            .rotate($0, to: $1, by: Int32(by))
        }
    }

    func issueSelect(
        _ low: Stream, _ high: Stream, _ to: Stream, _ count: Int, _ boundary: Int, _ issue: Issue
    ) throws(Fault) {
        let register = edge(issue)
        for k in 0..<count {
            let below = try sample(low.advanced(by: k), at: register, issue)
            let above = try sample(high.advanced(by: k), at: register, issue)
            let output = pool.allocate()
            trace.append(
                .select(low: below, high: above, to: output, boundary: Int32(boundary)), issue)
            try produce(
                output, on: to.advanced(by: k), at: register, after: chip.selectLatency, issue)
        }
    }

    func issueTranspose(
        _ from: Stream, _ inputs: Int, _ to: Stream, _ outputs: Int, _ issue: Issue
    ) throws(Fault) {
        let register = edge(issue)
        var inputVectors: [Vector] = []
        for i in 0..<inputs {
            inputVectors.append(try sample(from.advanced(by: i), at: register, issue))
        }
        let outputVectors = (0..<outputs).map { _ in pool.allocate() }
        trace.append(
            .transpose(trace.list(inputVectors), to: trace.list(outputVectors)), issue)
        for (j, output) in outputVectors.enumerated() {
            try produce(
                output, on: to.advanced(by: j), at: register, after: chip.transposeLatency, issue)
        }
    }
}
