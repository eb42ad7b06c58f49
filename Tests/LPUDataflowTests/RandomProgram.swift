import LPUDataflow
import LPUNumerics
import LPUSupport

/// Makes legal programs of every kind of op and formula: a source template, and layers in a row.
struct RandomProgram {
    var random: SeededGenerator
    static let lanes = 32
    static let superlane = 16

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func make() -> Program {
        let types: [ElementType] = [.fp8, .int8, .fp16]
        let type = types.randomElement(using: &random) ?? .fp8
        let layers = Int.random(in: 1...3, using: &random)
        var instances = [Instance(template: 0, chips: [ChipID(5)])]
        var templates = [source(type: type)]
        for layer in 0..<layers {
            let arguments =
                layer == 0
                ? [(0, 0), (0, 1)] : [(layer, templates[layer].values.count - 1), (0, 1)]
            templates.append(self.layer("layer\(layer)", type: type))
            instances.append(
                Instance(
                    template: layer + 1, chips: [ChipID(5), ChipID(9)], layer: layer,
                    arguments: arguments.map { .init(instance: $0.0, value: ValueID($0.1)) }))
        }
        return Program(
            name: "random", lanes: Self.lanes, lanesPerSuperlane: Self.superlane,
            templates: templates, instances: instances)
    }

    /// v0 is an activation of `type`, v1 a zero address.
    private mutating func source(type: ElementType) -> ProgramTemplate {
        var b = TemplateBuilder("source", chipCount: 1, lanesPerSuperlane: Self.superlane)
        let bits = UInt32.random(in: 0...0x3f, using: &random)
        _ = b.image("x", type: type, count: 4, .table(bits: [bits, 1, 2], stride: 1, run: 3))
        _ = b.image("address", type: .int8, count: 4, .zero)
        let host = b.ingress(count: 2)
        b.egress(host[1, step: -1], count: 2)
        return b.template
    }

    /// Its last value, of the type and count of its first, is for the next layer.
    private mutating func layer(_ name: String, type: ElementType) -> ProgramTemplate {
        var b = TemplateBuilder(name, chipCount: 2, lanesPerSuperlane: Self.superlane)
        let x = b.parameter("x", type: type, count: 4)
        let address = b.parameter("address", type: .int8, count: 4)
        b.chain = Bool.random(using: &random) ? Int.random(in: 0...9, using: &random) : nil
        let count = Int.random(in: 1...32, using: &random)
        let w = b.image("w", type: type, count: count, weights(type: type, count: count))
        let rows = (0..<2).map { b.image("row\($0)", type: type, count: 16, .zero) }
        var value = b.matmul([
            MatmulTerm(x[0], Tile([w[0]], count: count)),
            MatmulTerm(x[3, step: -1], Tile(rows.map { $0[0] }, count: 32)),
        ])
        for _ in 0..<Int.random(in: 3...12, using: &random) { value = step(&b, value, address) }
        b.means(value, layout(count: b[value].count))
        let back = b.transfer(b.transfer(value[0], to: 1)[0], to: 0)
        if b[back].type == .int32 && type != .int8 {
            value = b.elementwise(.toFP32, back[0])
        } else {
            value = back
        }
        switch type {
        case .fp8: _ = b.elementwise(.toFP8, value[0])
        case .fp16: _ = b.elementwise(.toFP16, value[0])
        case .int8, .fp32, .int32: _ = b.elementwise(.intToInt8, value[0])
        }
        return b.template
    }

    /// One more op or two on the 4 vectors of 32-bit words.
    private mutating func step(
        _ b: inout TemplateBuilder, _ x: ValueID, _ address: ValueID
    ) -> ValueID {
        let type = b[x].type
        let float: [ALUOperation] = [.add, .subtract, .multiply, .max, .less, .min]
        let integer: [ALUOperation] = [.addInt, .maxInt, .multiplyInt, .equalInt]
        let bits: [ALUOperation] = [.and, .or, .xor, .mask, .maskNot, .shiftLeft]
        let words = (type == .fp32 ? float : integer) + bits
        let operation = words.randomElement(using: &random) ?? .copy
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return b.elementwise(operation, x[0], x[3, step: -1])
        case 1:
            let number = Int32.random(in: 0...99, using: &random)
            return b.elementwise(operation, x[0], integer: number)
        case 2:
            let map = (0..<16).map { _ in Int16.random(in: -1...15, using: &random) }
            return b.distribute(map, x[0])
        case 3: return b.permute((0..<32).map { Int16($0) }.shuffled(using: &random), x[0])
        case 4: return b.shift(x[0], by: Int.random(in: -32...32, using: &random))
        case 5: return b.rotate(x[0], by: Int.random(in: -16...16, using: &random))
        case 6:
            let boundary = Int.random(in: 0...32, using: &random)
            return b.select(low: x[0], high: x[1, step: 0], boundary: boundary)
        case 7:
            let inputs = Int.random(in: 1...4, using: &random)
            return b.transpose(x[0], inputs: inputs, resultCount: 4)
        case 8: return b.gather(x[1, step: 0], rows: 3, address: address[0, step: 0], count: 4)
        case 9:
            let cache = b.image("cache", type: type, count: 8, .zero)
            let next = b.scatter(into: cache[1, step: 0], rows: 5, address: address[0], data: x[0])
            return b.gather(next[0, step: 0], rows: 8, address: address[0, step: 0], count: 4)
        case 10: return b.pack((0..<4).map { b.byte($0, of: x[0])[0] }, as: type)
        case _:
            let rotary = b.image("table", type: .fp32, count: 4, formula())
            return b.elementwise(.and, .use(x[0]), .use(rotary[0]), as: type)
        }
    }

    private mutating func formula() -> Formula {
        let bits = UInt32.random(in: 0...UInt32.max, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return .constant(bits: bits, vectors: 1..<3, lanes: 4..<32)
        case 1: return .diagonal(bits: bits, offset: -7, period: 5)
        case 2: return .table(bits: [bits, 7], stride: 3, run: 2)
        case _:
            let frequency = Double.random(in: 0...1, using: &random)
            return .rotary(
                Rotary(
                    inverseFrequencies: [frequency.bitPattern, 0.5.bitPattern],
                    isSine: Bool.random(using: &random), positionStep: 3, heads: 2))
        }
    }

    private mutating func layout(count: Int) -> Layout {
        let fine = DigitSum([.init(radix: 4, stride: 1), .init(radix: 0, stride: 64)])
        let bounded = DigitSum([.init(radix: 4, stride: -3), .init(radix: 9, stride: 5)])
        return Layout(
            tensor: "layers.$layer.w",
            pieces: [
                Piece(
                    vectors: 0..<count, lanes: 0..<16, base: [0, 40], vector: [fine, .zero],
                    lane: [.linear(0), bounded]),
                Piece(
                    vectors: 0..<count, lanes: 16..<32, base: [1, 9], vector: [.linear(1), .zero],
                    lane: [.zero, .linear(-1)]),
            ])
    }

    private mutating func weights(type: ElementType, count: Int) -> Formula {
        let factor = Float.random(in: -2...2, using: &random)
        return .weights(
            layout(count: count), factor: factor,
            columnScale: Bool.random(using: &random) ? "norm.$layer" : nil)
    }
}
