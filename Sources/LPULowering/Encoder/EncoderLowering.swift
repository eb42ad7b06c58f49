import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Lowers an encoder, and the mean over the text's tokens behind it, to a dataflow program.
///
/// All tokens of the plan's context go through it at once: each tile of weights is installed once
/// and multiplies the vectors of all of them. Those that only fill the context up are told by the
/// bytes that come in, so that one program serves every length of text.
/// - Throws: diagnostics that name what the model or the plan asks for and this lowering lacks.
func lowerEncoder(
    _ model: ModelConfiguration, plan: Plan, for machine: Machine
) throws(DiagnosticSet) -> Program {
    try checkSupport(model, plan, machine.chip)
    var lowering = EncoderLowering(model: model, plan: plan, chip: machine.chip)
    return lowering.lowerText()
}

private func checkSupport(
    _ model: ModelConfiguration, _ plan: Plan, _ chip: Chip
) throws(DiagnosticSet) {
    var errors = DiagnosticSet()
    func refuse(_ place: String, _ message: String) {
        errors.insert(
            Diagnostic(at: Diagnostic.Place(place), id: "lowering-unsupported", message))
    }
    for problem in chip.unsupported(weights: plan.weightType) { errors.insert(problem) }
    if plan.tensorParallel != 1 || plan.pipelineStages != 1 || plan.users != 1 {
        refuse("plan", "an encoder is lowered for one chip and one user")
    }
    if plan.kvType != .fp16 {
        refuse(
            "plan.kvType",
            "an encoder keeps no cache, keys in \(plan.kvType.rawValue) are not lowered: try fp16")
    }
    let columns = chip.weightStreamsPerPlane
    let rows = min(chip.accumulatorRows, chip.lanes)
    if model.headDimension % columns != 0 || model.headDimension > rows {
        refuse(
            "hidden_size",
            "a head has \(model.headDimension) elements, a multiple of \(columns) up to "
                + "\(rows) is lowered")
    }
    let most = min(model.maximumPositions, rows)
    if plan.context < 1 || plan.context > most || plan.context % columns != 0 {
        refuse(
            "plan.context",
            "context is \(plan.context), a multiple of \(columns) up to \(most) is lowered: the "
                + "model has \(model.maximumPositions) positions, a plane "
                + "\(chip.accumulatorRows) accumulator rows, a vector \(chip.lanes) lanes")
    }
    try errors.throwIfAny()
}

/// The state of one lowering: the template that grows.
struct EncoderLowering: Lowering {
    let model: ModelConfiguration
    let plan: Plan
    let chip: Chip
    /// How a token's state is dealt out to lanes.
    let hidden: Tiling
    let heads: EncoderHeads
    var builder: TemplateBuilder
    var chains = 0

    init(model: ModelConfiguration, plan: Plan, chip: Chip) {
        self.model = model
        self.plan = plan
        self.chip = chip
        hidden = Tiling(0..<model.hiddenSize, lanes: chip.lanes)
        heads = EncoderHeads(model, tokens: plan.context, on: chip)
        builder = TemplateBuilder(
            "embedding", chipCount: 1, lanesPerSuperlane: chip.lanesPerSuperlane)
    }

    /// Tokens of the context, those that fill it up included.
    var tokens: Int { plan.context }

    /// What activations are times: two terms of fp8 then hold numbers below 224, exact to 2^-12 or
    /// to a 256th, two of int8 those below 127.5, exact to a 512th.
    var activationFactor: Float { plan.weightType == .fp8 ? 4 : 1 }

    var hiddenColumns: [IndexMap] { hidden.ranges.map { .range($0) } }
}

/// The states of all tokens, for each tile of lanes a vector a token: as they are, and as the terms
/// of activations.
struct EncoderStates {
    var values: [ValueID]
    var terms: [[ValueID]]
}

