import LPUDataflow
import LPUNumerics
import LPUSupport
import Testing

/// Programs whose answers are known by hand, on 8 lanes in superlanes of 4.
@Suite struct InterpreterTests {
    static let lanes = 8

    /// Runs the value lines as one template on two chips; `x0` ... are images that are given.
    static func interpreter(
        _ lines: String, _ images: [[UInt8]] = []
    ) throws -> Interpreter {
        let text = """
            program p
            lanes 8 4
            template t chips 2
            \(lines)
            i0 t chip0 chip1
            """
        let program = try Program(text: text, file: "p")
        return try Interpreter(program) { instance, value in
            images.indices.contains(value.index) ? images[value.index] : nil
        }
    }

    /// The bytes of the last value after a step.
    func result(_ lines: String, _ images: [[UInt8]] = []) throws -> [UInt8] {
        var interpreter = try Self.interpreter(lines, images)
        _ = try interpreter.step()
        let count = interpreter.program.templates[0].values.count
        return interpreter.bytes(of: ValueID(count - 1), in: 0)
    }

    static func bytes(_ numbers: [Float]) -> [UInt8] {
        ElementType.fp32.narrow(numbers.map(\.bitPattern)).flatMap { $0 }
    }

    static func halves(_ numbers: [Float]) -> [UInt8] {
        ElementType.fp16.narrow(numbers.map(\.bitPattern)).flatMap { $0 }
    }

    /// The numbers 1, 2, ... a lane.
    static let ramp: [UInt8] = (1...8).map { $0 }
    static let ramps: [UInt8] = (1...16).map { $0 }

    @Test func matmulSumsLanesAndTermsInOrder() throws {
        let x = Self.halves([1, 2, 3, 4, 0, 0, 0, 0])
        let w = Self.halves([1, 1, 1, 1, 9, 9, 9, 9]) + Self.halves([0, 0, 0, 2, 0, 0, 0, 0])
        let lines = """
            v0 x fp16 1 place0 = zero
            v1 w fp16 2 place0 = zero
            v2 y fp32 1 place0 = op0 matmul v0 * v1:2 + v0 * v1[1]:1
            """
        #expect(try result(lines, [x, w]) == Self.bytes([18, 8, 0, 0, 0, 0, 0, 0]))
    }

