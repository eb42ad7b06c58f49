public import LPUNumerics

/// A row of SRAM: of which bank, and by which row slot of the placement it is moved.
///
/// Slot 0 is never moved; a placed template adds the offset of slot k to the row and flips the
/// bank where the placement says so, so that equal layers share one template.
@frozen public struct RowAddress: Hashable, Sendable {
    public var slot: UInt8
    public var bank: UInt8
    public var row: Int32
    @inlinable public init(slot: Int = 0, bank: Int, row: Int) {
        self.slot = UInt8(slot)
        self.bank = UInt8(bank)
        self.row = Int32(row)
    }
}

/// The read half of a MEM instruction: one stream, one vector.
@frozen public enum MemoryRead: Hashable, Sendable {
    case none
    case read(RowAddress, Stream)
    /// In each superlane row `window + offset`, the 16-bit offset taken from `address`;
    /// an offset of `rows` or more is a fault.
    case gather(window: RowAddress, rows: Int32, address: Stream, Stream)
}

/// The write half of a MEM instruction.
@frozen public enum MemoryWrite: Hashable, Sendable {
    case none
    case write(RowAddress, Stream)
    /// In each superlane row `window + offset`; only the addressed superlanes change.
    case scatter(window: RowAddress, rows: Int32, address: Stream, Stream)
}

/// An operand of a VXM operation.
@frozen public enum ALUOperand: Hashable, Sendable {
    /// Aligned streams from the given one on, as the type says, sampled `vxmEntryLatency` before.
    case stream(Stream, ElementType)
    /// What that ALU fired exactly `aluLatency` before.
    case alu(UInt8)
    case immediate(UInt32)
}

/// A lane map of the schedule's table: an entry for each lane of a superlane for a distributor, for
/// each lane for a permutor.
@frozen public struct LaneMapID: Hashable, Sendable {
    public var index: Int32
    @inlinable public init(_ index: Int) { self.index = Int32(index) }
}

/// What a queue issues in one cycle. The queue says which slice, plane, ALU or link it is.
///
/// Streams name the first of as many aligned ones as the operands' type or `count` needs.
@frozen public enum Instruction: Hashable, Sendable {
    case memory(MemoryRead, MemoryWrite)
    /// Weight vectors `weightStreamsPerPlane * column + s` from the plane's outward streams s;
    /// tandem: low bytes over the even plane's streams, high bytes over the odd plane's.
    case loadWeights(column: Int16, tandem: Bool)
    case install(tandem: Bool)
    /// Activation on the outward stream; fp16 is tandem.
    case matmul(activation: Stream, ElementType)
    /// Takes the sum of the matmul `matmulToAccumulate` before; adds to the row or overwrites it,
    /// and emits the row's new sum on four inward streams if there is one named.
    case accumulate(row: Int16, add: Bool, emit: Stream?)
    /// Streams out: the first of as many as the result's type has bytes.
    case alu(ALUOperation, ALUOperand, ALUOperand?, east: Stream?, west: Stream?)
    /// Lane l of each superlane takes lane map[l] of the same superlane, or zero.
    case distribute(from: Stream, to: Stream, count: UInt8, LaneMapID)
    /// Output stream j, superlane s, lane i takes input stream i, superlane s, lane j; inputs from
    /// `inputs` on are zero.
    case transpose(from: Stream, inputs: UInt8, to: Stream, outputs: UInt8)
    /// Lane l takes lane map[l] of all lanes: a bijection.
    case permute(from: Stream, to: Stream, count: UInt8, LaneMapID)
    /// Lane l takes lane l - by, or zero.
    case shift(from: Stream, to: Stream, count: UInt8, by: Int16)
    /// Lane l of each superlane takes lane (l - by) mod lanesPerSuperlane.
    case rotate(from: Stream, to: Stream, count: UInt8, by: Int16)
    /// Lanes below `boundary` from `low`, the others from `high`; two inputs, one output each.
    case select(low: Stream, high: Stream, to: Stream, count: UInt8, boundary: Int16)
    case send(Stream)
    case receive(Stream)
    case ingress(Stream)
    case egress(Stream)
}
