public import LPUMachine
public import LPUModel
import LPUNumerics
import LPUSupport

/// What a plan's step should take, from the lowering's chains of operations and its padded tiles.
///
/// It ranks plans and nothing else: units are taken as free when they are needed, every tile as
/// streamed once, and no template as waiting for another.
public struct Estimate: Hashable, Sendable {
    /// Cycles of one step.
    public var length: Int
    /// Cycles from step to step with all users that fit in flight: what the busiest resource
    /// takes, or `length` shared by the users.
    public var interval: Int

    /// What a step spends its time with.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// Links, with their slots.
        case hops
        /// Weights and KV rows on their way to the MXM.
        case streams
        /// Operations that wait for each other.
        case chains
    }

    /// - Requires: the wiring allows the plan.
    /// - Parameter users: In flight at once.
    public init(
        _ model: ModelConfiguration, _ plan: Plan, users: Int,
        on machine: Machine
    ) {
        let timing = StepTiming(lowered: model, plan, on: machine)
        length = timing.length()
        let last = plan.pipelineStages - 1
        let busiest =
            timing.layers.enumerated().flatMap { stage, layers in
                timing.bytes.map { layers * $0.layer + (stage == last ? $0.head : 0) }
            }.max() ?? 0
        let stream = busiest / timing.bytesPerCycle
        interval = max(stream, timing.busiestLink(), (length + users - 1) / max(1, users), 1)
    }

    /// The length that a cause is to blame for: what is missing where it is free.
    /// - Requires: as for `init`.
    public static func share(
        of cause: Cause, _ model: ModelConfiguration, _ plan: Plan,
        on machine: Machine
    ) -> Int {
        let timing = StepTiming(lowered: model, plan, on: machine)
        return timing.length() - timing.without(cause).length()
    }
}

extension StepTiming {
    /// The step as the lowering makes it.
    fileprivate init(
        lowered model: ModelConfiguration, _ plan: Plan, on machine: Machine
    ) {
        let chip = machine.chip
        let shares = (0..<plan.tensorParallel).map {
            ChipShare(model, place: $0, of: plan.tensorParallel, lanes: chip.lanes)
        }
        let widest = shares.map(\.perSet).max() ?? 1
        self.init(
            machine: machine, stages: stageChips(plan, machine),
            layers: plan.layerCounts(of: model),
            paths: StepPaths(lowered: chip, model, plan, widest: widest),
            bytes: shares.map { StreamedBytes(padded: $0, plan, chip: chip) },
            bytesPerCycle: chip.streamedBytesPerCycle, ahead: chip.planeBytes)
    }

    /// The same step, were a cause free.
    fileprivate func without(_ cause: Estimate.Cause) -> StepTiming {
        var (paths, bytes) = (paths, bytes)
        switch cause {
        case .hops: break
        case .streams: bytes = bytes.map(\.marked)
        case .chains:
            paths = StepPaths()
            paths.partVectors = self.paths.partVectors
            paths.handedVectors = self.paths.handedVectors
            paths.maximumIsExact = self.paths.maximumIsExact
        }
        var timing = StepTiming(
            machine: machine, stages: stages, layers: layers, paths: paths, bytes: bytes,
            bytesPerCycle: bytesPerCycle, ahead: ahead)
        if cause == .hops { timing.countsHops = false }
        return timing
    }

    /// Cycles that a step takes of the link between two chips that share layers.
    fileprivate func busiestLink() -> Int {
        guard let chips = stages.first, chips.count > 1,
            let link = machine.topology.link(from: chips[0], to: chips[1]),
            let axis = machine.topology.axis(of: link)
        else { return 0 }
        let vectors = 2 * (layers.max() ?? 0) * paths.partVectors
        return vectors * axis.interval.numerator / axis.interval.denominator
    }
}

extension StreamedBytes {
    /// Every tile once, as wide as it rests.
    fileprivate init(
        padded share: ChipShare, _ plan: Plan, chip: Chip
    ) {
        let type = plan.weightType.byteCount * chip.lanes
        let blocks = (plan.context + chip.lanes - 1) / chip.lanes
        let cache = blocks * plan.kvType.byteCount * chip.lanes
        query = share.query.vectors * type
        keyValue = 2 * share.key.vectors * type
        keys = share.sets.count * chip.lanes * cache
        values = share.sets.indices.reduce(0) { $0 + share.cacheRows($1) } * cache
        output = share.output.vectors * type
        gateAndUp = 2 * share.gate.vectors * type
        down = share.down.vectors * type
        head = share.head.vectors * type
    }
}

extension StepPaths {
    /// The chains of operations that the lowering makes, each value resting in SRAM between them.
    fileprivate init(lowered chip: Chip, _ model: ModelConfiguration, _ plan: Plan, widest: Int) {
        let rest = 2 + chip.readLatency + chip.writeToRead
        let degree = plan.tensorParallel
        // One permutation and a maximum for each rotation over the lanes.
        let rotation = chip.vxmPath(1) + chip.permuteLatency
        let rotations = Self.rotations(of: chip.lanes)
        let scale = chip.sumPath(6) + chip.vxmPass(5) + chip.vxmPass(1) - chip.edge + rest
        let turned = max(chip.matmulLatency + chip.edge + chip.distributeLatency, scale)
        embedding =
            chip.ingressLatency + 3 * chip.distributeLatency + chip.vxmPath(5) + chip.vxmPath(5)
            + chip.gatherLatency + 4 * rest
        query = turned + chip.vxmPass(2) + rest + chip.vxmPass(2) + chip.edge
        if model.hasQueryKeyNorm { query += chip.sumPath(6) + chip.vxmPass(6) + rest }
        let softmax = chip.vxmPath(3) + rest
        score = chip.sumPath(1) + rotations * (rotation + rest) + softmax
        // The heads of a query vector are added up one after another.
        mix = chip.sumPath(3) + chip.vxmPass(widest) + rest
        gate = max(chip.matmulLatency + chip.edge, scale) + chip.vxmPass(6) + chip.edge + rest
        up = chip.sumPath(3) + rest
        residual = chip.sumPath(2) + rest
        leave = chip.sumPath(1) + rest
        enter = chip.vxmPath(degree + 1) + rest
        ownPart = chip.sumPath(degree + 2) + rest
        head =
            chip.sumPath(4) + (degree - 1) * chip.vxmPass(4)
            + rotations * (rotation + chip.vxmPass(4) + rest)
        let tiles = (model.hiddenSize + chip.lanes - 1) / chip.lanes
        partVectors = tiles * ElementType.fp16.byteCount
        handedVectors = tiles * ElementType.fp32.byteCount
        maximumIsExact = true
    }

    /// Rotations after which every lane has what all lanes had.
    private static func rotations(of lanes: Int) -> Int {
        let halvings = lanes.trailingZeroBitCount
        let rest = lanes >> halvings
        return halvings + (rest > 1 ? Int.bitWidth - (rest - 1).leadingZeroBitCount : 0)
    }
}
