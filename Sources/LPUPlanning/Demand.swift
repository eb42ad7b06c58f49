public import LPUMachine
public import LPUModel
import LPUNumerics
public import LPUSupport

/// Bytes of SRAM that a plan asks of a chip. Activations of a step are not in it.
public struct Demand: Hashable, Sendable {
    /// Weights in the types they rest in, without padding.
    public var weights = 0
    /// Lanes and weight vectors that tiles leave unused.
    public var padding = 0
    /// KV rows of all users, as wide as they rest.
    public var cache = 0
    /// Ones, masks, rotary tables, addresses and bounds of vocabulary.
    public var constants = 0
    /// Program text: an estimate of the instructions, before any is scheduled.
    public var text = 0

    public init() {}

    public var total: Int { weights + padding + cache + constants + text }

    public static func + (a: Demand, b: Demand) -> Demand {
        var sum = a
        sum.weights += b.weights
        sum.padding += b.padding
        sum.cache += b.cache
        sum.constants += b.constants
        sum.text += b.text
        return sum
    }

    public static func * (n: Int, a: Demand) -> Demand {
        var product = a
        product.weights *= n
        product.padding *= n
        product.cache *= n
        product.constants *= n
        product.text *= n
        return product
    }

    /// The demand by name, for an `Infeasibility`.
    public var terms: [Infeasibility.Term] {
        [
            .init("weights", weights), .init("padding", padding), .init("KV cache", cache),
            .init("constants", constants), .init("program text (estimated)", text),
        ]
    }
}

/// What the parts of a step ask of one chip; stages differ only in how many of them they have.
struct ChipDemand {
    var perStage = Demand()
    var attention = Demand()
    var feedForward = Demand()
    var embedding = Demand()
    var head = Demand()
    /// Slices and rows of each that the embedding's tables take; all have as many.
    var tables = (count: 0, rows: 0)
    /// Rows of a layer's longest cache region, which one bank holds.
    var regionRows = 0

    init(
        _ share: ChipShare, _ model: ModelConfiguration, _ plan: Plan,
        chip: Chip, place: Int
    ) {
        var rows = DemandRows(
            share: share, model: model, plan: plan, chip: chip, place: place)
        perStage = rows.perStage()
        attention = rows.attention()
        feedForward = rows.feedForward()
        embedding = rows.embedding()
        head = rows.head()
        let (parts, tokens) = rows.vocabularyParts
        let planes = plan.weightType.byteCount == 1 ? ElementType.fp32.byteCount : 0
        tables = (
            parts * (share.tiles(model.hiddenSize) * plan.weightType.byteCount + planes),
            (tokens + parts - 1) / parts + 2
        )
        regionRows = share.longestRegion(CacheBlocks(model, plan, on: chip))
    }

    func demand(_ stage: StageParts) -> Demand {
        var sum =
            perStage + stage.attentions * attention + stage.feedForwards * feedForward
        if stage.isFirst { sum = sum + embedding }
        if stage.isLast { sum = sum + head }
        return sum
    }
}

extension Plan {
    /// The demand of every chip, stage by stage and place by place; what the lowering declares.
    /// - Complexity: O(chips of the plan).
    public func demands(
        of model: ModelConfiguration, on machine: Machine
    ) -> [[Demand]] {
        let places = chipDemands(of: model, on: machine)
        return stageParts(of: model, on: machine).map { stage in
            places.map { $0.demand(stage) }
        }
    }

    /// What each chip of a stage is asked for, by part of the step.
    func chipDemands(of model: ModelConfiguration, on machine: Machine) -> [ChipDemand] {
        (0..<tensorParallel).map {
            ChipDemand(
                ChipShare(model, place: $0, of: tensorParallel, on: machine.chip), model, self,
                chip: machine.chip, place: $0)
        }
    }
}

