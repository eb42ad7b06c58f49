import LPUDataflow
import LPUNumerics
import Testing

@Suite struct FormulaBytesTests {
    @Test func zeroAndConstant() {
        #expect(
            Formula.zero.bytes(type: .fp16, count: 2, lanes: 2) == Array(repeating: 0, count: 8))
        let constant = Formula.constant(bits: 0x3c01, vectors: 1..<2, lanes: 1..<3)
        let bytes = constant.bytes(type: .fp16, count: 2, lanes: 3)
        #expect(bytes == [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0x3c, 0x3c])
    }

    @Test func diagonalRepeatsByItsPeriod() {
        let identity = Formula.diagonal(bits: 7, offset: 0, period: 3)
        #expect(identity.bytes(type: .int8, count: 2, lanes: 3) == [7, 0, 0, 0, 7, 0])
        let shifted = Formula.diagonal(bits: 7, offset: -1, period: 2)
        #expect(shifted.bytes(type: .int8, count: 2, lanes: 5) == [0, 7, 0, 7, 0, 7, 0, 7, 0, 7])
    }

    @Test func tableStepsByVectorAndRun() {
        let table = Formula.table(bits: [1, 2, 3], stride: 2, run: 2)
        #expect(table.bytes(type: .int8, count: 2, lanes: 5) == [1, 1, 2, 2, 3, 3, 3, 1, 1, 2])
    }

    @Test func rotaryPairsHeadsAndSigns() throws {
        let frequencies = [(1.0 as Double).bitPattern, (0.25 as Double).bitPattern]
        for isSine in [false, true] {
            let formula = Formula.rotary(
                Rotary(
                    inverseFrequencies: frequencies, isSine: isSine, positionStep: 3, heads: 2))
            let bytes = try #require(formula.bytes(type: .fp32, count: 3, lanes: 9))
            let planes = (8..<12).map { Array(bytes[$0 * 9..<($0 + 1) * 9]) }
            // Position 6: cos and sin of 6 and 1.5, to 9 digits.
            let (a, b): (Float, Float) =
                isSine ? (-0.279_415_498, 0.997_494_987) : (0.960_170_287, 0.070_737_2017)
            let sign: Float = isSine ? -1 : 1
            let head = [sign * a, a, sign * b, b]
            let expected = (head + head + [0]).map(\.bitPattern)
            #expect(ElementType.fp32.widen(planes) == expected)
        }
    }

    @Test func weightsNeedWeights() {
        let layout = Layout(tensor: "w", pieces: [])
        #expect(
            Formula.weights(layout, factor: 1, columnScale: nil)
                .bytes(type: .fp8, count: 1, lanes: 1) == nil)
        #expect(
            Formula.scales(layout, factor: 1, columnScale: nil)
                .bytes(type: .fp32, count: 1, lanes: 1) == nil)
    }
}
