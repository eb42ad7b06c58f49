import Foundation

/// Rotary position embedding as Hugging Face lays it out: element i of a head turns with element
/// i + headSize / 2 (Su et al. 2021, RoFormer; scaling: Llama 3.1).
struct RotaryEmbedding: Sendable {
    let headSize: Int
    /// Radians a token position, one a pair.
    let frequencies: [Double]

    init(_ config: ReferenceConfig) {
        headSize = config.headSize
        frequencies = (0..<config.headSize / 2).map { pair in
            let frequency = pow(config.ropeTheta, -2 * Double(pair) / Double(config.headSize))
            return config.ropeScaling?.scaled(frequency) ?? frequency
        }
    }

    /// `heads`, one head after the other, turned to token position `position`.
    func rotated(_ heads: [Double], position: Int) -> [Double] {
        var result = heads
        for start in stride(from: 0, to: heads.count, by: headSize) {
            for (pair, frequency) in frequencies.enumerated() {
                let (i, j) = (start + pair, start + pair + headSize / 2)
                let angle = Double(position) * frequency
                result[i] = heads[i] * cos(angle) - heads[j] * sin(angle)
                result[j] = heads[j] * cos(angle) + heads[i] * sin(angle)
            }
        }
        return result
    }
}

extension ReferenceConfig.RopeScaling {
    /// Long waves are slowed by `factor`, short ones kept, those between blended.
    func scaled(_ frequency: Double) -> Double {
        let wavelength = 2 * Double.pi / frequency
        if wavelength < originalContext / highFrequencyFactor { return frequency }
        if wavelength > originalContext / lowFrequencyFactor { return frequency / factor }
        let smooth =
            (originalContext / wavelength - lowFrequencyFactor)
            / (highFrequencyFactor - lowFrequencyFactor)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }
}
