import LPUDataflow
import LPUNumerics
import LPUSupport

/// A template of an encoder's program, evaluated at a point for one layer.
struct PointRun {
    let template: ProgramTemplate
    private let layer: Int
    private let lanes: Int
    private let superlane: Int
    private let threads: Int
    private let alu: PointALU
    /// The vectors that come in, as bytes.
    private let ingress: [[UInt8]]
    private var ingressed = 0
    private(set) var values: [[PointVector]]
    private let images: [PointImage?]
    private var tiles: [Tile: Matrix] = [:]
    /// Casts of which an op takes what they drop.
    private let isSplit: [Bool]
    /// Gathers of rows that are not told, or out of their windows.
    private(set) var strays: [ValueID] = []
    /// Vectors that left.
    private(set) var egress: [PointVector] = []

    /// A tile's weight vectors one after another; nil where their bits are of another kind.
    private struct Matrix {
        var rows: [UInt32]?
        var count: Int
    }

    /// - Parameters:
    ///   - arguments: what the parameters hold, in order.
    ///   - seed: of the draws of all weights.
    init(
        _ template: ProgramTemplate, of program: Program, layer: Int,
        arguments: [[PointVector]], ingress: [[UInt8]], seed: UInt64, threads: Int
    ) {
        self.template = template
        self.layer = layer
        self.ingress = ingress
        self.threads = threads
        lanes = program.lanes
        superlane = program.lanesPerSuperlane
        alu = PointALU(lanes: program.lanes)
        images = template.values.map { value in
            guard case .image(let formula) = value.origin else { return nil }
            return PointImage(
                value, formula, of: template, layer: layer, lanes: program.lanes, seed: seed)
        }
        isSplit = Self.splits(template)
        var next = 0
        values = template.values.map { value in
            guard value.origin == .parameter else { return [] }
            defer { next += 1 }
            return arguments[next]
        }
        for op in template.ops { values[op.result.index] = run(op) }
        tiles = [:]
    }

    private static func splits(_ template: ProgramTemplate) -> [Bool] {
        // Of a cast, or of what it made as fp32 again: the cast, and what it is of.
        var casts: [ValueID: (cast: ValueID, of: ElementwiseOperand)] = [:]
        var result = template.values.map { _ in false }
        for op in template.ops {
            switch op.kind {
            case .elementwise(.toFP16, let a, _), .elementwise(.toFP8, let a, _),
                .elementwise(.toInt8, let a, _):
                casts[op.result] = (op.result, a)
            case .elementwise(.toFP32, .use(let a), _): casts[op.result] = casts[a.value]
            case .elementwise(.subtract, let a, .use(let b)?):
                if let known = casts[b.value], known.of == a { result[known.cast.index] = true }
            case .elementwise, .matmul, .distribute, .permute, .shift, .rotate, .select,
                .transpose, .gather, .scatter, .transfer, .ingress, .egress, .pack, .byte:
                break
            }
        }
        return result
    }

    /// All vectors of a value.
    func vectors(of value: ValueID) -> [PointVector] {
        (0..<template.values[value.index].count).map { vector(value, $0) }
    }

    private func vector(_ use: Use, _ i: Int) -> PointVector { vector(use.value, use.vector(i)) }

    private func vector(_ value: ValueID, _ v: Int) -> PointVector {
        images[value.index]?.vector(v) ?? values[value.index][v]
    }

