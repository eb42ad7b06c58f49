/// What a node computes, in the vocabulary of ONNX (opset 24), with its weights.
///
/// The inputs of the node are named in order in the comment of each.
public enum Operation: Hashable, Sendable {
    /// (token) Row `token` of the table.
    case gather(table: WeightTensor)
    /// (x) Output o is the sum over i of weight[o, i] * x[i], plus bias[o]; the axes of x and of
    /// the output are flattened row-major.
    case linear(weight: WeightTensor, bias: WeightTensor?)
    /// (x) x / sqrt(mean(x²) + epsilon) * weight, the mean over the last axis.
    case rmsNormalization(weight: WeightTensor, epsilon: Double)
    /// (x, position) Every head of x turned by the angles of the position.
    case rotaryEmbedding(RotaryEmbedding)
    /// (past, update, position) The cache with row `position` of the context axis replaced.
    case tensorScatter
    /// (query, keys) For a key-value head, query and position: the sum over channels.
    case queryTimesKeys
    /// (weights, values) For a key-value head, query and channel: the sum over positions.
    case weightsTimesValues
    /// (x) Every element times a constant.
    case scale(Double)
    /// (scores, position) Scores after `position` become minus infinity.
    case causalMask
    /// (x) exp(x - max) / sum(exp(x - max)) over the last axis.
    case softmax
    /// (a, b) Element by element.
    case add
    /// (a, b) Element by element.
    case multiply
    /// (x) x / (1 + exp(-x)), also named SiLU.
    case swish
    /// (x) The index of the maximum of the last axis; the lowest of equal ones.
    case argMax
    /// (x) (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis, the variance
    /// the mean of the squares of what x is off its mean.
    case layerNormalization(weight: WeightTensor, bias: WeightTensor, epsilon: Double)
    /// (x) Element by element.
    case activation(Activation)
    /// () The table's rows in their order, as many as there are tokens.
    case rows(table: WeightTensor)
    /// (scores, mask) Scores of positions whose mask is 0 become minus infinity.
    case paddingMask
    /// (x, mask) The mean of the rows whose mask is 1.
    case maskedMean

    /// The ONNX operator that this is, with Gemm's `transB = 1`.
    public var onnxName: String {
        switch self {
        case .gather, .rows: "Gather"
        case .linear: "Gemm"
        case .rmsNormalization: "RMSNormalization"
        case .rotaryEmbedding: "RotaryEmbedding"
        case .tensorScatter: "TensorScatter"
        case .queryTimesKeys, .weightsTimesValues: "MatMul"
        case .scale, .multiply: "Mul"
        case .causalMask, .paddingMask: "Where"
        case .softmax: "Softmax"
        case .add: "Add"
        case .swish: "Swish"
        case .argMax: "ArgMax"
        case .layerNormalization: "LayerNormalization"
        case .activation(let activation): activation.onnxName
        case .maskedMean: "ReduceMean"
        }
    }

    /// The weights it reads, in the order of its inputs.
    public var weights: [WeightTensor] {
        switch self {
        case .gather(let table), .rows(let table): [table]
        case .linear(let weight, let bias): [weight] + (bias.map { [$0] } ?? [])
        case .rmsNormalization(let weight, _): [weight]
        case .layerNormalization(let weight, let bias, _): [weight, bias]
        case .rotaryEmbedding, .tensorScatter, .queryTimesKeys, .weightsTimesValues, .scale,
            .causalMask, .softmax, .add, .multiply, .swish, .argMax, .activation, .paddingMask,
            .maskedMean:
            []
        }
    }
}

extension Activation {
    /// The ONNX operator that it is.
    fileprivate var onnxName: String {
        switch self {
        case .gelu, .geluTanh: "Gelu"
        case .relu: "Relu"
        }
    }
}
