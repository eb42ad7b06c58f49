public import LPUDataflow
public import LPUMachine
public import LPUModel
import LPUNumerics
public import LPUPlanning
public import LPUSupport

/// Lowers one decode step of a Llama-family model, or a text of an encoder, to a dataflow program.
///
/// Decided here: what the lanes of every vector are, the order of every addition, and what is
/// computed in which type. The token and its position are bytes of the ingress vector, so that one
/// program serves every position up to the plan's context; an encoder takes a vector for each of
/// the context's positions.
///
/// - Throws: diagnostics that name what the model or the plan asks for and this lowering lacks.
public func lower(
    _ model: ModelConfiguration, plan: Plan, for machine: Machine
) throws(DiagnosticSet) -> Program {
    if model.isEncoder { return try lowerEncoder(model, plan: plan, for: machine) }
    try checkSupport(model, plan, machine)
    var lowering = DecoderLowering(model: model, plan: plan, machine: machine)
    return lowering.lowerStep(on: stageChips(plan, machine))
}

private func checkSupport(
    _ model: ModelConfiguration, _ plan: Plan, _ machine: Machine
) throws(DiagnosticSet) {
    var errors = DiagnosticSet()
    func refuse(_ place: String, _ message: String) {
        errors.insert(
            Diagnostic(at: Diagnostic.Place(place), id: "lowering-unsupported", message))
    }
    let chip = machine.chip
    for problem in plan.unsupported(model, on: chip) { errors.insert(problem) }
    if plan.kvType != .fp16 && plan.kvType != .fp8 {
        refuse(
            "plan.kvType",
            "a KV cache in \(plan.kvType.rawValue) is not lowered: try fp16 or fp8")
    }
    if plan.pipelineStages < 1 || plan.pipelineStages > model.mostStages {
        refuse(
            "plan.pipelineStages",
            "\(plan.pipelineStages) stages share \(model.layerCount) layers: give 1 to "
                + "\(model.mostStages)")
    }
    if !plan.stageLayers.isEmpty
        && (plan.stageLayers.count != plan.pipelineStages
            || plan.stageLayers.reduce(0, +) != model.layerCount)
    {
        refuse(
            "plan.pipelineStages",
            "the stages are given \(plan.stageLayers.reduce(0, +)) layers, "
                + "the model has \(model.layerCount)")
    }
    if plan.tensorParallel < 1
        || machine.chipCount / plan.tensorParallel < max(plan.pipelineStages, 1)
    {
        refuse(
            "plan.tensorParallel",
            "\(plan.pipelineStages) stages of \(plan.tensorParallel) chips are asked for, "
                + "\(machine.name) has \(machine.chipCount) chips")
    } else if let problem = wiringProblem(stageChips(plan, machine), machine) {
        refuse("plan.tensorParallel, plan.pipelineStages", problem)
    }
    try errors.throwIfAny()
    let rows = plan.longestRegion(model, on: chip)
    if rows > chip.rowsPerBank {
        var fewer = plan
        fewer.users = 1
        let fitsOne = fewer.longestRegion(model, on: chip) <= chip.rowsPerBank
        refuse(
            fitsOne ? "plan.users" : "plan.context",
            "context is \(plan.context) for \(plan.users) user\(plan.users == 1 ? "" : "s"), which "
                + "takes \(rows) rows in a bank of each slice that feeds a plane; there are "
                + "\(chip.rowsPerBank): lower the \(fitsOne ? "users" : "context")")
    }
    try errors.throwIfAny()
}

/// The state of one lowering: the template that grows, and the values that all layers share.
struct DecoderLowering: Lowering {
    let model: ModelConfiguration
    let plan: Plan
    let topology: Topology
    let chip: Chip
    var builder: TemplateBuilder
    var chains = 0
    /// What stands for the layer in tensors' names.
    var layer = "$layer"
    var layerPrefix: String { "model.layers.\(layer)." }
    /// Chips that share every layer.
    let places: Range<Int>
    var shared: [SharedValues]

    /// How the cache's token positions are dealt out to tiles.
    let blocks: CacheBlocks
    /// How the hidden vector is dealt out to lanes.
    let hidden: Tiling
    /// Each chip's heads.
    let heads: [HeadLayout]

    init(model: ModelConfiguration, plan: Plan, machine: Machine) {
        self.model = model
        self.plan = plan
        topology = machine.topology
        let chip = machine.chip
        self.chip = chip
        blocks = CacheBlocks(model, plan, on: chip)
        hidden = Tiling(0..<model.hiddenSize, lanes: chip.lanes)
        places = 0..<plan.tensorParallel
        shared = places.map { _ in SharedValues() }
        heads = places.map {
            HeadLayout(model, queries: $0.share(of: model.queryHeadCount, plan), on: chip)
        }
        builder = TemplateBuilder(
            "prologue", chipCount: plan.tensorParallel,
            lanesPerSuperlane: chip.lanesPerSuperlane)
    }
}