    private mutating func run(_ op: Op) -> [PointVector] {
        switch op.kind {
        case .matmul(let terms): return matmul(terms, op)
        case .elementwise(let operation, let a, let b):
            return (0..<op.count).map { elementwise(operation, a, b, op, $0) }
        case .distribute(let map, let use):
            let superlane = superlane
            return mapped(use, op.count) { lane in
                let source = Int(map[lane % superlane])
                return source < 0 ? nil : lane - lane % superlane + source
            }
        case .permute(let map, let use): return mapped(use, op.count) { Int(map[$0]) }
        case .shift(let by, let use):
            let lanes = 0..<lanes
            return mapped(use, op.count) { lanes.contains($0 - by) ? $0 - by : nil }
        case .gather(let table, let rows, let address):
            let found = (0..<op.count).map { gather(table, rows, address, $0) }
            if found.contains(where: { $0 == nil }) { strays.append(op.result) }
            return found.enumerated().map { $1 ?? unknown(op, $0) }
        case .ingress:
            defer { ingressed += op.count }
            return (ingressed..<ingressed + op.count).map { i in
                guard i < ingress.count, type(op) == .int8 else { return unknown(op, i) }
                return PointVector(
                    words: ingress[i].map { UInt32(bitPattern: Int32(Int8(bitPattern: $0))) })
            }
        case .egress(let use):
            let left = (0..<op.count).map { type(op) == .int8 ? vector(use, $0) : unknown(op, $0) }
            egress += left
            return left
        case .pack(let uses):
            return (0..<op.count).map { pack(uses, op, $0) ?? unknown(op, $0) }
        case .byte(let plane, let use):
            return (0..<op.count).map { byte(plane, use, op, $0) ?? unknown(op, $0) }
        case .rotate, .select, .transpose, .scatter, .transfer:
            // No encoder has them: what they make is equal to nothing.
            let count = template.values[op.result.index].count
            return (0..<count).map { unknown(op, $0) }
        }
    }

    private func unknown(_ op: Op, _ i: Int) -> PointVector {
        let seed = PrimeField.hash("\(template.name) \(op.result) \(layer)")
        return PointVector(
            numbers: (0..<lanes).map {
                PrimeField.drawn(.unknown, seed, UInt64(i * lanes + $0))
            })
    }

    private func elementwise(
        _ operation: ALUOperation, _ a: ElementwiseOperand, _ b: ElementwiseOperand?, _ op: Op,
        _ i: Int
    ) -> PointVector {
        func operand(_ operand: ElementwiseOperand) -> (vector: PointVector, isImmediate: Bool) {
            switch operand {
            case .use(let use): (vector(use, i), false)
            case .immediate(let bits):
                (PointVector(words: Array(repeating: bits, count: lanes)), true)
            }
        }
        let (first, second) = (operand(a), b.map(operand))
        return alu.apply(
            operation, first.vector, second?.vector,
            isImmediate: first.isImmediate || second?.isImmediate ?? false,
            isSplit: isSplit[op.result.index])
    }

    // MARK: Moves

    private func mapped(
        _ use: Use, _ count: Int, _ source: (Int) -> Int?
    ) -> [PointVector] {
        let sources = (0..<lanes).map(source)
        return (0..<count).map { i in
            let vector = vector(use, i)
            func moved(_ old: [UInt32]) -> [UInt32] { sources.map { $0.map { old[$0] } ?? 0 } }
            switch vector.lanes {
            case .words(let words): return PointVector(words: moved(words))
            case .numbers(let numbers):
                return PointVector(numbers: moved(numbers), isInteger: vector.isInteger)
            }
        }
    }

    /// nil where a row is not told, or out of the window.
    private func gather(_ table: Use, _ rows: Int, _ address: Use, _ i: Int) -> PointVector? {
        guard type(address) == .int8, let bytes = vector(address, i).words else { return nil }
        let isInteger = template.values[table.value.index].type.widened == .int32
        var numbers = [UInt32](repeating: 0, count: lanes)
        var found: [Int: [UInt32]] = [:]
        for first in stride(from: 0, to: lanes, by: superlane) {
            let row = Int(bytes[first] & 255) | Int(bytes[first + 1] & 255) << 8
            let start = table.vector(i) + row
            guard row < rows,
                let held = found[start]
                    ?? vector(table.value, start).numbers(isInteger: isInteger)
            else { return nil }
            found[start] = held
            for lane in first..<first + superlane { numbers[lane] = held[lane] }
        }
        return PointVector(numbers: numbers, isInteger: isInteger)
    }

