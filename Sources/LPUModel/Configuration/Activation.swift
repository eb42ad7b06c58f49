/// A function of one number between two linear layers of an encoder.
public enum Activation: Hashable, Sendable, CaseIterable {
    /// x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel, 2016).
    case gelu
    /// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, which is near to `gelu`.
    case geluTanh
    /// The greater of x and 0.
    case relu

    /// What `hidden_act` calls it in Hugging Face transformers.
    public var names: [String] {
        switch self {
        case .gelu: ["gelu"]
        case .geluTanh: ["gelu_new", "gelu_pytorch_tanh"]
        case .relu: ["relu"]
        }
    }
}
