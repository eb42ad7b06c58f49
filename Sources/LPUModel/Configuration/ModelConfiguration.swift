/// The numbers of a dense transformer, a decoder or an encoder; all that its graph is made from.
public struct ModelConfiguration: Hashable, Sendable {
    /// The architecture as Hugging Face names it.
    public enum Architecture: String, Hashable, Sendable, CaseIterable {
        case llama = "LlamaForCausalLM"
        case qwen3 = "Qwen3ForCausalLM"
        case bert = "BertModel"

        /// What `model_type` says of it.
        public var modelType: String {
            switch self {
            case .llama: "llama"
            case .qwen3: "qwen3"
            case .bert: "bert"
            }
        }

        /// All tokens of a text at once, each seeing all others; else one after another.
        public var isEncoder: Bool {
            switch self {
            case .llama, .qwen3: false
            case .bert: true
            }
        }
    }

    public var architecture: Architecture
    public var layerCount: Int
    /// Elements of the residual stream.
    public var hiddenSize: Int
    /// Elements between the up and the down projection.
    public var intermediateSize: Int
    public var vocabularySize: Int
    /// Heads of queries, a multiple of `keyValueHeadCount`.
    public var queryHeadCount: Int
    /// Heads of keys and values; query head h reads key-value head h / `groupSize`.
    public var keyValueHeadCount: Int
    public var headDimension: Int
    /// Token positions the model was made for: a plan's context is at most this.
    public var maximumPositions: Int
    /// Added under the root of every norm: to the mean of squares, of a layer norm to the variance.
    public var normEpsilon: Double
    /// nil where positions are learned rows that are added to the embedding: in encoders.
    public var rotary: RotaryEmbedding?
    /// q, k, v and o projections have biases.
    public var hasAttentionBias: Bool
    /// gate, up and down projections have biases.
    public var hasFeedForwardBias: Bool
    /// Queries and keys of a head are normalised before they turn.
    public var hasQueryKeyNorm: Bool
    /// The LM head is the embedding table.
    public var tiesEmbeddings: Bool
    /// Of an encoder's feed-forward; decoders gate theirs by silu.
    public var activation: Activation
    /// Kinds of segments that a token may be of, a learned row each; 0 in decoders.
    public var tokenTypeCount: Int

    public init(
        architecture: Architecture, layerCount: Int, hiddenSize: Int, intermediateSize: Int,
        vocabularySize: Int, queryHeadCount: Int, keyValueHeadCount: Int, headDimension: Int,
        maximumPositions: Int, normEpsilon: Double, rotary: RotaryEmbedding?,
        hasAttentionBias: Bool = false, hasFeedForwardBias: Bool = false,
        hasQueryKeyNorm: Bool = false, tiesEmbeddings: Bool = false,
        activation: Activation = .gelu, tokenTypeCount: Int = 0
    ) {
        self.architecture = architecture
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.vocabularySize = vocabularySize
        self.queryHeadCount = queryHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.maximumPositions = maximumPositions
        self.normEpsilon = normEpsilon
        self.rotary = rotary
        self.hasAttentionBias = hasAttentionBias
        self.hasFeedForwardBias = hasFeedForwardBias
        self.hasQueryKeyNorm = hasQueryKeyNorm
        self.tiesEmbeddings = tiesEmbeddings
        self.activation = activation
        self.tokenTypeCount = tokenTypeCount
    }

    public var isEncoder: Bool { architecture.isEncoder }

    /// Query heads that share a key-value head.
    public var groupSize: Int { queryHeadCount / keyValueHeadCount }
}
