import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Consecutive vectors of a trace's list: the byte planes of an operand, or a unit's inputs.
struct VectorList {
    var first: Int32
    var count: Int32
    var range: Range<Int> { Int(first)..<Int(first + count) }
}

/// What an ALU takes.
enum TracedOperand {
    case none
    case immediate(UInt32)
    /// Words that an ALU left in this place of the ring of results.
    case result(Int32)
    case vectors(VectorList, ElementType)
}

/// A window of rows that bytes choose from: the chip's bank, its first row, and how many.
struct RowWindow {
    var bank: Int32
    var first: Int32
    var rows: Int32
}

/// What an issue does to bytes: all that the schedule alone does not decide.
enum Operation {
    /// A read of an SRAM row that something writes; reads of others are but references.
    case load(row: Vector, to: Vector)
    case store(Vector, row: Vector)
    case gather(RowWindow, address: Vector, step: Int32, to: Vector)
    case scatter(RowWindow, address: Vector, step: Int32, Vector)
    /// The first matmul after an install says what type the weights are of.
    case decode(tile: Int32, plane: Int32, rows: VectorList)
    case multiply(VectorList, plane: Int32, sum: Int32)
    case accumulate(plane: Int32, sum: Int32, row: Int32, ALUOperation, emit: VectorList)
    case alu(
        ALUOperation, TracedOperand, TracedOperand, result: Int32, ElementType, emit: VectorList)
    /// Keeps the words of a result for who looks at it.
    case observe(result: Int32)
    case distribute(Vector, to: Vector, LaneMapID)
    case permute(Vector, to: Vector, LaneMapID)
    case shift(Vector, to: Vector, by: Int32)
    case rotate(Vector, to: Vector, by: Int32)
    case select(low: Vector, high: Vector, to: Vector, boundary: Int32)
    case transpose(VectorList, to: VectorList)
    case send(Vector)
    case ingress(to: Vector)
    case egress(Vector)
}

/// An issue that is looked at, on its chip.
struct ProbePlace: Hashable {
    var queue: Int32
    var cycle: Int32

    init(queue: Int32, cycle: Int32) {
        self.queue = queue
        self.cycle = cycle
    }

    init(_ probe: Probe, _ chip: Chip) {
        queue = Int32(chip.queue(of: .alu(probe.alu)).index)
        cycle = Int32(probe.cycle.index)
    }
}

struct TracedOperation {
    var operation: Operation
    var cycle: Int32
    var queue: Int32
}

/// What a weight vector has its bytes from.
enum TileRow: Hashable {
    case unset
    /// A row of the image, which never changes.
    case image(Int32)
    /// An SRAM row, by its slot.
    case memory(Int32)
    case computed

    init(origin: Vector) {
        if origin == .none {
            self = .computed
        } else {
            self = origin.isSlot ? .memory(origin.raw) : .image(origin.raw)
        }
    }
}

/// The weight vectors that a plane was given, for fp16 the low bytes and then the high ones.
struct TileSource: Hashable {
    var plane: Int
    var type: ElementType
    var rows: [TileRow]
}

/// What a step does to the bytes of one chip, in the order of cycles and queues.
///
/// Which slot holds what does not depend on bytes, so a schedule is traced once for all steps.
struct Trace {
    private(set) var operations: [TracedOperation] = []
    private(set) var vectors: [Vector] = []
    private(set) var tiles: [TileSource] = []
    private var tileNumbers: [TileSource: Int] = [:]
    /// Of each plane, the accumulator rows that are named.
    var accumulatorRows: [Int]
    /// Slots that the operations name, SRAM rows among them.
    var slotCount = 0

    init(planes: Int) { accumulatorRows = Array(repeating: 0, count: planes) }

    mutating func append(_ operation: Operation, _ issue: Issue) {
        operations.append(
            TracedOperation(
                operation: operation, cycle: Int32(issue.cycle), queue: Int32(issue.queue)))
    }

    mutating func list(_ vectors: [Vector]) -> VectorList {
        let first = self.vectors.count
        self.vectors += vectors
        return VectorList(first: Int32(first), count: Int32(vectors.count))
    }

    /// The number of a tile, the same one for the same rows on the same plane.
    mutating func number(of tile: TileSource) -> Int {
        if let number = tileNumbers[tile] { return number }
        tiles.append(tile)
        tileNumbers[tile] = tiles.count - 1
        return tiles.count - 1
    }

    /// Forgets what only tracing needs.
    mutating func seal(slotCount: Int) {
        self.slotCount = slotCount
        tileNumbers = [:]
    }
}
