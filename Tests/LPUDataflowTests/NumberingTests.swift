import LPUDataflow
import LPUSupport
import Testing

@Suite struct NumberingTests {
    @Test func parametersResolveThroughInstances() throws {
        let text = """
            program p
            lanes 32 16
            template source chips 1
            v0 z fp32 1 place0 = zero
            v1 x fp32 1 place0 = op0 copy v0
            template pass chips 1
            v0 y fp32 1 place0 = op0 copy v1
            v1 p fp32 1 place0 = parameter
            i0 source chip4
            i1 pass chip4 with i0.v1
            i2 pass chip4 with i1.v1
            """
        let program = try Program(text: text, file: "p")
        try program.validate()
        let numbering = Numbering(program)
        #expect(numbering.valueBases == [0, 2, 4, 6])
        #expect(numbering.opBases == [0, 1, 2, 3])
        #expect(numbering.valueCount == 6 && numbering.opCount == 3)
        #expect(numbering.value(ValueID(1), of: 2) == ValueID(1))
        #expect(numbering.value(ValueID(0), of: 2) == ValueID(4))
        #expect(numbering.op(OpID(0), of: 2) == OpID(2))
    }
}
