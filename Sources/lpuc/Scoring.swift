import Foundation
import LPUCheckpoint
import LPUCompiler
import LPUDataflow
import LPULoading
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSchedule
import LPUSupport

/// How well a model foretells a text on the simulated machine, and how near that is to what
/// reference implementations in Double say of the same tokens.
struct Scoring {
    /// The same on every host.
    struct Figures: Encodable {
        var tokens: [Int]
        /// The machine's choice after each token.
        var chosen: [Int] = []
        /// Of every token but the first.
        var perplexity = 0.0
        var references: [Reference] = []
        var cyclesPerToken: Int
        var isInterrupted = false
    }

    /// What one reference says.
    struct Reference: Encodable {
        var weights: String
        /// Its choice after each token.
        var chosen: [Int] = []
        var perplexity = 0.0
        /// Steps at which it chooses what the machine chooses.
        var agreements = 0
        var partings: [Parting] = []
        /// The greatest error of a logit, in standard deviations of a step's logits, and the root
        /// of the mean square of all.
        var greatestError = 0.0
        var error = 0.0
    }

    /// A step at which machine and reference choose differently.
    struct Parting: Encodable {
        var step: Int
        var machine: Int
        var reference: Int
        /// How far the reference's choice is ahead of the machine's in its own logits, in their
        /// standard deviations.
        var lead: Double
    }

    private var decoder: Decoder
    private let models: [ReferenceModel]
    private(set) var figures: Figures

    /// - Parameter decoder: one that looks at logits.
    /// - Throws: what is wrong with the weights.
    init(
        _ decoder: Decoder, _ compilation: Compilation, _ checkpoint: Checkpoint, tokens: [Int]
    ) throws(DiagnosticSet) {
        self.decoder = decoder
        figures = Figures(
            tokens: tokens, cyclesPerToken: compilation.schedule.claims.length.count)
        var models = [try checkpoint.reference()]
        figures.references.append(Reference(weights: "the checkpoint's weights"))
        if compilation.plan.weightType != .fp16 {
            models.append(try checkpoint.reference(quantisedAs: compilation.program))
            let type = compilation.plan.weightType.rawValue
            figures.references.append(Reference(weights: "the machine's \(type) weights"))
        }
        self.models = models
    }

    /// Reads the text; Control-C ends it between steps. `progress` is told of every step.
    mutating func run(progress: (_ done: Int) -> Void) throws {
        var caches = models.map { $0.makeCache() }
        var surprise = Array(repeating: 0.0, count: models.count + 1)
        var squares = Array(repeating: 0.0, count: models.count)
        let tokens = figures.tokens
        Interruption.begin()
        defer { Interruption.end() }
        for (step, token) in tokens.enumerated() {
            if Interruption.isAsked {
                figures.isInterrupted = true
                break
            }
            let next = step + 1 < tokens.count ? tokens[step + 1] : nil
            let (chosen, _) = try decoder.step(token)
            let logits = decoder.logits.map(Double.init)
            figures.chosen.append(chosen)
            if let next { surprise[models.count] += -Self.logLikelihood(of: next, logits) }
            for m in models.indices {
                let expected = models[m].decode(token, cache: &caches[m])
                if let next { surprise[m] += -Self.logLikelihood(of: next, expected) }
                squares[m] += Self.compare(logits, expected, chosen, step, &figures.references[m])
            }
            progress(step + 1)
        }
        let foretold = Double(max(1, figures.chosen.count - (figures.isInterrupted ? 0 : 1)))
        figures.perplexity = exp(surprise[models.count] / foretold)
        for m in models.indices {
            figures.references[m].perplexity = exp(surprise[m] / foretold)
            let steps = Double(max(1, figures.chosen.count))
            figures.references[m].error = (squares[m] / steps).squareRoot()
        }
    }

