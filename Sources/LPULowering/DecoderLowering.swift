public import LPUDataflow
public import LPUMachine
public import LPUModel
import LPUNumerics
public import LPUPlanning
public import LPUSupport

/// Lowers one decode step of a Llama-family model to a dataflow program.
///
/// Decided here: what the lanes of every vector are, the order of every addition, and what is
/// computed in which type. The token and its position are bytes of the ingress vector, so that one
/// program serves every position up to the plan's context.
///
/// - Throws: diagnostics that name what the model or the plan asks for and this lowering lacks.
public func lower(
    _ model: ModelConfiguration, plan: Plan, for machine: Machine
) throws(DiagnosticSet) -> Program {
    try checkSupport(model, plan, machine)
    var lowering = DecoderLowering(model: model, plan: plan, chip: machine.chip)
    lowering.lowerStep()
    return Program(
        name: model.architecture.rawValue, lanes: machine.chip.lanes,
        lanesPerSuperlane: machine.chip.lanesPerSuperlane,
        templates: [lowering.builder.template],
        instances: [Instance(template: 0, chips: [ChipID(0)])])
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
    if plan.weightType != .fp16 {
        refuse("plan.weightType", "\(plan.weightType.rawValue) weights are not lowered yet: try fp16")
    }
    if model.headDimension % 2 != 0 || model.headDimension > chip.lanes {
        refuse(
            "head_dim", "head_dim is \(model.headDimension), an even number up to "
                + "\(chip.lanes) lanes is lowered")
    }
    if model.hasQueryKeyNorm { refuse("model_type", "norms of query and key are not lowered yet") }
    if model.hasAttentionBias || model.hasFeedForwardBias {
        refuse("attention_bias, mlp_bias", "biases are not lowered yet")
    }
    if plan.context < 1 || plan.context > model.maximumPositions {
        refuse(
            "plan.context", "context is \(plan.context), the model has "
                + "\(model.maximumPositions) positions (max_position_embeddings)")
    }
    if max(model.vocabularySize, plan.context) > chip.rowsPerBank {
        refuse(
            "vocab_size", "tables of \(max(model.vocabularySize, plan.context)) rows are needed, a "
                + "bank has \(chip.rowsPerBank): split tables are not lowered yet")
    }
    try errors.throwOnError()
}

/// The state of one lowering: the template that grows, and the values that all layers share.
struct DecoderLowering {
    let model: ModelConfiguration
    let plan: Plan
    let chip: Chip
    let lanes: Int
    var builder: TemplateBuilder
    private var chains = 0
    var shared = SharedValues()

    /// How the hidden vector is dealt out to lanes.
    let hidden: Tiling
    let feedForward: Tiling
    let heads: HeadLayout

    init(model: ModelConfiguration, plan: Plan, chip: Chip) {
        self.model = model
        self.plan = plan
        self.chip = chip
        lanes = chip.lanes
        hidden = Tiling(model.hiddenSize, lanes: chip.lanes)
        feedForward = Tiling(model.intermediateSize, lanes: chip.lanes)
        heads = HeadLayout(model, lanes: chip.lanes)
        builder = TemplateBuilder(
            "step", chipCount: 1, lanesPerSuperlane: chip.lanesPerSuperlane)
    }

    mutating func lowerStep() {
        lowerPrologue()
        var x = lowerEmbedding()
        for layer in 0..<model.layerCount {
            x = lowerAttention(x, layer: layer)
            x = lowerFeedForward(x, layer: layer)
        }
        lowerHead(x)
    }

    /// Runs `body` with a chain of its own: its results pass on streams.
    mutating func chained<Result>(_ body: (inout Self) -> Result) -> Result {
        chains += 1
        builder.chain = chains
        defer { builder.chain = nil }
        return body(&self)
    }

    /// An image vector with the same word in every lane.
    mutating func constant(
        _ name: String, _ bits: UInt32, type: ElementType, lanes range: Range<Int>? = nil
    ) -> ValueID {
        builder.image(
            name, type: type, count: 1,
            .constant(bits: bits, vectors: 0..<1, lanes: range ?? 0..<lanes))
    }
}

/// Values that the prologue makes and every layer uses.
struct SharedValues {
    /// 320 fp16 rows of ones: contracting with it sums over lanes into every lane.
    var ones = ValueID(0)
    /// Identity rows of fp16, for transposing.
    var identity = ValueID(0)
    var cosine = ValueID(0)
    var sine = ValueID(0)
    /// A block of 320 tokens each: +-60000 where a cached token may or may not be seen.
    var bounds: [ValueID] = []
    /// For each of 16 slices, the row of a token in the K cache, or the trash row.
    var keyRows: [ValueID] = []
    /// The same in the open block of V.
    var valueRows: [ValueID] = []
    /// The first row of the token's block in the transposed V.
    var blockRow = ValueID(0)
    var tokenAddress = ValueID(0)
    /// 1 in the lanes of each KV head of a set.
    var headMasks: [ValueID] = []
}

/// A dimension dealt out to as few vectors as possible, in equal parts.
struct Tiling {
    let size: Int
    let count: Int
    let width: Int

    init(_ size: Int, lanes: Int) {
        self.size = size
        count = (size + lanes - 1) / lanes
        width = (size + count - 1) / count
    }

    func range(_ tile: Int) -> Range<Int> { tile * width..<min((tile + 1) * width, size) }
    /// Weight vectors of an output tile: whole load columns of 16.
    var rows: Int { (width + 15) / 16 * 16 }
}

/// Which heads share a vector: KV head g of a set takes lanes g * dimension on; query vector j
/// holds query j of each KV head's group in the same lanes.
struct HeadLayout {
    let dimension: Int
    /// KV heads of a full set.
    let perSet: Int
    let sets: Int
    /// Query heads of a KV head.
    let group: Int
    private let keyValueHeads: Int

    init(_ model: ModelConfiguration, lanes: Int) {
        dimension = model.headDimension
        keyValueHeads = model.keyValueHeadCount
        group = model.groupSize
        perSet = min(lanes / dimension, keyValueHeads)
        sets = (keyValueHeads + perSet - 1) / perSet
    }

    /// KV heads of a set.
    func heads(_ set: Int) -> Range<Int> {
        set * perSet..<min((set + 1) * perSet, keyValueHeads)
    }
    /// Lanes that a set's vectors use.
    func width(_ set: Int) -> Int { heads(set).count * dimension }
    func rows(_ set: Int) -> Int { (width(set) + 15) / 16 * 16 }
}

extension ValueID {
    /// Vector `i` in every iteration.
    func at(_ i: Int = 0) -> Use { Use(self, start: i, step: 0) }
}
