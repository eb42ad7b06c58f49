import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A value of an instance, and its declaration.
struct Made {
    var argument: Instance.Argument
    var value: Value
}

/// The prologue of each stage so far, and the bytes that the last one was given.
private struct Prologue {
    var template: Int
    var instances: [Int]
    var bytes: [Made]
    /// What hands the bytes on, once it is lowered.
    var forward: (template: Int, results: [ValueID])?
}

/// A program that grows by templates and instances.
struct ProgramBuilder {
    var templates: [ProgramTemplate] = []
    var instances: [Instance] = []

    /// Adds an instance of template `t`; the values it makes are then bound by their numbers.
    mutating func place(
        _ t: Int, on chips: [ChipID], layer: Int? = nil, _ arguments: [Made] = []
    ) -> Int {
        instances.append(
            Instance(
                template: t, chips: chips, layer: layer, arguments: arguments.map(\.argument)))
        return instances.count - 1
    }

    /// What instance `i` calls `value`.
    func made(_ value: ValueID, by i: Int) -> Made {
        Made(
            argument: .init(instance: i, value: value),
            value: templates[instances[i].template].values[value.index])
    }
}

/// A decode step as templates: ingress, a prologue a stage, the embedding, the layers, bytes that
/// go forward and hand-overs between the stages, and a head whose token leaves where it entered.
extension DecoderLowering {
    /// The whole step on the chips of each stage.
    mutating func lowerStep(on stages: [[ChipID]]) -> Program {
        var program = ProgramBuilder()
        let entry = lowerEntry(stages[0], &program)
        var prologue = lowerPrologue(stages[0], entry, &program)
        var x = lowerEmbeddings(stages[0], prologue.instances, &program)
        x = lowerLayers(stages, &prologue, x, &program)
        lowerExit(stages, prologue.instances, x, &program)
        return Program(
            name: model.architecture.rawValue, lanes: lanes,
            lanesPerSuperlane: chip.lanesPerSuperlane, users: plan.users,
            templates: program.templates, instances: program.instances)
    }

    private mutating func open(_ name: String, chips: Int) {
        builder = TemplateBuilder(
            name, chipCount: chips, lanesPerSuperlane: chip.lanesPerSuperlane)
    }

    private mutating func close(_ program: inout ProgramBuilder) -> Int {
        program.templates.append(builder.template)
        return program.templates.count - 1
    }

    /// A parameter like `made`, on `chip` of the open template.
    private mutating func parameter(_ made: Made, chip: Int? = nil) -> ValueID {
        builder.parameter(
            made.value.name, chip: chip ?? made.value.chip, type: made.value.type,
            count: made.value.count)
    }

    // MARK: Ingress and prologue

    /// The bytes that come in, on every chip of the first stage.
    private mutating func lowerEntry(
        _ chips: [ChipID], _ program: inout ProgramBuilder
    ) -> [Made] {
        open("ingress", chips: 1)
        let bytes = builder.ingress(count: 1, name: "ingress")
        let ingress = program.place(close(&program), on: [chips[0]])
        let made = program.made(bytes, by: ingress)
        guard places.count > 1 else { return [made] }
        open("spread", chips: places.count)
        let first = parameter(made, chip: 0)
        let others = places.dropFirst().map {
            builder.transfer(first.at(), to: $0, count: 1, name: "spread\($0)")
        }
        let i = program.place(close(&program), on: chips, [made])
        return [made] + others.map { program.made($0, by: i) }
    }

    /// The first stage's prologue; `shared` then names its values.
    private mutating func lowerPrologue(
        _ chips: [ChipID], _ entry: [Made], _ program: inout ProgramBuilder
    ) -> Prologue {
        open("prologue", chips: places.count)
        for place in places { lowerPrologue(parameter(entry[place], chip: place), on: place) }
        let template = close(&program)
        return Prologue(
            template: template, instances: [program.place(template, on: chips, entry)],
            bytes: entry)
    }

    /// The bytes that came in go on to the next stage, each chip's to the chip of its place, while
    /// this one still computes; and there a prologue. So no stage keeps them for longer than it
    /// works.
    private mutating func lowerForward(
        from near: [ChipID], to far: [ChipID], _ prologue: inout Prologue,
        _ program: inout ProgramBuilder
    ) {
        if prologue.forward == nil {
            open("forward", chips: 2 * places.count)
            let bytes = prologue.bytes.enumerated().map { parameter($1, chip: $0) }
            let linked = linkedPlaces(near, far, topology)
            func forward(_ bytes: ValueID, to place: Int) -> ValueID {
                builder.transfer(bytes.at(), to: places.count + place, count: 1, name: "forwarded")
            }
            let direct = linked.map { forward(bytes[$0], to: $0) }
            let results = places.map { place in
                linked.firstIndex(of: place).map { direct[$0] } ?? forward(direct[0], to: place)
            }
            prologue.forward = (close(&program), results)
        }
        guard let (template, results) = prologue.forward else { return }
        let i = program.place(template, on: near + far, prologue.bytes)
        prologue.bytes = results.map { program.made($0, by: i) }
        prologue.instances.append(
            program.place(prologue.template, on: far, prologue.bytes))
    }

