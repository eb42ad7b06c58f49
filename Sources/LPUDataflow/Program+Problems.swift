import LPUNumerics
public import LPUSupport

/// Bounds within which no arithmetic on a program leaves 64 bits, and every number fits its field.
enum Limits {
    /// As many as a chip has at most, so that a tile stays small; an index fits the Int16 of a map.
    static let lanes = 1...4096
    /// Users of a program, each with a row of a bank at least.
    static let users = 1...65_536
    /// Vectors of a value; above the rows of any chip.
    static let vectors = 1...(1 << 24)
    /// Bytes of a value, which the interpreter holds at once.
    static let bytes = 1 << 32
    /// A gather offset has 16 bits.
    static let rows = 1...65_536
    /// Sources of a tile: the weight streams of a plane.
    static let tileSources = 16
    /// Digits of a `DigitSum`.
    static let digits = 8
    static let number = -Int(Int32.max)...Int(Int32.max)
}

extension Program {
    /// What is illegal, empty for a legal program; every other function of a program may take a
    /// legal one for granted.
    ///
    /// Diagnostics are placed at `template.op3`, `template.v4` or `i2`. O(size of the program plus
    /// the values of all instances).
    public func problems(threads: Int = 1) -> DiagnosticSet {
        var checker = ProgramChecker(program: self)
        checker.checkShape()
        guard checker.found.isEmpty else { return checker.found }
        let found = concurrentMap(count: templates.count, threads: threads) {
            var values = TemplateChecker(template: templates[$0], program: self)
            values.check()
            return values.found
        }
        for problems in found { checker.found.formUnion(problems) }
        checker.checkInstances()
        guard checker.found.isEmpty else { return checker.found }
        checker.checkRegions()
        return checker.found
    }

    /// Throws `problems(threads:)` iff it holds an error.
    public func validate(threads: Int = 1) throws(DiagnosticSet) {
        try problems(threads: threads).throwIfAny()
    }
}

/// `true` iff the text form can hold `name` as a word.
func isWord(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("#") && name.utf8.allSatisfy { (0x21...0x7e).contains($0) }
}

/// Checks what lies outside of the templates.
private struct ProgramChecker {
    let program: Program
    var found = DiagnosticSet()

    mutating func report(_ place: String, _ id: String, _ message: String) {
        found.insert(Diagnostic(at: Diagnostic.Place(place), id: id, message))
    }

    mutating func checkShape() {
        let (lanes, superlane) = (program.lanes, program.lanesPerSuperlane)
        if !Limits.users.contains(program.users) {
            report(
                program.name, "dataflow-range",
                "the program is for \(program.users) users, outside \(Limits.users)")
        }
        if !Limits.lanes.contains(lanes) || superlane < 1 || lanes % superlane != 0 {
            report(
                program.name, "dataflow-lanes",
                "\(lanes) lanes are not \(Limits.lanes) in superlanes of \(superlane): give a "
                    + "multiple")
        }
        var names = Set<String>()
        for name in [program.name] + program.templates.map(\.name) where !isWord(name) {
            report(name, "dataflow-name", "the name is not a word of printable ASCII: rename it")
        }
        for template in program.templates {
            if !names.insert(template.name).inserted {
                report(template.name, "dataflow-name", "two templates have this name: rename one")
            }
            if !(1...65_536).contains(template.chipCount) {
                report(
                    template.name, "dataflow-range",
                    "the template has \(template.chipCount) chips, outside 1...65536")
            }
        }
    }

    mutating func checkInstances() {
        var total = 0
        for i in program.instances.indices {
            let index = program.instances[i].template
            guard program.templates.indices.contains(index) else {
                let count = program.templates.count
                report("i\(i)", "dataflow-range", "template \(index) is outside 0..<\(count)")
                continue
            }
            checkInstance(i, program.templates[index])
            total += max(program.templates[index].values.count, program.templates[index].ops.count)
        }
        if total > Int(Int32.max) {
            report(
                program.name, "dataflow-range",
                "the instances have \(total) values and ops, more than \(Int32.max): repeat less")
        }
    }

