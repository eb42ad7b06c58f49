import LPUDataflow
import LPUNumerics
import LPUSupport
import Testing

/// Each rule rejects one broken program that is legal but for it.
@Suite struct ProgramProblemsTests {
    /// Diagnostics of a program with lines of one template and instances.
    func problems(
        _ lines: String, lanes: String = "32 16", chips: Int = 2, instances: String = ""
    ) throws -> [Diagnostic] {
        let text = "program p\nlanes \(lanes)\ntemplate t chips \(chips)\n\(lines)\n\(instances)"
        return try Program(text: text, file: "p").problems().diagnostics
    }

    static let values = """
        v0 x fp32 4 place0 = zero
        v1 n int32 4 place0 = zero
        v2 b int8 4 place0 = zero
        v3 h fp16 4 place0 = zero
        v4 far fp32 4 place1 = zero
        """

    @Test(arguments: [
        "v5 y fp32 4 place0 = op0 add v0 v1", "v5 y int32 4 place0 = op0 add v0 v0",
        "v5 y int32 4 place0 = op0 addInt v1 v0", "v5 y fp16 4 place0 = op0 copy v3",
        "v5 y fp32 4 place0 = op0 matmul v3 * v2:4", "v5 y fp32 4 place0 = op0 matmul v0 * v0:4",
        "v5 y fp32 4 place0 = op0 matmul v2 * v2:4", "v5 y int32 4 place0 = op0 transfer v4",
        "v5 y int32 4 place0 = op0 shift 1 v0", "v5 y fp32 1 place0 = op0 select 1 v0 v1",
        "v5 y fp32 1 place0 = op0 gather v0 rows 1 at v1", "v5 y fp16 4 place0 = op0 pack v2",
        "v5 y fp16 4 place0 = op0 pack v2 v3", "v5 y fp16 4 place0 = op0 byte 0 v3",
        "v5 y fp32 4 place0 = op0 count 1 scatter v0 rows 4 at v2 from v1",
        "v5 y fp16 4 place0 = scales w times 1.0", "v5 y int32 4 place0 = weights w times 1.0",
        "v5 y fp16 4 place0 = rotary sine 1 1 0x0",
    ]) func types(line: String) throws {
        try expect("dataflow-type", line)
    }

    @Test(arguments: [
        "v5 y fp32 4 place0 = op0 copy v0[1]", "v5 y fp32 5 place0 = op0 copy v0",
        "v5 y fp32 4 place0 = op0 copy v0[2-1]", "v5 y fp32 4 place0 = op0 copy v9",
        "v5 y fp32 0 place0 = zero", "v5 y fp32 16777217 place0 = zero",
        "v5 y fp32 1 place0 = op0 matmul v3 * v3:5", "v5 y fp32 1 place0 = op0 matmul v3 * v3:33",
        "v5 y fp32 1 place0 = op0 matmul v3 * v3:0", "v5 y fp32 4 place0 = op0 shift 33 v0",
        "v5 y fp32 4 place0 = op0 rotate -17 v0", "v5 y fp32 1 place0 = op0 select 33 v0 v0",
        "v5 y fp32 9 place0 = op0 count 1 transpose 17 v0",
        "v5 y fp32 9 place0 = op0 count 1 transpose 5 v0",
        "v5 y fp32 1 place0 = op0 gather v0 rows 5 at v2",
        "v5 y fp32 2 place0 = op0 gather v0 rows 4 at v2",
        "v5 y fp32 1 place0 = op0 gather v0 rows 0 at v2",
        "v5 y fp32 4 place0 = op0 count 1 scatter v0[1] rows 4 at v2 from v0",
        "v5 y int8 4 place0 = op0 byte 2 v3", "v5 y fp32 0 place0 = op0 ingress",
    ]) func ranges(line: String) throws {
        try expect("dataflow-range", line)
    }

