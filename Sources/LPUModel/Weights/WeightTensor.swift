/// A weight of a model by its Hugging Face name, such as `model.layers.3.mlp.up_proj.weight`.
public struct WeightTensor: Hashable, Sendable {
    public var name: String
    /// `[out, in]` of a linear layer, `[rows, columns]` of a table, `[n]` of a bias or a norm.
    public var shape: [Int]

    public init(_ name: String, shape: [Int]) {
        self.name = name
        self.shape = shape
    }

    /// Elements in all.
    public var parameterCount: Int { shape.reduce(1, *) }
    /// Elements of a row; a vector is one row.
    public var rowLength: Int { shape.last ?? 1 }
    /// Rows; 1 of a vector.
    public var rowCount: Int { shape.dropLast().reduce(1, *) }
}
