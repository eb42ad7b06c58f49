public import LPUNumerics
public import LPUSupport

extension ValueID {
    /// Vectors from `start` on, every `step`th: `x[0]` is all of x, `x[5, step: 0]` always one.
    public subscript(start: Int, step step: Int = 1) -> Use { Use(self, start: start, step: step) }
}

/// Makes a template op by op.
///
/// An op takes its chip and types from its operands, and as many iterations as the first operand
/// that steps has vectors from its start on, unless `count` says otherwise. What does not fit is
/// found by `Program.problems()`, not here.
public struct TemplateBuilder: Sendable {
    public private(set) var template: ProgramTemplate
    /// Of the ops that follow; `nil` for none.
    public var chain: Int?
    /// The template's chip that place 0 is for what follows: a template of several stages is made
    /// stage by stage.
    public var firstChip = 0
    private let lanesPerSuperlane: Int
    private var names: Set<String> = []

    public init(_ name: String, chipCount: Int, lanesPerSuperlane: Int) {
        template = ProgramTemplate(name: name, chipCount: chipCount)
        self.lanesPerSuperlane = lanesPerSuperlane
    }

    /// The value's declaration. - Requires: this builder made it.
    public subscript(value: ValueID) -> Value { template.values[value.index] }

    /// The place of the value's chip, counted from `firstChip`.
    public func place(of value: ValueID) -> Int { self[value].chip - firstChip }

    /// States which elements of which tensor the value holds.
    public mutating func means(_ value: ValueID, _ meaning: Layout) {
        template.values[value.index].meaning = meaning
    }

    /// A value that rests in SRAM before cycle 0.
    public mutating func image(
        _ name: String, chip: Int = 0, type: ElementType, count: Int, _ formula: Formula
    ) -> ValueID {
        add(
            name, chip: firstChip + chip, type: type, count: count, origin: .image(formula))
    }

    /// A value that the instance binds to one of an earlier instance.
    public mutating func parameter(
        _ name: String, chip: Int = 0, type: ElementType, count: Int
    ) -> ValueID {
        add(name, chip: firstChip + chip, type: type, count: count, origin: .parameter)
    }

    /// Any op on a chip of the template; the methods below are this with the chip, type and count
    /// filled in, and take chips as places.
    public mutating func op(
        _ kind: OpKind, chip: Int, type: ElementType, count: Int, resultCount: Int? = nil,
        name: String? = nil
    ) -> ValueID {
        let id = OpID(template.ops.count)
        let value = add(
            name ?? kind.name, chip: chip, type: type, count: resultCount ?? count, origin: .op(id))
        template.ops.append(Op(kind, count: count, result: value, chain: chain))
        return value
    }

    /// The name gets the value's number where an earlier value has it.
    private mutating func add(
        _ name: String, chip: Int, type: ElementType, count: Int, origin: Origin
    ) -> ValueID {
        let id = ValueID(template.values.count)
        var unique = name
        while !names.insert(unique).inserted { unique += ".\(id.index)" }
        template.values.append(
            Value(name: unique, chip: chip, type: type, count: count, origin: origin))
        return id
    }

    /// Vectors from the use's start on; 0 where it does not step upwards.
    private func available(_ use: Use) -> Int {
        let (start, step) = (Int(use.start), Int(use.step))
        return step > 0 ? (self[use.value].count - start + step - 1) / step : 0
    }

    /// `count`, or that of the first use that steps, or 1.
    private func iterations(_ count: Int?, _ uses: [Use]) -> Int {
        count ?? uses.lazy.map(available).first { $0 > 0 } ?? 1
    }

    /// An op with the chip and type of its first use.
    private mutating func op(
        _ kind: OpKind, like uses: [Use], type: ElementType? = nil, count: Int?, name: String?
    ) -> ValueID {
        let first = self[uses[0].value]
        return op(
            kind, chip: first.chip, type: type ?? first.type, count: iterations(count, uses),
            name: name)
    }
}

extension TemplateBuilder {
    /// The sum of the terms' products, in their order. - Requires: there is a term.
    public mutating func matmul(
        _ terms: [MatmulTerm], count: Int? = nil, name: String? = nil
    ) -> ValueID {
        let uses = terms.map(\.activation)
        let type = self[uses[0].value].type.widened
        return op(.matmul(terms), like: uses, type: type, count: count, name: name)
    }