    /// Opens a template that takes a prologue's values, and x, as parameters. Returns what stands
    /// for x, and what to bind in which order, given the instance of the prologue.
    private mutating func open(
        _ name: String, shared made: [SharedValues], prologue: Int, x: [[Made]],
        _ program: ProgramBuilder
    ) -> (x: [[ValueID]], bindings: [ValueID]) {
        open(name, chips: places.count)
        var bindings: [ValueID] = []
        shared = made.map { values in
            values.mapped { value in
                bindings.append(value)
                return parameter(program.made(value, by: prologue))
            }
        }
        // What was handed over stands elsewhere among the chips of the hand-over.
        return (
            x.enumerated().map { i, made in
                made.map { parameter($0, chip: i % places.count) }
            }, bindings
        )
    }

    // MARK: Layers

    private mutating func lowerEmbeddings(
        _ chips: [ChipID], _ prologue: [Int], _ program: inout ProgramBuilder
    ) -> [[Made]] {
        let made = shared
        let (_, bindings) = open(
            "embedding", shared: made, prologue: prologue[0], x: [], program)
        let x = bounded(lowerEmbedding(), "x.embedding").values
        shared = made
        let i = program.place(
            close(&program), on: chips, bindings.map { program.made($0, by: prologue[0]) })
        return x.map { $0.map { program.made($0, by: i) } }
    }

    /// A template that is placed in every stage.
    private struct Part {
        var template: Int
        /// Values of the prologue that it takes before all others.
        var bindings: [ValueID]
        /// The residual, and the outputs of attention.
        var results: [[ValueID]]
        var outputs: [[ValueID]] = []
    }

    /// The layers of all stages. Between two layers of a stage nothing rests but the residual and
    /// what attention has made of it: parts of a sum are worked on while they arrive.
    private mutating func lowerLayers(
        _ stages: [[ChipID]], _ prologue: inout Prologue, _ embedded: [[Made]],
        _ program: inout ProgramBuilder
    ) -> [[Made]] {
        let made = shared
        var parts: [LayerPart: Part] = [:]
        var handOver: (template: Int, results: [[ValueID]])?
        var x = embedded
        for (stage, chips) in stages.enumerated() {
            if stage > 0 {
                let lowered =
                    handOver ?? lowerHandOver(x, from: stages[stage - 1], to: chips, &program)
                handOver = lowered
                let i = program.place(
                    lowered.template, on: stages[stage - 1] + chips, x.flatMap { $0 })
                x = lowered.results.map { $0.map { program.made($0, by: i) } }
            }
            let layers = plan.layers(of: stage, count: model.layerCount)
            var outputs: [[Made]] = []
            let steps =
                layers.prefix(1).map { (LayerPart.opening, $0) }
                + layers.dropLast().map { (.layer, $0) } + layers.suffix(1).map { (.closing, $0) }
            func forward() {
                guard stage + 1 < stages.count else { return }
                lowerForward(from: chips, to: stages[stage + 1], &prologue, &program)
            }
            if steps.isEmpty { forward() }
            for (kind, layer) in steps {
                if kind == .closing { forward() }
                let part =
                    parts[kind]
                    ?? lower(kind, made, prologue.instances[stage], x, outputs, &program)
                parts[kind] = part
                let i = program.place(
                    part.template, on: chips, layer: layer,
                    part.bindings.map { program.made($0, by: prologue.instances[stage]) }
                        + (x + outputs).flatMap { $0 })
                if kind == .opening {
                    // The bound has been of use.
                    x = x.map { Array($0.prefix(hidden.count)) }
                } else {
                    x = part.results.map { $0.map { program.made($0, by: i) } }
                }
                outputs = part.outputs.map { $0.map { program.made($0, by: i) } }
            }
        }
        return x
    }

    /// Where a layer is cut: `opening` is the attention of a stage's first layer, `layer` what
    /// follows attention and the attention of the next layer, `closing` what follows the last.
    private enum LayerPart: String {
        case opening, layer, closing
    }

