import LPUDataflow
import LPUNumerics
import LPUSupport

/// Draws a template op by op; a value that an op makes is an operand of later ones.
struct ProgramGenerator {
    var builder: TemplateBuilder
    var random: SeededGenerator
    let chips: Int
    let lanes: Int
    let superlane: Int
    /// Values that any unit may read, the newest last.
    private var values: [ValueID] = []
    /// Weight images, which matmuls share.
    private var tiles: [(value: ValueID, tile: Tile)] = []
    private var isUsed: [Bool] = []
    private var packed: [ValueID] = []
    private var names = 0

    init(seed: UInt64, chips: Int, lanes: Int, lanesPerSuperlane: Int) {
        builder = TemplateBuilder("random", chipCount: chips, lanesPerSuperlane: lanesPerSuperlane)
        random = SeededGenerator(seed: seed)
        self.chips = chips
        self.lanes = lanes
        superlane = lanesPerSuperlane
    }

    mutating func generate(opCount: ClosedRange<Int>) {
        let target = Int.random(in: opCount, using: &random)
        for chip in 0..<chips {
            let type = draw(ElementType.allCases)
            note(image("x", type: type, count: draw(Array(1...4)), chip: chip))
        }
        if chance(70) { note(builder.ingress(count: draw([1, 2]))) }
        while builder.template.ops.count < target {
            if chance(30) { chain() } else { op() }
        }
        leave()
    }

    // MARK: Draws

