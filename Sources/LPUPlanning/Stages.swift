public import LPUMachine
public import LPUModel
public import LPUSupport

/// The chips of each stage: side by side where the first axis holds them all, else a stage for each
/// place of the second axis, so that chips of one place in neighbouring stages are one hop apart.
public func stageChips(_ plan: Plan, _ machine: Machine) -> [[ChipID]] {
    let degree = max(plan.tensorParallel, 1)
    let first = machine.topology.axes.first?.size ?? 1
    let stride = degree * plan.pipelineStages <= first ? degree : max(first, degree)
    return (0..<max(plan.pipelineStages, 1)).map { stage in
        (0..<degree).map { ChipID(stage * stride + $0) }
    }
}

/// The places of a stage whose chips are linked to those of the same places in the next: these hand
/// over, and where they are not all, pass on to the others there.
public func linkedPlaces(
    _ near: [ChipID], _ far: [ChipID], _ topology: Topology
) -> [Int] {
    near.indices.filter { topology.link(from: near[$0], to: far[$0]) != nil }
}

/// `true` iff stages are cut within a layer, behind its attention: every chip is linked to the one
/// of its place in the next stage, and all stages but the first, which has an attention, have
/// layers.
///
/// The network behind it streams its weights for longer than the residual takes to come over one
/// link, so that it waits for a hop and no more; attention, behind a whole layer, would wait for
/// all of it.
public func stagesCross(
    _ stages: [[ChipID]], _ plan: Plan, of model: ModelConfiguration, _ topology: Topology
) -> Bool {
    stages.count > 1
        && plan.pipelineStages == stages.count
        && (1..<stages.count).allSatisfy {
            !plan.layers(of: $0, count: model.layerCount).isEmpty
        }
        && linkedPlaces(stages[0], stages[1], topology).count == stages[0].count
}

extension ModelConfiguration {
    /// A stage a layer, and one before them: of more, some would do nothing but hand over. Of fewer
    /// a plan may leave any without layers.
    public var mostStages: Int { layerCount + 1 }
}

/// What a stage runs, and keeps the weights of.
struct StageParts: Hashable {
    /// Attentions, with their output projections and caches.
    var attentions: Int
    /// Feed-forward networks: as many as the stage has layers.
    var feedForwards: Int
    /// Whether it has the embedding, and the LM head.
    var isFirst: Bool
    var isLast: Bool
}

extension Plan {
    /// Of a stage with so many layers. Where stages cross, the attention of a stage's first layer
    /// is the stage's before.
    func parts(ofStage stage: Int, layers: Int, crosses: Bool) -> StageParts {
        let (isFirst, isLast) = (stage == 0, stage == pipelineStages - 1)
        let moved = crosses ? (isFirst ? 0 : -1) + (isLast ? 0 : 1) : 0
        return StageParts(
            attentions: layers + moved, feedForwards: layers, isFirst: isFirst, isLast: isLast)
    }

    /// Of every stage.
    func stageParts(of model: ModelConfiguration, on machine: Machine) -> [StageParts] {
        let crosses = stagesCross(stageChips(self, machine), self, of: model, machine.topology)
        return (0..<pipelineStages).map {
            parts(
                ofStage: $0, layers: layers(of: $0, count: model.layerCount).count,
                crosses: crosses)
        }
    }
}

/// Why the stages cannot exchange what they must, alike and in single hops; nil if they can. Only
/// the token goes back to the first stage over as many as it takes.
public func wiringProblem(_ stages: [[ChipID]], _ machine: Machine) -> String? {
    let topology = machine.topology
    if let last = stages.last?.last, last.index >= machine.chipCount {
        return "stages reach to \(last), \(machine.name) has \(machine.chipCount) chips"
    }
    for chips in stages {
        for (i, a) in chips.enumerated() {
            if let b = chips[..<i].first(where: { topology.link(from: a, to: $0) == nil }) {
                return "\(b) and \(a) share a layer, but are more than one hop apart: try fewer"
            }
        }
    }
    guard let first = stages.first, stages.count > 1 else { return nil }
    let linked = linkedPlaces(first, stages[1], topology)
    for (a, b) in zip(stages, stages.dropFirst()) {
        if linked.isEmpty || linkedPlaces(a, b, topology) != linked {
            return "\(a[0]) hands over to \(b[0]), but their stages are not linked as "
                + "\(first[0]) and \(stages[1][0])"
        }
    }
    return nil
}
