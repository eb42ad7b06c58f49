/// One step of a model. Of a decoder: token id and position in, next token id out; of an encoder:
/// all tokens of a text in, its embedding out.
public struct ModelGraph: Hashable, Sendable {
    public var configuration: ModelConfiguration
    /// Token to `hidden.0`.
    public var embedding: Block
    /// The different layers, each once; `hidden.$layer` to `hidden.$next`.
    public var layerShapes: [Block]
    /// For every layer its index in `layerShapes`.
    public var layers: [Int]
    /// The last residual to what leaves; `$layer` is the number of layers.
    public var head: Block

    /// The graph that the configuration's architecture has; O(1), whatever the number of layers.
    public init(_ configuration: ModelConfiguration) {
        if configuration.isEncoder {
            self.init(encoder: configuration)
        } else {
            self.init(decoder: configuration)
        }
    }

    init(
        configuration: ModelConfiguration, embedding: Block, layerShapes: [Block], layers: [Int],
        head: Block
    ) {
        self.configuration = configuration
        self.embedding = embedding
        self.layerShapes = layerShapes
        self.layers = layers
        self.head = head
    }

    /// A block standing at its place in the model.
    public struct Instance: Hashable, Sendable {
        public var block: Block
        public var layer: Int

        /// The tensor's name in the whole graph, such as `layers.17.query`.
        public func name(of tensor: TensorID) -> String {
            instantiated(block[tensor].name, layer: layer)
        }

        /// The weight under its Hugging Face name.
        public func weight(_ weight: WeightTensor) -> WeightTensor {
            WeightTensor(instantiated(weight.name, layer: layer), shape: weight.shape)
        }
    }

    /// All blocks in the order they run; O(layers).
    public var instances: [Instance] {
        [Instance(block: embedding, layer: 0)]
            + layers.enumerated().map { Instance(block: layerShapes[$1], layer: $0) }
            + [Instance(block: head, layer: layers.count)]
    }

    /// All weights in the order they are first used, each once: a tied LM head adds none.
    public var weights: [WeightTensor] {
        var seen: Set<String> = []
        return instances.flatMap { instance in
            instance.block.nodes.flatMap { node in
                node.operation.weights.map(instance.weight)
            }
        }.filter { seen.insert($0.name).inserted }
    }

    /// Weight elements in all, each once.
    public var parameterCount: Int { weights.reduce(0) { $0 + $1.parameterCount } }
}

/// `name` with the layer's number for `$layer` and one more for `$next`.
func instantiated(_ name: String, layer: Int) -> String {
    name.split(separator: ".").map { part in
        switch part {
        case "$layer": "\(layer)"
        case "$next": "\(layer + 1)"
        case _: String(part)
        }
    }.joined(separator: ".")
}