/// Adds up rows of SRAM, a row a byte plane of a vector.
private struct DemandRows {
    let share: ChipShare
    let model: ModelConfiguration
    let plan: Plan
    let chip: Chip
    let place: Int
    private let blocks: CacheBlocks
    private var sum = Demand()

    init(
        share: ChipShare, model: ModelConfiguration, plan: Plan, chip: Chip,
        place: Int
    ) {
        self.share = share
        self.model = model
        self.plan = plan
        self.chip = chip
        self.place = place
        blocks = CacheBlocks(model, plan, on: chip)
    }

    private var lanes: Int { chip.lanes }

    private mutating func taken() -> Demand {
        defer { sum = Demand() }
        return sum
    }

    private mutating func add(_ matrix: Matrix, _ type: ElementType) {
        sum.weights += matrix.elements * type.byteCount
        sum.padding += (matrix.vectors * lanes - matrix.elements) * type.byteCount
        // A tile: a burst a weight stream and byte plane, load, install, matmul and accumulate.
        let tiles = (matrix.vectors + chip.planeRows - 1) / chip.planeRows
        addText(tiles * (chip.weightStreamsPerPlane * type.byteCount + 4))
    }

    private mutating func addText(_ instructions: Int) {
        sum.text += instructions * chip.instructionBytes
    }

    private mutating func addConstants(_ vectors: Int, _ type: ElementType) {
        sum.constants += vectors * type.byteCount * lanes
    }

    /// fp32 vectors of `elements` weights in all.
    private mutating func addVectors(_ vectors: Int, elements: Int) {
        add(Matrix(elements: elements, vectors: 0), .fp32)
        sum.padding += vectors * lanes * ElementType.fp32.byteCount
    }

    mutating func perStage() -> Demand {
        let slices = chip.weightStreamsPerPlane
        let widest = share.sets.indices.map(share.cacheRows).max() ?? 0
        addConstants(lanes, .fp16)
        addConstants(max(widest, 1), plan.kvType)
        if plan.weightType == .int8 {
            addConstants(2, .int8)
            addConstants(2, .fp32)
        }
        if model.hasQueryKeyNorm { addConstants(lanes, .fp16) }
        for group in share.headGroups(of: chip.lanesPerSuperlane) {
            addConstants(group.maskVectors, .int8)
            addConstants((blocks.sides - 1) * group.heads * group.queryVectors, .int8)
        }
        let isSplit = plan.splitsRotaryTables(on: chip)
        addConstants(2 * (isSplit ? (plan.context + 255) / 256 + 256 : plan.context), .fp32)
        addConstants(blocks.count, .fp32)
        let addresses = (blocks.parts + 1) * slices + share.sets.count * blocks.parts
        addConstants((isSplit ? 2 : 1) + addresses, .int32)
        addText(40 * (addresses + blocks.count))
        return taken()
    }

    mutating func attention() -> Demand {
        let output = share.output(plan, on: chip)
        for matrix in [share.query, share.key, share.key, output] { add(matrix, plan.weightType) }
        addCache()
        if model.hasAttentionBias {
            let vectors = 2 * share.sets.count + share.allQueryVectors
            let heads = share.queryHeads + 2 * share.keyValueHeads
            addVectors(vectors, elements: heads * share.headDimension)
            addVectors(share.tiles(model.hiddenSize), elements: model.hiddenSize)
        }
        addHeadScales()
        addSums(isEmpty: share.sets.isEmpty)
        if model.hasQueryKeyNorm && !share.sets.isEmpty {
            let heads = share.perSet * share.headDimension
            addVectors(4, elements: 4 * heads)
        }
        addText(100 * share.queryHeads)
        return taken()
    }

