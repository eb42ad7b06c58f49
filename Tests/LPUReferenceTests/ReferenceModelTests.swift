import LPUSupport
import Testing

@testable import LPUReference

@Suite struct ReferenceModelTests {
    @Test(arguments: ["tiny-llama", "tiny-llama-biased", "tiny-llama-wide", "tiny-qwen3"])
    func agreesWithTransformers(_ name: String) throws {
        let golden = try Golden(name)
        let logits = try golden.model().logits(of: golden.fed)
        #expect(logits.count == golden.logits.count)
        #expect(logits.allSatisfy { $0.count == golden.config.vocabularySize })
        #expect(golden.distance(logits) < 1e-6)
        let chosen = logits.dropFirst(golden.promptLength - 1).map { row in
            row.indices.max { (row[$0], $1) < (row[$1], $0) }
        }
        #expect(chosen == golden.tokens[golden.promptLength...].map { $0 })
    }

    /// Logits that hardly differ, or attention that is even, would hide mistakes.
    @Test(arguments: ["tiny-llama", "tiny-llama-biased", "tiny-llama-wide", "tiny-qwen3"])
    func goldensAreTelling(_ name: String) throws {
        let golden = try Golden(name)
        for row in golden.logits {
            let mean = row.reduce(0, +) / Double(row.count)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
            let top = row.sorted().suffix(2)
            #expect(variance >= 1)
            #expect(top.last! - top.first! > 0.05 * variance.squareRoot())
        }
        var sharpest = 0.0
        var (largestScore, widest) = (0.0, 0.0)
        _ = try golden.model().logits(of: golden.fed) { site, values in
            guard values.count > golden.promptLength, let top = values.max(),
                let bottom = values.min()
            else { return }
            if site == .probabilities { sharpest = max(sharpest, top) }
            if site == .scores {
                largestScore = max(largestScore, top)
                widest = max(widest, top - bottom)
            }
        }
        #expect(sharpest > 0.5)
        if golden.isWide {
            #expect(widest > 200)
            #expect(largestScore > 89, "exp overflows in fp32")
        }
    }

    @Test func everySiteIsRounded() throws {
        let golden = try Golden("tiny-qwen3")
        var seen: [ReferenceModel.Site: Int] = [:]
        _ = try golden.model().logits(of: [golden.tokens[0]]) { site, _ in
            seen[site, default: 0] += 1
        }
        let layers = golden.config.layerCount
        for site in ReferenceModel.Site.allCases {
            let calls =
                switch site {
                case .residual: 1 + 2 * layers
                case .scores, .probabilities: layers * golden.config.headCount
                case .headInput: 1
                case .attentionInput, .query, .kCache, .vCache, .attentionOutput, .mlpInput,
                    .mlpHidden:
                    layers
                }
            #expect(seen[site] == calls, "\(site)")
        }
    }

    @Test func roundingOfTheCacheIsKept() throws {
        let golden = try Golden("tiny-llama")
        let model = try golden.model()
        let coarse = model.logits(of: golden.fed) { site, values in
            if site == .vCache { values = values.map { ($0 * 1024).rounded() / 1024 } }
        }
        let distance = golden.distance(coarse)
        #expect(distance > 1e-4 && distance < 0.1)
    }

    @Test func aTensorOfTheWrongSizeIsRefused() throws {
        let golden = try Golden("tiny-llama")
        let error = #expect(throws: DiagnosticSet.self) {
            _ = try golden.model { name, elements in
                if name == "model.norm.weight" { elements.removeLast() }
            }
        }
        #expect(
            error?.description
                == "model.norm.weight: error: the tensor has 335 elements, its shape [336] has 336 "
                + "[reference-weights]")
    }
}
