import ArgumentParser
import Foundation
import LPUCompiler

/// Who reads standard output.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// What people see: answers on standard output, everything else on standard error.
enum Console {
    static func print(_ bytes: [UInt8]) { FileHandle.standardOutput.write(Data(bytes)) }
    static func print(_ text: String) { print(Array(text.utf8)) }

    /// A value as JSON with sorted keys.
    static func print(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print([UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }

    /// Lines on standard error, the word `error:` red where a terminal may show it.
    static func complain(_ text: String) {
        let isPlain =
            !isTerminal || ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty == false
        let shown =
            isPlain ? text : text.replacing("error:", with: "\u{1b}[31merror:\u{1b}[0m")
        FileHandle.standardError.write(Data((shown + "\n").utf8))
    }

    static let isTerminal = isatty(FileHandle.standardError.fileDescriptor) == 1
}

/// Names the phases with their times on standard error, for a person who waits.
struct Progress {
    private let clock = ContinuousClock()
    private var running: (name: String, start: ContinuousClock.Instant)?

    /// Ends the phase under way, if any, and begins one.
    mutating func begin(_ name: String) {
        end()
        running = (name, clock.now)
    }

    mutating func end() {
        if let running, Console.isTerminal {
            let milliseconds = (clock.now - running.start) / .milliseconds(1)
            Console.complain("\(running.name): \(Int(milliseconds)) ms")
        }
        running = nil
    }
}
