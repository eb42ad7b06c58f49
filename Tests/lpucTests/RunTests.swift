import Foundation
import Testing

/// Trained models on the simulated machine, against their reference implementation.
@Suite struct RunTests {
    private static let goldens = Binary.root.appending(path: "Tests/LPUCheckpointTests/Goldens")
    private static let tiny = goldens.appending(path: "tiny.gguf").path
    private static let smolLM = Binary.root
        .appending(path: "Weights/SmolLM2-135M-Instruct.Q4_1.gguf").path
    private static let hasSmolLM = FileManager.default.fileExists(atPath: smolLM)
    private static let isLong = ProcessInfo.processInfo.environment["LPUC_LONG"] == "1"

    private struct Figures: Decodable {
        var prompt: [Int]
        var tokens: [Int]
        var text: String?
        var cyclesPerToken: Int
        var steps: Int
        var chunks: Int
        var prefillCycles: Int?
        var caches: String
    }

    private struct Tiny: Decodable {
        struct Generation: Decodable {
            var prompt: [Int]
            var made: [Int]
        }
        var generation: Generation
    }

    /// A greedy continuation by the reference, with its runner-up of each step.
    private struct Generations: Decodable {
        struct Generation: Decodable {
            var prompt: String
            var ids: [Int]
            var made: [Int]
            var second: [Int]
            /// How far the greatest logit is ahead of the second.
            var lead: [Double]
            /// Standard deviation of a step's logits.
            var deviation: Double
        }
        var generations: [Generation]
    }

