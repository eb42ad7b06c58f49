import Foundation
import Testing

@testable import LPUReference

@Suite struct RotaryEmbeddingTests {
    /// Context 128, factors 1 and 4: waves under 32 positions are kept, over 128 slowed by 8.
    @Test func longWavesAreSlowed() throws {
        let config = try Golden("tiny-llama").config
        let scaled = RotaryEmbedding(config).frequencies
        var plain = config
        plain.ropeScaling = nil
        var kept = 0
        var blended = 0
        var slowed = 0
        for (frequency, original) in zip(scaled, RotaryEmbedding(plain).frequencies) {
            let ratio = frequency / original
            switch 2 * Double.pi / original {
            case ..<32:
                #expect(ratio == 1)
                kept += 1
            case 128...:
                #expect(abs(ratio - 0.125) < 1e-15)
                slowed += 1
            default:
                #expect(ratio > 0.125 && ratio < 1)
                blended += 1
            }
        }
        #expect(kept > 0 && blended > 0 && slowed > 0)
    }

    @Test func turnsPairsHalfAHeadApart() throws {
        let rotary = RotaryEmbedding(try Golden("tiny-qwen3").config)
        var heads = [Double](repeating: 0, count: 64)
        heads[32 + 3] = 1
        let turned = rotary.rotated(heads, position: 5)
        let angle = 5 * rotary.frequencies[3]
        #expect(turned.indices.filter { turned[$0] != 0 } == [35, 51])
        #expect(abs(turned[35] - cos(angle)) < 1e-15 && abs(turned[51] - sin(angle)) < 1e-15)
        #expect(rotary.rotated(heads, position: 0) == heads)
    }
}
