public import LPUMachine
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

/// Why the stages cannot exchange what they must in single hops; nil if they can.
public func wiringProblem(_ stages: [[ChipID]], _ machine: Machine) -> String? {
    if let last = stages.last?.last, last.index >= machine.chipCount {
        return "stages reach to \(last), \(machine.name) has \(machine.chipCount) chips"
    }
    func hops(_ a: ChipID, _ b: ChipID) -> Int { machine.topology.hops(from: a, to: b) }
    for chips in stages {
        if let far = chips.first(where: { hops(chips[0], $0) > 1 }) {
            return
                "\(chips[0]) and \(far) share a layer, but are more than one hop apart: try fewer"
        }
    }
    for (a, b) in zip(stages, stages.dropFirst()) {
        if let (x, y) = zip(a, b).first(where: { hops($0, $1) > 1 }) {
            return "\(x) hands over to \(y), but they are more than one hop apart"
        }
    }
    // The bytes that come in go from the first stage to each, the token comes back from the last.
    if let far = stages.first(where: { hops(stages[0][0], $0[0]) > 1 }) {
        return "\(stages[0][0]) and \(far[0]) are more than one hop apart"
    }
    return nil
}
