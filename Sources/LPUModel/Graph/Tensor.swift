public import LPUSupport

/// One tensor of a block, numbered in the order the block makes them.
@frozen public struct TensorID: EntityID {
    public static let prefix = "tensor"
    @usableFromInline let raw: Int32
    @inlinable public var index: Int { Int(raw) }
    @inlinable public init(_ index: Int) { raw = Int32(index) }
}

/// One axis of a tensor: what its index counts, and how many there are.
public enum Axis: Hashable, Sendable {
    /// Elements of the residual stream.
    case hidden(Int)
    /// Elements between the up and the down projection.
    case intermediate(Int)
    case vocabulary(Int)
    case keyValueHead(Int)
    /// Query heads of one key-value head.
    case group(Int)
    /// Elements of one head.
    case channel(Int)
    /// Token positions of the cache, in an encoder of the text; a plan chooses how many.
    case context

    /// The number of indices, with caches of `context` token positions.
    public func extent(context: Int) -> Int {
        switch self {
        case .hidden(let n), .intermediate(let n), .vocabulary(let n), .keyValueHead(let n),
            .group(let n), .channel(let n):
            n
        case .context: context
        }
    }
}

/// A tensor of one decode step of one sequence: neither batch nor user is an axis.
public struct Tensor: Hashable, Sendable {
    /// What the elements are.
    public enum Role: Hashable, Sendable {
        /// Real numbers that one op makes and others take.
        case activation
        /// Real numbers that stay from step to step, one row a token position.
        case cache
        /// Token ids.
        case token
        /// Kinds of segments that tokens are of.
        case tokenType
        /// 1 for tokens of the text, 0 for those that only fill the plan's context.
        case mask
        /// The position of the token in its sequence, from 0.
        case position
    }

    /// Unique in the graph once `$layer` (the layer's number) and `$next` (one more) are filled in.
    public var name: String
    /// Outermost first; elements are numbered row-major. Empty for one number.
    public var axes: [Axis]
    public var role: Role

    public init(_ name: String, _ axes: [Axis], role: Role = .activation) {
        self.name = name
        self.axes = axes
        self.role = role
    }

    /// The extents, with caches of `context` token positions.
    public func shape(context: Int) -> [Int] { axes.map { $0.extent(context: context) } }

    /// Elements in all, with caches of `context` token positions.
    public func elementCount(context: Int) -> Int { shape(context: context).reduce(1, *) }
}
