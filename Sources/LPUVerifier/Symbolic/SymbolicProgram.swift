import LPUDataflow
import LPUNumerics
import LPUSupport

/// A program flattened for the symbolic run: every value resolved to terms, every op to a record.
///
/// Values that are other values' bytes (`transfer`, `pack`, `byte`, `copy`, identity lane maps,
/// parameters, results of equal ops) have no root of their own: they resolve to their operands'.
final class SymbolicProgram: Sendable {
    /// One byte plane, or the word, of an aliased value: vector k is vector `start + k * step` of
    /// `root`, seen through `view`.
    struct Entry {
        var root: Int32
        var start: Int32
        var step: Int32
        var view: View
    }

    /// An aliased value: its five entries, which nearly always differ in their views alone.
    struct Alias {
        /// -1: the entries differ in more, and stand in `mixed` from `start` on.
        var root: Int32
        var start: Int32
        var step: Int32
        /// By slot.
        var views = SIMD8<UInt8>()
        var isMixed: Bool { root < 0 }
    }

    /// Where a value comes from.
    enum Origin: UInt8 {
        case parameter, image, op

        init(_ origin: LPUDataflow.Origin) {
            self =
                switch origin {
                case .parameter: .parameter
                case .image: .image
                case .op: .op
                }
        }
    }

    /// Slot of the word among the five entries of an alias; 0...3 are the byte planes.
    static let word = 4

    let program: Program
    /// Of each instance the number of its first value and op, and those after the last.
    let valueBases: [Int]
    let opBases: [Int]
    // By value.
    let chips: [Int32]
    let types: [ElementType]
    let counts: [Int32]
    let origins: [Origin]
    /// 0: a root of its own; n > 0: that of `aliased` before n; n < 0: scatter -n - 1.
    let aliases: [Int32]
    let aliased: [Alias]
    let mixed: [Entry]
    let scatters: [ScatterVersions]
    /// For each image that is scattered into its last version: what the next step finds.
    let lastVersions: [Int32: Int32]
    /// Roots that are versions of one region have one family, by root.
    let families: [Int32]
    /// Packs whose words are roots of their own, by the root of their low byte.
    let packs: [Int32: [Int32]]
    // By op.
    let ops: [OpRecord]
    let terms: [SymbolicTerm]
    let sources: [Operand]
    let laneActions: LaneActions
    /// `ingress` and `egress`, in the program's order.
    let edgeOps: [Int]
    let hasCopies: Bool
    /// The number of the ALU operation `copy`.
    let copyCode: Int32
    /// Streams that the result of each ALU operation leaves on, by its number.
    let resultBytes: [Int]
    private let indices = OpRecord.Kind.allCases.map { _ in LazyIndex() }
    private let operationIndices = ALUOperation.allCases.map { _ in LazyIndex() }
    /// Bytes of coverage that all ops take.
    let slotCount: Int

    init(_ program: Program) {
        var builder = SymbolicProgramBuilder(program)
        builder.build()
        self.program = program
        valueBases = builder.valueBases + [builder.types.count]
        opBases = builder.opBases + [builder.ops.count]
        chips = builder.chips
        types = builder.types
        counts = builder.counts
        origins = builder.origins
        aliases = builder.aliases
        aliased = builder.aliased
        mixed = builder.mixed
        scatters = builder.scatters
        families = builder.families
        lastVersions = Dictionary(
            builder.scatters.map { (builder.families[Int($0.region)], $0.result) },
            uniquingKeysWith: { $1 })
        packs = builder.packs
        ops = builder.ops
        terms = builder.terms
        sources = builder.sources
        laneActions = builder.laneActions
        edgeOps = builder.ops.indices.filter {
            builder.ops[$0].kind == .ingress || builder.ops[$0].kind == .egress
        }
        copyCode = SymbolicProgram.operationNumbers[.copy] ?? -1
        resultBytes = ALUOperation.allCases.map { $0.resultType(of: .fp32).byteCount }
        let copy = copyCode
        hasCopies = builder.ops.contains { $0.kind == .elementwise && $0.code == copy }
        slotCount = builder.slotCount
    }

    /// The ops of a kind by what they consume, transfers by what they bring.
    func candidates(_ kind: OpRecord.Kind) -> CandidateIndex {
        let index = indices[Int(kind.rawValue)]
        return index { CandidateIndex(self) { $0.kind == kind } }
    }

    /// The same for the elementwise ops of one ALU operation.
    func candidates(ofOperation code: Int32) -> CandidateIndex {
        let index = operationIndices[Int(code)]
        return index { CandidateIndex(self) { $0.kind == .elementwise && $0.code == code } }
    }
}

/// A vector of each iteration of an op, or an immediate.
struct Operand {
    /// -1: there is none; -2: an immediate, whose bits are in `start`.
    var value: Int32
    var start: Int32
    var step: Int32

    static let none = Operand(value: -1, start: 0, step: 0)
    static func immediate(_ bits: UInt32) -> Operand {
        Operand(value: -2, start: Int32(bitPattern: bits), step: 0)
    }
    var isUse: Bool { value >= 0 }
    func vector(_ i: Int) -> Int { Int(start) + i * Int(step) }
}

