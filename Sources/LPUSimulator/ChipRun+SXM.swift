import LPUMachine
import LPUSchedule

// SXM: at the edge, in either direction.
extension ChipRun {
    private func edge(_ issue: Issue) -> Int {
        switch units[issue.queue] {
        case .distributor(let side, _), .transposer(let side, _), .permutor(let side, _),
            .shifter(let side, _):
            side.sign * chip.edge
        case .memory, .alu, .loadWeights, .matmul, .accumulate, .link, .host:
            preconditionFailure("\(units[issue.queue]) is not in the SXM")
        }
    }

    /// Emits on each of `count` streams what `body` makes of the one that comes in.
    private func map(
        _ from: Stream, _ to: Stream, _ count: Int, after latency: Int, _ issue: Issue,
        _ body: (UnsafePointer<UInt8>, UnsafeMutablePointer<UInt8>) -> Void
    ) throws(Fault) {
        let register = edge(issue)
        for k in 0..<count {
            let input = try sample(from.advanced(by: k), at: register, issue)
            let output = pool.allocate()
            body(pool.bytes(input), pool.mutableBytes(output))
            try produce(output, on: to.advanced(by: k), at: register, after: latency, issue)
        }
    }

    func issueDistribute(
        _ from: Stream, _ to: Stream, _ count: Int, _ map: LaneMapID, _ issue: Issue
    ) throws(Fault) {
        let lanes = schedule.laneMaps[Int(map.index)]
        let (superlanes, width) = (chip.superlanes, chip.lanesPerSuperlane)
        try self.map(from, to, count, after: chip.distributeLatency, issue) { input, output in
            for first in stride(from: 0, to: superlanes * width, by: width) {
                for lane in 0..<width {
                    let source = Int(lanes[lane])
                    output[first + lane] = source < 0 ? 0 : input[first + source]
                }
            }
        }
    }

    func issuePermute(
        _ from: Stream, _ to: Stream, _ count: Int, _ map: LaneMapID, _ issue: Issue
    ) throws(Fault) {
        let lanes = schedule.laneMaps[Int(map.index)]
        try self.map(from, to, count, after: chip.permuteLatency, issue) { input, output in
            for lane in lanes.indices { output[lane] = input[Int(lanes[lane])] }
        }
    }

    func issueShift(
        _ from: Stream, _ to: Stream, _ count: Int, _ by: Int, _ issue: Issue
    ) throws(Fault) {
        let lanes = chip.lanes
        try map(from, to, count, after: chip.shiftLatency, issue) { input, output in
            for lane in 0..<lanes {
                let source = lane - by
                output[lane] = (0..<lanes).contains(source) ? input[source] : 0
            }
        }
    }

    func issueRotate(
        _ from: Stream, _ to: Stream, _ count: Int, _ by: Int, _ issue: Issue
    ) throws(Fault) {
        let (superlanes, width) = (chip.superlanes, chip.lanesPerSuperlane)
        let turn = (by % width + width) % width
        try map(from, to, count, after: chip.rotateLatency, issue) { input, output in
            for first in stride(from: 0, to: superlanes * width, by: width) {
                for lane in 0..<width {
                    output[first + lane] = input[first + (lane - turn + width) % width]
                }
            }
        }
    }

    func issueSelect(
        _ low: Stream, _ high: Stream, _ to: Stream, _ count: Int, _ boundary: Int, _ issue: Issue
    ) throws(Fault) {
        let register = edge(issue)
        for k in 0..<count {
            let below = pool.bytes(try sample(low.advanced(by: k), at: register, issue))
            let above = pool.bytes(try sample(high.advanced(by: k), at: register, issue))
            let output = pool.allocate()
            let bytes = pool.mutableBytes(output)
            for lane in 0..<chip.lanes { bytes[lane] = lane < boundary ? below[lane] : above[lane] }
            try produce(
                output, on: to.advanced(by: k), at: register, after: chip.selectLatency, issue)
        }
    }

    func issueTranspose(
        _ from: Stream, _ inputs: Int, _ to: Stream, _ outputs: Int, _ issue: Issue
    ) throws(Fault) {
        let register = edge(issue)
        var rows: [UnsafePointer<UInt8>] = []
        for i in 0..<inputs {
            rows.append(pool.bytes(try sample(from.advanced(by: i), at: register, issue)))
        }
        let width = chip.lanesPerSuperlane
        for j in 0..<outputs {
            let output = pool.allocate()
            let bytes = pool.mutableBytes(output)
            for first in stride(from: 0, to: chip.lanes, by: width) {
                for i in 0..<width { bytes[first + i] = i < inputs ? rows[i][first + j] : 0 }
            }
            try produce(
                output, on: to.advanced(by: j), at: register, after: chip.transposeLatency, issue)
        }
    }
}