/// Values that the first template makes and others use.
struct EncoderConstants {
    /// 320 fp16 rows of ones in the lanes of a tile of states.
    var ones: ValueID
    /// Row c has ones in lane c of every head.
    var identity: ValueID
    /// A vector of zeros, fp16.
    var zero: ValueID
    /// int8: in vector h the lanes of the head number h of a set.
    var headLanes: ValueID
    /// For each token: int8, not 0 if it is real; and +-60000, the most its scores may be.
    var isReal: ValueID
    var bounds: ValueID
    /// For each size of groups there is.
    var groups: [GroupSize]

    /// What groups of so many heads need.
    struct GroupSize {
        var size: Int
        /// int8: in vector v the lanes that are v modulo the size, as many.
        var slots: ValueID
        /// fp16: for each token ones in the lanes that it has in a group's vectors.
        var selectors: ValueID
    }

    /// The same values under the names that `name` gives them, in a fixed order.
    func mapped(_ name: (ValueID) -> ValueID) -> EncoderConstants {
        EncoderConstants(
            ones: name(ones), identity: name(identity), zero: name(zero),
            headLanes: name(headLanes), isReal: name(isReal), bounds: name(bounds),
            groups: groups.map {
                GroupSize(
                    size: $0.size, slots: name($0.slots), selectors: name($0.selectors))
            })
    }
}

/// How the heads share vectors.
struct EncoderHeads {
    let dimension: Int
    /// Heads that lie side by side in the lanes of queries and keys.
    let sets: [Range<Int>]
    /// Heads of a set, a power of two of them, that attend side by side: lane m t + j of their
    /// scores is for token t of the group's head j, of m.
    let groups: [Group]
    /// Neighbouring groups of one size, a power of two of them, whose outputs lie side by side:
    /// lane m c + j is channel c of the head j of all m.
    let joins: [Range<Int>]

    struct Group {
        var set: Int
        var heads: Range<Int>
    }

    init(_ model: ModelConfiguration, tokens: Int, on chip: Chip) {
        let dimension = model.headDimension
        self.dimension = dimension
        sets = Tiling(0..<model.queryHeadCount, lanes: max(1, chip.lanes / dimension)).ranges
        let room = [
            chip.weightStreamsPerPlane, chip.lanes / max(1, tokens),
            chip.accumulatorRows / dimension,
        ].reduce(Int.max, min)
        let groups = sets.enumerated().flatMap { number, set in
            var groups: [Group] = []
            var first = set.lowerBound
            while first < set.upperBound {
                var size = 1
                while 2 * size <= min(room, set.upperBound - first) { size *= 2 }
                groups.append(Group(set: number, heads: first..<first + size))
                first += size
            }
            return groups
        }
        self.groups = groups
        let most = min(chip.weightStreamsPerPlane, chip.lanes / dimension)
        var joins: [Range<Int>] = []
        while let first = joins.last?.upperBound ?? groups.indices.first, first < groups.count {
            let size = groups[first].heads.count
            let alike = groups[first...].prefix { $0.heads.count == size }.count
            var count = 1
            while 2 * count <= alike, 2 * count * size <= most { count *= 2 }
            joins.append(first..<first + count)
        }
        self.joins = joins
    }

    /// The heads of joined groups.
    func heads(of join: Range<Int>) -> Range<Int> {
        groups[join.lowerBound].heads.lowerBound..<groups[join.upperBound - 1].heads.upperBound
    }

    /// The sizes of groups, each once, the smallest first.
    var sizes: [Int] { Set(groups.map(\.heads.count)).sorted() }

    /// The elements of all heads that the lanes of a set hold.
    func lanes(ofSet set: Int) -> IndexMap {
        .range(sets[set].lowerBound * dimension..<sets[set].upperBound * dimension)
    }

    /// The same of the outputs of heads whose channels take turns.
    func lanes(of heads: Range<Int>) -> IndexMap {
        IndexMap(segments: [
            IndexMap.Segment(
                position: 0, base: heads.lowerBound * dimension, count: heads.count * dimension,
                digits: DigitSum([
                    .init(radix: heads.count, stride: dimension), .init(radix: 0, stride: 1),
                ]))
        ])
    }
}