/// An activation against a tile whose sources are `sources[firstSource..<firstSource+sourceCount]`.
struct SymbolicTerm {
    var activation: Operand
    var firstSource: Int32
    var sourceCount: Int32
    var tileCount: Int32
}

/// An op, flat.
struct OpRecord {
    enum Kind: UInt8, CaseIterable {
        case elementwise, lanes, select, transpose, gather, scatter, matmul, transfer, ingress
        case egress, view
    }
    var kind: Kind
    /// It only moves bytes: it may be done more than once, and its result is its operand.
    var isMove = false
    /// No operand steps: all iterations make the same vector.
    var isConstant = false
    /// Byte planes that coverage asks for, as bits.
    var mask: UInt8 = 1
    /// ALU operation, lane action, boundary, window rows, transposed inputs, number of terms.
    var code: Int32 = 0
    var a = Operand.none
    var b = Operand.none
    var c = Operand.none
    var result: Int32
    var chip: Int32
    /// Iterations, or vectors of the result for `transpose`: as many slots of coverage.
    var count: Int32
    /// Of its first slot.
    var slot = 0
    /// First of its products in `terms`.
    var firstTerm: Int32 = 0
    /// The next op of the same chip that makes the same vectors of the same operands, in a ring.
    var nextEqual: Int32
}

/// The versions that rows of a region go through under one scatter op.
struct ScatterVersions {
    var region: Int32
    var start: Int
    var step: Int
    var rows: Int
    var count: Int
    var result: Int32
    /// Roots of the versions between region and result, one an iteration.
    var firstVersion: Int

    /// The rows that an iteration writes; none where there is no such iteration.
    func window(_ i: Int) -> Range<Int> {
        (0..<count).contains(i) ? start + i * step..<start + i * step + rows : start..<start
    }

    /// The rows of an iteration's window that the one beside it touches too, and those on both
    /// sides that it does not. Windows move one way, so that neither do those beyond it.
    func parts(of i: Int, sharedWith other: Int) -> (shared: Range<Int>, own: [Range<Int>]) {
        let (own, next) = (window(i), window(other))
        guard !next.isEmpty, own.overlaps(next) else {
            return (own.upperBound..<own.upperBound, [own])
        }
        let shared = own.clamped(to: next)
        return (
            shared,
            [own.lowerBound..<shared.lowerBound, shared.upperBound..<own.upperBound]
        )
    }

    /// What row `k` holds after an iteration, if another one comes after it.
    func version(_ i: Int, _ k: Int, _ plane: Int) -> Term {
        Term(root: firstVersion + i, vector: k, view: View(byte: plane))
    }

    /// The iterations whose window holds row `k`, first to last; nil if none does.
    func iterations(touching k: Int) -> ClosedRange<Int>? {
        guard count > 0 else { return nil }
        if count == 1 { return (start..<start + rows).contains(k) ? 0...0 : nil }
        if step == 0 { return (start..<start + rows).contains(k) ? 0...count - 1 : nil }
        // start + i * step in k - rows + 1 ... k
        let (low, high) = (k - rows + 1 - start, k - start)
        var first = step > 0 ? ceiling(low, step) : ceiling(-high, -step)
        var last = step > 0 ? floor(high, step) : floor(-low, -step)
        first = max(first, 0)
        last = min(last, count - 1)
        return first <= last ? first...last : nil
    }

    private func floor(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((-a + b - 1) / b) }
    private func ceiling(_ a: Int, _ b: Int) -> Int { -floor(-a, b) }
}

/// Remaps of lanes, numbered; 0 is the identity however it is written.
struct LaneActions {
    enum Action: Hashable {
        case distribute([Int16]), permute([Int16]), shift(Int), rotate(Int)
    }
    private(set) var numbers: [Action: Int32] = [:]

    static func isIdentity(_ action: Action, lanesPerSuperlane: Int) -> Bool {
        switch action {
        case .distribute(let map), .permute(let map):
            map.indices.allSatisfy { Int(map[$0]) == $0 }
        case .shift(let by): by == 0
        case .rotate(let by): by % lanesPerSuperlane == 0
        }
    }

    /// The number of `action` if the program has it, else nil; 0 for the identity.
    func number(_ action: Action, lanesPerSuperlane lanes: Int) -> Int32? {
        LaneActions.isIdentity(action, lanesPerSuperlane: lanes)
            ? 0 : numbers[LaneActions.canonical(action, lanes)]
    }

    mutating func insert(_ action: Action, lanesPerSuperlane lanes: Int) -> Int32 {
        if let known = number(action, lanesPerSuperlane: lanes) { return known }
        let number = Int32(numbers.count + 1)
        numbers[LaneActions.canonical(action, lanes)] = number
        return number
    }

    /// A rotation by its remainder, so that -1 and lanes - 1 are one.
    private static func canonical(_ action: Action, _ lanes: Int) -> Action {
        if case .rotate(let by) = action { return .rotate((by % lanes + lanes) % lanes) }
        return action
    }
}