    private mutating func draw<T>(_ elements: [T]) -> T {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    /// Makes the value an operand of later ops.
    private mutating func note(_ value: ValueID) { values.append(value) }

    private mutating func image(
        _ name: String, type: ElementType, count: Int, chip: Int
    ) -> ValueID {
        names += 1
        let piece = Piece(
            vectors: 0..<count, lanes: 0..<lanes, base: [0, 0], vector: [.linear(1), .zero],
            lane: [.zero, .linear(1)])
        let bits = (0..<37).map { _ in UInt32.random(in: 0...UInt32.max, using: &random) }
        return builder.image(
            "\(name)\(names)", chip: chip, type: type, count: count,
            type == .int32
                ? .table(bits: bits, stride: 5, run: 1)
                : .weights(
                    Layout(tensor: "\(name)\(names)", pieces: [piece]), factor: 1,
                    columnScale: nil))
    }

    /// One of the newest values that `isFit`, or now and then any of them.
    private mutating func pick(_ isFit: (Value) -> Bool) -> ValueID? {
        let fit = values.filter { isFit(builder[$0]) }
        guard !fit.isEmpty else { return nil }
        return chance(70) ? draw(Array(fit.suffix(3))) : draw(fit)
    }

    private mutating func any() -> ValueID { draw(Array(values.suffix(6))) }

    /// `count` iterations' vectors of the value: all kinds of starts and steps that it has.
    private mutating func use(_ value: ValueID, count: Int) -> Use {
        while isUsed.count <= value.index { isUsed.append(false) }
        isUsed[value.index] = true
        let have = builder[value].count
        let step = draw([1, 1, 1, -1, 2, 0].filter { abs($0) * (count - 1) < have })
        let span = abs(step) * (count - 1)
        let first = chance(60) ? 0 : Int.random(in: 0..<have - span, using: &random)
        return Use(value, start: step < 0 ? first + span : first, step: step)
    }

    private mutating func iterations(of value: ValueID) -> Int {
        Int.random(in: 1...min(4, builder[value].count), using: &random)
    }

    // MARK: Ops

    private mutating func op() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30:
            let a = any()
            note(elementwise(a, count: iterations(of: a)))
        case 30..<45:
            let a = any()
            note(exchange(a, count: iterations(of: a)))
        case 45..<62: matmul()
        case 62..<67: transpose()
        case 67..<73: gather()
        case 73..<80: scatter()
        case 80..<83: cache()
        case 83..<91: view()
        case 91..<94: if builder.template.ops.count < 12 { note(builder.ingress(count: 1)) }
        default: if chips > 1 { transfer() }
        }
    }

    /// A few ops that hand their results on over streams.
    private mutating func chain() {
        var value = any()
        let count = iterations(of: value)
        builder.chain = builder.template.ops.count
        for _ in 0..<Int.random(in: 2...5, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6: value = elementwise(value, count: count)
            case 6..<9: value = exchange(value, count: count)
            default:
                guard builder[value].type.byteCount <= 2 else { continue }
                value = builder.matmul([term(value, count: count)], count: count)
            }
            note(value)
        }
        builder.chain = nil
    }

    private mutating func elementwise(_ a: ValueID, count: Int) -> ValueID {
        let type = builder[a].type.widened
        let operation = draw(ALUOperation.allCases.filter { $0.takes(type) })
        let first = ElementwiseOperand.use(use(a, count: count))
        guard operation.operandCount == 2 else {
            return builder.elementwise(operation, first, count: count)
        }
        let chip = builder[a].chip
        var second = immediate(type)
        if chance(60),
            let b = pick({ $0.chip == chip && operation.takes($0.type) && $0.count >= count })
        {
            second = .use(use(b, count: count))
        }
        // The result's type follows the first value.
        return chance(20)
            ? builder.elementwise(operation, second, first, count: count)
            : builder.elementwise(operation, first, second, count: count)
    }

    private mutating func immediate(_ type: ElementType) -> ElementwiseOperand {
        type == .fp32
            ? .immediate(Float.random(in: -3...3, using: &random).bitPattern)
            : .immediate(UInt32(bitPattern: Int32.random(in: -40...40, using: &random)))
    }

    private mutating func exchange(_ a: ValueID, count: Int) -> ValueID {
        let first = use(a, count: count)
        let (type, chip) = (builder[a].type, builder[a].chip)
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let map = (0..<superlane).map { _ in
                Int16(Int.random(in: -1..<superlane, using: &random))
            }
            return builder.distribute(map, first, count: count)
        case 1:
            let map = (0..<lanes).map { Int16($0) }.shuffled(using: &random)
            return builder.permute(map, first, count: count)
        case 2:
            let by = Int.random(in: -lanes...lanes, using: &random)
            return builder.shift(first, by: by, count: count)
        case 3:
            let by = Int.random(in: -superlane...superlane, using: &random)
            return builder.rotate(first, by: by, count: count)
        default:
            let b = pick { $0.chip == chip && $0.type == type && $0.count >= count } ?? a
            let boundary = Int.random(in: 0...lanes, using: &random)
            return builder.select(
                low: first, high: use(b, count: count), boundary: boundary, count: count)
        }
    }

    // MARK: Matmuls

    private mutating func matmul() {
        let a = narrow(any())
        let count = iterations(of: a)
        var terms = [term(a, count: count)]
        let (type, chip) = (builder[a].type, builder[a].chip)
        for _ in 0..<draw([0, 0, 1, 2]) {
            let b = pick { $0.chip == chip && $0.type == type && $0.count >= count } ?? a
            terms.append(term(b, count: count))
        }
        note(builder.matmul(terms, count: count))
    }

    /// The value in a type that the MXM takes.
    private mutating func narrow(_ value: ValueID) -> ValueID {
        guard builder[value].type.byteCount > 2 else { return value }
        let casts: [ALUOperation] =
            builder[value].type == .fp32 ? [.toFP8, .toFP16, .toInt8] : [.intToInt8]
        let count = iterations(of: value)
        let result = builder.elementwise(draw(casts), use(value, count: count), count: count)
        note(result)
        return result
    }

    private mutating func term(_ a: ValueID, count: Int) -> MatmulTerm {
        let (type, chip) = (builder[a].type, builder[a].chip)
        let known = tiles.filter {
            builder[$0.value].type == type && builder[$0.value].chip == chip
        }
        if chance(50), !known.isEmpty {
            return MatmulTerm(use(a, count: count), draw(known).tile)
        }
        let vectors = 16 * draw([1, 1, 2, 3, lanes / 16])
        let start = chance(20) ? 16 : 0
        let weights = image("w", type: type, count: start + vectors, chip: chip)
        let tile = Tile([weights[start]], count: vectors)
        tiles.append((weights, tile))
        return MatmulTerm(use(a, count: count), tile)
    }

    private mutating func transpose() {
        let a = any()
        let inputs = Int.random(in: 1...min(superlane, builder[a].count), using: &random)
        let outputs = Int.random(in: 1...superlane, using: &random)
        var first = use(a, count: inputs)
        if first.step != 1 { first = a[0] }
        note(builder.transpose(first, inputs: inputs, resultCount: outputs))
    }

    // MARK: Tables and regions

    /// Offsets below `rows`, one a superlane.
    private mutating func address(rows: Int, count: Int, chip: Int) -> Use {
        if chance(40),
            let source = pick({ $0.chip == chip && $0.type.widened == .int32 && $0.count >= count })
        {
            // A power of two less one masks any number; the other lanes are masked to 0.
            let mask = UInt32(1 << (Int.bitWidth - 1 - rows.leadingZeroBitCount) - 1)
            let bits = [mask] + Array(repeating: UInt32(0), count: superlane - 1)
            names += 1
            let masks = builder.image(
                "mask\(names)", chip: chip, type: .int32, count: 1,
                .table(bits: bits, stride: 0, run: 1))
            let offsets = builder.elementwise(
                .and, use(source, count: count), use(masks, count: count), count: count)
            return use(builder.byte(0, of: use(offsets, count: count), count: count), count: count)
        }
        let superlanes = lanes / superlane
        let bits = (0..<superlanes * count).flatMap { _ in
            [UInt32.random(in: 0..<UInt32(rows), using: &random)]
                + Array(repeating: 0, count: superlane - 1)
        }
        names += 1
        let offsets = builder.image(
            "address\(names)", chip: chip, type: .int8, count: count,
            .table(bits: bits, stride: lanes, run: 1))
        return use(offsets, count: count)
    }

    private mutating func gather() {
        let chip = Int.random(in: 0..<chips, using: &random)
        let count = draw([1, 2, 3])
        let rows = draw([2, 3, 5])
        let moves = chance(40)
        let type = draw(ElementType.allCases)
        let table = image("table", type: type, count: rows + (moves ? count : 2), chip: chip)
        let window = moves ? table[0] : table[draw([0, 1, 2]), step: 0]
        let offsets = address(rows: rows, count: count, chip: chip)
        note(builder.gather(window, rows: rows, address: offsets, count: count))
    }

    /// A region, written once or twice, and rows of what it then holds.
    private mutating func scatter() {
        let data = any()
        let (type, chip) = (builder[data].type, builder[data].chip)
        let rows = draw([2, 3, 5])
        var region = image("region", type: type, count: rows + 1, chip: chip)
        for _ in 0..<draw([1, 1, 2]) {
            let count = iterations(of: data)
            let offsets = address(rows: rows, count: count, chip: chip)
            region = builder.scatter(
                into: region[draw([0, 1]), step: 0], rows: rows, address: offsets,
                data: use(data, count: count), count: count)
            if chance(40) { read(region, rows: rows, chip: chip) }
        }
        read(region, rows: rows, chip: chip)
    }

    private mutating func read(_ region: ValueID, rows: Int, chip: Int) {
        let offsets = address(rows: rows, count: 2, chip: chip)
        note(builder.gather(region[1, step: 0], rows: rows, address: offsets, count: 2))
        while isUsed.count <= region.index { isUsed.append(false) }
        isUsed[region.index] = true
    }

    /// A tile of appended rows, some of them new, under a matmul.
    private mutating func cache() {
        let a = narrow(any())
        let (type, chip) = (builder[a].type, builder[a].chip)
        var regions = (0..<16).map { _ in image("k", type: type, count: 2, chip: chip) }
        for k in [Int.random(in: 0..<8, using: &random), Int.random(in: 8..<16, using: &random)] {
            regions[k] = builder.scatter(
                into: regions[k][0, step: 0], rows: 2,
                address: address(rows: 2, count: 1, chip: chip),
                data: use(a, count: 1), count: 1)
            while isUsed.count <= regions[k].index { isUsed.append(false) }
            isUsed[regions[k].index] = true
        }
        let count = iterations(of: a)
        let tile = Tile(regions.map { $0[0] }, count: 32)
        note(builder.matmul([MatmulTerm(use(a, count: count), tile)], count: count))
    }

    // MARK: Views, links and ports

    private mutating func view() {
        let a = any()
        let count = iterations(of: a)
        let chip = builder[a].chip
        let planes = builder[a].type.byteCount
        let byte = builder.byte(
            Int.random(in: 0..<planes, using: &random), of: use(a, count: count), count: count)
        note(byte)
        guard chance(60) else { return }
        // Each value is packed once: the judge does not know two packs of the same bytes for one
        // value, and tells iterations apart by every byte. One slice gives one byte a cycle.
        let pieces = values.filter {
            let value = builder[$0]
            return value.chip == chip && value.type.byteCount == 1 && value.count >= count
                && !isView($0) && !packed.contains($0) && !repeats($0)
        }
        let types = ElementType.allCases.filter { $0.byteCount <= pieces.count }
        guard !types.isEmpty else { return }
        let type = draw(types)
        let chosen = Array(pieces.suffix(type.byteCount))
        for piece in chosen { _ = use(piece, count: 1) }
        packed += chosen
        note(builder.pack(chosen.map { $0[0] }, as: type, count: count))
    }

    private func isView(_ value: ValueID) -> Bool {
        guard case .op(let op) = builder[value].origin else { return false }
        switch builder.template.ops[op.index].kind {
        case .pack, .byte: return true
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
            .gather, .scatter, .transfer, .ingress, .egress:
            return false
        }
    }

    /// `true` iff several of its vectors are equal since all iterations do the same.
    private func repeats(_ value: ValueID) -> Bool {
        guard case .op(let id) = builder[value].origin, builder[value].count > 1 else {
            return false
        }
        let op = builder.template.ops[id.index]
        var repeats = op.kind != .ingress
        op.kind.forEachUse(count: op.count) { use, _ in
            if use.step != 0 && !self.repeats(use.value) { repeats = false }
        }
        return repeats
    }

    private mutating func transfer() {
        let a = any()
        let count = iterations(of: a)
        note(builder.transfer(use(a, count: count), to: 1 - builder[a].chip, count: count))
    }

    /// Everything that nothing takes leaves, cast to a byte.
    private mutating func leave() {
        for v in builder.template.values.indices {
            let value = ValueID(v)
            guard v >= isUsed.count || !isUsed[v], values.contains(value) else { continue }
            var out = value
            let count = builder[value].count
            switch builder[value].type {
            case .fp8, .int8: break
            case .fp16, .fp32:
                out = builder.elementwise(draw([.toFP8, .toInt8]), use(out, count: count))
            case .int32: out = builder.elementwise(.intToInt8, use(out, count: count))
            }
            if builder[out].chip != 0 { out = builder.transfer(out[0], to: 0) }
            builder.egress(out[0])
        }
    }
}