    /// Notes how one step compares, and returns the mean square of the logits' errors.
    private static func compare(
        _ logits: [Double], _ expected: [Double], _ chosen: Int, _ step: Int,
        _ reference: inout Reference
    ) -> Double {
        let mean = expected.reduce(0, +) / Double(expected.count)
        let variance =
            expected.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(expected.count)
        let deviation = variance.squareRoot()
        let errors = zip(logits, expected).map { abs($0 - $1) / deviation }
        reference.greatestError = max(reference.greatestError, errors.max() ?? 0)
        // The first of equal ones, as on the machine.
        let best = expected.indices.reduce(0) { expected[$1] > expected[$0] ? $1 : $0 }
        reference.chosen.append(best)
        if best == chosen {
            reference.agreements += 1
        } else {
            reference.partings.append(
                Parting(
                    step: step, machine: chosen, reference: best,
                    lead: (expected[best] - expected[chosen]) / deviation))
        }
        return errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)
    }

    private static func logLikelihood(of token: Int, _ logits: [Double]) -> Double {
        let greatest = logits.max() ?? 0
        let sum = logits.reduce(0) { $0 + exp($1 - greatest) }
        return logits[token] - greatest - log(sum)
    }

    /// Lines for people.
    var summary: String {
        func number(_ x: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", x) }
        let steps = figures.chosen.count
        var lines = [
            "machine     \(grouped(figures.cyclesPerToken)) cycles a token, every one; \(steps) "
                + "tokens read" + (figures.isInterrupted ? ", interrupted" : ""),
            "perplexity  \(number(figures.perplexity, 4)) on the machine",
        ]
        for reference in figures.references {
            let share = 100 * Double(reference.agreements) / Double(max(1, steps))
            lines += [
                "reference   in float64 with \(reference.weights)",
                "            perplexity \(number(reference.perplexity, 4)), first choice as on the "
                    + "machine at \(reference.agreements) of \(steps) steps "
                    + "(\(number(share, 1)) %)",
                "            logits differ by \(number(reference.error, 5)) of their deviation "
                    + "(root mean square), at most \(number(reference.greatestError, 5))",
            ]
            lines += reference.partings.map {
                "            step \($0.step): the machine chooses \($0.machine), the reference "
                    + "\($0.reference), ahead by \(number($0.lead, 5)) deviations"
            }
        }
        return lines.joined(separator: "\n")
    }
}

extension Checkpoint {
    /// The published definition of the model, in Double, with the weights as they are stored.
    fileprivate func reference() throws(DiagnosticSet) -> ReferenceModel {
        let (weights, config) = (weights, try ReferenceConfig(json: config, file: name))
        return try ReferenceModel(config) { tensor, shape throws(DiagnosticSet) in
            var (row, elements): ([Float], [Double]) = ([], [])
            for index in 0..<(shape.count > 1 ? shape[0] : 1) {
                weights.readRow(index, of: tensor, into: &row)
                elements += row.map(Double.init)
            }
            return elements
        }
    }

    /// The same with the weights that the program keeps; norms that it folds into them are ones.
    fileprivate func reference(
        quantisedAs program: Program
    ) throws(DiagnosticSet) -> ReferenceModel {
        let (weights, quantisations) = (weights, program.quantisations)
        let folded = Set(quantisations.compactMap(\.columnScale))
        var config = try ReferenceConfig(json: config, file: name)
        // Of tied embeddings the head's copy has the norm in it.
        let head = config.tiesEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
        config.tiesEmbeddings = false
        return try ReferenceModel(config) { tensor, shape throws(DiagnosticSet) in
            if folded.contains(tensor) { return Array(repeating: 1, count: shape[0]) }
            let isHead = tensor == "lm_head.weight"
            let kept = quantisations.first {
                $0.tensor == (isHead ? head : tensor)
                    && (tensor != "model.embed_tokens.weight" || $0.columnScale == nil)
                    && (!isHead || $0.columnScale != nil)
            }
            guard let kept else {
                throw DiagnosticSet(
                    Diagnostic(
                        at: Diagnostic.Place(tensor), id: "run-reference",
                        "the program keeps no such weights"))
            }
            return try kept.kept(of: weights)
        }
    }
}