    @Test(arguments: [
        ("dataflow-chip", "v5 y fp32 4 place0 = op0 copy v4"),
        ("dataflow-chip", "v5 y fp32 4 place2 = zero"),
        ("dataflow-chip", "v5 y fp32 4 place0 = op0 transfer v0"),
        ("dataflow-order", "v5 y fp32 4 place0 = op0 copy v5"),
        ("dataflow-order", "v5 y fp32 4 place0 = op0 copy v6\nv6 z fp32 4 place0 = op1 copy v0"),
        ("dataflow-count", "v5 y fp32 2 place0 = op0 count 1 copy v0"),
        ("dataflow-count", "v5 y fp32 17 place0 = op0 count 1 transpose 2 v0"),
        ("dataflow-count", "v5 y fp32 1 place0 = op0 count 2 transpose 2 v0"),
        ("dataflow-count", "v5 y fp32 3 place0 = op0 count 1 scatter v0 rows 4 at v2 from v0"),
        ("dataflow-operand", "v5 y fp32 1 place0 = op0 matmul v3 * v3,v3,v3:4"),
        ("dataflow-map", "v5 y fp32 4 place0 = op0 distribute 0,1,2 v0"),
        (
            "dataflow-map",
            "v5 y fp32 4 place0 = op0 distribute 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,16 v0"
        ),
        ("dataflow-name", "v5 x fp32 4 place0 = zero"),
        ("dataflow-formula", "v5 y fp32 4 place0 = constant 0x1 0..<5 0..<32"),
        ("dataflow-formula", "v5 y fp32 4 place0 = constant 0x1 0..<4 0..<33"),
        ("dataflow-formula", "v5 y fp32 4 place0 = constant 0x1 2..<2 0..<32"),
        ("dataflow-formula", "v5 y fp16 4 place0 = constant 0x10000 0..<4 0..<32"),
        ("dataflow-formula", "v5 y fp32 4 place0 = diagonal 0x1 0 0"),
        ("dataflow-formula", "v5 y fp32 4 place0 = table 1 0 0x1"),
        ("dataflow-formula", "v5 y fp32 4 place0 = table 1 1"),
        ("dataflow-formula", "v5 y fp32 4 place0 = rotary sine 1 17 0x0"),
        ("dataflow-formula", "v5 y fp32 4 place0 = rotary sine 1048576 1 0x3ff0000000000000"),
        ("dataflow-formula", "v5 y fp32 4 place0 = rotary sine 1 1 0x7ff0000000000000"),
        (
            "dataflow-layout",
            "v5 y fp16 4 place0 = weights w times 1.0\npiece 0..<2 0..<9 0/1/-\n"
                + "piece 1..<4 8..<32 0/1/-"
        ),
        (
            "dataflow-layout",
            "v5 y fp16 4 place0 = weights w times 1.0\npiece 0..<2 0..<9 0/1/-\n"
                + "piece 2..<4 8..<32 0/1/- 0/-/1"
        ),
        ("dataflow-layout", "v5 y fp16 4 place0 = zero\nmeans w\npiece 0..<2 0..<9"),
    ]) func others(id: String, line: String) throws {
        try expect(id, line)
    }

    /// The lines below the legal ones break the rule `id`, and no other.
    private func expect(_ id: String, _ lines: String) throws {
        try #require(try problems(Self.values).isEmpty)
        let found = try problems(Self.values + "\n" + lines)
        #expect(!found.isEmpty && found.allSatisfy { $0.id == id }, "\(found)")
        #expect(found.allSatisfy { $0.place.name.hasPrefix("t.") })
    }

    /// What the interpreter would hold at once.
    @Test func memoryIsBounded() throws {
        let value = "v0 x fp32 262144 place0 = zero"
        #expect(try problems(value, lanes: "4096 16").isEmpty)
        let more = value.replacing("4 place", with: "5 place")
        #expect(try problems(more, lanes: "4096 16").map(\.id) == ["dataflow-range"])
        #expect(try problems(value, lanes: "4112 16").map(\.id) == ["dataflow-lanes"])
    }

    @Test func lanesAreWholeSuperlanes() throws {
        #expect(try problems(Self.values, lanes: "33 16").map(\.id) == ["dataflow-lanes"])
        let gather =
            "v0 b int8 4 place0 = zero\nv1 y int8 4 place0 = op0 gather v0[0+0] rows 1 at v0"
        #expect(try problems(gather, lanes: "32 1").map(\.id) == ["dataflow-lanes"])
    }

    @Test func permutationIsBijection() throws {
        let map = ([0, 0] + (2..<32)).map { String($0) }.joined(separator: ",")
        try expect("dataflow-map", "v5 y fp32 4 place0 = op0 permute \(map) v0")
    }

    @Test func operandsAreAsManyAsTheOperationTakes() throws {
        var program = try Program(text: documentedExample(), file: "p")
        program.templates[1].ops[1].kind = .elementwise(.add, .use(Use(ValueID(3))), nil)
        program.templates[1].values[4].type = .fp32
        let found = program.problems().diagnostics
        #expect(found.contains { $0.id == "dataflow-operand" && $0.place.name == "layer.op1" })
        program.templates[1].ops[0].kind = .matmul([])
        #expect(program.problems().diagnostics.contains { $0.place.name == "layer.op0" })
    }

