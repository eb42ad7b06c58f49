import Foundation

/// The repository that the tests stand in, read as text.
enum House {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Paths from the root of all files below `folder` with the ending, sorted.
    static func files(_ folder: String, ending: String = ".swift") throws -> [String] {
        let base = root.appendingPathComponent(folder)
        let all = try FileManager.default.subpathsOfDirectory(atPath: base.path)
        return all.filter { $0.hasSuffix(ending) }.map { "\(folder)/\($0)" }.sorted()
    }
}
