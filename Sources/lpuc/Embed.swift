import ArgumentParser
import Foundation
import LPUCheckpoint
import LPUCompiler
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUSimulator
import LPUSupport
import LPUVerifier

struct Embed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Embed texts by a trained encoder on the simulated machine.",
        discussion: """
            Compiles and verifies the model for the machine, loads its weights and prints the \
            embedding of each text, a line of numbers each: the mean of its tokens' states, of \
            length 1 where the model's modules.json says so. The figures go to standard error.
            """)

    @Argument(
        help: "A directory with config.json, safetensors and tokenizer.json of a BertModel.")
    var model: String

    @Argument(help: "The texts.")
    var texts: [String]

    @Option(help: "A preset, as 'lpuc machines' lists them, or a machine file.")
    var machine: String

    @Option(
        help: "Tokens that the schedule is made for. (default: the longest text, up to a 16th)")
    var context: Int?

    @Option(help: "Type of the weights. (default: fp16)")
    var weights: PlanOptions.WeightTypeName?

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    @OptionGroup var threads: ThreadOptions

    /// What it gave; all but `seconds` is the same on every host.
    private struct Figures: Encodable {
        struct Text: Encodable {
            var text: String
            var ids: [Int]
            var embedding: [Float]
        }
        var texts: [Text] = []
        /// Of every text, as the schedule says.
        var cyclesPerText: Int
        var microsecondsPerText: Double
        var context: Int
        var isNormalised: Bool
        /// Of the simulator on this host.
        var seconds = 0.0
        var multiplyAccumulates = 0
    }

    func run() throws {
        var progress = Progress()
        progress.begin("open")
        let checkpoint = try Checkpoint(path: model)
        guard checkpoint.configuration.isEncoder else {
            throw refusal(
                "\(checkpoint.configuration.architecture.rawValue) makes tokens, no embeddings: "
                    + "take lpuc run")
        }
        let tokenizer = try checkpoint.tokenizer()
        let ids = texts.map { tokenizer.encode($0) }
        let isNormalised = try checkpoint.normalisesEmbeddings()
        let machine = try lpuc.machine(named: self.machine)
        let longest = ids.map(\.count).max() ?? 0
        let context = context ?? max(1, (longest + 15) / 16) * 16
        guard longest <= context else {
            throw refusal("a text has \(longest) tokens, the context is \(context)")
        }
        let vocabulary = checkpoint.configuration.vocabularySize
        if ids.contains(where: { $0.isEmpty || $0.contains { $0 >= vocabulary } }) {
            throw refusal("a text has no token, or one that the model does not know")
        }
        let compiler = Compiler(
            machine: machine, verifier: Verifier(threads: threads.threads))
        let compilation = try compiler.compile(
            checkpoint.configuration,
            plan: Plan(context: context, weightType: weights?.type ?? .fp16)
        ) { progress.begin($0.rawValue) }
        guard let verdict = compilation.verdict, verdict.isAccepted else {
            Console.complain(compilation.verdict?.description ?? "not verified")
            throw ExitCode(1)
        }
        progress.begin("load")
        let image = try compilation.load(checkpoint.weights)
        let embedder = try Embedder(compilation, image: image, threads: threads.threads)
        progress.begin("simulate \(texts.count) texts")
        let cycles = compilation.schedule.claims.length.count
        var figures = Figures(
            cyclesPerText: cycles,
            microsecondsPerText: Double(cycles) / Double(machine.chip.clockMegahertz),
            context: context, isNormalised: isNormalised)
        try embed(ids, embedder, &figures)
        progress.end()
        try show(figures, machine)
    }

    private func embed(
        _ ids: [[Int]], _ embedder: Embedder, _ figures: inout Figures
    ) throws {
        let clock = ContinuousClock()
        let start = clock.now
        for (text, tokens) in zip(texts, ids) {
            let (embedding, statistics) = try embedder.embed(tokens)
            guard statistics.cycles == figures.cyclesPerText else {
                throw refusal(
                    "a text took \(statistics.cycles) cycles, the schedule says "
                        + "\(figures.cyclesPerText)")
            }
            figures.multiplyAccumulates += statistics.multiplyAccumulates
            figures.texts.append(
                .init(
                    text: text, ids: tokens,
                    embedding: figures.isNormalised ? normalised(embedding) : embedding))
        }
        figures.seconds = (clock.now - start) / .seconds(1)
    }

    private func normalised(_ embedding: [Float]) -> [Float] {
        let length = embedding.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        return embedding.map { Float(Double($0) / length) }
    }

    private func show(_ figures: Figures, _ machine: Machine) throws {
        switch format {
        case .json: try Console.print(json: figures)
        case .text:
            for text in figures.texts {
                Console.print(text.embedding.map { "\($0)" }.joined(separator: " ") + "\n")
            }
            let microseconds = String(format: "%.1f", figures.microsecondsPerText)
            let seconds = max(figures.seconds, 1e-9)
            let rate = String(
                format: "%.2f", Double(figures.multiplyAccumulates) / seconds / 1e9)
            Console.complain(
                "machine     \(grouped(figures.cyclesPerText)) cycles a text of up to "
                    + "\(figures.context) tokens, every one: \(microseconds) us at "
                    + "\(machine.chip.clockMegahertz) MHz\n"
                    + "simulator   \(figures.texts.count) texts in "
                    + "\(String(format: "%.1f", seconds)) s: \(rate) G MAC/s")
        }
    }

    private func refusal(_ message: String) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: Diagnostic.Place("texts"), id: "embed-text", message))
    }
}
