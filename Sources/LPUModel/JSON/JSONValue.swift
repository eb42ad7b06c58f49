package import LPUSupport

/// A JSON value with its place in the file.
package struct JSONValue {
    package indirect enum Content {
        case null
        case bool(Bool)
        /// The literal as written: integers stay exact, and `32` stays apart from `32.0`.
        case number(String)
        case string(String)
        case array([JSONValue])
        case object([JSONMember])
    }

    package var content: Content
    package var place: Diagnostic.Place

    package var isNull: Bool {
        if case .null = content { true } else { false }
    }

    /// The value for a message: `the string 'silu'`, `4096.0`, `an array`.
    package var description: String {
        switch content {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let literal): shown(literal)
        case .string(let text): "the string '\(shown(text))'"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// One `"key": value` of an object; members keep the order and the repetitions of the file.
package struct JSONMember {
    package var key: String
    /// Of the key.
    package var place: Diagnostic.Place
    package var value: JSONValue
}

/// Text of an input file, made fit for one line of a message.
package func shown(_ text: String) -> String {
    let characters = text.unicodeScalars.prefix(60).map { scalar -> Character in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: "?"
        case _: Character(scalar)
        }
    }
    return String(characters) + (text.unicodeScalars.count > 60 ? "…" : "")
}
