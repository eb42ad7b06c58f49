import LPUNumerics
public import LPUSupport

extension Program {
    /// Reads the text form; `file` names it in diagnostics.
    ///
    /// The program is well-formed, not yet legal: `problems()` says more. Throws every error found
    /// (`dataflow-syntax`), one a line.
    public init(text: String, file: String) throws(DiagnosticSet) {
        try self.init(parsing: Array(text.utf8), file: file)
    }

    /// Reads the text form's bytes, as above. O(text).
    public init(parsing text: [UInt8], file: String) throws(DiagnosticSet) {
        var parser = ProgramParser(file: file)
        var line = LineScanner(text, file: file)
        while line.nextLine() { parser.readLine(&line) }
        self = try parser.finish()
    }
}

/// The state between two lines.
private struct ProgramParser {
    /// The pieces that a `piece` line adds to.
    enum Layouts { case none, formula, meaning }
    struct NumberedValue {
        var id: ValueID
        var value: Value
        var place: Diagnostic.Place
    }

    let file: String
    var errors = DiagnosticSet()
    var name: String?
    var lanes: (all: Int, superlane: Int)?
    var users: Int?
    var templates: [ProgramTemplate] = []
    var instances: [Instance] = []
    /// Of the template that is being read.
    var values: [NumberedValue] = []
    var layouts = Layouts.none

    init(file: String) { self.file = file }

    mutating func readLine(_ line: inout LineScanner) {
        do throws(DiagnosticSet) {
            switch line.nextByte {
            case UInt8(ascii: "v"): try readValue(&line)
            case UInt8(ascii: "i"): try readInstance(&line)
            case _: try readOther(&line)
            }
            try line.end(id: syntax)
        } catch {
            errors.formUnion(error)
        }
    }

    private mutating func readOther(_ line: inout LineScanner) throws(DiagnosticSet) {
        let first = line.peek ?? ""
        switch first {
        case "program": try readProgram(&line)
        case "lanes": try readLanes(&line)
        case "users":
            try line.expect("users", id: syntax)
            if users != nil { throw line.error(syntax, "a second line 'users'") }
            users = try line.number("the number of users")
        case "template": try readTemplate(&line)
        case "piece": try readPiece(&line)
        case "means": try readMeaning(&line)
        case _:
            _ = try line.word("a line", id: syntax)
            throw line.error(
                syntax,
                "'\(first)' opens no line: program, lanes, users, template, v<n>, piece, "
                    + "means, i<n>")
        }
    }

    mutating func finish() throws(DiagnosticSet) -> Program {
        endTemplate()
        if name == nil { report(Diagnostic.Place(file), "there is no line 'program <name>'") }
        if lanes == nil { report(Diagnostic.Place(file), "there is no line 'lanes <n> <n>'") }
        try errors.throwIfAny()
        return Program(
            name: name ?? "", lanes: lanes?.all ?? 0, lanesPerSuperlane: lanes?.superlane ?? 0,
            users: users ?? 1, templates: templates, instances: instances)
    }

    private mutating func report(_ place: Diagnostic.Place, _ message: String) {
        errors.insert(Diagnostic(at: place, id: syntax, message))
    }

    private mutating func readProgram(_ line: inout LineScanner) throws(DiagnosticSet) {
        try line.expect("program", id: syntax)
        if name != nil { throw line.error(syntax, "a second line 'program'") }
        name = String(try line.word("a name", id: syntax))
    }

    private mutating func readLanes(_ line: inout LineScanner) throws(DiagnosticSet) {
        try line.expect("lanes", id: syntax)
        if lanes != nil { throw line.error(syntax, "a second line 'lanes'") }
        let all = try line.number("the lanes of a vector")
        lanes = (all, try line.number("the lanes of a superlane"))
    }

    private mutating func readTemplate(_ line: inout LineScanner) throws(DiagnosticSet) {
        endTemplate()
        try line.expect("template", id: syntax)
        let name = String(try line.word("a name", id: syntax))
        templates.append(ProgramTemplate(name: name, chipCount: 0))
        if !instances.isEmpty { throw line.error(syntax, "a template stands after an instance") }
        try line.expect("chips", id: syntax)
        templates[templates.count - 1].chipCount = try line.number("the number of chips")
    }

    /// Puts the values that were read in the order of their numbers.
    private mutating func endTemplate() {
        layouts = .none
        if zip(values, values.dropFirst()).contains(where: { $0.id >= $1.id }) {
            values.sort { ($0.id, $0.place) < ($1.id, $1.place) }
        }
        for (i, found) in values.enumerated() {
            if found.id.index != i && errors.isEmpty {
                report(
                    found.place,
                    "value \(found.id) stands where \(ValueID(i)) is expected: numbers start at v0,"
                        + " and none is missing or used twice")
            }
            templates[templates.count - 1].values.append(found.value)
        }
        values.removeAll()
    }