    private func type(_ op: Op) -> ElementType { template.values[op.result.index].type }

    private func type(_ use: Use) -> ElementType { template.values[use.value.index].type }

    /// The words that bytes of weightless words make, which int8 holds as they are; else nil.
    private func pack(_ uses: [Use], _ op: Op, _ i: Int) -> PointVector? {
        if uses.count == 1, type(uses[0]) == type(op) { return vector(uses[0], i) }
        let planes = uses.compactMap { type($0) == .int8 ? vector($0, i).words : nil }
        guard planes.count == 4 else { return nil }
        return PointVector(
            words: (0..<lanes).map { lane in
                planes.enumerated().reduce(0) {
                    $0 | ($1.element[lane] & 255) << UInt32(8 * $1.offset)
                }
            })
    }

    /// Byte `plane` of a number or a word of 32 bits, as int8; else nil.
    private func byte(_ plane: Int, _ use: Use, _ op: Op, _ i: Int) -> PointVector? {
        let vector = vector(use, i)
        guard type(op) == .int8, type(use).byteCount == 4, !vector.isInteger else { return nil }
        if let words = vector.words {
            return PointVector(
                words: words.map {
                    let byte = UInt8(truncatingIfNeeded: $0 >> UInt32(8 * plane))
                    return UInt32(bitPattern: Int32(Int8(bitPattern: byte)))
                })
        }
        return PointVector(numbers: vector.numbers.map { Self.byte(plane, of: $0) })
    }

    static func byte(_ plane: Int, of number: UInt32) -> UInt32 {
        PrimeField.drawn(.byte, UInt64(plane), UInt64(number))
    }

    // MARK: Products

    private mutating func matrix(_ tile: Tile, isInteger: Bool) -> Matrix {
        if let known = tiles[tile] { return known }
        var rows: [UInt32]? = []
        for n in 0..<tile.count {
            let (value, v) = tile.vector(n)
            guard let row = vector(value, v).numbers(isInteger: isInteger) else {
                rows = nil
                break
            }
            rows?.append(contentsOf: row)
        }
        let matrix = Matrix(rows: rows, count: tile.count)
        tiles[tile] = matrix
        return matrix
    }

    private mutating func matmul(_ terms: [MatmulTerm], _ op: Op) -> [PointVector] {
        let (isInteger, count) = (type(op) == .int32, op.count)
        let matrices = terms.map { matrix($0.tile, isInteger: isInteger) }
        let activations = terms.map { term in
            (0..<count).map { vector(term.activation, $0).numbers(isInteger: isInteger) }
        }
        // int32 holds the sum of so many products of two int8.
        let isHeld = !isInteger || terms.count * lanes << 14 < 1 << 31
        guard isHeld, matrices.allSatisfy({ $0.rows != nil }),
            activations.allSatisfy({ !$0.contains(nil) })
        else { return (0..<count).map { unknown(op, $0) } }
        let lanes = lanes
        return concurrentMap(count: count, threads: threads) { i in
            var sums = [UInt32](repeating: 0, count: lanes)
            for (matrix, activations) in zip(matrices, activations) {
                guard let activation = activations[i], let rows = matrix.rows,
                    let first = activation.firstIndex(where: { $0 != 0 }),
                    let last = activation.lastIndex(where: { $0 != 0 })
                else { continue }
                activation.withUnsafeBufferPointer { a in
                    rows.withUnsafeBufferPointer { rows in
                        guard let a = a.baseAddress, let rows = rows.baseAddress else { return }
                        for n in 0..<matrix.count {
                            let product = PrimeField.dot(
                                a + first, rows + n * lanes + first, count: last + 1 - first)
                            sums[n] = PrimeField.add(sums[n], product)
                        }
                    }
                }
            }
            return PointVector(numbers: sums, isInteger: isInteger)
        }
    }
}
