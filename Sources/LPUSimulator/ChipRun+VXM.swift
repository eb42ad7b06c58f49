import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The ALUs' last results, as words; an operation reads those of exactly `aluLatency` before.
struct VectorUnit {
    private let lanes: Int
    private let depth: Int
    /// For each ALU a ring of as many results as may still be read, and when each was fired.
    private var words: [UInt32]
    private var fired: [Int]
    /// The two operands, widened.
    private var operands: [UInt32]

    init(chip: Chip) {
        lanes = chip.lanes
        depth = chip.aluLatency + 1
        words = Array(repeating: 0, count: chip.aluCount * depth * lanes)
        fired = Array(repeating: .min, count: chip.aluCount * depth)
        operands = Array(repeating: 0, count: 2 * lanes)
    }

    mutating func reset() {
        for i in fired.indices { fired[i] = .min }
    }

    func hasResult(_ alu: Int, firedIn cycle: Int) -> Bool {
        cycle >= 0 && fired[alu * depth + cycle % depth] == cycle
    }

    /// Where operand `k` (0 or 1) is put before the operation.
    mutating func withOperand(_ k: Int, _ body: (UnsafeMutableBufferPointer<UInt32>) -> Void) {
        operands.withUnsafeMutableBufferPointer {
            body(UnsafeMutableBufferPointer(rebasing: $0[k * lanes..<(k + 1) * lanes]))
        }
    }

    mutating func setOperand(_ k: Int, toResultOf alu: Int, firedIn cycle: Int) {
        let first = (alu * depth + cycle % depth) * lanes
        for i in 0..<lanes { operands[k * lanes + i] = words[first + i] }
    }

    /// Computes the operation and calls `body` with the result's words.
    mutating func fire(
        _ operation: ALUOperation, on alu: Int, in cycle: Int,
        _ body: (UnsafeBufferPointer<UInt32>) -> Void
    ) {
        let slot = alu * depth + cycle % depth
        fired[slot] = cycle
        let lanes = lanes
        operands.withUnsafeBufferPointer { operands in
            words.withUnsafeMutableBufferPointer { words in
                let result = UnsafeMutableBufferPointer(
                    rebasing: words[slot * lanes..<(slot + 1) * lanes])
                operation.apply(
                    UnsafeBufferPointer(rebasing: operands[..<lanes]),
                    UnsafeBufferPointer(rebasing: operands[lanes...]), into: result)
                body(UnsafeBufferPointer(result))
            }
        }
    }
}

// VXM: at register 0, between what arrives there and what it sends on.
extension ChipRun {
    func issueALU(
        _ operation: ALUOperation, _ a: ALUOperand, _ b: ALUOperand?, _ east: Stream?,
        _ west: Stream?, _ issue: Issue
    ) throws(Fault) {
        let alu = issue.queue - chip.queue(of: .alu(0)).index
        if cursors[issue.queue].isFirstIssue {
            try checkRoute(alu, operation, a, b, [east, west], issue)
        }
        try setOperand(0, a, issue)
        if let b { try setOperand(1, b, issue) }
        let type = operation.resultType(of: .fp32)
        let isSent = east != nil || west != nil
        let vectors = (0..<(isSent ? type.byteCount : 0)).map { _ in pool.allocate() }
        vxm.fire(operation, on: alu, in: issue.cycle) { words in
            if isSent { type.narrow(words, into: vectors.map(pool.mutableBytes)) }
        }
        if east != nil && west != nil { vectors.forEach(pool.retain) }
        if let east { try emit(vectors, on: east, issue) }
        if let west { try emit(vectors, on: west, issue) }
    }

    private func emit(_ vectors: [Vector], on stream: Stream, _ issue: Issue) throws(Fault) {
        let latency = chip.aluLatency + chip.vxmExitLatency
        for k in vectors.indices {
            try produce(
                vectors[k], on: stream.advanced(by: k), at: 0, after: latency, issue)
        }
    }

    private func setOperand(_ k: Int, _ operand: ALUOperand, _ issue: Issue) throws(Fault) {
        switch operand {
        case .immediate(let word):
            vxm.withOperand(k) { $0.update(repeating: word) }
        case .alu(let alu):
            let cycle = issue.cycle - chip.aluLatency
            guard vxm.hasResult(Int(alu), firedIn: cycle) else {
                throw fault(.operandTiming, issue, "alu\(alu) fired nothing in \(Cycle(cycle))")
            }
            vxm.setOperand(k, toResultOf: Int(alu), firedIn: cycle)
        case .stream(let stream, let type):
            let cycle = issue.cycle - chip.vxmEntryLatency
            var planes: [UnsafePointer<UInt8>] = []
            for byte in 0..<type.byteCount {
                let stream = stream.advanced(by: byte)
                let vector = streams.sample(stream, at: 0, in: cycle, arrivingOnly: true)
                if vector == .none { throw emptyRegister(stream, 0, cycle, issue) }
                planes.append(pool.bytes(vector))
            }
            vxm.withOperand(k) { type.widen(planes, into: $0) }
        }
    }

    private func checkRoute(
        _ alu: Int, _ operation: ALUOperation, _ a: ALUOperand, _ b: ALUOperand?,
        _ results: [Stream?], _ issue: Issue
    ) throws(Fault) {
        if operation.needsLargeALU && !chip.largeALUs.contains(alu) {
            throw fault(.vxmRoute, issue, "'\(operation.rawValue)' needs a large ALU")
        }
        let operands = [a, b].compactMap(\.?.stream)
        let group = { (stream: Stream) in stream.id / self.chip.streamsPerGroup }
        for stream in operands + results.compactMap(\.self) {
            if chip.alu(alu, reachesGroup: group(stream)) { continue }
            throw fault(.vxmRoute, issue, "\(stream) is in group \(group(stream)), out of reach")
        }
        if let first = operands.first, let last = operands.last, group(first) == group(last),
            first.direction != last.direction
        {
            throw fault(
                .vxmRoute, issue, "group \(group(first)) enters from both directions")
        }
    }
}

extension ALUOperand {
    fileprivate var stream: Stream? {
        switch self {
        case .stream(let stream, _): stream
        case .alu, .immediate: nil
        }
    }
}
