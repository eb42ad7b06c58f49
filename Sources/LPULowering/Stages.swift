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
    /// The same, the output of attention where attention was, the rest on the next stage's chips.
    case crossing
    /// What follows the attention of the last layer, and the head, where stages cross.
    case closing
    /// The same on the next stage's chips, but for the output of attention.
    case landing
    /// What follows a stage's last attention, where they do not: then a head finds rows by itself.
    case ending
    /// The residual on its way to the next stage, where stages do not cross.
    case handOver

    /// `true` iff it ends on the next stage's chips.
    var goesOn: Bool { self == .crossing || self == .landing || self == .handOver }
    /// `true` iff the attention of a layer is its end.
    var attends: Bool { self == .opening || self == .layer || self == .crossing }
    /// `true` iff the token is.
    var hasHead: Bool { self == .closing || self == .landing }
}

/// A part, and the stage on whose chips it begins.
private struct StageStep {
    var part: StagePart
    var stage: Int
    /// nil where the part has nothing of a layer.
    var layer: Int?
}

/// A part's template, which is placed wherever the part recurs.
private struct LoweredPart {
    var template: Int
    /// The residual, and the outputs of attention.
    var results: [[ValueID]]
    var outputs: [[ValueID]] = []
    /// The token's bytes.
    var bytes: ValueID?
}

/// Layers of all stages, and the way between stages.
extension DecoderLowering {
    /// The token's bytes behind the last layer and the head.
    mutating func lowerLayers(
        _ stages: [[ChipID]], _ prologue: inout Prologue, _ embedded: [[Made]],
        _ program: inout ProgramBuilder
    ) -> Made {
        var parts: [StagePart: LoweredPart] = [:]
        var x = embedded
        var outputs: [[Made]] = []
        for step in stageSteps(stages) {
            // The next stage's prologue is done before anything else arrives there.
            if step.part.goesOn {
                lowerForward(
                    from: stages[step.stage], to: stages[step.stage + 1], &prologue, &program)
            }
            let part = parts[step.part] ?? lower(step.part, stages, prologue, x, outputs, &program)
            parts[step.part] = part
            let own = step.stage..<step.stage + (step.part.goesOn ? 2 : 1)
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
            if let bytes = part.bytes { return program.made(bytes, by: instance) }
        }
        return lowerHeadAlone(x, prologue, stages[stages.count - 1], &program)
    }

    private mutating func lowerHeadAlone(
        _ x: [[Made]], _ prologue: Prologue, _ chips: [ChipID], _ program: inout ProgramBuilder
    ) -> Made {
        open("head", chips: places.count)
        shared = parameters(prologue, program)
        let bytes = lowerHead(residual(parameters(x)))
        let last = prologue.instances.count - 1
        let head = program.place(
            close(&program), on: chips, prologue.made(by: last, program) + x.flatMap { $0 })
        return program.made(bytes, by: head)
    }

    private func stageSteps(_ stages: [[ChipID]]) -> [StageStep] {
        let crosses = stagesCross(stages, plan, of: model, topology)
        return stages.indices.flatMap { stage -> [StageStep] in
            let layers = plan.layers(of: stage, count: model.layerCount)
            var steps = layers.map { layer in
                let isLast = crosses && layer + 1 == model.layerCount
                if crosses, stage > 0, layer == layers.lowerBound {
                    return StageStep(
                        part: isLast ? .landing : .crossing, stage: stage - 1, layer: layer)
                }
                let isCut = !crosses && layer + 1 == layers.upperBound
                return StageStep(
                    part: isLast ? .closing : isCut ? .ending : .layer, stage: stage,
                    layer: layer)
            }
            if crosses ? stage == 0 : !layers.isEmpty {
                let opening = StageStep(part: .opening, stage: stage, layer: layers.lowerBound)
                steps.insert(opening, at: 0)
            }
            if !crosses, stage + 1 < stages.count {
                steps.append(StageStep(part: .handOver, stage: stage))
            }
            return steps
        }
    }

    private mutating func lower(
        _ part: StagePart, _ stages: [[ChipID]], _ prologue: Prologue, _ x: [[Made]],
        _ outputs: [[Made]], _ program: inout ProgramBuilder
    ) -> LoweredPart {
        if part == .handOver { return lowerHandOver(x, from: stages[0], to: stages[1], &program) }
        open(part.rawValue, chips: (part.goesOn ? 2 : 1) * places.count)
        shared = parameters(prologue, program)
        var later: [SharedValues] = []
        if part.goesOn {
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
            var whole = residual.tiles
            if part.goesOn {
                (residual, whole) = handedOver(residual, from: stages[0], to: stages[1])
                shared = later
            }
            let biased = downBiased(whole)
            let sums = lowerFeedForward(residual, biased)
            residual = Residual(
                tiles: addPartialSums(sums.parts, to: biased, "layer.output"),
                inverses: sums.inverses)
            layer = "$next"
        }
        if part.attends { attended = lowerAttention(residual) }
        let bytes = part.hasHead ? lowerHead(residual) : nil
        return LoweredPart(
            template: close(&program),
            results: part == .ending
                ? residual.values : part == .layer || part == .crossing ? residual.tiles : [],
            outputs: attended, bytes: bytes)
    }

    /// The residual on the chips of the next stage, each tile from the chip of its place: rounded
    /// to the wire's fp16, and with what that left of it, which comes behind. Afterwards the
    /// builder is with the next stage.
    private mutating func handedOver(
        _ x: Residual, from near: [ChipID], to far: [ChipID]
    ) -> (rounded: Residual, whole: [[ValueID]]) {
        let terms = x.tiles.map { tiles in
            tiles.map { tile in chained { l in l.pairOfTerms(of: tile) } }
        }
        // What elements are times may be any number, if only it is the same there.
        let inverses = x.inverses.map { inverses in
            inverses.map { builder.elementwise(.toFP16, $0.at(), name: "layer.x.inverse") }
        }
        builder.firstChip = places.count
        let ahead = inverses.map { handed($0.map { [$0] }).map { $0[0] } }
        let first = handed(terms.map { $0.map(\.high) })
        let whole = zip(first, handed(terms.map { $0.map(\.low) })).map { tiles, rests in
            zip(tiles, rests).map { tile, rest in
                builder.elementwise(.add, tile.at(), rest.at(), name: "layer.x.whole")
            }
        }
        return (
            Residual(tiles: first, inverses: ahead, pace: pace(from: near[0], to: far[0])), whole
        )
    }

    /// Cycles in which a link carries a tile of fp16.
    private func pace(from near: ChipID, to far: ChipID) -> Int {
        guard let link = topology.link(from: near, to: far),
            let interval = topology.axis(of: link)?.interval
        else { return 0 }
        return ElementType.fp16.byteCount * interval.numerator / interval.denominator
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
