import LPUDataflow
import LPUNumerics
import LPUSupport
import Testing

@Suite struct TemplateBuilderTests {
    @Test func countsFollowTheFirstUseThatSteps() {
        var b = TemplateBuilder("t", chipCount: 2, lanesPerSuperlane: 16)
        let x = b.parameter("x", type: .fp16, count: 7)
        let row = b.image("row", type: .fp32, count: 1, .zero)
        var value = b.elementwise(.multiply, row[0, step: 0], x[1])
        #expect(b[value].count == 6)
        value = b.elementwise(.copy, x[1, step: 2])
        #expect(b[value].count == 3)
        value = b.elementwise(.copy, x[6, step: -1], count: 4)
        #expect(b[value].count == 4)
        value = b.transpose(x[0], inputs: 7)
        #expect(b[value].count == 16)
        value = b.transfer(x[0], to: 1)
        #expect(b[value].chip == 1)
    }

    @Test func typesFollowTheOperation() {
        var b = TemplateBuilder("t", chipCount: 1, lanesPerSuperlane: 16)
        let x = b.parameter("x", type: .fp16, count: 1)
        let n = b.parameter("n", type: .int8, count: 1)
        var value = b.elementwise(.add, x[0], 1)
        #expect(b[value].type == .fp32)
        value = b.elementwise(.or, x[0], x[0])
        #expect(b[value].type == .fp32)
        value = b.elementwise(.or, .use(x[0]), .use(n[0]), as: .int32)
        #expect(b[value].type == .int32)
        value = b.elementwise(.toFP8, x[0])
        #expect(b[value].type == .fp8)
        value = b.elementwise(.addInt, n[0], integer: 2)
        #expect(b[value].type == .int32)
        value = b.matmul([MatmulTerm(n[0], Tile([n[0]], count: 1))])
        #expect(b[value].type == .int32)
        value = b.byte(1, of: x[0])
        #expect(b[value].type == .int8)
    }

    @Test func namesAreMadeUniqueAndChainsKept() {
        var b = TemplateBuilder("t", chipCount: 1, lanesPerSuperlane: 16)
        let x = b.image("x", type: .fp32, count: 1, .zero)
        b.chain = 3
        let y = b.elementwise(.copy, x[0], name: "x")
        b.chain = nil
        let z = b.elementwise(.copy, y[0], name: "x.1")
        #expect([x, y, z].map { b[$0].name } == ["x", "x.1", "x.1.2"])
        #expect(b.template.ops.map(\.chain) == [3, nil])
    }
}
