import LPUDataflow
import LPUNumerics
import LPUSupport

/// Flattens a program, instance by instance, in the order in which operands are made.
struct SymbolicProgramBuilder: TermLookup, ~Copyable {
    let program: Program
    var valueBases: [Int] = []
    var opBases: [Int] = []
    var chips: [Int32] = []
    var types: [ElementType] = []
    var counts: [Int32] = []
    var origins: [SymbolicProgram.Origin] = []
    var aliases: [Int32] = []
    var aliased: [SymbolicProgram.Alias] = []
    var mixed: [SymbolicProgram.Entry] = []
    var scatters: [ScatterVersions] = []
    var families: [Int32] = []
    var packs: [Int32: [Int32]] = [:]
    var ops: [OpRecord] = []
    var terms: [SymbolicTerm] = []
    var sources: [Operand] = []
    var laneActions = LaneActions()
    var slotCount = 0
    /// The first op with a description; and where there are several, the first on each chip.
    var firstEqual = HashIndex()
    var firstEqualOnChip = HashIndex()
    /// The first value that is these bytes side by side.
    private var firstPack: [[Int]: Int] = [:]
    private let operationNumbers = SymbolicProgram.operationNumbers

    init(_ program: Program) { self.program = program }

    mutating func build() {
        defer {
            firstEqual.deallocate()
            firstEqualOnChip.deallocate()
        }
        insertValues()
        reserveOps()
        for (index, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            insertParameters(of: index)
            for (number, op) in template.ops.enumerated() {
                insert(op, number: opBases[index] + number, base: valueBases[index])
            }
        }
    }

    /// All values first: argument values stand in earlier instances.
    private mutating func insertValues() {
        let count = program.instances.reduce(0) {
            $0 + program.templates[$1.template].values.count
        }
        chips.reserveLarge(count)
        types.reserveLarge(count)
        counts.reserveLarge(count)
        origins.reserveLarge(count)
        aliased.reserveLarge(count)
        var ops = 0
        for instance in program.instances {
            let template = program.templates[instance.template]
            valueBases.append(types.count)
            opBases.append(ops)
            ops += template.ops.count
            for value in template.values {
                chips.append(Int32(instance.chips[value.chip].index))
                types.append(value.type)
                counts.append(Int32(truncatingIfNeeded: value.count))
                origins.append(SymbolicProgram.Origin(value.origin))
            }
        }
        aliases.reserveLarge(count)
        aliases.append(contentsOf: repeatElement(0, count: count))
        families.reserveLarge(count + count / 4)
        for value in types.indices { families.append(Int32(value)) }
    }

    /// Room for all of them at once: they are millions.
    private mutating func reserveOps() {
        var (ops, terms, sources) = (0, 0, 0)
        let sizes = program.templates.map { template in
            template.ops.reduce(into: (ops: 0, terms: 0, sources: 0)) { size, op in
                size.ops += 1
                guard case .matmul(let products) = op.kind else { return }
                size.terms += products.count
                size.sources += products.reduce(0) { $0 + $1.tile.sources.count }
            }
        }
        for instance in program.instances {
            let size = sizes[instance.template]
            (ops, terms, sources) = (
                ops + size.ops, terms + size.terms, sources + size.sources
            )
        }
        firstEqual.reserve(ops)
        self.ops.reserveLarge(ops)
        self.terms.reserveLarge(terms)
        self.sources.reserveLarge(sources)
    }

    /// What a parameter is bound to is known once the earlier instances' ops are.
    private mutating func insertParameters(of index: Int) {
        let instance = program.instances[index]
        let values = program.templates[instance.template].values
        let parameters = values.indices.filter { values[$0].origin == .parameter }
        for (parameter, argument) in zip(parameters, instance.arguments) {
            alias(
                valueBases[index] + parameter,
                to: valueBases[argument.instance] + argument.value.index)
        }
    }

    // MARK: Aliases

    private mutating func setAlias(_ value: Int, _ alias: SymbolicProgram.Alias) {
        aliased.append(alias)
        aliases[value] = Int32(aliased.count)
        families[value] = families[Int(alias.root)]
    }

    /// - Parameter entries: of the five slots.
    private mutating func setAlias(_ value: Int, _ entries: [SymbolicProgram.Entry]) {
        aliased.append(SymbolicProgram.Alias(root: -1, start: Int32(mixed.count), step: 0))
        mixed += entries
        aliases[value] = Int32(aliased.count)
        families[value] = families[Int(entries[0].root)]
    }

