import LPUDataflow
import LPUSupport

/// Changes to a program that a lowering made, to plant mistakes in it; each returns how many.
extension ProgramTemplate {
    mutating func changeOps(_ change: (inout OpKind, Value) -> Void) -> Int {
        var changed = 0
        for i in ops.indices {
            var kind = ops[i].kind
            change(&kind, values[ops[i].result.index])
            if kind != ops[i].kind { changed += 1 }
            ops[i].kind = kind
        }
        return changed
    }

    mutating func changeFormulas(_ change: (String, inout Formula) -> Void) -> Int {
        var changed = 0
        for i in values.indices {
            guard case .image(var formula) = values[i].origin else { continue }
            change(values[i].name, &formula)
            if values[i].origin != .image(formula) { changed += 1 }
            values[i].origin = .image(formula)
        }
        return changed
    }

    /// Layouts of weights, by the names of their values, and what scales their columns.
    mutating func changeLayouts(_ change: (String, inout Layout, inout String?) -> Void) -> Int {
        changeFormulas { name, formula in
            guard case .weights(var layout, let factor, var scale) = formula else { return }
            change(name, &layout, &scale)
            formula = .weights(layout, factor: factor, columnScale: scale)
        }
    }
}
