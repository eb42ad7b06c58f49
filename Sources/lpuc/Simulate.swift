import ArgumentParser
import Foundation
import LPUCompiler
import LPUMachine
import LPUModel
import LPUPlanning
import LPUSupport

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a schedule on bytes and decode greedily.",
        discussion: """
            The weights are made from a hash of their names, so that no file is needed: the tokens \
            mean nothing, but are the same on every host.
            """)

    @Argument(help: "Directory that 'lpuc compile' wrote.")
    var directory: String

    @Option(help: "Tokens to make.")
    var tokens = 8

    @Option(help: "Ids of the prompt, separated by commas.")
    var prompt = "1"

    @Option(help: "Which of the users in flight decodes, from 0 on.")
    var user = 0

    @Option(help: "Form of what is printed.")
    var format = OutputFormat.text

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if !(1...1_000_000).contains(tokens) {
            throw ValidationError("--tokens is \(tokens), it may be 1 to 1000000")
        }
    }

    func run() throws {
        var progress = Progress()
        progress.begin("read")
        let (compilation, _) = try readCompilation(directory)
        guard !compilation.model.isEncoder else {
            throw refusal("an encoder makes no tokens: take lpuc embed")
        }
        let ids = try promptIDs(for: compilation)
        guard (0..<compilation.plan.users).contains(user) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("--user"), id: "simulate-user",
                    "there is no user \(user): \(compilation.plan.users) are in flight, from 0 on"))
        }
        progress.begin("load")
        let weights = HashedWeights(ModelGraph(compilation.model).weights)
        let image = try compilation.load(weights)
        let decoder = try Decoder(compilation, image: image, threads: threads.threads)
        progress.begin("simulate \(ids.count + tokens - 1) steps")
        let run = try Decoding(
            decoder, prompt: ids, of: user, count: tokens,
            clockMegahertz: compilation.machine.chip.clockMegahertz)
        progress.end()
        switch format {
        case .text: Console.print(run.text)
        case .json: try Console.print(json: run)
        }
    }

    /// The prompt, each id one of the vocabulary, leaving room for the tokens in the context.
    private func promptIDs(for compilation: Compilation) throws(DiagnosticSet) -> [Int] {
        let vocabulary = compilation.model.vocabularySize
        var ids: [Int] = []
        for word in prompt.split(separator: ",", omittingEmptySubsequences: false) {
            guard let id = Int(word), (0..<vocabulary).contains(id) else {
                throw refusal(
                    "'\(word)' is no token of the vocabulary: ids are 0 to \(vocabulary - 1)")
            }
            ids.append(id)
        }
        let context = compilation.plan.context
        guard ids.count + tokens - 1 <= context else {
            throw refusal(
                "\(ids.count) prompt tokens and \(tokens) made ones take \(ids.count + tokens - 1) "
                    + "positions, the context is \(context): compile with more --context")
        }
        return ids
    }

    private func refusal(_ message: String) -> DiagnosticSet {
        DiagnosticSet(Diagnostic(at: Diagnostic.Place("--prompt"), id: "simulate-prompt", message))
    }
}