    /// `value` is vectors `start + k * step` of `other`.
    mutating func alias(_ value: Int, to other: Int, start: Int = 0, step: Int = 1) {
        let number = aliases[other]
        if number > 0, aliased[Int(number) - 1].isMixed {
            var entries: [SymbolicProgram.Entry] = []
            for slot in 0..<5 { entries.append(entry(other, slot, start: start, step: step)) }
            return setAlias(value, entries)
        }
        let first = entry(other, 0, start: start, step: step)
        var alias = SymbolicProgram.Alias(root: first.root, start: first.start, step: first.step)
        if number > 0 {
            alias.views = aliased[Int(number) - 1].views
        } else {
            for slot in 0..<5 { alias.views[slot] = ownView(other, slot).raw }
        }
        setAlias(value, alias)
    }

    /// `value` is one vector of its own in every iteration.
    mutating func aliasConstant(_ value: Int) { alias(value, to: value, step: 0) }

    /// A 32-bit copy of `use`: its bytes are those of the widened word.
    mutating func aliasCopy(_ value: Int, to use: Operand) {
        let (start, step) = (Int(use.start), Int(use.step))
        let other = Int(use.value)
        let word = entry(other, SymbolicProgram.word, start: start, step: step)
        guard !word.view.isWholeWord else {
            return alias(value, to: other, start: start, step: step)
        }
        var alias = SymbolicProgram.Alias(root: word.root, start: word.start, step: word.step)
        for slot in 0..<4 { alias.views[slot] = word.view.widenedByte(slot).raw }
        alias.views[SymbolicProgram.word] = word.view.raw
        setAlias(value, alias)
    }

    /// Bytes of other values side by side; the word is theirs if they are planes of one root.
    private mutating func aliasBytes(_ value: Int, _ bytes: [SymbolicProgram.Entry]) {
        guard let low = bytes.first else { return }
        let consecutive = bytes.enumerated().allSatisfy { b, entry in
            entry.root == low.root && entry.start == low.start && entry.step == low.step
                && entry.view.isByte && entry.view.byte == low.view.byte + b
        }
        let key = bytes.flatMap { [Int($0.root), Int($0.start), Int($0.step), Int($0.view.raw)] }
        if !consecutive, let first = firstPack[key] { return alias(value, to: first) }
        func byte(_ b: Int) -> SymbolicProgram.Entry { b < bytes.count ? bytes[b] : low }
        guard consecutive else {
            let word = SymbolicProgram.Entry(
                root: Int32(value), start: 0, step: 1, view: ownView(value, SymbolicProgram.word))
            packs[low.root, default: []].append(Int32(value))
            firstPack[key] = value
            setAlias(value, (0..<4).map(byte) + [word])
            families[value] = Int32(value)
            return
        }
        var alias = SymbolicProgram.Alias(root: low.root, start: low.start, step: low.step)
        for slot in 0..<4 { alias.views[slot] = byte(slot).view.raw }
        alias.views[SymbolicProgram.word] = View(word: types[value], plane: low.view.byte).raw
        setAlias(value, alias)
    }

    // MARK: Ops

    private func operand(_ use: Use, _ base: Int) -> Operand {
        Operand(value: Int32(base + use.value.index), start: use.start, step: use.step)
    }

    private func operand(_ operand: ElementwiseOperand, _ base: Int) -> Operand {
        switch operand {
        case .use(let use): self.operand(use, base)
        case .immediate(let bits): .immediate(bits)
        }
    }

    private func planeMask(_ value: Int) -> UInt8 { UInt8(1 << types[value].byteCount - 1) }

    private mutating func insert(_ op: Op, number: Int, base: Int) {
        let result = base + op.result.index
        var record = OpRecord(
            kind: .view, result: Int32(result), chip: chips[result],
            count: Int32(truncatingIfNeeded: op.count), slot: slotCount, nextEqual: Int32(number))
        record.mask = planeMask(result)
        describe(op.kind, base, &record)
        if record.kind == .transpose { record.count = counts[result] }
        record.isConstant = record.count > 1 && isConstant(record)
        resolve(op.kind, base, &record, number)
        if record.kind != .view { slotCount += Int(record.count) }
        ops.append(record)
    }

    /// `true` iff it is one term in all iterations: it does not step, or its vectors are equal.
    private func isConstant(_ operand: Operand) -> Bool {
        guard operand.isUse, operand.step != 0 else { return true }
        if entry(operand, SymbolicProgram.word).step != 0 { return false }
        for slot in 0..<types[Int(operand.value)].byteCount
        where entry(operand, slot).step != 0 { return false }
        return true
    }