    @Test func eachValueIsMadeOnce() throws {
        var program = try Program(text: documentedExample(), file: "p")
        program.templates[1].ops[1].result = ValueID(3)
        #expect(program.problems().diagnostics.map(\.id) == ["dataflow-origin"])
        program = try Program(text: documentedExample(), file: "p")
        program.templates[1].ops.append(program.templates[1].ops[1])
        #expect(program.problems().diagnostics.map(\.id) == ["dataflow-origin"])
        program.templates[1].ops[7].result = ValueID(-3)
        #expect(program.problems().diagnostics.map(\.id) == ["dataflow-origin"])
    }

    @Test func namesAreWords() throws {
        var program = try Program(text: documentedExample(), file: "p")
        for name in ["", "#x", "a b", "é", "a\n"] {
            program.templates[1].values[3].name = name
            #expect(program.problems().diagnostics.map(\.id) == ["dataflow-name"])
        }
        program.templates[1].values[3].name = "y"
        program.templates[1].name = "input"
        #expect(program.problems().diagnostics.map(\.id) == ["dataflow-name"])
    }

    @Test func numbersOfHandmadeProgramsDoNotOverflow() throws {
        for number in [Int.min, -1, Int.max] {
            for op in 0..<4 {
                var program = try Program(text: documentedExample(), file: "p")
                switch op {
                case 0:
                    program.templates[1].ops[0].kind = .matmul([
                        MatmulTerm(Use(ValueID(1)), Tile([Use(ValueID(2))], count: number))
                    ])
                case 1:
                    program.templates[1].ops[3].kind = .transpose(
                        Use(ValueID(6)), inputs: number)
                case 2: program.templates[1].ops[1].count = number
                case _: program.instances[1].template = number
                }
                let found = program.problems().diagnostics
                #expect(found.contains { $0.id == "dataflow-range" }, "\(number) \(op)")
            }
        }
    }

    static let sender = "v0 x fp32 4 place0 = zero\nv1 y fp32 2 place1 = zero"
    static let receiver = "template r chips 1\nv0 p fp32 4 place0 = parameter"

    @Test(arguments: [
        ("dataflow-argument", "i1 r chip0"), ("dataflow-argument", "i1 r chip0 with i0.v0 i0.v0"),
        ("dataflow-argument", "i1 r chip0 with i1.v0"),
        ("dataflow-argument", "i1 r chip0 with i0.v2"),
        ("dataflow-argument", "i1 r chip1 with i0.v1"),
        ("dataflow-argument", "i1 r chip1 with i0.v0"),
        ("dataflow-chip", "i1 r chip0 chip1 with i0.v0"),
    ]) func arguments(id: String, line: String) throws {
        let lines = Self.sender + "\n" + Self.receiver
        #expect(try problems(lines, instances: "i0 t chip0 chip1\ni1 r chip0 with i0.v0").isEmpty)
        let found = try problems(lines, instances: "i0 t chip0 chip1\n\(line)")
        #expect(found.map(\.id) == [id], "\(found)")
        #expect(found.map(\.place.name) == ["i1"])
    }

    @Test func chipsOfAnInstanceDiffer() throws {
        let found = try problems(Self.sender, instances: "i0 t chip3 chip3")
        #expect(found.map(\.id) == ["dataflow-chip"])
    }

    @Test func layerIsNeededWhereItIsNamed() throws {
        let line = "v0 x fp16 4 place0 = weights l.$layer.w times 1.0"
        #expect(try problems(line, chips: 1, instances: "i0 t chip0 layer 0").isEmpty)
        let found = try problems(line, chips: 1, instances: "i0 t chip0")
        #expect(found.map(\.id) == ["dataflow-layer"])
    }

    @Test func regionHasOneNewestVersion() throws {
        let head = "v0 c int8 4 place0 = zero\nv1 b int8 4 place0 = zero\n"
        let first = "v2 d int8 4 place0 = op0 count 1 scatter v0 rows 4 at v1 from v1\n"
        let next = "v3 e int8 4 place0 = op1 count 1 scatter v2 rows 4 at v1 from v1\n"
        let fork = "v3 e int8 4 place0 = op1 count 1 scatter v0 rows 4 at v1 from v1\n"
        let made = "v3 e int8 4 place0 = op1 copy v1\n"
        let instances = "i0 t chip0"
        #expect(try problems(head + first + next, chips: 1, instances: instances).isEmpty)
        let forked = try problems(head + first + fork, chips: 1, instances: instances)
        #expect(forked.map(\.id) == ["dataflow-region"])
        #expect(forked.map(\.place.name) == ["t.op1"])
        let moved =
            made.replacing("copy v1", with: "shift 1 v1")
            + "v4 f int8 4 place0 = op2 count 1 scatter v3 rows 4 at v1 from v1\n"
        let intoResult = try problems(head + first + moved, chips: 1, instances: instances)
        #expect(intoResult.map(\.id) == ["dataflow-region"])
    }
}
