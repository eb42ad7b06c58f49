import LPUNumerics
import LPUSupport

/// Checks the values of a template, and the operands and results of its ops.
struct TemplateChecker {
    let template: ProgramTemplate
    let program: Program
    var found = DiagnosticSet()
    /// Of the value or op under check.
    private(set) var place = ""

    init(template: ProgramTemplate, program: Program) {
        self.template = template
        self.program = program
    }

    mutating func report(_ id: String, _ message: String) {
        found.insert(Diagnostic(at: Diagnostic.Place(place), id: id, message))
    }

    mutating func check() {
        var names = Set<String>()
        for (v, value) in template.values.enumerated() {
            place = "\(template.name).\(ValueID(v))"
            if !names.insert(value.name).inserted {
                report("dataflow-name", "two values are named '\(value.name)': rename one")
            }
            check(value, ValueID(v))
        }
        // The checks of ops read values by their numbers and counts.
        guard found.isEmpty else { return }
        for (o, op) in template.ops.enumerated() {
            place = "\(template.name).\(OpID(o))"
            check(op, OpID(o))
        }
    }

    private mutating func check(_ value: Value, _ id: ValueID) {
        if !isWord(value.name) || value.name.hasSuffix(".") {
            report(
                "dataflow-name",
                "'\(value.name)' is not a word of printable ASCII without a dot behind: rename it")
        }
        if !(0..<template.chipCount).contains(value.chip) {
            report("dataflow-chip", "place \(value.chip) is outside 0..<\(template.chipCount)")
        }
        guard Limits.vectors.contains(value.count) else {
            report("dataflow-range", "\(value.count) vectors are outside \(Limits.vectors)")
            return
        }
        let bytes = program.byteCount(value)
        if bytes > Limits.bytes {
            report(
                "dataflow-range",
                "\(value.count) vectors are \(bytes) bytes, above \(Limits.bytes): use fewer")
        }
        for tensor in value.tensors where !isWord(tensor) {
            report("dataflow-name", "'\(tensor)' is not a word of printable ASCII: rename it")
        }
        switch value.origin {
        case .parameter: break
        case .image(let formula): check(formula, value)
        case .op(let op):
            if !template.ops.indices.contains(op.index) || template.ops[op.index].result != id {
                report("dataflow-origin", "\(id) is not the result of its origin \(op)")
            }
        }
        if let meaning = value.meaning { check(meaning, value) }
    }

    private mutating func check(_ op: Op, _ id: OpID) {
        guard template.values.indices.contains(op.result.index),
            template.values[op.result.index].origin == .op(id)
        else {
            report("dataflow-origin", "the result \(op.result) is no value that the op makes")
            return
        }
        guard Limits.vectors.contains(op.count) else {
            report("dataflow-range", "\(op.count) iterations are outside \(Limits.vectors)")
            return
        }
        if let chain = op.chain, !(0...Int(Int32.max)).contains(chain) {
            report("dataflow-range", "chain \(chain) is outside 0...\(Int32.max)")
        }
        let before = found.diagnostics.count
        checkParameters(op)
        // The checks below compute with what passed the checks above.
        guard found.diagnostics.count == before, checkUses(op, id) else { return }
        let result = template.values[op.result.index]
        checkCount(op, result)
        checkTypes(op, result)
    }

    /// Whether every use is of a vector of a value that is made before, on the right chip.
    private mutating func checkUses(_ op: Op, _ id: OpID) -> Bool {
        var problems: [(String, String)] = []
        let chip = template.values[op.result.index].chip
        op.kind.forEachUse(count: op.count) { use, count in
            guard template.values.indices.contains(use.value.index) else {
                problems.append(("dataflow-range", "\(use.value) is no value of the template"))
                return
            }
            let value = template.values[use.value.index]
            if case .op(let maker) = value.origin, maker >= id {
                problems.append(("dataflow-order", "\(use.value) is made by \(maker), not before"))
            }
            let isTransfer = op.kind.isTransfer
            if (value.chip != chip) != isTransfer {
                let remedy = isTransfer ? "transfer to another one" : "transfer it first"
                problems.append(
                    (
                        "dataflow-chip",
                        "\(use.value) is at place \(value.chip), the result at \(chip): \(remedy)"
                    ))
            }
            let (first, last) = (use.vector(0), use.vector(count - 1))
            if min(first, last) < 0 || max(first, last) >= value.count {
                problems.append(
                    (
                        "dataflow-range",
                        "\(use.text) takes vectors \(first)...\(last) of 0..<\(value.count)"
                    ))
            }
        }
        for (id, message) in problems { report(id, message) }
        return problems.isEmpty
    }

    /// How many vectors the result has.
    private mutating func checkCount(_ op: Op, _ result: Value) {
        switch op.kind {
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .gather,
            .transfer, .ingress, .egress, .pack, .byte:
            if result.count != op.count {
                report(
                    "dataflow-count",
                    "\(op.count) iterations make as many vectors, the result has \(result.count)"
                )
            }
        case .transpose:
            if op.count != 1 || result.count > program.lanesPerSuperlane {
                report(
                    "dataflow-count",
                    "a transpose is 1 iteration, not \(op.count), and makes at most "
                        + "\(program.lanesPerSuperlane) vectors, not \(result.count)")
            }
        case .scatter(let region, _, _, _):
            let count = template.values[region.value.index].count
            if result.count != count {
                report(
                    "dataflow-count",
                    "the region has \(count) vectors, its new version \(result.count)")
            }
        }
    }
}

extension OpKind {
    fileprivate var isTransfer: Bool {
        if case .transfer = self { return true }
        return false
    }
}
