import ArgumentParser
import Foundation
import LPUCompiler

/// Who reads standard output.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// What people see: answers on standard output, everything else on standard error.
enum Console {
    /// Ends the process with status 1 where standard output takes no more.
    static func print(_ bytes: [UInt8]) {
        guard let code = write(bytes, to: STDOUT_FILENO) else { return }
        complain("standard output: error: \(systemReason(code)) [file-write]")
        Foundation.exit(1)
    }

    static func print(_ text: String) { print(Array(text.utf8)) }

    /// A value as JSON with sorted keys.
    static func print(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print([UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }

    /// What the system said where it did not take all of them.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 && errno != EINTR { return errno }
            rest = rest.dropFirst(max(count, 0))
        }
        return nil
    }

    /// Lines on standard error, the word `error:` red where a terminal may show it. What a file
    /// holds may be quoted in them: no byte of it steers the terminal.
    static func complain(_ text: String) {
        let text = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    $0 == "\n" || $0.properties.generalCategory != .control ? $0 : "\u{fffd}"
                }))
        let isPlain =
            !isTerminal || ProcessInfo.processInfo.environment["NO_COLOR"]?.isEmpty == false
        let shown =
            isPlain ? text : text.replacing("error:", with: "\u{1b}[31merror:\u{1b}[0m")
        _ = write(Array((shown + "\n").utf8), to: STDERR_FILENO)
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
