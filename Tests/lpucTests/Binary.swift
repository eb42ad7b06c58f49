import Foundation
import Testing

/// Runs a binary of this package, which stands next to the test bundle, in a process of its own.
struct Binary {
    struct Outcome {
        var status: Int32
        var output: Data
        var errors: String
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    let url: URL

    init(url: URL) { self.url = url }

    init(_ name: String) throws {
        var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        // A bundle may be a folder with the code some levels down.
        while folder.path != "/",
            !FileManager.default.isExecutableFile(atPath: folder.appending(path: name).path)
        {
            folder = folder.deletingLastPathComponent()
        }
        url = folder.appending(path: name)
        try #require(FileManager.default.isExecutableFile(atPath: url.path), "no binary \(name)")
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let config = root.appending(path: "Graphs/tiny-llama.json").path

    /// Output goes through files, so that no pipe fills up.
    func start(_ arguments: [String], output: URL, errors: URL) throws -> Process {
        let process = Process()
        process.executableURL = url
        process.arguments = arguments
        process.currentDirectoryURL = Binary.root
        process.environment = ["COLUMNS": "100", "PATH": "/usr/bin:/bin"]
        for file in [output, errors] {
            try Data().write(to: file)
        }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        return process
    }

    func run(_ arguments: String...) throws -> Outcome { try run(arguments) }

    func run(_ arguments: [String]) throws -> Outcome {
        let folder = try Folder()
        let (output, errors) = (folder / "output", folder / "errors")
        let process = try start(arguments, output: output, errors: errors)
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try Data(contentsOf: output),
            errors: try String(contentsOf: errors, encoding: .utf8))
    }
}

/// A folder that is removed with the value.
final class Folder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "lpuc-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    static func / (folder: Folder, name: String) -> URL { folder.url.appending(path: name) }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
    }
}

/// Every file of a folder by name.
func contents(of folder: URL) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    return Dictionary(
        uniqueKeysWithValues: try names.map {
            ($0, try Data(contentsOf: folder.appending(path: $0)))
        })
}