    private mutating func readValue(_ line: inout LineScanner) throws(DiagnosticSet) {
        layouts = .none
        let place = line.place
        let id = try line.entity(ValueID.self, id: syntax)
        guard !templates.isEmpty, instances.isEmpty else {
            throw line.error(syntax, "a value stands outside a template")
        }
        var name = String(try line.word("a name", id: syntax))
        if name.hasSuffix(".") { name += "\(id.index)" }
        let type = try line.elementType()
        let count = try line.number("a number of vectors")
        let chip = try line.suffixed("place", "a place such as 'place0'")
        try line.expect("=", id: syntax)
        let origin: Origin
        if line.nextByte == UInt8(ascii: "o") {
            origin = .op(try readOp(&line, result: id, count: count))
        } else if line.take("parameter") {
            origin = .parameter
        } else if let formula = try line.formula() {
            origin = .image(formula)
            if formula.layout != nil { layouts = .formula }
        } else {
            origin = .op(try readOp(&line, result: id, count: count))
        }
        let value = Value(name: name, chip: chip, type: type, count: count, origin: origin)
        values.append(NumberedValue(id: id, value: value, place: place))
    }

    /// Reads an op, whose result has `count` vectors, into the last template.
    private mutating func readOp(
        _ line: inout LineScanner, result: ValueID, count: Int
    ) throws(DiagnosticSet) -> OpID {
        let id = try line.entity(OpID.self, id: syntax)
        let next = OpID(templates[templates.count - 1].ops.count)
        if id != next && errors.isEmpty {
            throw line.error(syntax, "'\(id)' stands where '\(next)' is expected: ops are in order")
        }
        let iterations = line.take("count") ? try line.number("a number of iterations") : count
        let chain = line.take("chain") ? try line.number("a number of a chain") : nil
        let kind = try line.opKind()
        templates[templates.count - 1].ops.append(
            Op(kind, count: iterations, result: result, chain: chain))
        return id
    }

    private mutating func readMeaning(_ line: inout LineScanner) throws(DiagnosticSet) {
        try line.expect("means", id: syntax)
        guard !values.isEmpty else { throw line.error(syntax, "no value stands above the line") }
        guard values[values.count - 1].value.meaning == nil else {
            throw line.error(syntax, "a second meaning of one value")
        }
        let tensor = String(try line.word("a tensor", id: syntax))
        values[values.count - 1].value.meaning = Layout(tensor: tensor, pieces: [])
        layouts = .meaning
    }

    private mutating func readPiece(_ line: inout LineScanner) throws(DiagnosticSet) {
        try line.expect("piece", id: syntax)
        let piece = try line.piece()
        switch layouts {
        case .none:
            throw line.error(syntax, "a piece stands below 'weights', 'scales', 'means' or a piece")
        case .formula: values[values.count - 1].value.append(piece)
        case .meaning: values[values.count - 1].value.meaning?.pieces.append(piece)
        }
    }

    private mutating func readInstance(_ line: inout LineScanner) throws(DiagnosticSet) {
        endTemplate()
        let index = try line.suffixed("i", "an instance such as 'i0'")
        if index != instances.count && errors.isEmpty {
            throw line.error(syntax, "'i\(index)' stands where 'i\(instances.count)' is expected")
        }
        let name = try line.word("the name of a template", id: syntax)
        guard let template = templates.firstIndex(where: { $0.name == name }) else {
            throw line.error(syntax, "no template is named '\(name)'")
        }
        var instance = Instance(template: template, chips: [])
        while let word = line.peek, word.hasPrefix(ChipID.prefix) {
            instance.chips.append(try line.entity(ChipID.self, id: syntax))
        }
        if line.take("layer") { instance.layer = try line.number("a layer") }
        if line.take("with") {
            repeat { instance.arguments += try line.arguments() } while !line.isAtEnd
        }
        instances.append(instance)
    }
}

extension Value {
    /// Adds a piece to the layout of its formula.
    fileprivate mutating func append(_ piece: Piece) {
        guard case .image(let formula) = origin else { return }
        switch formula {
        case .weights(var layout, let factor, let scale):
            layout.pieces.append(piece)
            origin = .image(.weights(layout, factor: factor, columnScale: scale))
        case .scales(var layout, let factor, let scale):
            layout.pieces.append(piece)
            origin = .image(.scales(layout, factor: factor, columnScale: scale))
        case .greatestScale, .constant, .diagonal, .table, .rotary, .zero: break
        }
    }
}
