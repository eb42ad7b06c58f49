import LPUSchedule
import LPUSupport

/// The vectors that the host port passes, in the program's order.
struct HostCursor {
    let ops: [Int]
    var op = 0
    var iteration = 0
    var plane = 0
    init(_ ops: [Int]) { self.ops = ops }
}

extension SymbolicProgram {
    /// The `ingress` or `egress` ops of a chip, in the program's order.
    func hostOps(_ kind: OpRecord.Kind, _ chip: ChipID) -> [Int] {
        edgeOps.filter { ops[$0].kind == kind && Int(ops[$0].chip) == chip.index }
    }
}
