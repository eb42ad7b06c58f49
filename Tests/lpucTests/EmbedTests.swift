import Foundation
import Testing

/// A trained encoder on the simulated machine, against its reference implementation.
@Suite struct EmbedTests {
    private static let miniLM = Binary.root.appending(path: "Weights/all-MiniLM-L6-v2").path
    private static let isLong = ProcessInfo.processInfo.environment["LPUC_LONG"] == "1"
    private static let hasMiniLM = FileManager.default.fileExists(atPath: miniLM)

    /// Written by Tests/LPUReferenceTests/Goldens/make_encoder_goldens.py.
    private struct Golden: Decodable {
        struct Text: Decodable {
            var text: String
            var ids: [Int]
            var embedding: [Double]
        }
        var texts: [Text]
    }

    private struct Figures: Decodable {
        struct Text: Decodable {
            var ids: [Int]
            var embedding: [Double]
        }
        var texts: [Text]
        var cyclesPerText: Int
        var isNormalised: Bool
    }

    private func golden() throws -> Golden {
        let file = Binary.root.appending(path: "Tests/LPUReferenceTests/Goldens/minilm.json")
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    }

    private func cosine(_ a: [Double], _ b: [Double]) -> Double {
        guard a.count == b.count else { return -.infinity }
        func dot(_ x: [Double], _ y: [Double]) -> Double {
            zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
        return cosine.isNaN ? -.infinity : cosine
    }

    /// Figures of all texts stand in Documentation/Encoders.md.
    @Test(
        .enabled(if: hasMiniLM, "no weights of all-MiniLM-L6-v2: make weights fetches them"),
        arguments: [("fp16", 0.9999), ("int8", 0.997), ("fp8", 0.995)])
    func embeddingsAreTheReferences(_ weights: String, _ least: Double) throws {
        // Short texts: minutes for one that fills the longest context.
        let texts = try golden().texts.filter { Self.isLong || $0.ids.count <= 32 }
        #expect(texts.count >= 6)
        let run = try Binary("lpuc").run(
            ["embed", Self.miniLM] + texts.map(\.text)
                + ["--machine", "groqchip1", "--weights", weights, "--format", "json"])
        #expect(run.status == 0, "\(run.errors)")
        let figures = try JSONDecoder().decode(Figures.self, from: run.output)
        #expect(figures.isNormalised)
        #expect(figures.texts.map(\.ids) == texts.map(\.ids))
        for (found, expected) in zip(figures.texts, texts) {
            let cosine = cosine(found.embedding, expected.embedding)
            print("\(1 - cosine) below 1 of '\(expected.text.prefix(40))'")
            #expect(cosine >= least)
            let length = found.embedding.reduce(0) { $0 + $1 * $1 }
            #expect(abs(length - 1) < 1e-6)
        }
        print("all-MiniLM-L6-v2 in \(weights): \(figures.cyclesPerText) cycles a text")
    }

    @Test func whatIsNoEncoderIsRefused() throws {
        let tiny = Binary.root.appending(path: "Tests/LPUCheckpointTests/Goldens/tiny").path
        let run = try Binary("lpuc").run(["embed", tiny, "text", "--machine", "groqchip1"])
        #expect(run.status == 1)
        #expect(run.errors.contains("LlamaForCausalLM makes tokens, no embeddings"))
    }
}
