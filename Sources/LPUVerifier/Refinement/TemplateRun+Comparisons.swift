import LPUDataflow
import LPUNumerics
import LPUSupport

/// Comparisons of numbers. Equal expressions are equal numbers only but for what rounding did to
/// them; so numbers that are compared have to be made once each, by one op, in one place.
extension TemplateRun {
    /// `false` iff a number under a comparison's operands was made a second time.
    func isExact(_ operands: [ElementwiseOperand?]) -> Bool {
        var values = operands.compactMap { operand -> ValueID? in
            if case .use(let use)? = operand { use.value } else { nil }
        }
        var isExact = true
        while let value = values.popLast() {
            guard compared.insert(value).inserted else { continue }
            if let sources = sources(value) {
                values += sources
            } else if !noteCompared(value) {
                isExact = false
            }
        }
        return isExact
    }

    /// The values whose bits an op passes on, each lane one of theirs; nil for what is made.
    private func sources(_ value: ValueID) -> [ValueID]? {
        guard case .op(let number) = template.values[value.index].origin else { return nil }
        switch template.ops[number.index].kind {
        case .elementwise(.max, .use(let a), .use(let b)?): return [a.value, b.value]
        case .elementwise(.copy, .use(let use), _), .distribute(_, let use), .permute(_, let use),
            .shift(_, let use), .rotate(_, let use), .transfer(let use):
            return [use.value]
        case .select(let low, let high, _): return [low.value, high.value]
        case .elementwise, .matmul, .transpose, .gather, .scatter, .ingress, .egress, .pack, .byte:
            return nil
        }
    }

    /// `false` iff a number that the value holds is held by another one too, or twice.
    private func noteCompared(_ value: ValueID) -> Bool {
        var isExact = true
        let content = content(value)
        for i in 0..<template.values[value.index].count {
            for lane in numbers.vectors[state.vector(content, i)] where lane.raw > 0 {
                algebra.withMembers(of: lane.raw) { members in
                    for number in members {
                        isExact = state.compared.insert(number).inserted && isExact
                    }
                }
            }
        }
        return isExact
    }
}
