import LPUDataflow
import LPULoading
import LPUModel
import LPUNumerics
import LPUSupport
import Testing

@Suite struct ImageBytesTests {
    /// The bytes of a value, element by element from the layout and the quantised tensor.
    private func expected(
        _ layout: Layout, _ value: Value, rank: Int, columns: Int,
        _ element: (Int) -> UInt32
    ) -> [UInt8] {
        let planes = value.type.byteCount
        var bytes = [UInt8](repeating: 0, count: value.count * planes * Fixture.lanes)
        for piece in layout.pieces {
            for v in piece.vectors {
                for l in piece.lanes {
                    let at = piece.element(vector: v, lane: l)
                    let bits = element(rank == 1 ? at[0] : at[0] * columns + at[1])
                    for p in 0..<planes {
                        bytes[(v * planes + p) * Fixture.lanes + l] = UInt8(
                            truncatingIfNeeded: bits >> UInt32(8 * p))
                    }
                }
            }
        }
        return bytes
    }

    /// Tiles, rotary pairs, split columns, transposed tables, biases, scales; in two layers.
    @Test(arguments: [ElementType.fp8, .int8, .fp16])
    func everyElementIsWhereTheFormulaSays(type: ElementType) throws {
        let program = try Fixture.program(type)
        var images = ImageBytes(program, weights: Fixture.source)
        for (i, instance) in program.instances.enumerated() {
            let layer = instance.layer ?? 0
            for (v, value) in program.templates[instance.template].values.enumerated() {
                guard case .image(let formula) = value.origin else { continue }
                let bytes = try images.bytes(of: ValueID(v), in: i)
                let resolve = { (name: String) in
                    name.replacing("$layer", with: String(layer))
                }
                switch formula {
                case .weights(let layout, let factor, let scale):
                    let quantisation = Quantisation(
                        resolve(layout.tensor), type: value.type, factor: factor,
                        columnScale: scale.map(resolve))
                    let shape = try #require(Fixture.source.shape(of: quantisation.tensor))
                    let elements = try quantisation.elements(of: Fixture.source)
                    let expected = expected(
                        layout, value, rank: shape.count, columns: shape[shape.count - 1]
                    ) { elements[$0] }
                    try #require(bytes == expected, "\(value.name) of i\(i)")
                case .scales(let layout, let factor, let scale):
                    let scales = try Quantisation(
                        resolve(layout.tensor), type: type, factor: 0.25,
                        columnScale: scale.map(resolve)
                    ).scales(of: Fixture.source)
                    let expected = expected(layout, value, rank: 1, columns: 1) {
                        (scales[$0] * factor).bitPattern
                    }
                    try #require(bytes == expected, "\(value.name) of i\(i)")
                case .greatestScale(let tensor, let factor, let scale):
                    let scales = try Quantisation(
                        resolve(tensor), type: type, factor: 0.25, columnScale: scale.map(resolve)
                    ).scales(of: Fixture.source)
                    let word = ((scales.max() ?? 0) * factor).bitPattern.littleEndian
                    let planes = withUnsafeBytes(of: word) { Array($0) }
                    let vector = planes.flatMap { [UInt8](repeating: $0, count: 32) }
                    #expect(bytes == (0..<value.count).flatMap { _ in vector })
                case .zero:
                    #expect(bytes == [UInt8](repeating: 0, count: value.count * 32))
                case .constant, .diagonal, .table, .rotary: Issue.record("\(value.name)")
                }
            }
        }
    }

    /// The pairs (i, i + 8) of a head of 16 are neighbours.
    @Test func rotaryPairsAreNeighbours() throws {
        let elements = (0..<64).map { Float($0) }
        let weights = ListedWeights(["b": ([64], elements)])
        var t = TemplateBuilder("t", chipCount: 1, lanesPerSuperlane: 16)
        let value = t.image(
            "b", type: .fp32, count: 2,
            .weights(Fixture.vectors("b", Fixture.rotaryHeads), factor: 1, columnScale: nil))
        var images = ImageBytes(Self.program(t.template), weights: weights)
        let bytes = try images.bytes(of: value, in: 0)
        let planes = (4..<8).map { Array(bytes[32 * $0..<32 * $0 + 32]) }
        let numbers = ElementType.fp32.widen(planes).map { Float(bitPattern: $0) }
        #expect(numbers[..<6] == [32, 40, 33, 41, 34, 42])
        #expect(numbers[14..<20] == [39, 47, 48, 56, 49, 57])
    }

    /// A program of one instance.
    static func program(_ template: ProgramTemplate, layer: Int? = nil) -> Program {
        let instance = Instance(
            template: 0, chips: (0..<template.chipCount).map { ChipID($0) }, layer: layer)
        return Program(
            name: "p", lanes: 32, lanesPerSuperlane: 16, templates: [template],
            instances: [instance])
    }

