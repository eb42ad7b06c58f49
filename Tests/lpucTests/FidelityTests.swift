import Foundation
import Testing

/// The commands of `Documentation/Fidelity.md` print what stands below them. LPUC_BLESS=1 rewrites
/// it; commands marked `# long` are run where LPUC_LONG=1.
@Suite struct FidelityTests {
    private static let document = Binary.root.appending(path: "Documentation/Fidelity.md")
    private static let environment = ProcessInfo.processInfo.environment

    /// A command, and the numbers of the lines that tell what it prints.
    private struct Command {
        var arguments: [String]
        var isLong: Bool
        var lines: [Int] = []
    }

    private var lines: [String]
    private var commands: [Command] = []
    private let folder: Folder

    /// The indented blocks: machine files, by the names that commands call them, and commands.
    init() throws {
        let text = try String(contentsOf: Self.document, encoding: .utf8)
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        folder = try Folder()
        var machine: (name: String, text: String)?
        for (i, line) in (lines + [""]).enumerated() {
            guard line.hasPrefix("    ") else {
                if let file = machine {
                    try Data(file.text.utf8).write(to: folder / file.name)
                }
                machine = nil
                continue
            }
            let words = line.split(separator: " ").map(String.init)
            if words[0] == "machine" {
                machine = (words[1] + ".machine", line + "\n")
            } else if machine != nil {
                machine?.text += line + "\n"
            } else if words[0] == "$" {
                let arguments = words.dropFirst(2).prefix { $0 != "#" }
                commands.append(
                    Command(arguments: Array(arguments), isLong: words.last == "long"))
            } else {
                commands[commands.count - 1].lines.append(i)
            }
        }
    }

    @Test func commandsPrintWhatIsWritten() throws {
        let lpuc = try Binary("lpuc")
        var blessed = lines
        #expect(commands.count == 10 && commands.allSatisfy { !$0.lines.isEmpty })
        for command in commands where !command.isLong || Self.environment["LPUC_LONG"] == "1" {
            let outcome = try lpuc.run(
                command.arguments.map {
                    $0.hasSuffix(".machine") ? (folder / $0).path : $0
                })
            let printed = (outcome.text + outcome.errors).split(separator: "\n").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            for i in command.lines {
                let expected = lines[i].trimmingCharacters(in: .whitespaces)
                let first = expected.split(separator: " ")[0]
                let same = try #require(
                    printed.first { $0.hasPrefix(first + " ") },
                    "\(command.arguments) prints no '\(first)': \(printed)")
                #expect(same == expected, "\(command.arguments): LPUC_BLESS=1 rewrites it")
                blessed[i] = "    " + same
            }
        }
        if Self.environment["LPUC_BLESS"] == "1" {
            try blessed.joined(separator: "\n").write(
                to: Self.document, atomically: true, encoding: .utf8)
        }
    }

    /// The table's figures are those of the commands.
    @Test func tableSaysTheSame() throws {
        let text = lines.joined(separator: "\n")
        let table = lines.filter { $0.hasPrefix("| ") }.joined(separator: "\n")
        for rate in ["1,025", "709", "461"] {
            #expect(table.contains("\(rate) tokens/s/user"))
            #expect(text.contains("rate        \(rate) tokens/s"))
        }
        #expect(table.contains("192.7 us") && text.contains("cycles, 192.7 us a text"))
        #expect(table.contains("1.184 us") && text.contains("1184 ns"))
    }
}