    /// `true` iff no operand steps with the iterations.
    private func isConstant(_ record: OpRecord) -> Bool {
        switch record.kind {
        case .matmul:
            for n in Int(record.firstTerm)..<Int(record.firstTerm + record.code)
            where !isConstant(terms[n].activation) { return false }
            return true
        case .elementwise, .lanes, .select, .gather:
            return isConstant(record.a) && isConstant(record.b) && isConstant(record.c)
        case .transpose, .scatter, .transfer, .ingress, .egress, .view: return false
        }
    }

    /// Kind, operands and parameters of the record.
    private mutating func describe(_ kind: OpKind, _ base: Int, _ record: inout OpRecord) {
        let lanes = program.lanesPerSuperlane
        func act(_ action: LaneActions.Action, _ use: Use) {
            record.kind = .lanes
            record.code = laneActions.insert(action, lanesPerSuperlane: lanes)
            record.isMove = record.code == 0
            record.a = operand(use, base)
        }
        switch kind {
        case .matmul(let products):
            record.kind = .matmul
            record.mask = 1
            record.code = Int32(products.count)
            record.firstTerm = Int32(terms.count)
            for product in products { insert(product, base) }
        case .elementwise(let operation, let a, let b):
            record.kind = .elementwise
            record.mask = 1
            record.code = operationNumbers[operation] ?? -1
            record.a = operand(a, base)
            if let b { record.b = operand(b, base) }
            record.isMove = operation == .copy && record.a.isUse
        case .distribute(let map, let use): act(.distribute(map), use)
        case .permute(let map, let use): act(.permute(map), use)
        case .shift(let by, let use): act(.shift(by), use)
        case .rotate(let by, let use): act(.rotate(by), use)
        case .select(let low, let high, let boundary):
            record.kind = .select
            record.code = Int32(truncatingIfNeeded: boundary)
            (record.a, record.b) = (operand(low, base), operand(high, base))
        case .transpose(let use, let inputs):
            record.kind = .transpose
            record.code = Int32(truncatingIfNeeded: inputs)
            record.a = operand(use, base)
        case .gather(let table, let rows, let address):
            record.kind = .gather
            record.code = Int32(truncatingIfNeeded: rows)
            (record.a, record.b) = (operand(table, base), operand(address, base))
        case .scatter(let region, let rows, let address, let data):
            record.kind = .scatter
            record.code = Int32(truncatingIfNeeded: rows)
            (record.a, record.b) = (operand(region, base), operand(address, base))
            record.c = operand(data, base)
        case .transfer(let use):
            record.kind = .transfer
            record.isMove = true
            record.a = operand(use, base)
        case .ingress: record.kind = .ingress
        case .egress(let use):
            record.kind = .egress
            record.a = operand(use, base)
        case .pack, .byte: break
        }
    }

    private mutating func insert(_ product: MatmulTerm, _ base: Int) {
        terms.append(
            SymbolicTerm(
                activation: operand(product.activation, base), firstSource: Int32(sources.count),
                sourceCount: Int32(product.tile.sources.count),
                tileCount: Int32(truncatingIfNeeded: product.tile.count)))
        for source in product.tile.sources { sources.append(operand(source, base)) }
    }

    /// What the result's vectors are: other values' bytes, an equal op's result, or a new root.
    private mutating func resolve(
        _ kind: OpKind, _ base: Int, _ record: inout OpRecord, _ number: Int
    ) {
        let result = Int(record.result)
        switch record.kind {
        case .view:
            if case .pack(let uses) = kind {
                aliasBytes(
                    result, uses.map { entry(operand($0, base), 0) })
            } else if case .byte(let plane, let use) = kind {
                aliasBytes(result, [entry(operand(use, base), plane)])
            }
        case .transfer, .egress:
            alias(
                result, to: Int(record.a.value), start: Int(record.a.start),
                step: Int(record.a.step))
        case .scatter: insertVersions(record)
        case .ingress: break
        case .elementwise, .lanes, .select, .transpose, .gather, .matmul:
            share(&record, number)
        }
    }

    func entry(_ operand: Operand, _ slot: Int) -> SymbolicProgram.Entry {
        entry(
            Int(operand.value), slot, start: Int(operand.start), step: Int(operand.step))
    }

    private mutating func insertVersions(_ record: OpRecord) {
        scatters.append(
            ScatterVersions(
                region: record.a.value, start: Int(record.a.start), step: Int(record.a.step),
                rows: Int(record.code), count: Int(record.count), result: record.result,
                firstVersion: families.count))
        aliases[Int(record.result)] = -Int32(scatters.count)
        let family = families[Int(record.a.value)]
        families[Int(record.result)] = family
        families += Array(repeating: family, count: Int(record.count))
    }
}
