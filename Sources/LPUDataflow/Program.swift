public import LPUNumerics
public import LPUSupport

/// A range of vectors of a value that an op consumes: iteration i takes vector `start + i * step`.
@frozen public struct Use: Hashable, Sendable {
    public var value: ValueID
    public var start: Int32
    public var step: Int32
    @inlinable public init(_ value: ValueID, start: Int = 0, step: Int = 1) {
        self.value = value
        self.start = Int32(start)
        self.step = Int32(step)
    }
    /// The vector of iteration `i`.
    @inlinable public func vector(_ i: Int) -> Int { Int(start) + i * Int(step) }
}

/// An operand of an elementwise op.
@frozen public enum ElementwiseOperand: Hashable, Sendable {
    case use(Use)
    /// The same 32-bit word in every lane.
    case immediate(UInt32)
}

/// Weight vectors of one installed tile: weight vector n is `sources[n % k]` at vector
/// `start + n / k` for k sources. One source is a plain list; 16 sources are rows that were
/// appended one by one into the 16 slices that feed a plane. k divides 16.
public struct Tile: Hashable, Sendable {
    public var sources: [Use]
    /// Weight vectors, at most the plane's rows; those beyond are zero.
    public var count: Int
    public init(_ sources: [Use], count: Int) {
        self.sources = sources
        self.count = count
    }
    /// Where weight vector `n` comes from.
    public func vector(_ n: Int) -> (value: ValueID, index: Int) {
        let use = sources[n % sources.count]
        return (use.value, use.vector(n / sources.count))
    }
}

/// One product of a sum: an activation against an installed tile.
public struct MatmulTerm: Hashable, Sendable {
    public var activation: Use
    public var tile: Tile
    public init(_ activation: Use, _ tile: Tile) {
        self.activation = activation
        self.tile = tile
    }
}

/// What an op does: what one instruction, or a burst of it, does to a range of vectors.
public enum OpKind: Hashable, Sendable {
    /// Output lane n = sum over the terms in this order, each the exact sum over lanes of
    /// activation[lane] * tile_n[lane] rounded once, added in fp32 (int32 for int8).
    case matmul([MatmulTerm])
    case elementwise(ALUOperation, ElementwiseOperand, ElementwiseOperand?)
    /// Lane l of each superlane takes lane map[l] of it; -1 gives zero.
    case distribute([Int16], Use)
    /// Lane l takes lane map[l]: a bijection of all lanes.
    case permute([Int16], Use)
    /// Lane l takes lane l - by, or zero.
    case shift(by: Int, Use)
    /// Within each superlane, lane l takes lane (l - by) mod its lanes.
    case rotate(by: Int, Use)
    /// Lanes below `boundary` from `low`, the others from `high`.
    case select(low: Use, high: Use, boundary: Int)
    /// Vector j of the result, superlane s, lane i = vector i of the operand, superlane s, lane j,
    /// for the `inputs` vectors from `use.start` on; the others are zero. Byte by byte.
    case transpose(Use, inputs: Int)
    /// Superlane s of the result = superlane s of table vector `start + offset`, the 16-bit offset
    /// being lanes 0 and 1 of superlane s of `address`; offset < `rows`.
    case gather(table: Use, rows: Int, address: Use)
    /// The region, of which superlane s of vector `start + offset` is superlane s of `data`: a new
    /// version of the whole region. The result has the region's count.
    case scatter(region: Use, rows: Int, address: Use, data: Use)
    /// The same vectors on the chip of the result: one hop of a link.
    case transfer(Use)
    /// Vectors from the host port, in the program's order.
    case ingress
    /// Vectors to the host port; its result is what left.
    case egress(Use)
    /// Element whose bytes are the given single-byte values, low byte first: no instruction.
    case pack([Use])
    /// Byte `plane` of the elements as a single-byte value: no instruction.
    case byte(Int, Use)
}

/// One op of a template.
public struct Op: Hashable, Sendable {
    public var kind: OpKind
    /// Iterations; each makes one vector of the result (transpose and scatter: all of them).
    public var count: Int
    public var result: ValueID
    /// Ops of one chain hand their results on over streams; a value that leaves its chain rests in
    /// SRAM. A hint: the program means the same without it.
    public var chain: Int?
    public init(_ kind: OpKind, count: Int, result: ValueID, chain: Int? = nil) {
        self.kind = kind
        self.count = count
        self.result = result
        self.chain = chain
    }
}

/// Where a value comes from.
public enum Origin: Hashable, Sendable {
    case op(OpID)
    /// In SRAM before cycle 0.
    case image(Formula)
    /// Bound by the instance to a value of an earlier instance, on the chip of the same place.
    case parameter
}

/// A range of vectors on one chip.
public struct Value: Hashable, Sendable {
    /// For people; unique in its template.
    public var name: String
    /// Place in the template's list of chips.
    public var chip: Int
    public var type: ElementType
    /// Vectors.
    public var count: Int
    public var origin: Origin
    /// Which elements of which model-graph tensor it holds, where that is meant.
    public var meaning: Layout?
    public init(
        name: String, chip: Int, type: ElementType, count: Int, origin: Origin,
        meaning: Layout? = nil
    ) {
        self.name = name
        self.chip = chip
        self.type = type
        self.count = count
        self.origin = origin
        self.meaning = meaning
    }
}

/// Ops and values of a few chips, used as often as the model repeats them.
///
/// Ops stand in an order in which every operand is made before it is used.
public struct ProgramTemplate: Hashable, Sendable {
    public var name: String
    public var chipCount: Int
    public var values: [Value]
    public var ops: [Op]
    public init(name: String, chipCount: Int, values: [Value] = [], ops: [Op] = []) {
        self.name = name
        self.chipCount = chipCount
        self.values = values
        self.ops = ops
    }
}

/// One use of a template.
public struct Instance: Hashable, Sendable {
    public var template: Int
    public var chips: [ChipID]
    /// What `$layer` stands for in the template's tensor names; `$next` is one more.
    public var layer: Int?
    /// For each parameter of the template in the order of its values, the value it is bound to.
    public var arguments: [Argument]
    public init(
        template: Int, chips: [ChipID], layer: Int? = nil, arguments: [Argument] = []
    ) {
        self.template = template
        self.chips = chips
        self.layer = layer
        self.arguments = arguments
    }

    /// A value of an earlier instance.
    public struct Argument: Hashable, Sendable {
        public var instance: Int
        public var value: ValueID
        public init(instance: Int, value: ValueID) {
            self.instance = instance
            self.value = value
        }
    }
}

/// A dataflow program at vector level: untimed, every floating-point addition in a fixed order.
///
/// Op and value numbers of the whole program are those of the template plus the instance's base,
/// the sum of the counts of all earlier instances.
public struct Program: Hashable, Sendable {
    public var name: String
    /// Lanes of a vector.
    public var lanes: Int
    public var lanesPerSuperlane: Int
    /// Whose steps one image serves: each step is of one of them, which the bytes that enter name.
    public var users: Int
    public var templates: [ProgramTemplate]
    /// In an order in which every argument is made before it is used.
    public var instances: [Instance]
    public init(
        name: String, lanes: Int, lanesPerSuperlane: Int, users: Int = 1,
        templates: [ProgramTemplate], instances: [Instance]
    ) {
        self.name = name
        self.lanes = lanes
        self.lanesPerSuperlane = lanesPerSuperlane
        self.users = users
        self.templates = templates
        self.instances = instances
    }
}
