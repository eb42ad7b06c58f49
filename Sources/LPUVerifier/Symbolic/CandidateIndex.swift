import LPUDataflow
import LPUNumerics
import LPUSupport
import Synchronization

/// The ops that an instruction may be, by what it consumes; the last op of the program first.
final class CandidateIndex: Sendable {
    struct Node {
        var op: Int32
        var next: Int32
    }
    private let heads: NumberTable
    private let nodes: [Node]

    /// - Parameter kinds: of the ops that are in it.
    init(_ program: SymbolicProgram, where isIn: (OpRecord.Kind) -> Bool) {
        var (heads, nodes) = (NumberTable(), [Node]())
        func insert(_ op: Int, _ first: Operand, _ second: Operand, _ slot: Int, _ code: Int) {
            let key = SymbolicProgram.searchKey(
                program.ops[op].kind, code, program.family(program.term(first, 0, slot)),
                program.family(program.term(second, 0, slot)), chip: Int(program.ops[op].chip))
            let head = heads[key]
            // Planes of one family have one key.
            if head >= 0, nodes[head].op == op { return }
            nodes.append(Node(op: Int32(op), next: Int32(head)))
            heads.insert(nodes.count - 1, at: key)
        }
        for (op, record) in program.ops.enumerated() where isIn(record.kind) {
            switch record.kind {
            case .elementwise:
                insert(op, record.a, record.b, SymbolicProgram.word, Int(record.code))
            case .lanes, .select, .transpose, .gather, .scatter, .transfer:
                let code = record.kind == .lanes ? Int(record.code) : 0
                for plane in 0..<program.types[Int(record.a.value)].byteCount {
                    insert(op, record.a, .none, plane, code)
                }
            case .matmul:
                if record.code > 0 {
                    insert(op, program.terms[Int(record.firstTerm)].activation, .none, 0, 0)
                }
            case .ingress, .egress, .view: break
            }
        }
        (self.heads, self.nodes) = (heads, nodes)
    }

    /// The first node at a key; nil if there is none.
    func first(_ key: UInt64) -> Node? {
        let head = heads[key]
        return head >= 0 ? nodes[head] : nil
    }

    func after(_ node: Node) -> Node? { node.next >= 0 ? nodes[Int(node.next)] : nil }
}

/// An index that is made when it is asked for: a schedule that names its ops asks for few.
final class LazyIndex: Sendable {
    private let index = Mutex<CandidateIndex?>(nil)

    func callAsFunction(_ make: () -> CandidateIndex) -> CandidateIndex {
        index.withLock { known in
            let made = known ?? make()
            known = made
            return made
        }
    }
}
