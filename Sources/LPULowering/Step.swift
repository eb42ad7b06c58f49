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
struct Prologue {
    var template: Int
    var instances: [Int]
    var bytes: [Made]
    /// What it makes, by place.
    var values: [SharedValues]
    /// What hands the bytes on, once it is lowered.
    var forward: (template: Int, results: [ValueID])?

    /// What every template of `stage` is bound to before all else, as `parameters` names it.
    func made(by stage: Int, _ program: ProgramBuilder) -> [Made] {
        var made: [Made] = []
        for values in values {
            _ = values.mapped { value in
                made.append(program.made(value, by: instances[stage]))
                return value
            }
        }
        return made
    }
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

/// A decode step as templates: ingress, a prologue a stage, bytes that go forward between stages,
/// the embedding, the layers, and a head whose token leaves where it entered.
extension DecoderLowering {
    /// The whole step on the chips of each stage.
    mutating func lowerStep(on stages: [[ChipID]]) -> Program {
        var program = ProgramBuilder()
        let entry = lowerEntry(stages[0], &program)
        var prologue = lowerPrologue(stages[0], entry, &program)
        let x = lowerEmbeddings(stages[0], prologue, &program)
        let token = lowerLayers(stages, &prologue, x, &program)
        lowerExit(stages, token, &program)
        return Program(
            name: model.architecture.rawValue, lanes: lanes,
            lanesPerSuperlane: chip.lanesPerSuperlane, users: plan.users,
            templates: program.templates, instances: program.instances)
    }

    mutating func open(_ name: String, chips: Int) {
        builder = TemplateBuilder(
            name, chipCount: chips, lanesPerSuperlane: chip.lanesPerSuperlane)
    }

    mutating func close(_ program: inout ProgramBuilder) -> Int {
        program.templates.append(builder.template)
        return program.templates.count - 1
    }

    /// A parameter like `made`, on `chip` of the open template.
    mutating func parameter(_ made: Made, chip: Int? = nil) -> ValueID {
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

    /// The first stage's prologue.
    private mutating func lowerPrologue(
        _ chips: [ChipID], _ entry: [Made], _ program: inout ProgramBuilder
    ) -> Prologue {
        open("prologue", chips: places.count)
        for place in places { lowerPrologue(parameter(entry[place], chip: place), on: place) }
        let template = close(&program)
        return Prologue(
            template: template, instances: [program.place(template, on: chips, entry)],
            bytes: entry, values: shared)
    }

    /// The bytes that came in go on to the next stage, each chip's to the chip of its place, while
    /// this one still computes; and there a prologue. So no stage keeps them for longer than it
    /// works.
    mutating func lowerForward(
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

    /// What every template of a stage takes of its prologue.
    mutating func parameters(_ prologue: Prologue, _ program: ProgramBuilder) -> [SharedValues] {
        prologue.values.map { values in
            values.mapped { parameter(program.made($0, by: prologue.instances[0])) }
        }
    }

    /// Values by place; what was handed over stands elsewhere among the chips of its template.
    mutating func parameters(_ x: [[Made]]) -> [[ValueID]] {
        x.enumerated().map { i, made in
            made.map { parameter($0, chip: i % places.count) }
        }
    }

    // MARK: Embedding

    private mutating func lowerEmbeddings(
        _ chips: [ChipID], _ prologue: Prologue, _ program: inout ProgramBuilder
    ) -> [[Made]] {
        open("embedding", chips: places.count)
        shared = parameters(prologue, program)
        let x = bounded(lowerEmbedding(), "x.embedding").values
        let i = program.place(close(&program), on: chips, prologue.made(by: 0, program))
        return x.map { $0.map { program.made($0, by: i) } }
    }

    // MARK: Exit

    private mutating func lowerExit(
        _ stages: [[ChipID]], _ token: Made, _ program: inout ProgramBuilder
    ) {
        // Home over as many hops as it takes.
        let home = stages[0][0]
        let way = topology.route(from: stages[stages.count - 1][0], to: home) ?? []
        open("egress", chips: way.count + 1)
        var out = parameter(token, chip: 0)
        for hop in way.indices {
            out = builder.transfer(out.at(), to: hop + 1, count: 1, name: "returned")
        }
        builder.egress(out.at(), name: "egress")
        _ = program.place(close(&program), on: way.map(\.chip) + [home], [token])
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
                selectors: $0.selectors.map { $0.map(name) }, headLanes: $0.headLanes.map(name))
        }
        result.integers = integers.map {
            IntegerConstants(isFine: name($0.isFine), factors: name($0.factors))
        }
        return result
    }
}
