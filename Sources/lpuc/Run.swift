import ArgumentParser
import Foundation
import LPUCheckpoint
import LPUCompiler
import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUScheduler
import LPUSupport
import LPUVerifier

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a trained model on the simulated machine and print its text.",
        discussion: """
            Compiles and verifies the model for the machine, loads its weights, reads the prompt \
            in chunks (--prefill) or token by token and decodes greedily. The text goes to \
            standard output as it is made, the figures to standard error. Control-C ends it after \
            the step under way.
            """)

    @Argument(
        help: "A .gguf file, or a directory with config.json, safetensors and tokenizer.json.")
    var model: String

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @Option(help: "The text to go on from; markers such as <|im_start|> are tokens.")
    var prompt: String?

    @Option(help: "A file with the text, in the place of --prompt.")
    var promptFile: String?

    @Option(help: "Ids of the prompt in the place of a text, separated by commas.")
    var tokenIds: String?

    @Option(help: "Tokens to make at most; the model's end token ends the text.")
    var tokens = 64

    @Option(
        help: "Tokens of the prompt that a schedule of its own reads at once; 0 for one by one.")
    var prefill = 0

    @Flag(help: "Go on behind the model's end token.")
    var ignoreEnd = false

    @Flag(
        help: "Make no tokens: print the perplexity of the prompt, and compare with references.")
    var perplexity = false

    @Flag(help: "Print the error of every tensor by quantisation and stop.")
    var quantisation = false

    @OptionGroup var options: PlanOptions

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if !quantisation, [prompt, promptFile, tokenIds].count(where: { $0 != nil }) != 1 {
            throw ValidationError("give --prompt, --prompt-file or --token-ids, one of them")
        }
        if !(1...1_000_000).contains(tokens) {
            throw ValidationError("--tokens is \(tokens), it may be 1 to 1000000")
        }
        if prefill < 0 || perplexity && prefill > 0 {
            throw ValidationError("--prefill is 0 or more, and 0 with --perplexity")
        }
    }

    func run() throws {
        var progress = Progress()
        progress.begin("open")
        let checkpoint = try Checkpoint(path: model)
        guard !checkpoint.configuration.isEncoder else {
            throw refusal("an encoder makes no tokens: take lpuc embed")
        }
        let tokenizer = tokenIds == nil ? try checkpoint.tokenizer() : try? checkpoint.tokenizer()
        let ids = try promptIDs(checkpoint.configuration, tokenizer)
        let machine = try options.machine(named: self.machine)
        let tokens = perplexity ? 1 : tokens
        let request = options.request(
            for: checkpoint.configuration, positions: quantisation ? 0 : ids.count + tokens - 1)
        let plan = try bestPlan(
            checkpoint.configuration, on: machine, request,
            judge: Compiler.judge(checkpoint.configuration))
        let context = plan.context
        guard quantisation || ids.count + tokens - 1 <= context else {
            throw refusal(
                "\(ids.count) prompt tokens and \(tokens) made ones take "
                    + "\(ids.count + tokens - 1) positions, the context is \(context): give more "
                    + "--context")
        }
        let compiler = Compiler(
            machine: machine, verifier: Verifier(threads: threads.threads))
        if quantisation {
            progress.begin("quantise")
            let program = try compiler.lower(checkpoint.configuration, plan: plan)
            return try show(try program.quantisationErrors(of: checkpoint.weights), &progress)
        }
        let compilation = try compiler.compile(
            checkpoint.configuration, plan: plan, prefill: prefill
        ) { progress.begin($0.rawValue) }
        guard let verdict = compilation.verdict, verdict.isAccepted else {
            Console.complain(compilation.verdict?.description ?? "not verified")
            throw ExitCode(1)
        }
        if let prefill = compilation.prefill, !prefill.isAccepted {
            Console.complain(prefill.complaint)
            throw ExitCode(1)
        }
        progress.begin("load")
        let image = try compilation.load(checkpoint.weights)
        let decoder = try Decoder(
            compilation, image: image, threads: threads.threads, looksAtLogits: perplexity)
        if perplexity {
            progress.begin("references")
            let scoring = try Scoring(decoder, compilation, checkpoint, tokens: ids)
            progress.end()
            return try show(scoring)
        }
        progress.end()
        try generate(Generation(decoder, compilation, prompt: ids), checkpoint, tokenizer)
    }

    /// Makes tokens, and prints each as it comes.
    private func generate(
        _ generation: Generation, _ checkpoint: Checkpoint, _ tokenizer: Tokenizer?
    ) throws {
        var generation = generation
        try generation.run(
            count: tokens, endTokens: ignoreEnd ? [] : checkpoint.endTokens
        ) { token in
            guard format == .text else { return }
            if let tokenizer {
                Console.print(tokenizer.bytes(of: token))
            } else {
                Console.print("\(token) ")
            }
        }
        switch format {
        case .text:
            Console.print("\n")
            Console.complain(generation.summary)
        case .json:
            generation.figures.text = tokenizer?.decode(generation.figures.tokens)
            try Console.print(json: generation.figures)
        }
        if generation.figures.isInterrupted { throw ExitCode(130) }
    }

    /// The prompt, each id one of the vocabulary.
    private func promptIDs(
        _ model: ModelConfiguration, _ tokenizer: Tokenizer?
    ) throws(DiagnosticSet) -> [Int] {
        var ids: [Int] = []
        if let tokenIds {
            for word in tokenIds.split(separator: ",", omittingEmptySubsequences: false) {
                guard let id = Int(word) else { throw refusal("'\(word)' is no token id") }
                ids.append(id)
            }
        } else if let text = try promptFile.map(contents(of:)) ?? prompt, let tokenizer {
            ids = tokenizer.encode(text)
        }
        if let id = ids.first(where: { !(0..<model.vocabularySize).contains($0) }) {
            throw refusal("\(id) is no token: ids are 0 to \(model.vocabularySize - 1)")
        }
        if ids.isEmpty && !quantisation { throw refusal("it has no token: give one at least") }
        return ids
    }

    private func contents(of path: String) throws(DiagnosticSet) -> String {
        guard let text = try? String(contentsOf: URL(filePath: path), encoding: .utf8) else {
            throw refusal("'\(path)' cannot be read as UTF-8")
        }
        return text
    }

    private func show(_ scoring: Scoring) throws {
        var scoring = scoring
        let (clock, count) = (ContinuousClock(), scoring.figures.tokens.count)
        let start = clock.now
        try scoring.run { done in
            guard Console.isTerminal else { return }
            let rate = Double(done) / ((clock.now - start) / .seconds(1))
            Console.complain("\(done) of \(count) tokens, \(String(format: "%.1f", rate)) a second")
        }
        switch format {
        case .text: Console.print(scoring.summary + "\n")
        case .json: try Console.print(json: scoring.figures)
        }
        if scoring.figures.isInterrupted { throw ExitCode(130) }
    }

    private func refusal(_ message: String) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: Diagnostic.Place("prompt"), id: "run-prompt", message))
    }

    private func show(_ errors: [QuantisationError], _ progress: inout Progress) throws {
        progress.end()
        switch format {
        case .json: try Console.print(json: errors.map(QuantisationFigures.init))
        case .text:
            for error in errors {
                Console.print(
                    "\(error.tensor) \(error.type.rawValue): relative RMS error "
                        + "\(String(format: "%.3e", error.relative)), greatest "
                        + "\(String(format: "%.3e", error.greatest))\n")
            }
        }
    }
}

/// An error by quantisation, for machines.
private struct QuantisationFigures: Encodable {
    var tensor: String
    var type: String
    var relative: Double
    var greatest: Double

    init(_ error: QuantisationError) {
        (tensor, type) = (error.tensor, error.type.rawValue)
        (relative, greatest) = (error.relative, error.greatest)
    }
}
