public import LPUSupport

/// The machine file: one key a line, with grade and reason; see Documentation/Machine.md.
extension Machine {
    /// The machine that `text` describes.
    ///
    /// A file may begin with `extends` and the name of a preset: what it does not say is the
    /// preset's. `file` names the text in diagnostics.
    /// - Throws: every line that cannot be read; if all can, every key that is missing and every
    ///   relation between values that does not hold.
    public init(parsing text: String, file: String) throws(DiagnosticSet) {
        var reader = MachineReader(file: file)
        self = try reader.read(Array(text.utf8))
    }

    /// The machine as a file that needs no other; reading it gives an equal machine.
    public var text: String {
        var writer = LineWriter()
        writer.line("machine \(name)")
        for key in MachineKey.all { write(key.name, key.text(of: chip), to: &writer) }
        for axis in topology.axes { write(axis.key, axis.text, to: &writer) }
        for reach in reaches { write(reach.key, "chips \(reach.nanoseconds) ns", to: &writer) }
        return writer.text
    }

    private func write(_ key: String, _ value: String, to writer: inout LineWriter) {
        let source = source(of: key)
        writer.line("\(key) \(value) \(source.grade.rawValue) \"\(source.reason)\"")
    }

    /// Grade and reason of a key; a number that states none is a hypothesis of ours.
    public func source(of key: String) -> Source {
        sources.first { $0.key == key }
            ?? Source(key: key, grade: .hypothesis, reason: "no source stated")
    }
}

extension Axis {
    /// What stands before its values in the file and names it in `Machine.sources`.
    var key: String { "axis \(name)" }
    var text: String {
        let wires =
            switch wiring {
            case .allToAll: ""
            case .dragonfly(let links): "dragonfly \(links) "
            case .line(let links, let reach): "line \(links) reach \(reach) "
            }
        return wires + "size \(size) firstLink \(firstLink.index) lanes \(lanes)"
            + " latency \(latency) interval \(interval)"
    }
}

extension Reach {
    var key: String { "reach \(chips)" }
}

/// Reads one machine file, collecting everything that is wrong with it.
private struct MachineReader {
    let file: String
    var name: String?
    var base: Machine?
    var chip = Chip()
    var axes: [Axis] = []
    var reaches: [Reach] = []
    var sources: [Source] = []
    /// The line that gave a key, for duplicates; looked up only.
    var lines: [String: Int] = [:]
    var diagnostics = DiagnosticSet()

    init(file: String) { self.file = file }

    mutating func read(_ bytes: [UInt8]) throws(DiagnosticSet) -> Machine {
        var scanner = LineScanner(bytes, file: file)
        while scanner.nextLine() {
            do throws(DiagnosticSet) { try readLine(&scanner) } catch {
                diagnostics.formUnion(error)
            }
        }
        try diagnostics.throwIfAny()
        for key in MachineKey.all where lines[key.name] == nil && base == nil {
            report("key '\(key.name)' is missing; write '\(key.name) <value> <grade> \"<reason>\"'")
        }
        if name == nil { report("the name is missing; write 'machine <name>'") }
        try diagnostics.throwIfAny()
        if let base, axes.isEmpty { axes = base.topology.axes }
        if let base, reaches.isEmpty { reaches = base.reaches }
        let keys = MachineKey.all.map(\.name) + axes.map(\.key) + reaches.map(\.key)
        let machine = Machine(
            name: name ?? "", chip: chip, topology: Topology(axes: axes), reaches: reaches,
            sources: keys.map { key in
                sources.first { $0.key == key } ?? base?.source(of: key)
                    ?? Source(key: key, grade: .hypothesis, reason: "no source stated")
            })
        for problem in machine.problems { report(problem) }
        try diagnostics.throwIfAny()
        return machine
    }

    private mutating func report(_ message: String) {
        diagnostics.insert(Diagnostic(at: .init(file), id: machineValue, message))
    }

