import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Law 8: an ALU has the operation and its row of the mesh the stream groups; no group enters it
/// from both directions; a chained ALU fired exactly `aluLatency` before, at every issue.
enum VXMRoute: ChipLaw {
    static let law = Law.vxmRoute

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for (queue, range) in timeline.queues.enumerated() {
            guard case .alu(let alu) = timeline.table.units[queue] else { continue }
            for i in range {
                let burst = timeline.bursts[i]
                report.count(burst)
                guard timeline.isSound[i],
                    case .alu(let operation, let a, let b, let east, let west) = burst.instruction
                else { continue }
                var problem =
                    operationProblem(operation, b, alu, timeline.chip)
                    ?? groupProblem(a, b, east, west, alu, timeline.chip)
                if problem == nil { problem = chainProblem(burst, a, timeline) }
                if problem == nil, let b { problem = chainProblem(burst, b, timeline) }
                guard let problem else { continue }
                report.add(
                    chip: timeline.id, unit: .alu(alu), cycle: burst.start.index, problem)
            }
        }
    }

    private static func operationProblem(
        _ operation: ALUOperation, _ b: ALUOperand?, _ alu: Int, _ chip: Chip
    ) -> String? {
        let operands = b == nil ? 1 : 2
        if operands != operation.operandCount {
            return "'\(operation.rawValue)' takes \(operation.operandCount) operands, "
                + "here \(operands)"
        }
        if operation.needsLargeALU && !chip.largeALUs.contains(alu) {
            let large = chip.largeALUs.map(String.init).joined(separator: ", ")
            return "'\(operation.rawValue)' needs a large ALU: \(large)"
        }
        return nil
    }

    private static func groupProblem(
        _ a: ALUOperand, _ b: ALUOperand?, _ east: Stream?, _ west: Stream?, _ alu: Int,
        _ chip: Chip
    ) -> String? {
        func stream(_ operand: ALUOperand?) -> Stream? {
            if case .stream(let stream, _) = operand { stream } else { nil }
        }
        func problem(_ stream: Stream?) -> String? {
            guard let stream else { return nil }
            let group = stream.id / chip.streamsPerGroup
            if chip.alu(alu, reachesGroup: group) { return nil }
            let row = alu / chip.aluColumns
            let groups = chip.aluRowGroups[row].map(String.init).joined(separator: ", ")
            return "\(stream) is in stream group \(group), row \(row) of the mesh has "
                + "groups \(groups)"
        }
        let (x, y) = (stream(a), stream(b))
        let first = problem(x) ?? problem(y) ?? problem(east) ?? problem(west)
        if first == nil, let x, let y, x.direction != y.direction,
            x.id / chip.streamsPerGroup == y.id / chip.streamsPerGroup
        {
            return "\(x) and \(y) enter from both directions in one stream "
                + "group, \(x.id / chip.streamsPerGroup)"
        }
        return first
    }

    /// The ALU that `operand` names must fire `aluLatency` before each issue of `burst`.
    private static func chainProblem(
        _ burst: Burst, _ operand: ALUOperand, _ timeline: ChipTimeline
    ) -> String? {
        guard case .alu(let source) = operand else { return nil }
        let latency = timeline.chip.aluLatency
        let queue = timeline.chip.queue(of: .alu(Int(source))).index
        guard timeline.isOrdered[queue] else { return nil }
        let bursts = timeline.bursts[timeline.queues[queue]]
        let wanted = Progression(burst, delay: -latency)
        // The last burst that starts no later than the first operand.
        var position = bursts.partitioningIndex { $0.start.index > wanted.first } - 1
        if position >= bursts.startIndex, Progression(bursts[position]) == wanted { return nil }
        var issues = IssueCursor(burst)
        while let issue = issues.next() {
            let cycle = issue.cycle - latency
            while position + 1 < bursts.endIndex, bursts[position + 1].start.index <= cycle {
                position += 1
            }
            if position < bursts.startIndex || !Progression(bursts[position]).contains(cycle) {
                return "takes the result of alu\(source) of cycle \(cycle), \(latency) before "
                    + "cycle \(issue.cycle), when alu\(source) does not fire"
            }
        }
        return nil
    }
}

extension ArraySlice {
    /// The first index whose element is `true`, in a slice of falses before trues; O(log n).
    fileprivate func partitioningIndex(_ isAfter: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