    @Test(arguments: [0, 100, 5_000, 1 << 28])
    func whatIsKeptChangesNoByte(cacheBytes: Int) throws {
        let program = try Fixture.program(.fp8)
        var images = ImageBytes(program, weights: Fixture.source)
        var small = ImageBytes(program, weights: Fixture.source, cacheBytes: cacheBytes)
        for value in [0, 2, 4, 1, 0] {
            let bytes = try images.bytes(of: ValueID(value), in: 1)
            #expect(try small.bytes(of: ValueID(value), in: 1) == bytes)
        }
    }

    @Test func valuesThatShareATensorReadEachRowOnce() throws {
        let weights = ListedWeights(["w": ([32, 64], (0..<2048).map { Float($0) })])
        var t = TemplateBuilder("t", chipCount: 2, lanesPerSuperlane: 16)
        let values = (0..<2).map { chip in
            let tiles = Fixture.tiles(
                "w", rows: Fixture.ranges(32, by: 32), columns: [(32 * chip, 32, .linear(1))])
            return t.image(
                "w", chip: chip, type: .fp8, count: tiles.count,
                .weights(tiles.layout, factor: 1, columnScale: nil))
        }
        var images = ImageBytes(Self.program(t.template), weights: weights)
        for value in values { _ = try images.bytes(of: value, in: 0) }
        #expect(weights.reads.count == 32 && weights.reads.values.allSatisfy { $0 == 1 })
    }

    @Test func theInterpreterTakesThem() throws {
        let program = try Fixture.program(.int8)
        var images = ImageBytes(program, weights: Fixture.source)
        let interpreter = try Interpreter(program) { instance, value throws(DiagnosticSet) in
            try images.bytes(of: value, in: instance)
        }
        let bytes = try images.bytes(of: ValueID(0), in: 2)
        #expect(interpreter.bytes(of: ValueID(0), in: 2) == bytes)
        #expect(bytes != interpreter.bytes(of: ValueID(0), in: 1))
    }

    /// What the formula asks of a tensor "w" of shape [32, 48].
    @Test(
        arguments: [
            (["w"], [], "weights-shape", ["1 coordinates", "'w'", "[32, 48]"]),
            (["x", "0"], ["0"], "weights-missing", ["'x'"]),
            (["w", "0"], ["17"], "weights-shape", ["17..<49", "'w'", "[32, 48]"]),
            (["w", "-1"], ["0"], "weights-shape", ["-1..<31", "[32, 48]"]),
        ] as [([String], [String], String, [String])])
    func wrongLayoutsAreNamed(
        tensor: [String], column: [String], id: String, parts: [String]
    ) throws {
        var layout = Fixture.vectors(tensor[0], [(0, 32, .linear(1))])
        if let row = tensor.dropFirst().first.flatMap({ Int($0) }),
            let column = column.first.flatMap({ Int($0) })
        {
            layout =
                Fixture.tiles(
                    tensor[0], rows: [(row, 32, .linear(1))], columns: [(column, 32, .linear(1))]
                ).layout
        }
        var t = TemplateBuilder("t", chipCount: 1, lanesPerSuperlane: 16)
        let value = t.image(
            "v", type: .fp8, count: 32, .weights(layout, factor: 1, columnScale: nil))
        let weights = HashedWeights([WeightTensor("w", shape: [32, 48])])
        var images = ImageBytes(Self.program(t.template), weights: weights)
        let error = #expect(throws: DiagnosticSet.self) { try images.bytes(of: value, in: 0) }
        let found = try #require(error?.diagnostics.first)
        #expect(found.id == id && found.place.name == "i0.v0")
        for part in parts { #expect(found.message.contains(part)) }
    }

    @Test(arguments: [[], [1, 2]] as [[Float]])
    func scalesBelongToWeights(factors: [Float]) throws {
        var t = TemplateBuilder("t", chipCount: 1, lanesPerSuperlane: 16)
        let tiles = Fixture.tiles("w", rows: [(0, 32, .linear(1))], columns: [(0, 32, .linear(1))])
        let scales = t.image(
            "s", type: .fp32, count: 1,
            .scales(
                Fixture.vectors("w", [(0, 32, .linear(1))]), factor: 1, columnScale: nil))
        for factor in factors {
            _ = t.image(
                "w", type: .fp8, count: tiles.count,
                .weights(tiles.layout, factor: factor, columnScale: nil))
        }
        let weights = HashedWeights([WeightTensor("w", shape: [32, 48])])
        var images = ImageBytes(Self.program(t.template), weights: weights)
        let error = #expect(throws: DiagnosticSet.self) { try images.bytes(of: scales, in: 0) }
        let found = try #require(error?.diagnostics.first)
        #expect(found.id == "weights-scales" && found.message.contains("in \(factors.count) ways"))
    }
}
