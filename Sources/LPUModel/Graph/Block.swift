/// A straight piece of a model: nodes in an order in which every input is made before it is used.
///
/// One block serves all layers that differ only in their number, which stands for `$layer`.
public struct Block: Hashable, Sendable {
    /// One op and the tensor it makes.
    public struct Node: Hashable, Sendable {
        public var operation: Operation
        public var inputs: [TensorID]
        public var output: TensorID
    }

    /// A cache before and after this step: `present` is the next step's `past`.
    public struct Cache: Hashable, Sendable {
        public var past: TensorID
        public var present: TensorID
    }

    public var name: String
    public private(set) var tensors: [Tensor] = []
    /// The tensors that come from outside: the token, its position, the residual stream.
    public private(set) var inputs: [TensorID] = []
    public private(set) var caches: [Cache] = []
    public private(set) var nodes: [Node] = []

    /// An empty block.
    public init(_ name: String) { self.name = name }

    public subscript(id: TensorID) -> Tensor { tensors[id.index] }

    /// The last node's output: what the block hands on.
    public var output: TensorID? { nodes.last?.output }

    /// Adds a tensor that comes from outside.
    public mutating func input(_ tensor: Tensor) -> TensorID {
        let id = declare(tensor)
        inputs.append(id)
        return id
    }

    /// Adds a node that makes `tensor`.
    ///
    /// - Requires: the inputs belong to the block.
    public mutating func add(
        _ operation: Operation, _ inputs: [TensorID], to tensor: Tensor
    ) -> TensorID {
        precondition(inputs.allSatisfy { tensors.indices.contains($0.index) })
        let id = declare(tensor)
        nodes.append(Node(operation: operation, inputs: inputs, output: id))
        return id
    }

    /// Adds a cache and the node that writes `update` into its row `position`; returns the cache
    /// after that.
    public mutating func cache(
        past: Tensor, present: Tensor, update: TensorID, position: TensorID
    ) -> TensorID {
        let past = declare(past)
        let present = add(.tensorScatter, [past, update, position], to: present)
        caches.append(Cache(past: past, present: present))
        return present
    }

    private mutating func declare(_ tensor: Tensor) -> TensorID {
        tensors.append(tensor)
        return TensorID(tensors.count - 1)
    }
}
