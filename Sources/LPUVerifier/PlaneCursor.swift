import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// What a plane is told in one cycle.
struct PlaneEvent {
    var cycle: Int
    /// Added to the instruction's address.
    var step: Int
    var instruction: Instruction
    /// `true` iff it is a tandem instruction of the even plane, which takes this odd plane too.
    var isMirrored: Bool
}

/// The issues of one of a plane's queues in the order of their cycles, and, for an odd plane, the
/// tandem ones of the even plane beside it; of equal cycles the mirrored one first.
struct PlaneCursor {
    private let own: ArraySlice<Burst>
    private let tandem: ArraySlice<Burst>
    private var ownIssues: IssueCursor
    private var tandemIssues: IssueCursor
    private var ownNext: Issue?
    private var tandemNext: Issue?

    /// - Requires: both queues are in order.
    init(own: ArraySlice<Burst>, evenPlane: ArraySlice<Burst> = []) {
        self.own = own
        tandem = evenPlane.filter(\.instruction.isTandem)[...]
        ownIssues = IssueCursor(own)
        tandemIssues = IssueCursor(tandem)
        ownNext = ownIssues.next()
        tandemNext = tandemIssues.next()
    }

    mutating func next() -> PlaneEvent? {
        if let issue = tandemNext, ownNext.map({ issue.cycle <= $0.cycle }) ?? true {
            tandemNext = tandemIssues.next()
            return PlaneEvent(
                cycle: issue.cycle, step: issue.step, instruction: tandem[issue.burst].instruction,
                isMirrored: true)
        }
        guard let issue = ownNext else { return nil }
        ownNext = ownIssues.next()
        return PlaneEvent(
            cycle: issue.cycle, step: issue.step, instruction: own[issue.burst].instruction,
            isMirrored: false)
    }
}

extension Instruction {
    /// `true` iff both planes of a pair do it.
    var isTandem: Bool {
        switch self {
        case .loadWeights(_, let tandem), .install(let tandem): tandem
        case .matmul(_, let type): type == .fp16
        case .memory, .accumulate, .alu, .distribute, .transpose, .permute, .shift, .rotate,
            .select, .send, .receive, .ingress, .egress:
            false
        }
    }
}