    private mutating func lower(
        _ kind: LayerPart, _ made: [SharedValues], _ prologue: Int, _ x: [[Made]],
        _ outputs: [[Made]], _ program: inout ProgramBuilder
    ) -> Part {
        let (start, bindings) = open(
            kind.rawValue, shared: made, prologue: prologue, x: x + outputs, program)
        defer {
            shared = made
            layer = "$layer"
        }
        var residual = residual(Array(start.prefix(x.count)))
        var attended: [[ValueID]] = []
        if kind != .opening {
            residual = lowerFeedForward(
                lowerOutput(residual.tiles, Array(start.dropFirst(x.count))))
            layer = "$next"
        }
        if kind != .closing { attended = lowerAttention(residual) }
        return Part(
            template: close(&program), bindings: bindings,
            results: kind == .opening ? [] : kind == .layer ? residual.tiles : residual.values,
            outputs: attended)
    }

    /// Every chip gets the residual from the chip of its place in the stage before. The replicas
    /// there are equal: where that is faster, of each tile one chip hands its own over, and the one
    /// that gets it passes it on to the others.
    private mutating func lowerHandOver(
        _ x: [[Made]], from sources: [ChipID], to targets: [ChipID],
        _ program: inout ProgramBuilder
    ) -> (template: Int, results: [[ValueID]]) {
        open("handOver", chips: 2 * places.count)
        let near = x.enumerated().map { place, tiles in tiles.map { parameter($0, chip: place) } }
        let linked = linkedPlaces(sources, targets, topology)
        let isShared =
            linked.count < places.count || sharesAreFaster(from: sources, to: targets)
        func hand(_ tile: Int, _ place: Int) -> ValueID {
            builder.transfer(
                near[place][tile].at(), to: places.count + place, count: 1, name: "handed")
        }
        // The bound is one vector: a place that can hands its own over.
        let sharedCount = linked.count < places.count ? near[0].count : hidden.count
        let shares = (0..<(isShared ? sharedCount : 0)).map { hand($0, linked[$0 % linked.count]) }
        let far = places.map { place in
            near[place].indices.map { tile in
                guard isShared, tile < sharedCount else { return hand(tile, place) }
                return linked[tile % linked.count] == place
                    ? shares[tile]
                    : builder.transfer(
                        shares[tile].at(), to: places.count + place, count: 1, name: "shared")
            }
        }
        return (close(&program), far)
    }

    private func sharesAreFaster(from sources: [ChipID], to targets: [ChipID]) -> Bool {
        guard places.count > 1,
            let down = topology.link(from: sources[0], to: targets[0]).flatMap(topology.axis),
            let across = topology.link(from: targets[0], to: targets[1]).flatMap(topology.axis)
        else { return false }
        func cycles(_ axis: LPUMachine.Axis, tiles: Int) -> Int {
            tiles * ElementType.fp32.byteCount * axis.interval.numerator
                / axis.interval.denominator
        }
        let share = (hidden.count + places.count - 1) / places.count
        return cycles(down, tiles: share) + cycles(across, tiles: share) + across.latency
            < cycles(down, tiles: hidden.count)
    }

    // MARK: Head

    private mutating func lowerExit(
        _ stages: [[ChipID]], _ prologue: [Int], _ x: [[Made]], _ program: inout ProgramBuilder
    ) {
        let last = stages.count - 1
        let (inputs, bindings) = open(
            "head", shared: shared, prologue: prologue[last], x: x, program)
        let bytes = lowerHead(residual(inputs))
        let head = program.place(
            close(&program), on: stages[last],
            bindings.map { program.made($0, by: prologue[last]) } + x.flatMap { $0 })
        let made = program.made(bytes, by: head)
        // Home over as many hops as it takes.
        let home = stages[0][0]
        let way = topology.route(from: stages[last][0], to: home) ?? []
        open("egress", chips: way.count + 1)
        var out = parameter(made, chip: 0)
        for hop in way.indices {
            out = builder.transfer(out.at(), to: hop + 1, count: 1, name: "returned")
        }
        builder.egress(out.at(), name: "egress")
        _ = program.place(close(&program), on: way.map(\.chip) + [home], [made])
    }
}

extension SharedValues {
    /// The same values under the names that `name` gives them, in a fixed order.
    fileprivate func mapped(_ name: (ValueID) -> ValueID) -> SharedValues {
        var result = SharedValues()
        result.ones = name(ones)
        result.identity = name(identity)
        result.cosine = name(cosine)
        result.sine = name(sine)
        result.bounds = bounds.map(name)
        result.keyRows = keyRows.map(name)
        result.valueRows = valueRows.map(name)
        result.blockRows = blockRows.map(name)
        result.userRows = userRows.map {
            UserRows(
                keys: name($0.keys), openValues: name($0.openValues),
                values: $0.values.map(name))
        }
        result.token = name(token)
        result.headOnes = headOnes.map(name)
        result.groups = groups.map {
            GroupConstants(
                selectors: $0.selectors.map(name), headLanes: $0.headLanes.map(name))
        }
        result.integers = integers.map {
            IntegerConstants(isFine: name($0.isFine), factors: name($0.factors))
        }
        return result
    }
}