    /// One ALU operation; `as` types the result of one that acts on bits, else it is its operands'.
    public mutating func elementwise(
        _ operation: ALUOperation, _ a: ElementwiseOperand, _ b: ElementwiseOperand? = nil,
        as type: ElementType? = nil, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        let uses = [a, b].compactMap { operand -> Use? in
            if case .use(let use) = operand { use } else { nil }
        }
        precondition(!uses.isEmpty, "an operation takes a value")
        let operand = self[uses[0].value].type.widened
        let natural = operation.words == .bits ? operand : operation.resultType(of: operand)
        return op(
            .elementwise(operation, a, b), like: uses, type: type ?? natural, count: count,
            name: name)
    }

    public mutating func elementwise(
        _ operation: ALUOperation, _ a: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        elementwise(operation, .use(a), count: count, name: name)
    }

    public mutating func elementwise(
        _ operation: ALUOperation, _ a: Use, _ b: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        elementwise(operation, .use(a), .use(b), count: count, name: name)
    }

    /// The same fp32 number in every lane of the second operand.
    public mutating func elementwise(
        _ operation: ALUOperation, _ a: Use, _ b: Float, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        elementwise(operation, .use(a), .immediate(b.bitPattern), count: count, name: name)
    }

    /// The same int32 number in every lane of the second operand.
    public mutating func elementwise(
        _ operation: ALUOperation, _ a: Use, integer b: Int32, count: Int? = nil,
        name: String? = nil
    ) -> ValueID {
        elementwise(
            operation, .use(a), .immediate(UInt32(bitPattern: b)), count: count, name: name)
    }

    public mutating func distribute(
        _ map: [Int16], _ use: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.distribute(map, use), like: [use], count: count, name: name)
    }

    public mutating func permute(
        _ map: [Int16], _ use: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.permute(map, use), like: [use], count: count, name: name)
    }

    public mutating func shift(
        _ use: Use, by lanes: Int, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.shift(by: lanes, use), like: [use], count: count, name: name)
    }

    public mutating func rotate(
        _ use: Use, by lanes: Int, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.rotate(by: lanes, use), like: [use], count: count, name: name)
    }

    public mutating func select(
        low: Use, high: Use, boundary: Int, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(
            .select(low: low, high: high, boundary: boundary), like: [low, high], count: count,
            name: name)
    }

    /// `resultCount` vectors of the transposed ones; all lanes of a superlane by default.
    public mutating func transpose(
        _ use: Use, inputs: Int, resultCount: Int? = nil, name: String? = nil
    ) -> ValueID {
        let value = self[use.value]
        return op(
            .transpose(use, inputs: inputs), chip: value.chip, type: value.type, count: 1,
            resultCount: resultCount ?? lanesPerSuperlane, name: name)
    }

    /// One row a vector of `address`; the window moves with the use: `table[0, step: 0]` stays.
    public mutating func gather(
        _ table: Use, rows: Int, address: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(
            .gather(table: table, rows: rows, address: address), like: [table],
            count: iterations(count, [address]), name: name)
    }

    /// The region's next version; one row a vector of `address`, in a window as that of `gather`.
    public mutating func scatter(
        into region: Use, rows: Int, address: Use, data: Use, count: Int? = nil,
        name: String? = nil
    ) -> ValueID {
        let value = self[region.value]
        return op(
            .scatter(region: region, rows: rows, address: address, data: data), chip: value.chip,
            type: value.type, count: iterations(count, [address, data]), resultCount: value.count,
            name: name)
    }

    public mutating func transfer(
        _ use: Use, to chip: Int, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(
            .transfer(use), chip: firstChip + chip, type: self[use.value].type,
            count: iterations(count, [use]), name: name)
    }

    public mutating func ingress(
        chip: Int = 0, type: ElementType = .int8, count: Int, name: String? = nil
    ) -> ValueID {
        op(.ingress, chip: firstChip + chip, type: type, count: count, name: name)
    }

    @discardableResult
    public mutating func egress(_ use: Use, count: Int? = nil, name: String? = nil) -> ValueID {
        op(.egress(use), like: [use], count: count, name: name)
    }

    /// Elements of `type` from single bytes, low byte first.
    public mutating func pack(
        _ uses: [Use], as type: ElementType, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.pack(uses), like: uses, type: type, count: count, name: name)
    }

    /// Byte `plane` of the elements, as int8.
    public mutating func byte(
        _ plane: Int, of use: Use, count: Int? = nil, name: String? = nil
    ) -> ValueID {
        op(.byte(plane, use), like: [use], type: .int8, count: count, name: name)
    }
}