    private mutating func readLine(_ scanner: inout LineScanner) throws(DiagnosticSet) {
        let word = String(try scanner.word("a key", id: machineSyntax))
        switch word {
        case "machine":
            try once(word, scanner)
            name = String(try scanner.word("the machine's name", id: machineSyntax))
            try scanner.end(id: machineSyntax)
        case "extends":
            try once(word, scanner)
            try readBase(&scanner)
        case "axis":
            try readAxis(&scanner)
        case "reach":
            let chips = try scanner.integer("a number of chips", in: 1...1024, id: machineValue)
            try once("reach \(chips)", scanner)
            try scanner.expect("chips", id: machineSyntax)
            let time = try scanner.integer("a time", in: 1...1_000_000, id: machineValue)
            try scanner.expect("ns", id: machineSyntax)
            reaches.append(Reach(chips: chips, nanoseconds: time))
            try readSource("reach \(chips)", &scanner)
        default:
            guard let key = MachineKey.named(word) else { throw unknown(word, scanner) }
            try once(word, scanner)
            try key.read(from: &scanner, into: &chip)
            try readSource(word, &scanner)
        }
    }

    private func unknown(_ word: String, _ scanner: LineScanner) -> DiagnosticSet {
        let known = ["machine", "extends", "axis", "reach"] + MachineKey.all.map(\.name)
        let hint = nearest(to: word, in: known).map { "; did you mean '\($0)'?" } ?? ""
        return scanner.error(machineSyntax, "'\(word)' is no key of a machine\(hint)")
    }

    /// Throws if an earlier line gave `key`.
    private mutating func once(_ key: String, _ scanner: LineScanner) throws(DiagnosticSet) {
        if let line = lines[key] {
            throw scanner.error(
                machineSyntax,
                "'\(key)' is given twice, in lines \(line) and \(scanner.line); remove one")
        }
        lines[key] = scanner.line
    }

    private mutating func readBase(_ scanner: inout LineScanner) throws(DiagnosticSet) {
        let preset = String(try scanner.word("a preset's name", id: machineSyntax))
        guard sources.isEmpty else {
            throw scanner.error(machineSyntax, "'extends' stands after a value; move it up")
        }
        guard let machine = Machine.preset(named: preset) else {
            throw scanner.error(
                machineSyntax, "'\(preset)' is no preset",
                notes: ["known: " + Machine.presetNames.joined(separator: ", ")])
        }
        base = machine
        chip = machine.chip
        try scanner.end(id: machineSyntax)
    }

    private mutating func readAxis(_ scanner: inout LineScanner) throws(DiagnosticSet) {
        let name = String(try scanner.word("an axis' name", id: machineSyntax))
        try once("axis \(name)", scanner)
        func integer(
            _ what: String, _ range: ClosedRange<Int>
        ) throws(DiagnosticSet) -> Int {
            try scanner.expect(what, id: machineSyntax)
            return try scanner.integer(what, in: range, id: machineValue)
        }
        var wiring = Axis.Wiring.allToAll
        if scanner.take("dragonfly") {
            let links = try scanner.integer("links", in: 1...1024, id: machineValue)
            wiring = .dragonfly(links: links)
        } else if scanner.take("line") {
            let links = try scanner.integer("links", in: 2...1024, id: machineValue)
            wiring = .line(links: links, reach: try integer("reach", 1...1024))
        }
        let size = try integer("size", 2...1024)
        let firstLink = try integer("firstLink", 0...1023)
        let lanes = try integer("lanes", 1...1024)
        let latency = try integer("latency", 1...1_000_000)
        try scanner.expect("interval", id: machineSyntax)
        axes.append(
            Axis(
                name: name, size: size, wiring: wiring, firstLink: LinkID(firstLink), lanes: lanes,
                latency: latency, interval: try scanner.interval("interval")))
        try readSource("axis \(name)", &scanner)
    }

    private mutating func readSource(
        _ key: String, _ scanner: inout LineScanner
    ) throws(DiagnosticSet) {
        let word = try scanner.word("a grade", id: machineSyntax)
        guard let grade = Grade(rawValue: String(word)) else {
            throw scanner.error(
                machineSyntax,
                "'\(word)' is no grade; it is one of "
                    + Grade.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let reason = try scanner.quoted("a reason", id: machineSyntax)
        try scanner.end(id: machineSyntax)
        sources.append(Source(key: key, grade: grade, reason: reason))
    }
}
