import Foundation
import LPUSupport
import Testing

/// Corrupted files of each kind through the binary: it ends by itself, says what is wrong with
/// which file, and leaves nothing behind.
@Suite struct CorruptedFileTests {
    private static let count: UInt64 = 8

    private func corrupted(_ text: Data, _ seed: UInt64) -> Data {
        var random = SeededGenerator(seed: seed)
        var bytes = [UInt8](text)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let start = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, start + Int.random(in: 1...40, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[start] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.removeSubrange(start..<end)
            case 2: bytes.insert(contentsOf: bytes[start..<end], at: start)
            case _: bytes.removeSubrange(start...)
            }
            if bytes.isEmpty { bytes = [0] }
        }
        return Data(bytes)
    }

    @Test(arguments: ["config", "machine", "plan", "dataflow", "schedule"])
    func binaryRefusesOrReads(_ kind: String) throws {
        let lpuc = try Binary("lpuc")
        let (folder, made) = (try Folder(), try Folder())
        let whole = made / "whole"
        let compile = ["compile", Binary.config, "--machine", "groqchip1", "-o", whole.path]
        #expect(try lpuc.run(compile + ["--context", "8"]).status == 0)
        let names = [
            "config": "config.json", "machine": "machine.txt", "plan": "plan.txt",
            "dataflow": "dataflow.txt", "schedule": "schedule.txt",
        ]
        let name = try #require(names[kind])
        let text = try Data(contentsOf: whole.appending(path: name))
        let (file, target) = (made / "corrupted-\(name)", folder / "target")
        func path(_ name: String) -> String { whole.appending(path: name).path }
        var refused = 0
        for seed in 0..<Self.count {
            try corrupted(text, seed).write(to: file)
            let arguments =
                switch kind {
                case "config":
                    [
                        "compile", file.path, "--machine", "groqchip1", "--context", "8", "-o",
                        target.path,
                    ]
                case "machine":
                    [
                        "compile", Binary.config, "--machine", file.path, "--context", "8", "-o",
                        target.path,
                    ]
                case "plan":
                    [
                        "compile", Binary.config, "--machine", "groqchip1", "--plan", file.path,
                        "-o", target.path,
                    ]
                case "dataflow":
                    [
                        "verify", path("schedule.txt"), "--dataflow", file.path, "--machine",
                        "groqchip1",
                    ]
                case _:
                    [
                        "verify", file.path, "--dataflow", path("dataflow.txt"), "--machine",
                        "groqchip1",
                    ]
                }
            let outcome = try lpuc.run(arguments)
            #expect([0, 1].contains(outcome.status), "\(kind) \(seed): \(outcome.errors)")
            if outcome.status == 0 {
                try? FileManager.default.removeItem(at: target)
            } else {
                refused += 1
                #expect(outcome.errors.contains("["), "\(kind) \(seed): \(outcome.errors)")
            }
            #expect(try folder.names.isEmpty, "\(kind) \(seed)")
        }
        #expect(refused > 0)
    }
}
