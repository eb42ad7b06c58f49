public import LPUMachine
public import LPUModel
import LPUNumerics
import LPUSupport

/// Cycles below which no schedule of the plan's step is, a function of model, machine and plan
/// alone. `Documentation/Bounds.md` states and proves each term.
public struct Bound: Hashable, Sendable {
    /// The longest chain of dependent units and hops, were bytes free.
    public var chain: Int
    /// The bytes that the busiest chip passes into its MXMs, were everything else free; of an
    /// encoder the products that its planes make.
    public var stream: Int
    /// Both, where they cannot overlap; no less than either.
    public var combined: Int

    /// The greatest of the three.
    public var cycles: Int { max(chain, stream, combined) }

    /// - Requires: the wiring allows the plan.
    /// - Complexity: O(layers x degree x degree).
    public init(
        _ model: ModelConfiguration, _ plan: Plan, on machine: Machine
    ) {
        guard !model.isEncoder else {
            stream = model.planeCycles(tokens: plan.context, plan.weightType, on: machine.chip)
            (chain, combined) = (0, stream)
            return
        }
        let bytes = (0..<plan.tensorParallel).map {
            StreamedBytes(
                ChipShare(model, place: $0, of: plan.tensorParallel, on: machine.chip),
                plan)
        }
        let stages = stageChips(plan, machine)
        let parts = plan.stageParts(of: model, on: machine)
        let crosses = stagesCross(stages, plan, of: model, machine.topology)
        func length(_ bytes: [StreamedBytes]) -> Int {
            StepTiming(
                machine: machine, stages: stages, stageParts: parts, crosses: crosses,
                paths: StepPaths(shortest: machine.chip, model, plan, crosses: crosses),
                bytes: bytes,
                bytesPerCycle: machine.chip.streamedBytesPerCycle,
                ahead: machine.chip.planeBytes
            ).length()
        }
        // One byte a matrix keeps the chain through every matrix that a chip has.
        chain = length(bytes.map(\.marked))
        combined = length(bytes)
        let busiest = parts.flatMap { stage in bytes.map { $0.of(stage) } }.max() ?? 0
        let rate = machine.chip.streamedBytesPerCycle
        stream = max(0, busiest - machine.chip.planeBytes + rate - 1) / rate
    }
}

extension ModelConfiguration {
    /// Cycles in which the planes of a chip make all products of an encoder's linear layers, scores
    /// and values of so many tokens, were no lane idle.
    fileprivate func planeCycles(tokens: Int, _ type: ElementType, on chip: Chip) -> Int {
        let linear = 4 * hiddenSize * hiddenSize + 2 * hiddenSize * intermediateSize
        let attention = 2 * tokens * queryHeadCount * headDimension
        let planes = 2 * chip.planesPerHemisphere
        func cycles(_ products: Int, _ type: ElementType) -> Int {
            // Two planes make one of fp16, which takes an activation every `tandemCadence` cycles.
            let pairs = type == .fp16 ? planes / 2 : planes
            let cadence = type == .fp16 ? chip.tandemCadence : chip.matmulCadence
            let perPass = pairs * chip.lanes * chip.planeRows
            return products * cadence / perPass
        }
        return cycles(layerCount * tokens * linear, type)
            + cycles(layerCount * tokens * attention, .fp16)
    }
}

extension Chip {
    /// Bytes that can pass the edges of a chip outward in a cycle, where the MXMs take them.
    var streamedBytesPerCycle: Int { 2 * streamsPerDirection * lanes }
    /// Bytes that the planes hold: an installed tile and one that waits, in each.
    var planeBytes: Int { 2 * 2 * planesPerHemisphere * planeRows * lanes }

    /// From the edge through `operations` chained ALU operations and back to the edge.
    func vxmPath(_ operations: Int) -> Int { 2 * edge + vxmPass(operations) }
    /// From register 0 through chained ALU operations.
    func vxmPass(_ operations: Int) -> Int {
        vxmEntryLatency + operations * aluLatency + vxmExitLatency
    }
    /// From a matmul through chained ALU operations to the edge.
    func sumPath(_ operations: Int) -> Int { matmulLatency + vxmPath(operations) }
}

extension StreamedBytes {
    /// Every matrix element once, in its stored type, and the cached tokens that a step may see.
    fileprivate init(_ share: ChipShare, _ plan: Plan) {
        let type = plan.weightType.byteCount
        let cached = (plan.context - 1) * share.keyValueHeads * share.headDimension
        query = share.query.elements * type
        keyValue = 2 * share.key.elements * type
        keys = cached * plan.kvType.byteCount
        values = keys
        output = share.outputElements * type
        gateAndUp = 2 * share.innerElements * type
        down = share.innerElements * type
        head = share.head.elements * type
    }

    /// Only whether a chip has a part, not how large it is.
    var marked: StreamedBytes {
        var marks = StreamedBytes()
        marks.query = min(1, query)
        marks.gateAndUp = min(1, gateAndUp)
        marks.head = min(1, head)
        return marks
    }
}

extension StepPaths {
    /// The fewest units that each edge of the model graph must pass; see `Documentation/Bounds.md`.
    fileprivate init(
        shortest chip: Chip, _ model: ModelConfiguration, _ plan: Plan, crosses: Bool
    ) {
        // Ingress, inward to the next slices, an embedding row, outward again.
        embedding = chip.ingressLatency + 1 + chip.gatherLatency + 1
        // q cos + q' sin, narrowed.
        query = chip.sumPath(3)
        // exp(s), narrowed: what is subtracted may be known beforehand, or nothing.
        score = chip.sumPath(2)
        mix = chip.sumPath(1)
        // (1 + tanh g) g u, narrowed; u joins at the product.
        gate = chip.sumPath(4)
        up = chip.sumPath(2)
        residual = chip.sumPath(2)
        // A part is narrowed for the wire, added, and narrowed again.
        let isSplit = plan.tensorParallel > 1
        leave = isSplit ? chip.sumPath(1) : chip.matmulLatency
        enter = chip.vxmPath(2)
        ownPart = chip.sumPath(3)
        head = chip.sumPath(1)
        func vectors(_ type: ElementType) -> Int {
            (model.hiddenSize * type.byteCount + chip.lanes - 1) / chip.lanes
        }
        partVectors = vectors(isSplit ? .fp16 : .fp32)
        handedVectors = crosses ? vectors(.fp16) : nil
    }
}
