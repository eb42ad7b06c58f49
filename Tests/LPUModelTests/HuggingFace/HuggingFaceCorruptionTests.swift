import LPUModel
import LPUSupport
import Testing

@Suite struct HuggingFaceCorruptionTests {
    /// Literals that a value is replaced by: the ends of every type.
    private static let literals = [
        "null", "true", "[]", "{}", "0", "-1", "1", "2", "7", "1.5", "1e400", "-0.0", "1e-320",
        "4611686018427387904", "18446744073709551616", #""""#, #""llama3""#, "[[[[]]]]",
        #"{"rope_type": "llama3"}"#, "16777216", "512", "1048576",
    ]

    /// Cuts, flips and repeats bytes; one to three changes.
    private func corrupted(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let start = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, start + Int.random(in: 1...40, using: &generator))
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[start] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[start] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeSubrange(start..<end)
            case 3: bytes.insert(contentsOf: bytes[start..<end], at: start)
            case _: bytes.removeSubrange(start...)
            }
        }
        return bytes
    }

    /// Replaces, leaves out or repeats whole members; one to three changes.
    private func corrupted(_ text: ConfigText, _ generator: inout SeededGenerator) -> ConfigText {
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !text.members.isEmpty {
            let index = Int.random(in: 0..<text.members.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: text.members.remove(at: index)
            case 1: text.members.append(text.members[index])
            case _:
                text.members[index].literal =
                    Self.literals.randomElement(using: &generator) ?? "null"
            }
        }
        return text
    }

    /// Imports, and uses all of what a success promises to be usable.
    private func outcome(_ bytes: [UInt8]) -> String {
        do throws(DiagnosticSet) {
            let graph = ModelGraph(try ModelConfiguration(huggingFace: bytes, file: "f"))
            #expect(graph.parameterCount > 0)
            let frequencies = graph.configuration.rotary?.inverseFrequencies() ?? []
            #expect(frequencies.allSatisfy { $0 > 0 && $0 <= 1 })
            return graph.description
        } catch {
            #expect(!error.isEmpty && error.diagnostics.allSatisfy { $0.place.line > 0 })
            return error.description
        }
    }

    @Test func corruptionsAreDiagnosedOrImported() {
        for seed in 0..<4000 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let text = [ConfigText.llama, .qwen3, .bert][seed % 3]
            let bytes =
                seed % 4 < 2
                ? corrupted(Array(text.json.utf8), &generator)
                : Array(corrupted(text, &generator).json.utf8)
            #expect(outcome(bytes) == outcome(bytes), "seed \(seed)")
        }
    }

    @Test func everyPrefixIsDiagnosed() {
        let bytes = Array(ConfigText.llama.json.utf8)
        for length in bytes.indices {
            #expect(throws: DiagnosticSet.self) {
                try ModelConfiguration(huggingFace: Array(bytes.prefix(length)), file: "f")
            }
        }
    }
}
