import LPUSupport

/// Reads the keys of one JSON object, and knows at the end which ones nobody asked for.
///
/// Every reader returns `nil` for what it reported, so that reading goes on and a file's
/// diagnostics come all at once. `null` counts as absent, as in Python.
struct ConfigObject {
    private let members: [JSONMember]
    private let place: Diagnostic.Place
    /// What stands before a key in messages, such as `rope_scaling.`.
    private let path: String
    private var known: [String] = []
    private(set) var diagnostics = DiagnosticSet()

    /// Reports keys that stand twice.
    init(_ members: [JSONMember], place: Diagnostic.Place, path: String = "") {
        self.members = members
        self.place = place
        self.path = path
        var seen: Set<String> = []
        for member in members where !seen.insert(member.key).inserted {
            report("config-key", at: member.place, "\(name(member.key)) stands twice")
        }
    }

    // MARK: Reading

    /// The value of `key`, if it stands and is not null.
    mutating func value(_ key: String) -> JSONValue? {
        known.append(key)
        guard let value = members.first(where: { $0.key == key })?.value else { return nil }
        return value.isNull ? nil : value
    }

    /// Whether `key` stands, be it null.
    func stands(_ key: String) -> Bool { members.contains { $0.key == key } }

    /// The value of `key`; its absence is reported.
    mutating func required(_ key: String) -> JSONValue? {
        if let value = value(key) { return value }
        report("config-key", at: place, "\(name(key)) is missing")
        return nil
    }

    mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = required(key) else { return nil }
        return integer(value, key, in: range)
    }

    /// `absent` where the key is absent.
    mutating func integer(
        _ key: String, in range: ClosedRange<Int>, default absent: Int?
    ) -> Int? {
        guard let value = value(key) else { return absent }
        return integer(value, key, in: range)
    }

    private mutating func integer(
        _ value: JSONValue, _ key: String, in range: ClosedRange<Int>
    ) -> Int? {
        guard case .number(let literal) = value.content, !literal.contains(where: ".eE".contains)
        else { return wrongType(key, value, "an integer") }
        guard let number = Int(literal), range.contains(number) else {
            return outside(key, value, "\(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    mutating func real(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = required(key) else { return nil }
        return real(value, key, in: range)
    }

    /// `nil` where the key is absent, too.
    mutating func real(ifPresent key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = value(key) else { return nil }
        return real(value, key, in: range)
    }

    private mutating func real(
        _ value: JSONValue, _ key: String, in range: ClosedRange<Double>
    ) -> Double? {
        guard case .number(let literal) = value.content else {
            return wrongType(key, value, "a number")
        }
        guard let number = Double(literal), range.contains(number) else {
            return outside(key, value, "\(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    /// `false` where the key is absent.
    mutating func flag(_ key: String) -> Bool? {
        guard let value = value(key) else { return false }
        guard case .bool(let flag) = value.content else {
            return wrongType(key, value, "true or false")
        }
        return flag
    }

    /// `nil` where the key is absent, too.
    mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value.content else {
            return wrongType(key, value, "a string")
        }
        return text
    }

    /// The object under `key`, or `nil` where the key is absent.
    mutating func object(_ key: String) -> ConfigObject? {
        guard let value = value(key) else { return nil }
        guard case .object(let members) = value.content else {
            return wrongType(key, value, "an object")
        }
        return ConfigObject(members, place: value.place, path: path + key + ".")
    }

    // MARK: Reporting

    /// Reports that the values of `key` and of another one do not fit each other.
    mutating func contradiction(_ key: String, _ message: String, try remedy: String) {
        report("config-value", at: valuePlace(key), message, notes: ["try: \(remedy)"])
    }

    /// Reports that the value of `key` asks for something that is not built; `found` says it
    /// where the value is an array.
    mutating func unsupported(_ key: String, value found: String? = nil, _ missing: String) {
        let found = found ?? members.first { $0.key == key }?.value.description ?? "absent"
        report("model-unsupported", at: valuePlace(key), "\(name(key)) is \(found): \(missing)")
    }

    /// Reports the flag `key` if it is true.
    mutating func refuse(_ key: String, _ missing: String) {
        if flag(key) == true { unsupported(key, missing) }
    }

    /// Takes over what the reader of a nested object found.
    mutating func merge(_ nested: ConfigObject) { diagnostics.formUnion(nested.diagnostics) }

    /// Reports every key that was not asked for and is not among `harmless`.
    mutating func finish(harmless: [String] = []) {
        let known = known + harmless
        for member in members where !known.contains(member.key) {
            let near = nearest(to: member.key, in: known)
            report(
                "config-key", at: member.place,
                "\(name(member.key)) is no known key: what it asks for might be lost",
                notes: near.map { ["try: '\(path)\($0)'"] } ?? [])
        }
    }

    /// Reports a value of the wrong type.
    mutating func reportType(_ key: String, _ value: JSONValue, _ expected: String) {
        report(
            "config-value", at: value.place,
            "\(name(key)) is \(value.description), \(expected) is expected")
    }

    private mutating func wrongType<T>(
        _ key: String, _ value: JSONValue, _ expected: String
    ) -> T? {
        reportType(key, value, expected)
        return nil
    }

    private mutating func outside<T>(_ key: String, _ value: JSONValue, _ range: String) -> T? {
        report(
            "config-value", at: value.place,
            "\(name(key)) is \(value.description), outside \(range)")
        return nil
    }

    private mutating func report(
        _ id: String, at place: Diagnostic.Place, _ message: String, notes: [String] = []
    ) {
        diagnostics.insert(Diagnostic(at: place, id: id, message, notes: notes))
    }

    private func name(_ key: String) -> String { "'\(path)\(shown(key))'" }

    private func valuePlace(_ key: String) -> Diagnostic.Place {
        members.first { $0.key == key }?.value.place ?? place
    }
}
