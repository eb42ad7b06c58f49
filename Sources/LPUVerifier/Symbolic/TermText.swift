import LPUDataflow
import LPUNumerics
import LPUSupport

/// Names of terms and ops in messages, and what the program's formulas say of vectors.
extension SymbolicProgram {
    /// `v13[2]`, `v13[2] byte 1`, `nothing`.
    func text(_ term: Term) -> String {
        guard term.isOfProgram else {
            switch term {
            case .none: return "nothing"
            case .foreign: return "bytes that the program does not name"
            case .reported: return "a vector that is wrong already"
            case _: return "the word \(term.raw >> 8)"
            }
        }
        let view = term.view
        if term.root >= types.count {
            let scatter = scatters.last { $0.firstVersion <= term.root }
            let name = ValueID(Int(scatter?.result ?? 0)).description
            let i = term.root - (scatter?.firstVersion ?? 0)
            return "\(name)[\(term.vector)] after iteration \(i) of its scatter"
        }
        let vector = "\(ValueID(term.root))[\(term.vector)]"
        if view.isWord { return vector }
        if view.isByte && types[term.root].byteCount == 1 { return vector }
        return "\(vector) byte \(view.byte)\(view.isByte ? "" : " of its widened word")"
    }

    func opName(_ op: Int) -> String {
        let record = ops[op]
        let kind: String
        switch record.kind {
        case .elementwise:
            kind =
                ALUOperation.allCases.indices.contains(Int(record.code))
                ? ALUOperation.allCases[Int(record.code)].rawValue : "elementwise"
        case .lanes: kind = "lane map"
        case .select: kind = "select"
        case .transpose: kind = "transpose"
        case .gather: kind = "gather"
        case .scatter: kind = "scatter"
        case .matmul: kind = "matmul"
        case .transfer: kind = "transfer"
        case .ingress: kind = "ingress"
        case .egress: kind = "egress"
        case .view: kind = "view"
        }
        return "\(OpID(op)) (\(kind))"
    }

    /// What the program wants of an instruction and what it found. The op that the burst names is
    /// believed here alone, for words.
    func complaint(
        _ kind: OpRecord.Kind, _ hint: Int, _ found: [Term], iteration: Int = 0
    ) -> String {
        let finds = found.filter { $0 != .none }.map(text).joined(separator: " and ")
        guard hint >= 0, ops[hint].kind == kind else {
            return "no op of the program on this chip is this instruction on \(finds)"
        }
        let record = ops[hint]
        let slot = kind == .elementwise ? SymbolicProgram.word : Int(found[0].view.byte)
        let i = min(max(iteration, 0), max(Int(record.count) - 1, 0))
        let wants =
            kind == .transpose
            ? (0..<Int(record.code)).map { term(record.a, $0, slot) }
            : [(record.a, slot), (record.b, kind == .elementwise ? slot : 0), (record.c, slot)]
                .map { term($0, i, $1) }.filter { $0 != .none }
        let wanted = wants.map(text).joined(separator: " and ")
        return "\(opName(hint)) wants \(wanted), finds \(finds), and no other op does this"
    }

    /// The declaration of a value of the whole program. O(log instances).
    func declaration(_ value: Int) -> Value? {
        var (low, high) = (0, valueBases.count)
        while low < high {
            let middle = (low + high) / 2
            if valueBases[middle] <= value { low = middle + 1 } else { high = middle }
        }
        guard low > 0, low < valueBases.count else { return nil }
        let values = program.templates[program.instances[low - 1].template].values
        let index = value - valueBases[low - 1]
        return values.indices.contains(index) ? values[index] : nil
    }

    /// `true` iff the program's formula makes all bytes of the term zero in every step.
    func isZero(_ term: Term) -> Bool {
        // What is scattered into holds what steps before this one wrote.
        guard term.isOfProgram, term.root < types.count, !isRegion(term.root),
            let value = declaration(term.root), case .image(let formula) = value.origin
        else { return false }
        let k = term.vector
        switch formula {
        case .weights(let layout, _, _), .scales(let layout, _, _):
            return !layout.pieces.contains { $0.vectors.contains(k) }
        case .constant(let bits, let vectors, let lanes):
            return bits == 0 || !vectors.contains(k) || lanes.isEmpty
        case .diagonal(let bits, _, _): return bits == 0
        case .table(let bits, _, _): return bits.allSatisfy { $0 == 0 }
        case .zero: return true
        case .greatestScale, .rotary: return false
        }
    }

    /// `true` iff an op scatters into the image.
    func isRegion(_ root: Int) -> Bool { lastVersions[Int32(truncatingIfNeeded: root)] != nil }

    /// The value that a parameter stands for: one that an op makes or an image holds.
    func bound(_ value: Int) -> Int {
        origins[value] == .parameter
            ? Int(entry(ofAlias: aliases[value], 0).root) : value
    }
}
