import Foundation
import LPUModel
import Testing

@Suite struct RotaryEmbeddingTests {
    private static let llama3 = RotaryEmbedding.Scaling.llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 8192)
    private static let tiny = RotaryEmbedding.Scaling.llama3(
        factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 128)

    /// Expected values from 40-digit decimal arithmetic.
    @Test(arguments: [
        (
            RotaryEmbedding(theta: 500_000, headDimension: 128, scaling: llama3),
            [
                0: 1.0, 1: 0.8146172338565447, 16: 0.03760603093086393,
                30: 0.0013718935677611381, 36: 7.78465527393245e-05, 40: 3.428102195952591e-05,
                63: 3.068925988914511e-07,
            ]
        ),
        (
            RotaryEmbedding(theta: 1_000_000, headDimension: 128),
            [1: 0.8058421877614819, 30: 0.001539926526059492, 63: 1.2409377607517195e-06]
        ),
        (
            RotaryEmbedding(theta: 10_000, headDimension: 32, scaling: tiny),
            [
                1: 0.5623413251903491, 3: 0.15825773502276955, 4: 0.04275117875430759,
                5: 0.009417217099169341, 8: 0.00125, 15: 2.2228492625486534e-05,
            ]
        ),
        (
            // 1/48 has no finite binary expansion.
            RotaryEmbedding(theta: 10_000, headDimension: 96),
            [1: 0.8254041852680184, 12: 0.1, 36: 0.001, 47: 0.00012115276586285884]
        ),
    ])
    func knownFrequencies(_ rotary: RotaryEmbedding, _ expected: [Int: Double]) {
        let frequencies = rotary.inverseFrequencies()
        #expect(frequencies.count == rotary.headDimension / 2)
        for (i, value) in expected {
            #expect(abs(frequencies[i] / value - 1) < 4e-15, "lane \(i): \(frequencies[i])")
        }
    }

    @Test func agreesWithPowOfTheHost() {
        for theta in [1.0, 1.5, 10_000, 123_456.789, 1e12] {
            for d in [2, 4, 6, 10, 64, 80, 96, 126, 128, 254, 256, 510, 512] {
                let frequencies = RotaryEmbedding(theta: theta, headDimension: d)
                    .inverseFrequencies()
                for (i, frequency) in frequencies.enumerated() {
                    let expected = pow(theta, -Double(2 * i) / Double(d))
                    #expect(abs(frequency / expected - 1) < 1e-13, "theta \(theta), lane \(i)/\(d)")
                }
            }
        }
    }
}
