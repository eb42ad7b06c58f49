import LPUNumerics
import LPUSupport

extension TemplateChecker {
    /// The numbers that an op holds besides its uses.
    mutating func checkParameters(_ op: Op) {
        switch op.kind {
        case .matmul(let terms): check(terms)
        case .elementwise(let operation, _, let b):
            if (b == nil) != (operation.operandCount == 1) {
                report(
                    "dataflow-operand",
                    "\(operation) takes \(operation.operandCount) operands, not \(b == nil ? 1 : 2)"
                )
            }
        case .distribute(let map, _):
            check(map, count: program.lanesPerSuperlane, lowest: -1)
        case .permute(let map, _):
            check(map, count: program.lanes, lowest: 0)
            if Set(map).count != map.count {
                report("dataflow-map", "two lanes take one lane: a permutation is a bijection")
            }
        case .shift(let by, _): check("the shift", by, -program.lanes...program.lanes)
        case .rotate(let by, _):
            check("the rotation", by, -program.lanesPerSuperlane...program.lanesPerSuperlane)
        case .select(_, _, let boundary): check("the boundary", boundary, 0...program.lanes)
        case .transpose(_, let inputs): check("the inputs", inputs, 1...program.lanesPerSuperlane)
        case .gather(let table, let rows, _): checkWindow(table, rows, count: op.count)
        case .scatter(let region, let rows, _, _): checkWindow(region, rows, count: op.count)
        case .transfer, .ingress, .egress: break
        case .pack(let uses):
            let type = template.values[op.result.index].type
            if uses.count != type.byteCount {
                report(
                    "dataflow-type",
                    "\(uses.count) bytes are packed into \(type), which has \(type.byteCount)")
            }
        case .byte(let plane, _): check("the byte", plane, 0...3)
        }
    }

    private mutating func check(_ what: String, _ number: Int, _ range: ClosedRange<Int>) {
        if !range.contains(number) {
            report("dataflow-range", "\(what) is \(number), outside \(range)")
        }
    }

    private mutating func check(_ terms: [MatmulTerm]) {
        if terms.isEmpty { report("dataflow-operand", "a matmul has no term: give one or more") }
        for term in terms {
            check("the weight vectors of a tile", term.tile.count, 1...program.lanes)
            let sources = term.tile.sources.count
            if sources == 0 || Limits.tileSources % sources != 0 {
                report(
                    "dataflow-operand",
                    "\(sources) sources of a tile do not divide \(Limits.tileSources)")
            }
        }
    }

    private mutating func check(_ map: [Int16], count: Int, lowest: Int) {
        let isInRange = map.allSatisfy { (lowest..<count).contains(Int($0)) }
        if map.count != count || !isInRange {
            report(
                "dataflow-map",
                "a map of \(map.count) entries stands where \(count) of \(lowest)..<\(count) are"
                    + " needed")
        }
    }

    /// Every iteration's window lies in the table.
    private mutating func checkWindow(_ table: Use, _ rows: Int, count: Int) {
        check("the rows of a window", rows, Limits.rows)
        guard Limits.rows.contains(rows), template.values.indices.contains(table.value.index) else {
            return
        }
        let have = template.values[table.value.index].count
        let end = max(table.vector(0), table.vector(count - 1)) + rows
        if end > have {
            report("dataflow-range", "the window ends at vector \(end) of \(have): use fewer rows")
        }
        if program.lanesPerSuperlane < 2 {
            report("dataflow-lanes", "an offset needs 2 lanes of a superlane, there is 1")
        }
    }

    /// Types of operands and result. - Requires: every use is in range.
    mutating func checkTypes(_ op: Op, _ result: Value) {
        func type(_ use: Use) -> ElementType { template.values[use.value.index].type }
        switch op.kind {
        case .matmul(let terms):
            for term in terms { checkTypes(term, result.type) }
        case .elementwise(let operation, let a, let b):
            for operand in [a, b] {
                guard case .use(let use) = operand else { continue }
                if !operation.takes(type(use)) {
                    report(
                        "dataflow-type",
                        "\(operation) does not take \(use.value), which is \(type(use)): cast it")
                }
            }
            if !operation.makes(result.type) {
                report("dataflow-type", "\(operation) does not make \(result.type)")
            }
        case .distribute(_, let use), .permute(_, let use), .shift(_, let use),
            .rotate(_, let use), .transfer(let use), .egress(let use), .transpose(let use, _):
            checkSame([use], result.type)
        case .select(let low, let high, _): checkSame([low, high], result.type)
        case .gather(let table, _, let address):
            checkSame([table], result.type)
            checkByte(type(address), "an address")
        case .scatter(let region, _, let address, let data):
            checkSame([region, data], result.type)
            checkByte(type(address), "an address")
        case .ingress: break
        case .pack(let uses):
            for use in uses { checkByte(type(use), "a packed value") }
        case .byte(let plane, let use):
            checkByte(result.type, "the result")
            if plane >= type(use).byteCount {
                report(
                    "dataflow-range",
                    "byte \(plane) of \(type(use)), which has \(type(use).byteCount)")
            }
        }
    }

    private mutating func checkTypes(_ term: MatmulTerm, _ result: ElementType) {
        let activation = template.values[term.activation.value.index].type
        for source in term.tile.sources {
            let weights = template.values[source.value.index].type
            if activation != weights || activation.byteCount > 2 {
                report(
                    "dataflow-type",
                    "\(activation) times \(weights): both are fp8, int8 or fp16 alike")
            }
        }
        if result != activation.widened {
            report(
                "dataflow-type", "sums of \(activation) are \(activation.widened), not \(result)")
        }
    }

    private mutating func checkSame(_ uses: [Use], _ result: ElementType) {
        for use in uses {
            let type = template.values[use.value.index].type
            if type != result {
                report("dataflow-type", "\(use.value) is \(type), the result \(result): make it so")
            }
        }
    }

    private mutating func checkByte(_ type: ElementType, _ what: String) {
        if type.byteCount != 1 {
            report("dataflow-type", "\(what) is \(type), not of one byte: take one byte of it")
        }
    }
}
