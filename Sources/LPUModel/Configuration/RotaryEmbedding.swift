/// A rotary position embedding (Su et al., 2021) of a head: lane i turns with lane
/// i + d/2 by position * inverseFrequency[i], the half-split order of Hugging Face.
public struct RotaryEmbedding: Hashable, Sendable {
    /// How the frequencies are stretched beyond the context that the model was first trained on.
    public enum Scaling: Hashable, Sendable {
        case none
        /// Llama 3.1: low frequencies are divided by `factor`, high ones kept, and those between
        /// are blended.
        case llama3(
            factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
            originalMaximumPositions: Int)
    }

    /// The base of the frequencies; 1 or more.
    public var theta: Double
    /// Lanes of a head, even: all of them turn.
    public var headDimension: Int
    public var scaling: Scaling

    public init(theta: Double, headDimension: Int, scaling: Scaling = .none) {
        self.theta = theta
        self.headDimension = headDimension
        self.scaling = scaling
    }

    /// The d/2 angles in radians a position, `theta^(-2i/d)` scaled, exact to a few parts in 1e15.
    ///
    /// Only IEEE additions, products, quotients and square roots make them, so that every host
    /// makes the same bits; the `pow` of a C library differs from one to the next.
    public func inverseFrequencies() -> [Double] {
        (0..<headDimension / 2).map { i in
            scaled(1 / power(theta, 2 * i, headDimension))
        }
    }

    /// The formula of `_compute_llama3_parameters` in Hugging Face transformers.
    private func scaled(_ frequency: Double) -> Double {
        switch scaling {
        case .none:
            return frequency
        case .llama3(let factor, let low, let high, let original):
            let turns = Double(original) * frequency / (2 * Double.pi)
            if turns < low { return frequency / factor }
            if turns > high { return frequency }
            let smooth = (turns - low) / (high - low)
            return (1 - smooth) * frequency / factor + smooth * frequency
        }
    }
}

/// `base^(numerator/denominator)` for a fraction in 0..<1, by its binary digits: digit k is worth
/// a factor `base^(2^-k)`, the k-th square root in a row. Ends where a root rounds to 1.
private func power(_ base: Double, _ numerator: Int, _ denominator: Int) -> Double {
    var (remainder, root, result) = (numerator, base, 1.0)
    while remainder != 0, root != 1 {
        root = root.squareRoot()
        remainder *= 2
        if remainder >= denominator {
            remainder -= denominator
            result *= root
        }
    }
    return result
}
