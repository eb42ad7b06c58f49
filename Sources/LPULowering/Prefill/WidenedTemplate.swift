import LPUDataflow
import LPUSupport

/// A template of a step for several tokens: each vector that depends on the token becomes a value
/// of as many vectors as there are tokens.
struct WidenedTemplate {
    private(set) var template: ProgramTemplate
    /// For each value of the step what stands for it: one value, or one for each of its vectors
    /// where it depends on the token; none where nothing needs it.
    private(set) var names: [[ValueID]]
    /// Parameters of the step's template that are left, by their numbers among them.
    private(set) var parameters: [Int] = []
    private let old: ProgramTemplate
    private let flow: PrefillFlow.OfTemplate
    private let tokens: Int
    private var chains = 0
    private var taken: Set<String> = []

    /// - Throws: `prefill-unsupported` for an op that a step does not have.
    init(
        _ old: ProgramTemplate, _ flow: PrefillFlow.OfTemplate, tokens: Int
    ) throws(DiagnosticSet) {
        self.old = old.readingLastVersions()
        self.flow = flow
        self.tokens = tokens
        template = ProgramTemplate(name: old.name, chipCount: old.chipCount)
        names = old.values.map { _ in [] }
        let ordinals = old.parameterOrdinals
        for (v, value) in old.values.enumerated() where flow.isNeeded[v] {
            switch value.origin {
            case .op: continue
            case .image: break
            case .parameter: parameters.append(ordinals[v])
            }
            names[v] =
                flow.isPerToken[v]
                ? (0..<value.count).map { declare(value, vector: $0) } : [declare(value)]
        }
        for group in groups() { try widen(group) }
    }

    private mutating func declare(
        _ value: Value, vector: Int? = nil, origin: Origin? = nil
    ) -> ValueID {
        var new = value
        if let origin { new.origin = origin }
        if let vector {
            if value.count > 1 { new.name += ".\(vector)" }
            new.count = tokens
            new.meaning = nil
        }
        while !taken.insert(new.name).inserted { new.name += ".\(template.values.count)" }
        template.values.append(new)
        return ValueID(template.values.count - 1)
    }

    private func isPerToken(_ use: Use) -> Bool { flow.isPerToken[use.value.index] }

    // MARK: Order

    /// Needed ops that follow one another in one chain, with equal counts; each group after what it
    /// takes, else as they stood.
    private func groups() -> [[Op]] {
        var groups: [[Op]] = []
        var last: Op?
        for op in old.ops where flow.isNeeded[op.result.index] {
            if let before = last, before.chain != nil, before.chain == op.chain,
                before.count == op.count, isLoose(op, groups[groups.count - 1])
            {
                groups[groups.count - 1].append(op)
            } else {
                groups.append([op])
            }
            last = op
        }
        var maker: [Int?] = old.values.map { _ in nil }
        for (g, group) in groups.enumerated() {
            for op in group { maker[op.result.index] = g }
        }
        var isDone = groups.map { _ in false }
        var order: [[Op]] = []
        func place(_ g: Int) {
            if isDone[g] { return }
            isDone[g] = true
            for op in groups[g] {
                op.kind.forEachUse(count: op.count) { use, _ in
                    if let other = maker[use.value.index] { place(other) }
                }
            }
            order.append(groups[g])
        }
        for g in groups.indices { place(g) }
        return order
    }

    /// `true` iff each iteration takes of the group no more than its own one made: iterations may
    /// then follow one another, each through all ops.
    private func isLoose(_ op: Op, _ group: [Op]) -> Bool {
        var result = true
        op.kind.forEachUse(count: op.count) { use, _ in
            let isMade = group.contains { $0.result == use.value }
            if isMade, op.count > 1, use.start != 0 || use.step != 1 { result = false }
        }
        return result
    }

    // MARK: Ops

    private mutating func widen(_ group: [Op]) throws(DiagnosticSet) {
        let isPerToken = group.contains { flow.isPerToken[$0.result.index] }
        for i in 0..<(isPerToken ? group[0].count : 1) {
            let chain = group[0].chain.map { _ in
                chains += 1
                return chains
            }
            for op in group {
                if flow.isPerToken[op.result.index] {
                    try widen(op, iteration: i, chain: chain)
                } else if i == 0 {
                    keep(op, chain: chain)
                }
            }
        }
    }

