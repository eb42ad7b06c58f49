import Foundation
import LPUModel
import LPUSupport
import Testing

@testable import LPUCheckpoint

/// Damaged files are refused in words, or read as if what was damaged did not matter; never a trap.
@Suite struct CorruptionTests {
    static let count = 2000

    /// - Parameter header: bytes in which most of the damage is done.
    private func damaged(
        _ bytes: [UInt8], header: Int, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = bytes
        let limit = Bool.random(using: &generator) ? min(header, 200) : header
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
        case 1: bytes.remove(at: Int.random(in: 0..<header, using: &generator))
        case 2:
            bytes.insert(
                UInt8.random(in: 0...255, using: &generator),
                at: Int.random(in: 0..<header, using: &generator))
        case 3:
            // Eight bytes that stand for a huge number, or one near it.
            let at = Int.random(in: 0..<header, using: &generator)
            for i in at..<min(at + 8, bytes.count) { bytes[i] = i % 2 == 0 ? 0xff : 0x7f }
        case 4:
            let (a, b) = (
                Int.random(in: 0..<header, using: &generator),
                Int.random(in: 0..<header, using: &generator)
            )
            bytes.swapAt(a, b)
        case _:
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<limit, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
        }
        return bytes
    }

    /// Opens it, reads every row, and the tokenizer; `true` iff nothing was refused.
    private func isRead(_ path: String) throws -> Bool {
        do {
            try readAll(path)
            return true
        } catch let error as DiagnosticSet {
            check(error)
            return false
        }
    }

    private func readAll(_ path: String) throws {
        let checkpoint = try Checkpoint(path: path)
        var row: [Float] = []
        for weight in ModelGraph(checkpoint.configuration).weights {
            for r in 0..<weight.rowCount {
                checkpoint.weights.readRow(r, of: weight.name, into: &row)
                #expect(row.count == weight.rowLength)
            }
        }
        let tokenizer = try checkpoint.tokenizer()
        #expect(tokenizer.encode("hello <|end|> he").count < 20)
        _ = tokenizer.decode([0, 1, 2, 1 << 40])
    }

    private func check(_ error: DiagnosticSet) {
        #expect(!error.isEmpty)
        for diagnostic in error.diagnostics {
            #expect(!diagnostic.message.isEmpty && !diagnostic.place.name.isEmpty)
            #expect(!diagnostic.message.contains("\n"), "\(diagnostic)")
        }
    }

    /// Damages one file of a checkpoint again and again; `true` of the results.
    private func readable(
        _ file: String, header: Int, seed: UInt64, in folder: URL, opening path: URL
    ) throws -> Int {
        let original = [UInt8](try Data(contentsOf: folder.appending(path: file)))
        var generator = SeededGenerator(seed: seed)
        var read = 0
        for _ in 0..<Self.count {
            let bytes = damaged(original, header: header, &generator)
            try Data(bytes).write(to: folder.appending(path: file))
            if try isRead(path.path) { read += 1 }
        }
        return read
    }

    @Test func gguf() throws {
        try Goldens.withFolder { folder in
            let file = folder.appending(path: "tiny.gguf")
            try Data(try Goldens.bytes("tiny.gguf")).write(to: file)
            #expect(try isRead(file.path))
            let read = try readable(
                "tiny.gguf", header: 3400, seed: 1, in: folder, opening: file)
            #expect(read > 10 && read < Self.count * 3 / 4, "\(read) of \(Self.count) are read")
        }
    }

    @Test(arguments: [
        ("tiny", "model.safetensors", 2300, UInt64(2)),
        ("tiny-sharded", "model.safetensors.index.json", 1600, 3),
        ("tiny", "tokenizer.json", 8000, 4),
    ])
    func directories(_ form: String, _ file: String, _ header: Int, _ seed: UInt64) throws {
        try Goldens.withFolder { folder in
            let source = Goldens.directory.appending(path: form)
            for name in try FileManager.default.contentsOfDirectory(atPath: source.path) {
                try FileManager.default.copyItem(
                    at: source.appending(path: name), to: folder.appending(path: name))
            }
            try Data(try Goldens.bytes("small-llama3.tokenizer.json"))
                .write(to: folder.appending(path: "tokenizer.json"))
            #expect(try isRead(folder.path))
            let read = try readable(
                file, header: header, seed: seed, in: folder, opening: folder)
            #expect(read < Self.count * 3 / 4, "\(read) of \(Self.count) are read")
        }
    }
}
