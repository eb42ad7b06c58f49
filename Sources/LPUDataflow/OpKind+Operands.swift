public import LPUNumerics
public import LPUSupport

extension OpKind {
    /// Calls `body` with every use of a value, in the order of the text form, and with how many
    /// iterations `count` iterations of the op make of it.
    public func forEachUse(count: Int, _ body: (Use, _ count: Int) -> Void) {
        switch self {
        case .matmul(let terms):
            for term in terms {
                body(term.activation, count)
                let sources = term.tile.sources
                for (k, source) in sources.enumerated() where k < term.tile.count {
                    body(source, (term.tile.count - k + sources.count - 1) / sources.count)
                }
            }
        case .elementwise(_, let a, let b):
            if case .use(let use) = a { body(use, count) }
            if case .use(let use) = b { body(use, count) }
        case .distribute(_, let use), .permute(_, let use), .shift(_, let use),
            .rotate(_, let use), .transfer(let use), .egress(let use), .byte(_, let use):
            body(use, count)
        case .select(let low, let high, _):
            body(low, count)
            body(high, count)
        case .transpose(let use, let inputs):
            body(use, inputs)
        case .gather(let table, _, let address):
            body(table, count)
            body(address, count)
        case .scatter(let region, _, let address, let data):
            body(region, count)
            body(address, count)
            body(data, count)
        case .ingress: break
        case .pack(let uses):
            for use in uses { body(use, count) }
        }
    }

    /// The same op on other values: each use's value is replaced by what `name` gives for it.
    public func renamed(_ name: (ValueID) -> ValueID) -> OpKind {
        func new(_ use: Use) -> Use {
            Use(name(use.value), start: Int(use.start), step: Int(use.step))
        }
        return replacing(new, tiles: new)
    }

    /// The same op with other uses: those of tiles' sources by `tile`, all others by `new`.
    public func replacing(_ new: (Use) -> Use, tiles tile: (Use) -> Use) -> OpKind {
        func replaced(_ operand: ElementwiseOperand) -> ElementwiseOperand {
            switch operand {
            case .use(let use): .use(new(use))
            case .immediate: operand
            }
        }
        switch self {
        case .matmul(let terms):
            return .matmul(
                terms.map {
                    MatmulTerm(
                        new($0.activation), Tile($0.tile.sources.map(tile), count: $0.tile.count))
                })
        case .elementwise(let operation, let a, let b):
            return .elementwise(operation, replaced(a), b.map(replaced))
        case .distribute(let map, let use): return .distribute(map, new(use))
        case .permute(let map, let use): return .permute(map, new(use))
        case .shift(let by, let use): return .shift(by: by, new(use))
        case .rotate(let by, let use): return .rotate(by: by, new(use))
        case .select(let low, let high, let boundary):
            return .select(low: new(low), high: new(high), boundary: boundary)
        case .transpose(let use, let inputs): return .transpose(new(use), inputs: inputs)
        case .gather(let table, let rows, let address):
            return .gather(table: new(table), rows: rows, address: new(address))
        case .scatter(let region, let rows, let address, let data):
            return .scatter(
                region: new(region), rows: rows, address: new(address), data: new(data))
        case .transfer(let use): return .transfer(new(use))
        case .ingress: return .ingress
        case .egress(let use): return .egress(new(use))
        case .pack(let uses): return .pack(uses.map(new))
        case .byte(let plane, let use): return .byte(plane, new(use))
        }
    }

    /// The word that names the op in the text form.
    public var name: String {
        switch self {
        case .matmul: "matmul"
        case .elementwise(let operation, _, _): operation.rawValue
        case .distribute: "distribute"
        case .permute: "permute"
        case .shift: "shift"
        case .rotate: "rotate"
        case .select: "select"
        case .transpose: "transpose"
        case .gather: "gather"
        case .scatter: "scatter"
        case .transfer: "transfer"
        case .ingress: "ingress"
        case .egress: "egress"
        case .pack: "pack"
        case .byte: "byte"
        }
    }
}

/// What words an ALU operation takes.
enum WordKind {
    case fp32, int32
    /// Acts on the bits: takes either, and its result is of the declared type.
    case bits
}

extension ALUOperation {
    /// What words it takes.
    var words: WordKind {
        switch self {
        case .negate, .absolute, .exp, .tanh, .rsqrt, .add, .subtract, .multiply, .max, .min, .less,
            .lessEqual, .equal, .notEqual, .toFP16, .toFP8, .toInt8, .toInt32:
            .fp32
        case .addInt, .subtractInt, .multiplyInt, .maxInt, .minInt, .lessInt, .lessEqualInt,
            .equalInt, .notEqualInt, .toFP32, .intToInt8:
            .int32
        case .copy, .not, .and, .or, .xor, .shiftLeft, .shiftRight, .mask, .maskNot: .bits
        }
    }

    /// `true` iff a result of `type` is what it makes: bits pass as fp32 or as int32.
    func makes(_ type: ElementType) -> Bool {
        switch words {
        case .fp32: type == resultType(of: .fp32)
        case .int32: type == resultType(of: .int32)
        case .bits: type == .fp32 || type == .int32
        }
    }

    /// `true` iff it takes operands whose widened type is `type`.
    public func takes(_ type: ElementType) -> Bool {
        switch words {
        case .fp32: type.widened == .fp32
        case .int32: type.widened == .int32
        case .bits: true
        }
    }
}

extension Formula {
    /// The layout that it takes the elements of a weight tensor by.
    public var layout: Layout? {
        switch self {
        case .weights(let layout, _, _), .scales(let layout, _, _): layout
        case .greatestScale, .constant, .diagonal, .table, .rotary, .zero: nil
        }
    }
}
