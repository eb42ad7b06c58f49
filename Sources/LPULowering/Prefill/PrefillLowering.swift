public import LPUDataflow
public import LPUSupport

/// The program that reads so many tokens of a prompt into the caches of a decode step at once: the
/// same ops on each token's vectors, so that it leaves the caches that as many steps leave.
///
/// Of the step stays what its caches need: no head, no end of the last layer. What depends on the
/// token is made for all tokens together, vectors of all of them passing each tile of weights while
/// it is installed. All keys and values are in the caches before any token attends; those of later
/// tokens stand under the mask under which the step has rows that are not written yet.
///
/// Takes a vector of the step a token (`HostVector.ingress`), at positions that follow one another
/// within one block of the cache; nothing leaves.
/// - Throws: `prefill-unsupported` for several chips or users, and what is no decode step.
/// - Complexity: O(ops x tokens).
public func lowerPrefill(
    of step: Program, tokens: Int
) throws(DiagnosticSet) -> Program {
    func refusal(_ message: String) -> DiagnosticSet {
        DiagnosticSet(
            Diagnostic(at: Diagnostic.Place("prefill"), id: "prefill-unsupported", message))
    }
    guard step.users == 1, step.templates.allSatisfy({ $0.chipCount == 1 }) else {
        throw refusal("it is lowered for one chip and one user")
    }
    guard (1...step.lanes).contains(tokens) else {
        throw refusal("\(tokens) tokens at once are asked for, 1 to \(step.lanes) are lowered")
    }
    let flow = PrefillFlow(step)
    var program = step
    program.name = "\(step.name).prefill"
    var numbers: [Int?] = []
    program.templates = []
    var widened: [WidenedTemplate?] = []
    for t in step.templates.indices {
        let template = try WidenedTemplate(step.templates[t], flow.of(t), tokens: tokens)
        let isKept = !template.template.values.isEmpty
        numbers.append(isKept ? program.templates.count : nil)
        widened.append(template)
        if isKept { program.templates.append(template.template) }
    }
    program.instances = []
    var instances: [Int?] = []
    for instance in step.instances {
        guard let number = numbers[instance.template], let own = widened[instance.template] else {
            instances.append(nil)
            continue
        }
        instances.append(program.instances.count)
        var new = instance
        new.template = number
        new.arguments = own.parameters.flatMap { ordinal -> [Instance.Argument] in
            let argument = instance.arguments[ordinal]
            guard let maker = instances[argument.instance],
                let origin = widened[step.instances[argument.instance].template]
            else { preconditionFailure("what is taken is made") }
            return origin.names[argument.value.index].map {
                Instance.Argument(instance: maker, value: $0)
            }
        }
        program.instances.append(new)
    }
    return program
}

/// What of a step its caches need, and what of that depends on the token.
struct PrefillFlow {
    struct OfTemplate {
        var isNeeded: [Bool]
        var isPerToken: [Bool]
    }
    private var templates: [OfTemplate]

    func of(_ t: Int) -> OfTemplate { templates[t] }

    init(_ step: Program) {
        templates = step.templates.map {
            let none = $0.values.map { _ in false }
            return OfTemplate(isNeeded: none, isPerToken: none)
        }
        markNeeded(step)
        markPerToken(step)
    }

    private mutating func markNeeded(_ step: Program) {
        let ordinals = step.templates.map(\.parameterOrdinals)
        var rest: [(template: Int, value: ValueID)] = []
        for (t, template) in step.templates.enumerated() {
            for op in template.ops {
                if case .scatter = op.kind { rest.append((t, op.result)) }
            }
        }
        while let (t, value) = rest.popLast() {
            guard !templates[t].isNeeded[value.index] else { continue }
            templates[t].isNeeded[value.index] = true
            switch step.templates[t].values[value.index].origin {
            case .image: break
            case .op(let op):
                let op = step.templates[t].ops[op.index]
                op.kind.forEachUse(count: op.count) { use, _ in rest.append((t, use.value)) }
            case .parameter:
                for instance in step.instances where instance.template == t {
                    let argument = instance.arguments[ordinals[t][value.index]]
                    rest.append((step.instances[argument.instance].template, argument.value))
                }
            }
        }
    }

    /// A region is of no token: what is scattered into it is there for all.
    private mutating func markPerToken(_ step: Program) {
        let ordinals = step.templates.map(\.parameterOrdinals)
        for instance in step.instances {
            let t = instance.template
            for (v, value) in step.templates[t].values.enumerated()
            where value.origin == .parameter {
                let argument = instance.arguments[ordinals[t][v]]
                let maker = step.instances[argument.instance].template
                if templates[maker].isPerToken[argument.value.index] {
                    templates[t].isPerToken[v] = true
                }
            }
            for op in step.templates[t].ops {
                var isPerToken = op.kind == .ingress
                op.kind.forEachUse(count: op.count) { use, _ in
                    if templates[t].isPerToken[use.value.index] { isPerToken = true }
                }
                if case .scatter = op.kind { isPerToken = false }
                if isPerToken { templates[t].isPerToken[op.result.index] = true }
            }
        }
    }
}

extension ProgramTemplate {
    /// Of each parameter its number among them; -1 for other values.
    var parameterOrdinals: [Int] {
        var next = 0
        return values.map { value in
            guard value.origin == .parameter else { return -1 }
            defer { next += 1 }
            return next
        }
    }
}
