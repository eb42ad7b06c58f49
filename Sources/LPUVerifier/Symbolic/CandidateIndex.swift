import LPUDataflow
import LPUNumerics
import LPUSupport
import Synchronization

/// Some ops, by what they consume; the last op of the program first.
///
/// Nothing of it changes once it is made.
final class CandidateIndex: @unchecked Sendable {
    struct Node {
        var op: Int32
        var next: Int32
    }
    /// Keys that share a hash share their nodes: each op is compared in full.
    private let heads: HashIndex
    private let nodes: [Node]

    /// - Parameter isIn: says which ops.
    init(_ program: SymbolicProgram, where isIn: (OpRecord) -> Bool) {
        var (heads, nodes) = (HashIndex(), [Node]())
        func insert(_ op: Int, _ first: Operand, _ second: Operand, _ slot: Int, _ code: Int) {
            let key = SymbolicProgram.searchKey(
                program.ops[op].kind, code, program.family(program.term(first, 0, slot)),
                program.family(program.term(second, 0, slot)), chip: Int(program.ops[op].chip))
            let (head, slot) = heads.find(key) { _ in true }
            // Planes of one family have one key.
            if let head, nodes[Int(head)].op == op { return }
            nodes.append(Node(op: Int32(op), next: head ?? -1))
            if head == nil {
                heads.insert(Int32(nodes.count - 1), key, at: slot)
            } else {
                heads.replace(Int32(nodes.count - 1), at: slot)
            }
        }
        for (op, record) in program.ops.enumerated() where isIn(record) {
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

    deinit { heads.deallocate() }

    /// The first node at a key; nil if there is none.
    func first(_ key: UInt64) -> Node? {
        heads.find(key) { _ in true }.place.map { nodes[Int($0)] }
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