/// Values that the prologue makes and every layer uses.
struct SharedValues {
    /// 320 fp16 rows of ones: contracting with it sums over lanes into every lane.
    var ones = ValueID(0)
    /// Identity rows in the cache's type, for transposing.
    var identity = ValueID(0)
    var cosine = ValueID(0)
    var sine = ValueID(0)
    /// A block of 320 tokens each: +-60000 where a cached token may or may not be seen.
    var bounds: [ValueID] = []
    /// For each part of the K cache and slice, the row of the token, or one that nobody reads.
    var keyRows: [ValueID] = []
    /// The same in the open block of V.
    var valueRows: [ValueID] = []
    /// For each set of heads and part of its transposed V, the first row of the token's block.
    var blockRows: [ValueID] = []
    /// Where there are several users, how far the user's rows are from the first one's, as an
    /// address: in regions of keys, of open values, and for each set of transposed values.
    var userRows: UserRows?
    /// int32 in every lane.
    var token = ValueID(0)
    /// fp16 rows of ones in the lanes of their own head, zero in the others; for head norms only.
    var headOnes: ValueID?
    var groups: [GroupConstants] = []
    /// For int8 weights only.
    var integers: IntegerConstants?
}

/// Addresses of a user's rows.
struct UserRows {
    var keys: ValueID
    var openValues: ValueID
    var values: [ValueID]
}

/// int8 masks for a group of heads; vector i is for head i.
struct GroupConstants {
    /// For each block of a tile of keys and query vector, where it holds the head.
    var selectors: [[ValueID]] = []
    /// The lanes of the head, where it shares a vector with others.
    var headLanes: ValueID?
}

/// A chip's query heads and the KV heads that they need, in sets that share a vector: KV head g of
/// a set takes lanes g * dimension on, and query vector j holds query j of each KV head's group in
/// the same lanes.
struct HeadLayout {
    struct KeyValueHead {
        var head: Int
        var queries: [Int]
    }
    let dimension: Int
    /// Weight streams of a plane.
    let streams: Int
    let sets: [[KeyValueHead]]

    init(_ model: ModelConfiguration, queries: Range<Int>, on chip: Chip) {
        dimension = model.headDimension
        streams = chip.weightStreamsPerPlane
        let group = model.groupSize
        var all: [KeyValueHead] = []
        for query in queries {
            if all.last?.head == query / group {
                all[all.count - 1].queries.append(query)
            } else {
                all.append(KeyValueHead(head: query / group, queries: [query]))
            }
        }
        let perSet = chip.lanes / dimension
        sets = stride(from: 0, to: all.count, by: perSet).map {
            Array(all[$0..<min($0 + perSet, all.count)])
        }
    }

    /// The sets' query heads in groups, as many as a superlane has lanes at most.
    func groups(lanesPerSuperlane: Int) -> [HeadGroup] {
        sets.indices.flatMap { set in
            let heads = (0..<queryVectors(set)).flatMap { j in
                sets[set].indices.filter { j < sets[set][$0].queries.count }
                    .map { HeadGroup.Head(keyValue: $0, query: j) }
            }
            return stride(from: 0, to: heads.count, by: lanesPerSuperlane).map {
                HeadGroup(
                    set: set, heads: Array(heads[$0..<min($0 + lanesPerSuperlane, heads.count)]))
            }
        }
    }

    /// KV heads that the widest set of the chip has.
    var perSet: Int { sets.map(\.count).max() ?? 0 }
    /// Lanes that a set's vectors use.
    func width(_ set: Int) -> Int { sets[set].count * dimension }
    /// Weight vectors that hold them: whole load columns.
    func rows(_ set: Int) -> Int { width(set).roundedUp(toMultipleOf: streams) }
    /// Query vectors of a set.
    func queryVectors(_ set: Int) -> Int { sets[set].map(\.queries.count).max() ?? 0 }
}

/// Query heads of a set that attend side by side: head i is vector i of the group's values.
struct HeadGroup {
    struct Head: Hashable {
        /// Its KV head's number in the set, and the query vector that holds it.
        var keyValue: Int
        var query: Int
    }
    var set: Int
    var heads: [Head]
}

extension Int {
    /// The part of `count` things that falls to this chip of the plan, in equal parts.
    func share(of count: Int, _ plan: Plan) -> Range<Int> {
        self * count / plan.tensorParallel..<(self + 1) * count / plan.tensorParallel
    }
}

extension ValueID {
    /// Vector `i` in every iteration.
    func at(_ i: Int = 0) -> Use { Use(self, start: i, step: 0) }
}