    /// One iteration of the op for all tokens.
    private mutating func widen(
        _ op: Op, iteration i: Int, chain: Int?
    ) throws(DiagnosticSet) {
        let result = old.values[op.result.index]
        let kind = try kind(op, iteration: i)
        let id = OpID(template.ops.count)
        let new = declare(result, vector: i, origin: .op(id))
        names[op.result.index].append(new)
        template.ops.append(Op(kind, count: tokens, result: new, chain: chain))
    }

    private func kind(_ op: Op, iteration i: Int) throws(DiagnosticSet) -> OpKind {
        switch op.kind {
        case .matmul(let terms):
            guard terms.allSatisfy({ !$0.tile.sources.contains(where: isPerToken) }) else {
                throw refusal(op, "a tile that depends on the token")
            }
        case .gather(let table, _, _):
            guard !isPerToken(table) else { throw refusal(op, "a table that does") }
        case .transpose, .scatter, .transfer, .egress:
            throw refusal(op, "lanes of one vector that several others hold")
        case .elementwise, .distribute, .permute, .shift, .rotate, .select, .ingress, .pack,
            .byte:
            break
        }
        return op.kind.replacing({ use($0, iteration: i) }, tiles: kept)
    }

    private func refusal(_ op: Op, _ what: String) -> DiagnosticSet {
        DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place("\(template.name).\(op.kind.name)"), id: "prefill-unsupported",
                "\(what) is not lowered for several tokens"))
    }

    /// What iteration `i` takes: the vectors of all tokens, or always the same one.
    private func use(_ use: Use, iteration i: Int) -> Use {
        let names = names[use.value.index]
        return isPerToken(use)
            ? Use(names[use.vector(i)])
            : Use(names[0], start: use.vector(i), step: 0)
    }

    private func kept(_ use: Use) -> Use {
        Use(names[use.value.index][0], start: Int(use.start), step: Int(use.step))
    }

    /// An op whose result is of no token: as it is, or a scatter of all tokens' vectors in turn.
    /// What is of no token is written where the first one says.
    private mutating func keep(_ op: Op, chain: Int?) {
        var (kind, count) = (op.kind, op.count)
        if case .scatter(let region, let rows, let address, let data) = op.kind {
            let isWide = isPerToken(data)
            precondition(!isWide || op.count == 1, "a token has one row in each region")
            if isWide { count = tokens }
            let first = isPerToken(address) && !isWide
            kind = .scatter(
                region: isWide
                    ? Use(names[region.value.index][0], start: 0, step: 0) : kept(region),
                rows: rows,
                address: first
                    ? Use(names[address.value.index][address.vector(0)], start: 0, step: 0)
                    : use(address, iteration: 0),
                data: isWide ? use(data, iteration: 0) : kept(data))
        } else {
            kind = op.kind.renamed { names[$0.index][0] }
        }
        let id = OpID(template.ops.count)
        let new = declare(old.values[op.result.index], origin: .op(id))
        names[op.result.index] = [new]
        template.ops.append(Op(kind, count: count, result: new, chain: chain))
    }
}

extension ProgramTemplate {
    /// The same ops, but tiles and tables are read from the last version of a region.
    fileprivate func readingLastVersions() -> ProgramTemplate {
        var last: [ValueID: ValueID] = [:]
        for op in ops {
            guard case .scatter(let region, _, _, _) = op.kind else { continue }
            var root = region.value
            while case .op(let maker) = values[root.index].origin,
                case .scatter(let older, _, _, _) = ops[maker.index].kind
            {
                root = older.value
            }
            last[root] = op.result
        }
        var result = self
        for (o, op) in ops.enumerated() {
            func new(_ use: Use) -> Use {
                Use(last[use.value] ?? use.value, start: Int(use.start), step: Int(use.step))
            }
            switch op.kind {
            case .matmul:
                result.ops[o].kind = op.kind.replacing({ $0 }, tiles: new)
            case .gather(let table, let rows, let address):
                result.ops[o].kind = .gather(table: new(table), rows: rows, address: address)
            case .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
                .scatter, .transfer, .ingress, .egress, .pack, .byte:
                break
            }
        }
        return result
    }
}
