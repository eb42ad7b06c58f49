import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// Where the layers are cut. Between two parts on a stage nothing rests but the residual and what
/// attention has made of it: parts of a sum are worked on while they arrive.
private enum StagePart: String {
    /// The attention of the first layer.
    case opening
    /// What follows attention, and the attention of the next layer on the same chips.
    case layer
    /// The same with the next layer on the next stage's chips, to which parts of a sum go at once.
    case crossing
    /// What follows the last attention.
    case closing
    /// The residual on its way to the next stage, where stages do not cross.
    case handOver
}

/// A part, and the stage on whose chips it begins.
private struct StageStep {
    var part: StagePart
    var stage: Int
    /// nil where the part has nothing of a layer.
    var layer: Int?

    /// `true` iff it ends on the next stage's chips.
    var goesOn: Bool { part == .crossing || part == .handOver }
}

/// A part's template, which is placed wherever the part recurs.
private struct LoweredPart {
    var template: Int
    /// The residual, and the outputs of attention.
    var results: [[ValueID]]
    var outputs: [[ValueID]] = []
}

/// Layers of all stages, and the way between stages.
extension DecoderLowering {
    /// The residual behind the last layer.
    mutating func lowerLayers(
        _ stages: [[ChipID]], _ prologue: inout Prologue, _ embedded: [[Made]],
        _ program: inout ProgramBuilder
    ) -> [[Made]] {
        var parts: [StagePart: LoweredPart] = [:]
        var x = embedded
        var outputs: [[Made]] = []
        for step in stageSteps(stages) {
            // The next stage's prologue is done before anything else arrives there.
            if step.goesOn {
                lowerForward(
                    from: stages[step.stage], to: stages[step.stage + 1], &prologue, &program)
            }
            let part = parts[step.part] ?? lower(step.part, stages, prologue, x, outputs, &program)
            parts[step.part] = part
            let own = step.stage..<step.stage + (step.goesOn ? 2 : 1)
            let shared =
                step.part == .handOver ? [] : own.flatMap { prologue.made(by: $0, program) }
            let instance = program.place(
                part.template, on: own.flatMap { stages[$0] }, layer: step.layer,
                shared + (x + outputs).flatMap { $0 })
            if step.part == .opening {
                // The bound has been of use.
                x = x.map { Array($0.prefix(hidden.count)) }
            } else {
                x = part.results.map { $0.map { program.made($0, by: instance) } }
            }
            outputs = part.outputs.map { $0.map { program.made($0, by: instance) } }
        }
        return x
    }

    private func stageSteps(_ stages: [[ChipID]]) -> [StageStep] {
        let crosses = stagesCross(stages, plan, of: model, topology)
        return stages.indices.flatMap { stage -> [StageStep] in
            let layers = plan.layers(of: stage, count: model.layerCount)
            let goesOn = stage + 1 < stages.count
            var steps = layers.dropLast().map { StageStep(part: .layer, stage: stage, layer: $0) }
            if let first = layers.first, let last = layers.last {
                if stage == 0 || !crosses {
                    steps.insert(StageStep(part: .opening, stage: stage, layer: first), at: 0)
                }
                let part: StagePart = goesOn && crosses ? .crossing : .closing
                steps.append(StageStep(part: part, stage: stage, layer: last))
            }
            if goesOn, !crosses { steps.append(StageStep(part: .handOver, stage: stage)) }
            return steps
        }
    }

    private mutating func lower(
        _ part: StagePart, _ stages: [[ChipID]], _ prologue: Prologue, _ x: [[Made]],
        _ outputs: [[Made]], _ program: inout ProgramBuilder
    ) -> LoweredPart {
        if part == .handOver { return lowerHandOver(x, from: stages[0], to: stages[1], &program) }
        open(part.rawValue, chips: (part == .crossing ? 2 : 1) * places.count)
        shared = parameters(prologue, program)
        var later: [SharedValues] = []
        if part == .crossing {
            builder.firstChip = places.count
            later = parameters(prologue, program)
            builder.firstChip = 0
        }
        let start = parameters(x + outputs)
        defer { layer = "$layer" }
        var residual = residual(Array(start.prefix(x.count)))
        var attended: [[ValueID]] = []
        if part != .opening {
            residual = lowerOutput(residual.tiles, Array(start.dropFirst(x.count)))
            let biased = downBiased(residual.tiles)
            if part == .crossing {
                residual = lowerCrossing(residual, biased)
                shared = later
            } else {
                let sums = lowerFeedForward(residual, biased)
                residual = Residual(
                    tiles: addPartialSums(sums.parts, to: biased, "layer.output"),
                    inverses: sums.inverses)
            }
            layer = "$next"
        }
        if part != .closing { attended = lowerAttention(residual) }
        return LoweredPart(
            template: close(&program),
            results: part == .opening ? [] : part == .closing ? residual.values : residual.tiles,
            outputs: attended)
    }

    /// The feed-forward network of a stage's last layer. Its parts of sums go to the chip of the
    /// same place in the next stage, which sends them to all others there; so does the residual,
    /// which is added to their sum. Afterwards the builder is with the next stage.
    private mutating func lowerCrossing(_ x: Residual, _ biased: [[ValueID]]) -> Residual {
        let sums = lowerFeedForward(x, biased)
        builder.firstChip = places.count
        let parts = handed(sums.parts)
        let inverses = sums.inverses.map { handed($0.map { [$0] }).map { $0[0] } }
        return Residual(
            tiles: addPartialSums(
                parts, to: places.count > 1 ? handed(biased) : [], "layer.output", isLate: true),
            inverses: inverses)
    }

    /// Every chip's values on the chip of its place in the stage that the builder is with.
    private mutating func handed(_ values: [[ValueID]]) -> [[ValueID]] {
        values.enumerated().map { place, values in
            values.map { builder.transfer($0.at(), to: place, count: 1, name: "handed") }
        }
    }

    // MARK: Hand-over

    /// Every chip gets the residual from the chip of its place in the stage before. The replicas
    /// there are equal: of each tile one chip that is linked hands its own over, and the one that
    /// gets it passes it on to the others.
    private mutating func lowerHandOver(
        _ x: [[Made]], from sources: [ChipID], to targets: [ChipID],
        _ program: inout ProgramBuilder
    ) -> LoweredPart {
        open("handOver", chips: 2 * places.count)
        let near = parameters(x)
        let linked = linkedPlaces(sources, targets, topology)
        builder.firstChip = places.count
        let shares = near[0].indices.map { tile in
            let place = linked[tile % linked.count]
            return builder.transfer(near[place][tile].at(), to: place, count: 1, name: "handed")
        }
        let far = places.map { place in
            near[place].indices.map { tile in
                linked[tile % linked.count] == place
                    ? shares[tile]
                    : builder.transfer(shares[tile].at(), to: place, count: 1, name: "shared")
            }
        }
        return LoweredPart(template: close(&program), results: far)
    }
}
