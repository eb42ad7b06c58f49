import Foundation
import LPUCompiler
import LPUDataflow
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSupport
import LPUTesting
import Testing

/// Every kind of file with a few bytes, words or lines changed: each is refused with the place of
/// what is wrong, or read as a value that its own text gives again.
@Suite struct CorruptionTests {
    /// A kind of file, its lawful text, and what reading a text gives: another text.
    struct Kind: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var text: [UInt8]
        var read: @Sendable ([UInt8]) throws -> [UInt8]
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Graphs")

    static let kinds: [Kind] = {
        let random = RandomProgram(seed: 1_007)
        let program = random.program
        guard
            let schedule = try? LPUScheduler.schedule(
                program, digest: program.digest, for: groqchip),
            let config = try? Data(contentsOf: folder.appending(path: "tiny-qwen3.json"))
        else { preconditionFailure("the lawful texts can be made") }
        @Sendable func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        return [
            Kind(testDescription: "config", text: [UInt8](config)) {
                let model = try ModelConfiguration(huggingFace: $0, file: "config.json")
                return Array(ModelGraph(model).description.utf8)
            },
            Kind(testDescription: "machine", text: Array(groqchip.text.utf8)) {
                Array(try Machine(parsing: string($0), file: "m.machine").text.utf8)
            },
            Kind(
                testDescription: "plan",
                text: Array(
                    Plan(
                        context: 40, tensorParallel: 2, pipelineStages: 3, stageLayers: [2, 2, 1]
                    ).text.utf8)
            ) {
                Array(try Plan(parsing: string($0), file: "plan.txt").text.utf8)
            },
            Kind(testDescription: "dataflow", text: Array(program.text.utf8)) {
                let program = try Program(text: string($0), file: "dataflow.txt")
                try program.validate()
                return Array(program.text.utf8)
            },
            Kind(testDescription: "schedule", text: schedule.text(on: groqchip)) {
                try Schedule(parsing: $0, file: "schedule.txt", machine: groqchip)
                    .text(on: groqchip)
            },
        ]
    }()

    @Test(arguments: kinds) func `corruptions are diagnosed or read as what they say`(
        kind: Kind
    ) throws {
        var (refused, equal) = (0, 0)
        let original = try kind.read(kind.text)
        for seed in UInt64(0)..<2_000 {
            var random = SeededGenerator(seed: seed)
            let bytes = corrupted(kind.text, &random)
            do {
                let text = try kind.read(bytes)
                // The model's graph is no file: it cannot be read again.
                if kind.testDescription != "config" {
                    #expect(try kind.read(text) == text, "seed \(seed)")
                }
                if text == original { equal += 1 }
            } catch let error as DiagnosticSet {
                refused += 1
                #expect(!error.isEmpty, "seed \(seed)")
                #expect(
                    error.diagnostics.allSatisfy { !$0.message.isEmpty && !$0.id.isEmpty },
                    "seed \(seed)")
            }
        }
        print(
            "2000 corruptions of a \(kind.testDescription): \(refused) refused, \(equal) read "
                + "as the original, \(2_000 - refused - equal) as another value")
        #expect(refused > 500)
    }
}

/// The ends of the types, and words that stand for much.
private let words = [
    "", "0", "-1", "1", "2147483648", "9223372036854775808", "-9223372036854775808", "1e400",
    "0x", "0xffffffffff", "nan", "x", "\"", "{", "[[[[", "\u{0}", "\u{feff}", "..<", "@", "é",
]

/// One to three changes: bytes flipped, cut out or repeated, words replaced, lines dropped, doubled
/// or swapped, the end cut off.
func corrupted(_ text: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = text
    for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
        let start = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, start + Int.random(in: 1...40, using: &random))
        switch Int.random(in: 0..<9, using: &random) {
        case 0: bytes[start] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[start] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.removeSubrange(start..<end)
        case 3: bytes.insert(contentsOf: bytes[start..<end], at: start)
        case 4: bytes.removeSubrange(start...)
        case 5, 6:
            let isWord = { (byte: UInt8) in !" \n,:.<>+-[]{}\"".utf8.contains(byte) }
            let from = bytes[..<start].lastIndex { !isWord($0) }.map { $0 + 1 } ?? 0
            let to = bytes[start...].firstIndex { !isWord($0) } ?? bytes.count
            let word = words[Int.random(in: 0..<words.count, using: &random)]
            bytes.replaceSubrange(from..<max(from, to), with: Array(word.utf8))
        case _:
            var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            let line = Int.random(in: 0..<lines.count, using: &random)
            let other = Int.random(in: 0..<lines.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: lines.remove(at: line)
            case 1: lines.insert(lines[line], at: other)
            case _: lines.swapAt(line, other)
            }
            bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
        }
    }
    return bytes
}