    /// 2^24 + 1 - 2^24 is 0 in fp32, in this order; exact sums would give 1.
    @Test func termsAreRoundedOneByOne() throws {
        let x = Self.halves([4096, 1, 4096, 0, 0, 0, 0, 0])
        let rows = [[4096, 0, 0], [0, 1, 0], [0, 0, -4096]].map {
            Self.halves($0.map { Float($0) } + [0, 0, 0, 0, 0])
        }
        let head = "v0 x fp16 1 place0 = zero\nv1 w fp16 3 place0 = zero\n"
        let ordered =
            head + "v2 y fp32 1 place0 = op0 matmul v0 * v1:1 + v0 * v1[1]:1 + v0 * v1[2]:1"
        let other = head + "v2 y fp32 1 place0 = op0 matmul v0 * v1:1 + v0 * v1[2]:1 + v0 * v1[1]:1"
        let images = [x, Array(rows.joined())]
        #expect(try result(ordered, images) == Self.bytes([0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(try result(other, images) == Self.bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    }

    @Test func tileTakesItsVectorsFromSourcesInTurn() throws {
        let one = { (lane: Int) in (0..<8).map { UInt8($0 == lane ? 1 : 0) } }
        let lines = """
            v0 x int8 2 place0 = zero
            v1 even int8 3 place0 = zero
            v2 odd int8 2 place0 = zero
            v3 y int32 2 place0 = op0 matmul v0[1-1] * v1[1],v2:3
            """
        let images = [
            Self.ramp + one(7), [0, 0, 0, 0, 0, 0, 0, 0] + one(3) + one(7), one(5) + one(0),
        ]
        let words = [[0, 0, 1, 0, 0, 0, 0, 0], [4, 6, 8, 0, 0, 0, 0, 0]] as [[UInt32]]
        let expected = words.flatMap { ElementType.int32.narrow($0).flatMap { $0 } }
        #expect(try result(lines, images) == expected)
    }

    @Test func elementwiseWidensAndCastsNarrow() throws {
        let lines = """
            v0 x fp16 1 place0 = zero
            v1 y fp32 1 place0 = op0 multiply v0 0x3f000000
            v2 z fp32 1 place0 = op1 subtract 0x3f800000 v1
            v3 m fp32 1 place0 = op2 mask v2 v1
            v4 c fp16 1 place0 = op3 toFP16 v3
            """
        let x = Self.halves([2, 4, 0, -2, 1, 8, 0, 0])
        #expect(try result(lines, [x]) == Self.halves([0, -1, 0, 2, 0.5, -3, 0, 0]))
    }

    @Test func bitsPassUnderAnyType() throws {
        let lines = """
            v0 x fp32 1 place0 = constant 0x3f800000 0..<1 0..<8
            v1 i int32 1 place0 = op0 copy v0
            v2 j int32 1 place0 = op1 addInt v1 0x00800000
            v3 y fp32 1 place0 = op2 copy v2
            """
        #expect(try result(lines) == Self.bytes(Array(repeating: 2, count: 8)))
    }

    @Test(
        arguments: [
            ("distribute 3,-1,0,0 v0", [4, 0, 1, 1, 8, 0, 5, 5]),
            ("permute 7,6,5,4,3,2,1,0 v0", [8, 7, 6, 5, 4, 3, 2, 1]),
            ("permute 1,2,3,4,5,6,7,0 v0", [2, 3, 4, 5, 6, 7, 8, 1]),
            ("shift 3 v0", [0, 0, 0, 1, 2, 3, 4, 5]), ("shift -6 v0", [7, 8, 0, 0, 0, 0, 0, 0]),
            ("rotate 1 v0", [4, 1, 2, 3, 8, 5, 6, 7]), ("rotate -1 v0", [2, 3, 4, 1, 6, 7, 8, 5]),
            ("select 3 v0 v0[1+0]", [1, 2, 3, 12, 13, 14, 15, 16]),
            ("transfer v0", [1, 2, 3, 4, 5, 6, 7, 8]),
            ("gather v0[0+0] rows 2 at v1", [1, 2, 3, 4, 13, 14, 15, 16]),
        ] as [(String, [UInt8])])
    func movesLanes(op: String, expected: [UInt8]) throws {
        let place = op.hasPrefix("transfer") ? 1 : 0
        let lines = """
            v0 x int8 2 place0 = zero
            v1 a int8 1 place0 = zero
            v2 y int8 1 place\(place) = op0 \(op)
            """
        let address: [UInt8] = [0, 0, 9, 9, 1, 0, 9, 9]
        #expect(try result(lines, [Self.ramps, address]) == expected)
    }

    @Test func movesActOnEveryBytePlane() throws {
        let lines = """
            v0 x fp16 2 place0 = zero
            v1 y fp16 2 place0 = op0 rotate 1 v0[1-1]
            """
        let x = (0..<4).flatMap { plane in (0..<8).map { UInt8(10 * plane + $0) } }
        let expected = [2, 3, 0, 1].flatMap { plane in
            [3, 0, 1, 2, 7, 4, 5, 6].map { UInt8(10 * plane + $0) }
        }
        #expect(try result(lines, [x]) == expected)
    }

    @Test func transposeTurnsEachSuperlane() throws {
        let lines = """
            v0 x int8 2 place0 = zero
            v1 y int8 3 place0 = op0 count 1 transpose 2 v0
            """
        let expected: [UInt8] = [1, 9, 0, 0, 5, 13, 0, 0]
        let step = [
            expected, expected.map { $0 > 0 ? $0 + 1 : 0 }, expected.map { $0 > 0 ? $0 + 2 : 0 },
        ]
        #expect(try result(lines, [Self.ramps]) == step.flatMap { $0 })
    }

    @Test func packAndByteAreInverse() throws {
        let lines = """
            v0 x fp16 1 place0 = zero
            v1 low int8 1 place0 = op0 byte 0 v0
            v2 high int8 1 place0 = op1 byte 1 v0
            v3 swapped fp16 1 place0 = op2 pack v2 v1
            """
        let expected = Array(Self.ramps[8...] + Self.ramps[..<8])
        #expect(try result(lines, [Self.ramps]) == expected)
    }

    @Test func portsAreInProgramOrder() throws {
        var interpreter = try Self.interpreter(
            """
            v0 a int8 1 place0 = op0 ingress
            v1 b int8 2 place0 = op1 ingress
            v2 c int8 2 place0 = op2 egress v1[1-1]
            v3 d int8 1 place0 = op3 egress v0
            """)
        let vectors = (0..<3).map { v in [UInt8](repeating: v, count: 8) }
        #expect(interpreter.ingressByteCount == 24)
        let sent = try interpreter.step(ingress: vectors.flatMap { $0 })
        #expect(sent == [2, 1, 0].flatMap { vectors[$0] })
        let error = #expect(throws: DiagnosticSet.self) { try interpreter.step(ingress: [1]) }
        #expect(error?.diagnostics.map(\.id) == ["dataflow-ingress"])
    }

    /// Each step appends a row; the old version stays readable within the step.
    @Test func scatteredRegionsKeepTheirLastVersion() throws {
        var interpreter = try Self.interpreter(
            """
            v0 cache int8 3 place0 = zero
            v1 at int8 2 place0 = op0 ingress
            v2 new int8 3 place0 = op1 count 1 scatter v0[1+0] rows 2 at v1 from v1[1]
            v3 newer int8 3 place0 = op2 count 1 scatter v2[0+0] rows 1 at v4 from v1[1]
            v4 first int8 1 place0 = zero
            v5 old int8 3 place0 = op3 egress v0
            """)
        let address: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
        let before = try interpreter.step(ingress: address + Self.ramp)
        #expect(before == Array(repeating: 0, count: 24))
        let cache: [UInt8] = [
            1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 5, 6, 7, 8, 1, 2, 3, 4, 0, 0, 0, 0,
        ]
        #expect(interpreter.bytes(of: ValueID(0), in: 0) == cache)
        let copy = interpreter
        #expect(try interpreter.step(ingress: address + Array(repeating: 9, count: 8)) == cache)
        #expect(interpreter.bytes(of: ValueID(0), in: 0)[0] == 9)
        #expect(copy.bytes(of: ValueID(0), in: 0) == cache)
    }

    @Test(arguments: ["gather v0 rows 2 at v1", "count 1 scatter v0 rows 2 at v1 from v1"])
    func offsetOutsideItsWindowIsAFault(op: String) throws {
        let count = op.hasPrefix("gather") ? 1 : 3
        let lines = """
            v0 x int8 3 place0 = zero
            v1 a int8 1 place0 = zero
            v2 y int8 \(count) place0 = op0 \(op)
            """
        var address: [UInt8] = [1, 0, 0, 0, 2, 0, 0, 0]
        for high in [0, 1] as [UInt8] {
            address[5] = high
            var interpreter = try Self.interpreter(lines, [Self.ramps + Self.ramp, address])
            let error = #expect(throws: DiagnosticSet.self) { try interpreter.step() }
            let found = try #require(error?.diagnostics.first)
            #expect(found.id == "dataflow-window" && found.place.name == "op0")
            #expect(found.message.contains("superlane 1: offset \(2 + 256 * Int(high)) "))
        }
    }

    @Test func imagesHaveTheirBytes() throws {
        let error = #expect(throws: DiagnosticSet.self) {
            try Self.interpreter("v0 x int8 1 place0 = zero", [[1, 2]])
        }
        #expect(error?.diagnostics.map(\.id) == ["dataflow-image"])
        #expect(throws: DiagnosticSet.self) {
            try Self.interpreter("v0 x int8 1 place0 = weights w times 1.0")
        }
    }

    /// The numbers that the documentation's text says.
    @Test func documentedExampleRuns() throws {
        let program = try Program(text: documentedExample(), file: "example")
        let identity = Formula.diagonal(bits: 0x3c00, offset: 0, period: 32)
        var interpreter = try Interpreter(program) { instance, value in
            (instance, value) == (1, ValueID(2))
                ? identity.bytes(type: .fp16, count: 32, lanes: 32) : nil
        }
        for row in [5, 2] as [UInt8] {
            var token = [UInt8](repeating: 0, count: 32)
            (token[0], token[16]) = (row, row)
            #expect(try interpreter.step(ingress: token) == Array(repeating: 0x3c, count: 32))
        }
        let cache = interpreter.bytes(of: ValueID(5), in: 1)
        let written = (0..<8).filter { cache[($0 * 2 + 1) * 32] == 0x3c }
        #expect(written == [2, 5])
    }

    /// Random programs of every kind run, and twice to the same bytes.
    @Test func randomProgramsRunRepeatably() throws {
        for seed in UInt64(0)..<60 {
            var make = RandomProgram(seed: seed)
            let program = make.make()
            var random = SeededGenerator(seed: seed)
            var first = try Interpreter(program) { instance, value in
                let declared = program.templates[program.instances[instance].template]
                    .values[value.index]
                guard case .image(.weights) = declared.origin else { return nil }
                return (0..<declared.count * declared.type.byteCount * program.lanes).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            var second = first
            let ingress = (0..<first.ingressByteCount).map { UInt8(truncatingIfNeeded: $0) }
            let sent = try first.step(ingress: ingress)
            try #require(sent == Array(ingress[32...] + ingress[..<32]), "seed \(seed)")
            try #require(try second.step(ingress: ingress) == sent, "seed \(seed)")
            for (i, instance) in program.instances.enumerated() {
                for v in program.templates[instance.template].values.indices {
                    let bytes = first.bytes(of: ValueID(v), in: i)
                    try #require(!bytes.isEmpty, "seed \(seed)")
                    try #require(bytes == second.bytes(of: ValueID(v), in: i), "seed \(seed)")
                }
            }
        }
    }
}