    private func read<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
        try JSONDecoder().decode(
            type, from: Data(contentsOf: Self.goldens.appending(path: name)))
    }

    private func figures(_ arguments: [String]) throws -> Figures {
        let run = try Binary("lpuc").run(["run"] + arguments + ["--format", "json"])
        #expect(run.status == 0, "\(run.errors)")
        return try JSONDecoder().decode(Figures.self, from: run.output)
    }

    /// The tiny model of the goldens gives the tokens of transformers, on one chip and two stages.
    @Test(arguments: [["groqchip1"], ["node8", "--pp", "2", "--tp", "1"]])
    func tinyModelGivesTheReferencesTokens(_ machine: [String]) throws {
        let golden = try read("tiny.json", as: Tiny.self).generation
        let ids = golden.prompt.map(String.init).joined(separator: ",")
        let figures = try figures(
            [
                Self.tiny, "--token-ids", ids, "--tokens", "\(golden.made.count)", "--ignore-end",
                "--machine",
            ] + machine)
        #expect(figures.tokens == golden.made)
        #expect(figures.steps == golden.prompt.count + golden.made.count - 1)
        #expect(figures.cyclesPerToken > 0 && figures.text?.isEmpty == false)
    }

    /// Chunks of a prompt leave the caches, and lead to the tokens, that steps do.
    @Test(arguments: [3, 4])
    func chunksOfAPromptAreAsItsTokens(_ tokens: Int) throws {
        let golden = try read("tiny.json", as: Tiny.self).generation
        let prompt = golden.prompt + golden.made.dropLast()
        let arguments = [
            Self.tiny, "--token-ids", prompt.map(String.init).joined(separator: ","), "--tokens",
            "1", "--machine", "groqchip1",
        ]
        let steps = try figures(arguments)
        let chunks = try figures(arguments + ["--prefill", "\(tokens)"])
        #expect(chunks.tokens == steps.tokens && chunks.tokens == [golden.made.last])
        #expect(chunks.caches == steps.caches && chunks.caches.count == 64)
        #expect(chunks.chunks == (prompt.count - 1) / tokens && chunks.chunks > 1)
        #expect(chunks.steps == prompt.count - chunks.chunks * tokens)
        #expect(chunks.cyclesPerToken == steps.cyclesPerToken)
        #expect(try #require(chunks.prefillCycles) < tokens * steps.cyclesPerToken)
        #expect(steps.chunks == 0 && steps.prefillCycles == nil)
    }

    /// The same of a trained model: every byte of the caches.
    @Test(.enabled(if: hasSmolLM, "run 'make weights' to fetch SmolLM2-135M-Instruct"))
    func chunksOfAPromptToSmolLMAreAsItsTokens() throws {
        let arguments = [
            Self.smolLM, "--machine", "lp30", "--tokens", "4", "--prompt",
            "Once upon a time, in a small village at the edge of a great forest, there lived",
        ]
        let steps = try figures(arguments)
        let chunks = try figures(arguments + ["--prefill", "8"])
        #expect(chunks.tokens == steps.tokens && chunks.caches == steps.caches)
        #expect(chunks.chunks == 2)
        #expect(try #require(chunks.prefillCycles) * 2 < 5 * steps.cyclesPerToken)
    }

    @Test func textGoesToStandardOutput() throws {
        let run = try Binary("lpuc").run(
            "run", Self.tiny, "--machine", "groqchip1", "--prompt", "hello", "--tokens", "3")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.errors.hasPrefix("plan        TP 1 x PP 1: "))
        #expect(run.errors.contains(" cycles a token") && run.errors.contains(" tokens/s, "))
        #expect(!run.text.isEmpty && !run.text.contains("cycles"))
    }

    private struct Scores: Decodable {
        struct Reference: Decodable {
            struct Parting: Decodable {
                var step: Int
                var lead: Double
            }
            var weights: String
            var chosen: [Int]
            var partings: [Parting]
            var perplexity: Double
            var agreements: Int
            var greatestError: Double
        }
        var tokens: [Int]
        var chosen: [Int]
        var perplexity: Double
        var references: [Reference]
    }

    private func scores(_ arguments: [String]) throws -> Scores {
        let run = try Binary("lpuc").run(
            ["run", "--perplexity", "--format", "json"] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        return try JSONDecoder().decode(Scores.self, from: run.output)
    }

    /// Logits that pass the ALUs are those of the model, on one chip and on chips that share it.
    @Test(arguments: [["groqchip1"], ["node8", "--tp", "2", "--pp", "2"]])
    func logitsAreTheReferences(_ machine: [String]) throws {
        let golden = try read("tiny.json", as: Tiny.self).generation
        let text = golden.prompt + golden.made
        let ids = text.map(String.init).joined(separator: ",")
        let scores = try scores([Self.tiny, "--token-ids", ids, "--machine"] + machine)
        #expect(scores.tokens == text && scores.references.count == 1)
        #expect(scores.chosen.dropFirst(golden.prompt.count - 1).dropLast() == golden.made[...])
        let reference = try #require(scores.references.first)
        #expect(reference.agreements == text.count)
        #expect(reference.greatestError < 0.02)
        #expect(abs(scores.perplexity / reference.perplexity - 1) < 0.01)
        #expect(scores.perplexity > 1)
    }

    /// With quantised weights the machine is nearer to the reference that has them than to the
    /// other.
    @Test(arguments: [("fp8", 0.15), ("int8", 0.02)])
    func quantisedLogitsAreTheQuantisedReferences(_ type: String, _ bound: Double) throws {
        let golden = try read("tiny.json", as: Tiny.self).generation
        let ids = (golden.prompt + golden.made).map(String.init).joined(separator: ",")
        let scores = try scores([
            Self.tiny, "--token-ids", ids, "--machine", "groqchip1", "--weights", type,
        ])
        #expect(scores.references.map(\.weights).last == "the machine's \(type) weights")
        #expect(scores.references[1].greatestError < bound)
        #expect(scores.references[1].greatestError < scores.references[0].greatestError / 2)
    }

    @Test(arguments: ["fp8", "int8"])
    func errorsByQuantisationAreListed(_ type: String) throws {
        let run = try Binary("lpuc").run(
            "run", Self.tiny, "--machine", "groqchip1", "--weights", type, "--quantisation")
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.text.split(separator: "\n")
        #expect(
            lines.contains { $0.hasPrefix("model.layers.1.mlp.down_proj.weight \(type): relative") }
        )
    }

    @Test(arguments: [
        ([Self.tiny, "--machine", "groqchip1", "--token-ids", "40"], "40 is no token"),
        ([Self.tiny, "--machine", "groqchip1", "--prompt", ""], "it has no token"),
        (["nowhere.gguf", "--machine", "lp30", "--prompt", "a"], "no such file"),
        ([Self.tiny, "--machine", "groqchip1", "--prompt", "a", "--tokens", "40"], "context"),
    ])
    func whatCannotRunIsSaid(_ arguments: [String], _ words: String) throws {
        let run = try Binary("lpuc").run(["run"] + arguments)
        #expect(run.status == 1)
        #expect(run.errors.contains(words), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    /// SmolLM2-135M-Instruct in fp16 on one lp30 gives the tokens of the reference in float32.
    /// Where they part, the reference's own first two are closer than the logits' bound.
    @Test(
        .enabled(if: hasSmolLM, "run 'make weights' to fetch SmolLM2-135M-Instruct"),
        arguments: isLong ? Array(0..<20) : [0])
    func smolLMGivesTheReferencesTokens(_ index: Int) throws {
        let golden = try read("smollm2-generations.json", as: Generations.self).generations[index]
        let count = Self.isLong ? golden.made.count : 16
        let figures = try figures([
            Self.smolLM, "--machine", "lp30", "--prompt", golden.prompt, "--tokens", "\(count)",
            "--ignore-end",
        ])
        #expect(figures.prompt == golden.ids)
        #expect(figures.tokens.count == count)
        let expected = Array(golden.made.prefix(count))
        guard let step = zip(figures.tokens, expected).enumerated().first(where: { $1.0 != $1.1 })
        else { return }
        #expect(figures.tokens[step.offset] == golden.second[step.offset])
        #expect(
            golden.lead[step.offset] <= 0.01 * golden.deviation,
            "step \(step.offset) of '\(golden.prompt)' parts at \(golden.lead[step.offset])")
    }

    /// A text's logits of SmolLM2 with quantised weights are those of a reference that has them:
    /// first choices and the greatest error of Documentation/Checkpoints.md.
    @Test(
        .enabled(if: hasSmolLM && isLong, "LPUC_LONG=1 reads a text with SmolLM2-135M-Instruct"),
        arguments: [("fp8", 213, 0.4), ("int8", 215, 0.05)])
    func smolLMsQuantisedLogitsAreTheReferences(
        _ type: String, _ agreements: Int, _ bound: Double
    ) throws {
        let text = Self.goldens.appending(path: "perplexity.txt").path
        let scores = try scores([
            Self.smolLM, "--prompt-file", text, "--machine", "lp30", "--weights", type,
        ])
        let reference = try #require(scores.references.last)
        #expect(scores.tokens.count == 215 && reference.agreements >= agreements)
        #expect(reference.greatestError < bound)
        #expect(abs(scores.perplexity / reference.perplexity - 1) < 0.003)
    }

    /// What SmolLM2 foretells of the reference's texts, on one chip and on several: logits within
    /// the bound of Documentation/Checkpoints.md, and other choices only where the reference's
    /// first two are closer than it.
    @Test(
        .enabled(if: hasSmolLM && isLong, "LPUC_LONG=1 compares logits of SmolLM2-135M-Instruct"),
        arguments: 0..<20)
    func smolLMsLogitsAreTheReferences(_ index: Int) throws {
        let golden = try read("smollm2-generations.json", as: Generations.self).generations[index]
        let plans = [
            ["lp30"], ["lpx256", "--tp", "2", "--pp", "1"], ["lpx256", "--tp", "8", "--pp", "1"],
            ["lpx256", "--tp", "16", "--pp", "1"], ["lpx256", "--tp", "1", "--pp", "2"],
        ]
        let ids = (golden.ids + golden.made).map(String.init).joined(separator: ",")
        let scores = try scores(
            [Self.smolLM, "--token-ids", ids, "--machine"] + plans[index % plans.count])
        let reference = try #require(scores.references.first)
        #expect(Array(reference.chosen.dropFirst(golden.ids.count - 1).dropLast()) == golden.made)
        // What chips that share layers tell each other is rounded to the links' fp16.
        let bound = (1...3).contains(index % plans.count) ? 0.1 : 0.05
        #expect(reference.greatestError < bound)
        #expect(reference.partings.allSatisfy { $0.lead < 0.01 })
    }
}