    mutating func feedForward() -> Demand {
        let gate = share.gate(plan, on: chip)
        for matrix in [gate, gate, share.down(plan, on: chip)] { add(matrix, plan.weightType) }
        let inner = share.tiles(share.intermediate)
        if model.hasFeedForwardBias {
            addVectors(2 * inner, elements: 2 * share.intermediate)
            addVectors(share.tiles(model.hiddenSize), elements: model.hiddenSize)
        }
        if plan.weightType.byteCount == 1 {
            addVectors(2 * inner, elements: 2 * share.intermediate)
        }
        addSums(isEmpty: false)
        return taken()
    }

    /// What a row-parallel layer has of its own: a scale an output, the greatest of them, by which
    /// residuals are bounded, and the instructions of its sums.
    private mutating func addSums(isEmpty: Bool) {
        if plan.weightType.byteCount == 1 {
            if !isEmpty { addVectors(share.tiles(model.hiddenSize), elements: model.hiddenSize) }
            if !model.hasAttentionBias && !model.hasFeedForwardBias { addConstants(1, .fp32) }
        }
        addText(32 * share.tiles(model.hiddenSize) * plan.tensorParallel)
    }

    private mutating func addCache() {
        let slices = chip.weightStreamsPerPlane
        for set in share.sets.indices {
            let values = blocks.valueRows(perBlock: share.cacheRows(set) / slices)
            let perSlice = blocks.parts * (blocks.keyRows + values) + blocks.openRows
            sum.cache += slices * perSlice * plan.kvType.byteCount * lanes
        }
        // Each head goes over the keys and values of its set; a column of V is written a token.
        addText(share.queryHeads * blocks.count * 2 * (slices * plan.kvType.byteCount + 4))
        addText(share.sets.indices.reduce(0) { $0 + 8 * share.cacheRows($1) })
    }

    /// Of fp8 and int8 weights: one an output channel, and once more with the lanes of each pair
    /// swapped where heads turn as they leave the projection.
    private mutating func addHeadScales() {
        guard plan.weightType.byteCount == 1 else { return }
        let copies = model.hasQueryKeyNorm || model.hasAttentionBias ? 1 : 2
        let turned = share.allQueryVectors + share.sets.count
        let heads = copies * (share.queryHeads + share.keyValueHeads) + share.keyValueHeads
        addVectors(
            copies * turned + share.sets.count, elements: heads * share.headDimension)
    }

    /// The chips hold equal shares of the vocabulary, in parts that gathers reach: a table a part
    /// and tile of the hidden vector, of fp8 and int8 weights one of scales a part, with a zero row
    /// before and behind.
    mutating func embedding() -> Demand {
        let type = plan.weightType
        let tiles = share.tiles(model.hiddenSize)
        let (parts, most) = vocabularyParts
        let rows = most + 2 * parts
        let own = max(0, min(most, model.vocabularySize - place * most))
        addTable(rows, tiles: tiles, elements: own * model.hiddenSize, type)
        if type.byteCount == 1 { addTable(rows, tiles: 1, elements: own, .fp32) }
        addConstants(2 * parts, .int32)
        addText(20 * parts * tiles)
        return taken()
    }

    /// How many parts there are, and the tokens of all.
    var vocabularyParts: (count: Int, tokens: Int) {
        let tokens = (model.vocabularySize + plan.tensorParallel - 1) / plan.tensorParallel
        let most = max(1, chip.rowsPerBank * 7 / 16 - 2)
        return ((tokens + most - 1) / most, tokens)
    }

    private mutating func addTable(_ rows: Int, tiles: Int, elements: Int, _ type: ElementType) {
        sum.weights += elements * type.byteCount
        sum.padding += (tiles * rows * lanes - elements) * type.byteCount
    }

    mutating func head() -> Demand {
        add(share.head, plan.weightType)
        let tiles = share.tiles(share.vocabulary)
        if plan.weightType.byteCount == 1 { addVectors(tiles, elements: share.vocabulary) }
        addConstants(tiles, .fp32)
        addConstants(tiles, .int32)
        addConstants(2, .int32)
        addText(30 * tiles + 2000)
        return taken()
    }
}
