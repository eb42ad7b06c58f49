import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// What an instruction puts on streams: on `count` of them from `stream` on, `latency` after its
/// issue, at its unit's register.
struct Production {
    var stream: Stream
    var count: Int
    var latency: Int

    private init(_ stream: Stream, _ count: Int, _ latency: Int) {
        self.stream = stream
        self.count = count
        self.latency = latency
    }

    /// Calls `body` with every production of `instruction`, at most two.
    @inline(__always)
    static func forEach(
        of instruction: Instruction, on chip: Chip, _ body: (Production) -> Void
    ) {
        switch instruction {
        case .memory(.read(_, let to), _): body(Production(to, 1, chip.readLatency))
        case .memory(.gather(_, _, _, let to), _): body(Production(to, 1, chip.gatherLatency))
        case .memory(.none, _), .loadWeights, .install, .matmul, .send, .egress: break
        case .accumulate(_, _, let emit):
            if let emit { body(Production(emit, 4, chip.accumulateLatency)) }
        case .alu(let operation, _, _, let east, let west):
            let count = operation.resultType(of: .fp32).byteCount
            if let east { body(Production(east, count, chip.aluResultLatency)) }
            if let west { body(Production(west, count, chip.aluResultLatency)) }
        case .distribute(_, let to, let count, _):
            body(Production(to, Int(count), chip.distributeLatency))
        case .transpose(_, _, let to, let outputs):
            body(Production(to, Int(outputs), chip.transposeLatency))
        case .permute(_, let to, let count, _):
            body(Production(to, Int(count), chip.permuteLatency))
        case .shift(_, let to, let count, _): body(Production(to, Int(count), chip.shiftLatency))
        case .rotate(_, let to, let count, _): body(Production(to, Int(count), chip.rotateLatency))
        case .select(_, _, let to, let count, _):
            body(Production(to, Int(count), chip.selectLatency))
        case .receive(let to): body(Production(to, 1, chip.receiveLatency))
        case .ingress(let to): body(Production(to, 1, chip.ingressLatency))
        }
    }
}
