import Foundation
import LPUSupport
import Testing

/// The same files, byte for byte, from fresh processes: each with hash seeds of its own, in one
/// thread or two, from two places of the repository.
@Suite struct ProcessesTests {
    private static let isLong = ProcessInfo.processInfo.environment["LPUC_LONG"] == "1"

    /// Two copies of the binary and of a model under other paths.
    private func clones(_ model: String, in folder: Folder) throws -> [(Binary, String)] {
        try ["one", "another/longer path"].map { path in
            let root = folder / path
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
            let original = try Binary("lpuc")
            let binary = root.appending(path: "lpuc")
            try FileManager.default.copyItem(at: original.url, to: binary)
            let config = root.appending(path: model)
            try FileManager.default.copyItem(
                at: Binary.root.appending(path: "Graphs/\(model)"), to: config)
            return (Binary(url: binary), config.path)
        }
    }

    /// The first line of a file of which two compilations differ.
    private func difference(_ one: [String: Data], _ other: [String: Data]) -> String {
        for name in Set(one.keys).union(other.keys).sorted() where one[name] != other[name] {
            func lines(_ data: Data?) -> [Substring] {
                String(decoding: data ?? Data(), as: UTF8.self).split(separator: "\n")
            }
            let (a, b) = (lines(one[name]), lines(other[name]))
            let line = zip(a, b).prefix { $0 == $1 }.count
            return "\(name) from line \(line + 1) on: \(a.dropFirst(line).first ?? "nothing"), "
                + "\(b.dropFirst(line).first ?? "nothing")"
        }
        return "no file"
    }

    private func check(_ model: String, _ options: [String], processes: Int) throws {
        let folder = try Folder()
        let clones = try clones(model, in: folder)
        var first: [String: Data]?
        for k in 0..<processes {
            let (lpuc, config) = clones[k / 2 % 2]
            let target = folder / "target\(k)"
            let outcome = try lpuc.run(
                ["compile", config] + options + [
                    "--threads", "\(1 + k % 2)", "-o", target.path,
                ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let found = try contents(of: target)
            try FileManager.default.removeItem(at: target)
            guard let expected = first else {
                first = found
                continue
            }
            #expect(
                found == expected, "process \(k): \(difference(expected, found))")
        }
        print("\(model): \(processes) processes, \(first?.count ?? 0) files each")
    }

    @Test func smallModelIsTheSame() throws {
        try check(
            "tiny-llama.json", ["--machine", "groqchip1", "--context", "8"],
            processes: Self.isLong ? 20 : 6)
    }

    @Test(.enabled(if: isLong)) func llama8BIsTheSame() throws {
        try check(
            "llama-3.1-8b.json",
            [
                "--machine", "lpx256", "--weights", "fp8", "--kv", "fp8", "--context", "8192",
            ], processes: 20)
    }
}
