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
    /// Cycles from step to step with so many users in flight: what the busiest stage or link
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
        // A stage's chips work on one step at a time; the streams tell the stages apart.
        let stages = timing.stageParts.map { stage in
            timing.bytes.map { $0.of(stage) }.max() ?? 0
        }
        let stage = length * (stages.max() ?? 0) / max(1, stages.reduce(0, +))
        interval = max(stage, timing.busiestLink(), (length + users - 1) / max(1, users), 1)
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
            ChipShare(model, place: $0, of: plan.tensorParallel, on: chip)
        }
        // The places differ by a head at most.
        let widest = shares.reduce(shares[0]) { $1.queryHeads > $0.queryHeads ? $1 : $0 }
        let stages = stageChips(plan, machine)
        var paths = StepPaths(lowered: chip, model, plan, widest: widest)
        let crosses = stagesCross(stages, plan, of: model, machine.topology)
        if crosses { paths.handedVectors = paths.partVectors }
        let keyTiles = CacheBlocks(model, plan, on: chip).tiles
        self.init(
            machine: machine, stages: stages,
            stageParts: plan.stageParts(of: model, on: machine), crosses: crosses, paths: paths,
            bytes: shares.map { StreamedBytes(padded: $0, plan, keyTiles: keyTiles, chip: chip) },
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
            machine: machine, stages: stages, stageParts: stageParts, crosses: crosses,
            paths: paths, bytes: bytes,
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
        let vectors = 2 * (stageParts.map(\.feedForwards).max() ?? 0) * paths.partVectors
        return vectors * axis.interval.numerator / axis.interval.denominator
    }
}

extension StreamedBytes {
    /// Every tile once, as wide as it rests.
    fileprivate init(
        padded share: ChipShare, _ plan: Plan, keyTiles: Int, chip: Chip
    ) {
        let type = plan.weightType.byteCount * chip.lanes
        let blocks = (plan.context + chip.lanes - 1) / chip.lanes
        let cache = blocks * plan.kvType.byteCount * chip.lanes
        query = share.query.vectors * type
        keyValue = 2 * share.key.vectors * type
        // Each group of heads passes all tiles of its set.
        let groups = share.headGroups(of: chip.lanesPerSuperlane)
        let positions = min(
            plan.context.roundedUp(toMultipleOf: chip.weightStreamsPerPlane), keyTiles * chip.lanes)
        keys = groups.count * positions * plan.kvType.byteCount * chip.lanes
        values = groups.reduce(0) { $0 + share.cacheRows($1.set) } * cache
        output = share.output(plan, on: chip).vectors * type
        gateAndUp = 2 * share.gate(plan, on: chip).vectors * type
        down = share.down(plan, on: chip).vectors * type
        head = share.head.vectors * type
    }
}

extension StepPaths {
    /// The chains of operations that the lowering makes, each value resting in SRAM between them.
    fileprivate init(
        lowered chip: Chip, _ model: ModelConfiguration, _ plan: Plan, widest share: ChipShare
    ) {
        let rest = 2 + chip.readLatency + chip.writeToRead
        let degree = plan.tensorParallel
        let scale = chip.sumPath(6) + chip.vxmPass(5) + chip.vxmPass(1) - chip.edge + rest
        let turned = max(chip.matmulLatency + chip.edge + chip.distributeLatency, scale)
        embedding =
            chip.ingressLatency + 3 * chip.distributeLatency + chip.vxmPath(5) + chip.vxmPath(5)
            + chip.gatherLatency + 4 * rest
        query = turned + chip.vxmPass(2) + rest + chip.vxmPass(2) + chip.edge
        if model.hasQueryKeyNorm { query += chip.sumPath(6) + chip.vxmPass(6) + rest }
        let groups = share.headGroups(of: chip.lanesPerSuperlane)
        let blocks = (plan.context + chip.lanes - 1) / chip.lanes
        let weights = blocks * (groups.map(\.heads).max() ?? 0)
        // A vector a cycle of scores, and of softmax weights.
        score = chip.sumPath(2) + rest + chip.vxmPath(5) + rest + 2 * weights
        score += Self.maximum(over: groups.map(\.heads).max() ?? 1, chip, rest)
        mix = chip.sumPath(2) + rest + Self.gathered(share, chip) + rest
        gate = max(chip.matmulLatency + chip.edge, scale) + chip.vxmPass(6) + chip.edge + rest
        up = chip.sumPath(3) + rest
        residual = chip.sumPath(2) + rest
        leave = chip.sumPath(1) + rest
        enter = chip.vxmPath(degree + 1) + rest
        ownPart = chip.sumPath(degree + 2) + rest
        // The greatest over chips, lanes of a superlane and superlanes, then its token.
        head =
            chip.sumPath(6) + rest + chip.vxmPath(degree) + rest
            + chip.distributeLatency + chip.vxmPath(chip.lanesPerSuperlane) + rest
            + chip.permuteLatency + chip.vxmPath(chip.superlanes) + rest
            + chip.vxmPass(chip.superlanes + 2) + rest + chip.vxmPass(3)
        let tiles = (model.hiddenSize + chip.lanes - 1) / chip.lanes
        partVectors = tiles * ElementType.fp16.byteCount
        handedVectors = tiles * ElementType.fp32.byteCount
        maximumIsExact = true
    }

    /// The maximum over the lanes of a group's heads, each in every lane: folded to lanes of its
    /// own in every superlane, all of them as one vector over superlanes, and unfolded again.
    private static func maximum(over heads: Int, _ chip: Chip, _ rest: Int) -> Int {
        var size = 1
        while size < heads { size *= 2 }
        // A round is four turns within superlanes.
        func rounds(_ lanes: Int) -> Int { (lanes.trailingZeroBitCount + 1) / 2 }
        let count = 2 * rounds(size) + rounds(chip.lanesPerSuperlane / size)
        let round = chip.distributeLatency + chip.vxmPath(3) + rest
        // Superlanes in parts of about the square root of all.
        var part = 1
        while part * part < chip.superlanes - 1 { part += 1 }
        let turns = chip.permuteLatency + chip.superlanes - 1 + chip.vxmPath(part) + rest
        return count * round + chip.vxmPath(heads + 1) + rest
            + turns + chip.vxmPath(part + 1) + rest + chip.vxmPath(1) + rest
    }

    /// From the heads' outputs to query vectors side by side: shifted, and added one after another.
    private static func gathered(_ share: ChipShare, _ chip: Chip) -> Int {
        let longest = share.sets.indices.map { set in
            let perVector = share.lanes / (share.sets[set].count * share.headDimension)
            let queries = min(perVector, share.queryVectors(set))
            let shift = queries > 1 ? chip.shiftLatency + 2 * chip.edge : 0
            return shift + chip.vxmPath(queries * share.sets[set].count + 2)
        }
        return longest.max() ?? 0
    }
}
