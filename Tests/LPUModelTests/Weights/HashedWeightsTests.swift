import Testing

@testable import LPUModel

@Suite struct HashedWeightsTests {
    @Test func hashesMatchTheirPublishedVectors() {
        #expect(fnv1a64("") == 0xcbf2_9ce4_8422_2325)
        #expect(fnv1a64("a") == 0xaf63_dc4c_8601_ec8c)
        #expect(fnv1a64("foobar") == 0x8594_4171_f739_67e8)
        #expect(splitmix64(0) == 0xe220_a839_7b1d_cdaf)
        #expect(splitmix64(1_234_567) == 0x599e_d017_fb08_fc85)
    }

    /// The documented formula in other words: the whole element in integers, rounded once.
    @Test func elementsFollowTheFormula() throws {
        let tensors = try ["tiny-llama", "tiny-qwen3"].map(GraphFiles.configuration)
            .map { ModelGraph($0).weights }
        for tensors in tensors {
            let weights = HashedWeights(tensors)
            for tensor in tensors {
                #expect(weights.shape(of: tensor.name) == tensor.shape)
                let index = tensor.rowCount - 1
                var row: [Float] = [1, 2, 3]
                weights.readRow(index, of: tensor.name, into: &row)
                #expect(row.count == tensor.rowLength)
                let spread = try #require(
                    HashedWeights.spreads.first { tensor.name.hasSuffix($0.ending) })
                for i in row.indices {
                    let flat = UInt64(index * tensor.rowLength + i)
                    let hash = splitmix64(fnv1a64(tensor.name) &+ flat)
                    let fraction = Double(Int64(hash / (1 << 40)) - 8_388_608) / 8_388_608
                    #expect(row[i] == Float(spread.offset + fraction * spread.scale))
                }
            }
        }
    }

    /// The bits another language makes (Python, integers and IEEE doubles).
    @Test func elementsAreThoseOfOtherLanguages() {
        let tensor = WeightTensor("model.layers.1.input_layernorm.weight", shape: [336])
        var row: [Float] = []
        HashedWeights([tensor]).readRow(0, of: tensor.name, into: &row)
        #expect(row[335].bitPattern == 0x3f51_8190)
    }

    @Test func scalesAreExactInDouble() {
        for spread in HashedWeights.spreads {
            // A 24-bit fraction times 28 bits of scale, added to an offset, fits 53 bits.
            #expect(spread.scale * 0x1p16 == (spread.scale * 0x1p16).rounded())
            #expect(spread.offset * 0x1p16 == (spread.offset * 0x1p16).rounded())
            #expect(abs(spread.offset) + spread.scale <= 16)
        }
    }

    @Test func elementsSpreadEvenly() {
        let tensor = WeightTensor("model.layers.0.mlp.up_proj.weight", shape: [64, 1024])
        let weights = HashedWeights([tensor])
        var (sum, squares, row) = (0.0, 0.0, [Float]())
        for index in 0..<tensor.rowCount {
            weights.readRow(index, of: tensor.name, into: &row)
            for x in row.map(Double.init) { (sum, squares) = (sum + x, squares + x * x) }
        }
        let n = Double(tensor.parameterCount)
        let scale = HashedWeights.spreads.last?.scale ?? 0
        // Six standard deviations of a mean and of a variance of even numbers.
        #expect(abs(sum / n) < 6 * scale / (3 * n).squareRoot())
        #expect(abs(squares / n / (scale * scale) - 1.0 / 3) < 6 * (4.0 / 45 / n).squareRoot())
    }

    @Test func tensorsMeasureThemselves() {
        let matrix = WeightTensor("w", shape: [3, 5])
        let vector = WeightTensor("b", shape: [7])
        #expect([matrix.rowCount, matrix.rowLength, matrix.parameterCount] == [3, 5, 15])
        #expect([vector.rowCount, vector.rowLength, vector.parameterCount] == [1, 7, 7])
    }
}