    private mutating func checkInstance(_ i: Int, _ template: ProgramTemplate) {
        let instance = program.instances[i]
        if instance.chips.count != template.chipCount
            || Set(instance.chips).count != instance.chips.count
            || instance.chips.contains(where: { $0.index < 0 })
        {
            report(
                "i\(i)", "dataflow-chip",
                "\(instance.chips.count) chips are given where template '\(template.name)' has "
                    + "\(template.chipCount): name so many different ones")
        }
        if let layer = instance.layer, !(0...Int(Int32.max)).contains(layer) {
            report("i\(i)", "dataflow-range", "layer \(layer) is outside 0...\(Int32.max)")
        }
        if instance.layer == nil, let tensor = template.tensorOfLayer {
            report("i\(i)", "dataflow-layer", "'\(tensor)' needs a layer: write 'layer <n>'")
        }
        let parameters = template.values.indices.filter { template.values[$0].origin == .parameter }
        if parameters.count != instance.arguments.count {
            report(
                "i\(i)", "dataflow-argument",
                "\(instance.arguments.count) arguments are given for \(parameters.count) parameters"
                    + " of '\(template.name)': give one each")
        }
        for (parameter, argument) in zip(parameters, instance.arguments) {
            checkArgument(i, argument, template.values[parameter])
        }
    }

    private mutating func checkArgument(
        _ i: Int, _ argument: Instance.Argument, _ parameter: Value
    ) {
        let name = "i\(argument.instance).\(argument.value)"
        guard (0..<i).contains(argument.instance),
            case let earlier = program.instances[argument.instance],
            program.templates.indices.contains(earlier.template),
            case let values = program.templates[earlier.template].values,
            values.indices.contains(argument.value.index)
        else {
            report("i\(i)", "dataflow-argument", "\(name) is no value of an earlier instance")
            return
        }
        let value = values[argument.value.index]
        if value.type != parameter.type || value.count != parameter.count {
            report(
                "i\(i)", "dataflow-argument",
                "\(name) is \(value.type) [\(value.count)], parameter '\(parameter.name)' is "
                    + "\(parameter.type) [\(parameter.count)]: bind one of the same type and count")
        }
        let instance = program.instances[i]
        guard earlier.chips.indices.contains(value.chip),
            instance.chips.indices.contains(parameter.chip)
        else { return }
        if earlier.chips[value.chip] != instance.chips[parameter.chip] {
            report(
                "i\(i)", "dataflow-argument",
                "\(name) is on \(earlier.chips[value.chip]), parameter '\(parameter.name)' on "
                    + "\(instance.chips[parameter.chip]): transfer it first")
        }
    }

    /// A region is an image, and each of its versions is overwritten once: it exists only once.
    mutating func checkRegions() {
        let numbering = Numbering(program)
        var isRegion: [Bool] = []
        var isOverwritten = Array(repeating: false, count: numbering.valueCount)
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            isRegion += template.values.map { template.holdsRegion($0) }
            for (o, op) in template.ops.enumerated() {
                guard case .scatter(let use, _, _, _) = op.kind else { continue }
                let region = numbering.value(use.value, of: i).index
                let place = "\(template.name).\(OpID(o))"
                if !isRegion[region] {
                    report(
                        place, "dataflow-region",
                        "in i\(i) \(use.value) is neither an image nor a version of one: scatter "
                            + "into an image")
                }
                if isOverwritten[region] {
                    report(
                        place, "dataflow-region",
                        "in i\(i) \(use.value) was scattered into before: scatter into the newest "
                            + "version")
                }
                isOverwritten[region] = true
            }
        }
    }
}

extension ProgramTemplate {
    /// `true` iff `value` is an image or a scatter's result.
    fileprivate func holdsRegion(_ value: Value) -> Bool {
        switch value.origin {
        case .image: return true
        case .parameter: return false
        case .op(let op):
            if case .scatter = ops[op.index].kind { return true }
            return false
        }
    }

    /// The first tensor name in which `$layer` or `$next` stands.
    fileprivate var tensorOfLayer: String? {
        for value in values {
            for tensor in value.tensors
            where tensor.contains("$layer") || tensor.contains("$next") {
                return tensor
            }
        }
        return nil
    }
}

extension Value {
    /// The tensors that its formula and meaning name.
    var tensors: [String] {
        let meant = meaning.map { [$0.tensor] } ?? []
        guard case .image(let formula) = origin else { return meant }
        switch formula {
        case .weights(let layout, _, let scale), .scales(let layout, _, let scale):
            return [layout.tensor] + (scale.map { [$0] } ?? []) + meant
        case .greatestScale(let tensor, _, let scale):
            return [tensor] + (scale.map { [$0] } ?? []) + meant
        case .constant, .diagonal, .table, .rotary, .zero: return meant
        }
    }
}
