import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// When the ALUs fired; an operation reads results of exactly `aluLatency` before.
struct VectorUnit {
    /// Of each ALU, results that may still be read: a ring.
    private let depth: Int
    private var fired: [Int]

    init(chip: Chip) {
        depth = chip.resultDepth
        fired = Array(repeating: .min, count: chip.aluCount * depth)
    }

    /// The place of a result among all rings.
    func place(_ alu: Int, firedIn cycle: Int) -> Int { alu * depth + cycle % depth }

    func hasResult(_ alu: Int, firedIn cycle: Int) -> Bool {
        cycle >= 0 && fired[place(alu, firedIn: cycle)] == cycle
    }

    /// Notes an operation and returns the place of its result.
    mutating func fire(_ alu: Int, in cycle: Int) -> Int {
        let place = place(alu, firedIn: cycle)
        fired[place] = cycle
        return place
    }
}

extension Chip {
    /// Results of an ALU that are kept.
    var resultDepth: Int { aluLatency + 1 }
}

// VXM: at register 0, between what arrives there and what it sends on.
extension Elaborator {
    func issueALU(
        _ operation: ALUOperation, _ a: ALUOperand, _ b: ALUOperand?, _ east: Stream?,
        _ west: Stream?, _ issue: Issue
    ) throws(Fault) {
        let alu = issue.queue - chip.queue(of: .alu(0)).index
        if cursors[issue.queue].isFirstIssue {
            try checkRoute(alu, operation, a, b, [east, west], issue)
        }
        let a = try operand(a, issue)
        let b = try b.map { b throws(Fault) in try operand(b, issue) } ?? TracedOperand.none
        let type = operation.resultType(of: .fp32)
        let isSent = east != nil || west != nil
        let vectors = (0..<(isSent ? type.byteCount : 0)).map { _ in pool.allocate() }
        let result = vxm.fire(alu, in: issue.cycle)
        trace.append(
            .alu(operation, a, b, result: Int32(result), type, emit: trace.list(vectors)), issue)
        let place = ProbePlace(queue: Int32(issue.queue), cycle: Int32(issue.cycle))
        if probes.contains(place) { trace.append(.observe(result: Int32(result)), issue) }
        if east != nil && west != nil { vectors.forEach(pool.retain) }
        if let east { try emit(vectors, on: east, issue) }
        if let west { try emit(vectors, on: west, issue) }
    }

    private func emit(_ vectors: [Vector], on stream: Stream, _ issue: Issue) throws(Fault) {
        for k in vectors.indices {
            try produce(
                vectors[k], on: stream.advanced(by: k), at: 0, after: chip.aluResultLatency, issue)
        }
    }

    private func operand(
        _ operand: ALUOperand, _ issue: Issue
    ) throws(Fault) -> TracedOperand {
        switch operand {
        case .immediate(let word): return .immediate(word)
        case .alu(let alu):
            let cycle = issue.cycle - chip.aluLatency
            guard vxm.hasResult(Int(alu), firedIn: cycle) else {
                throw fault(.operandTiming, issue, "alu\(alu) fired nothing in \(Cycle(cycle))")
            }
            return .result(Int32(vxm.place(Int(alu), firedIn: cycle)))
        case .stream(let stream, let type):
            let cycle = issue.cycle - chip.vxmEntryLatency
            var planes: [Vector] = []
            for byte in 0..<type.byteCount {
                let stream = stream.advanced(by: byte)
                let vector = streams.sample(stream, at: 0, in: cycle, arrivingOnly: true)
                if vector == .none { throw emptyRegister(stream, 0, cycle, issue) }
                planes.append(vector)
            }
            return .vectors(trace.list(planes), type)
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
