import LPUNumerics
public import LPUSupport

private let syntax = "plan-syntax"

extension Plan {
    private static let keys = [
        "plan", "context", "users", "weights", "kv", "tensorParallel", "pipelineStages",
    ]

    /// The plan as text, a key a line; reading it gives an equal plan.
    public var text: String {
        "plan 1\ncontext \(context)\nusers \(users)\n"
            + "weights \(weightType.rawValue)\nkv \(kvType.rawValue)\n"
            + "tensorParallel \(tensorParallel)\npipelineStages \(pipelineStages)"
            + (stageLayers.isEmpty ? "" : " layers" + stageLayers.map { " \($0)" }.joined())
            + "\n"
    }

    /// Reads the text form; `file` names it in diagnostics. Without a line of users there is one.
    /// - Throws: the first line that cannot be read, or the keys that are missing (`plan-syntax`).
    public init(parsing text: String, file: String) throws(DiagnosticSet) {
        self.init(context: 0)
        var line = LineScanner(Array(text.utf8), file: file)
        var missing = Self.keys
        while line.nextLine() {
            let key = try line.word("a key", id: syntax)
            guard let index = missing.firstIndex(where: { $0 == key }) else {
                throw line.error(
                    syntax,
                    "'\(key)' stands twice or is none of \(Self.keys.joined(separator: ", "))")
            }
            missing.remove(at: index)
            try read(key, &line)
            try line.end(id: syntax)
        }
        missing.removeAll { $0 == "users" }
        if !missing.isEmpty {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(file), id: syntax,
                    "the plan lacks \(missing.joined(separator: ", "))"))
        }
    }

    private mutating func read(_ key: Substring, _ line: inout LineScanner) throws(DiagnosticSet) {
        let positive = 1...Int(Int32.max)
        switch key {
        case "plan": _ = try line.integer("the format", in: 1...1, id: syntax)
        case "context": context = try line.integer("the context", in: positive, id: syntax)
        case "users": users = try line.integer("the number of users", in: positive, id: syntax)
        case "weights": weightType = try Self.type(&line)
        case "kv": kvType = try Self.type(&line)
        case "tensorParallel":
            tensorParallel = try line.integer("the number of chips", in: positive, id: syntax)
        case _:
            pipelineStages = try line.integer("the number of stages", in: positive, id: syntax)
            try readLayers(&line)
        }
    }

    private mutating func readLayers(_ line: inout LineScanner) throws(DiagnosticSet) {
        guard !line.isAtEnd else { return }
        let word = try line.word("'layers'", id: syntax)
        guard word == "layers" else { throw line.error(syntax, "'\(word)' is not 'layers'") }
        while !line.isAtEnd {
            stageLayers.append(
                try line.integer("the layers of a stage", in: 0...Int(Int32.max), id: syntax))
        }
        if stageLayers.count != pipelineStages {
            throw line.error(
                syntax, "layers of \(stageLayers.count) stages are given, of \(pipelineStages)")
        }
    }

    private static func type(_ line: inout LineScanner) throws(DiagnosticSet) -> ElementType {
        let word = try line.word("a type", id: syntax)
        if let type = ElementType(rawValue: String(word)) { return type }
        let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
        throw line.error(syntax, "'\(word)' is none of \(known)")
    }
}
