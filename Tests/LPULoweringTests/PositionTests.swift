import LPUDataflow
import LPUMachine
import LPUModel
import Testing

/// One program serves every position, and every table and cache is found at its edges.
@Suite struct PositionTests {
    private func tokens(_ count: Int, of vocabulary: Int) -> [Int] {
        (0..<count).map { ($0 * 17 + 3) % vocabulary }
    }

    private func expectClose(_ comparison: Comparison, _ name: String) {
        #expect(comparison.isClose, "\(name): \(comparison)")
    }

    /// The first block of 320 is full, the second opens; then the third, which the context cuts.
    @Test func blocksOfTheCache() throws {
        let decoder = try Decoder()
        let program = try decoder.program(context: 650)
        let all = tokens(643, of: 40)
        let edge = ReferenceRun(decoder, tokens: Array(all.prefix(322)))
        expectClose(try edge.compare(program, context: 650, from: 318), "positions 318 to 321")
        let far = ReferenceRun(decoder, tokens: all)
        expectClose(try far.compare(program, context: 650, from: 639), "positions 639 to 642")
    }

    /// Blocks 0 and 2 stand side by side in one tile: a key changes the lanes of its own block.
    @Test func keysSideBySideAreKept() throws {
        let decoder = try Decoder()
        var run = try decoder.run(try decoder.program(context: 650))
        func row() -> (first: [Double], second: [Double], rest: [Double]) {
            let lanes = run.vectors("layer.keys0")[0]
            return (Array(lanes[..<16]), Array(lanes[16..<32]), Array(lanes[32...]))
        }
        _ = try run.step(3, at: 0)
        let one = row()
        #expect(one.first.contains { $0 != 0 } && one.second.allSatisfy { $0 == 0 })
        _ = try run.step(17, at: 640)
        let both = row()
        #expect(both.first == one.first && both.second.contains { $0 != 0 })
        _ = try run.step(9, at: 0)
        let new = row()
        #expect(new.first != one.first && new.second == both.second)
        #expect(new.rest.allSatisfy { $0 == 0 })
    }

    /// Heads that are normed or biased before they are turned, over the edge to a block beside the
    /// first one.
    @Test(arguments: ["bias", "head norm", "head norm and bias"])
    func blocksSideBySide(_ name: String) throws {
        let qwen: [String: Any] = [
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
        ]
        let decoder = try Decoder(
            name == "bias"
                ? ["attention_bias": true]
                : name == "head norm" ? qwen : qwen.merging(["attention_bias": true]) { $1 })
        let run = ReferenceRun(decoder, tokens: tokens(1283, of: 40))
        let program = try decoder.program(context: 1300)
        expectClose(try run.compare(program, context: 1300, from: 1279), name)
    }

    /// Angles are added, since a bank holds no row for every position.
    @Test func positionsBeyondTheRotaryTable() throws {
        let decoder = try Decoder()
        let program = try decoder.program(context: 310, on: .groqchip1(rowsPerBank: 300))
        let run = ReferenceRun(decoder, tokens: tokens(258, of: 40))
        expectClose(try run.compare(program, context: 310, from: 255), "positions 255 to 257")
    }

    /// The first and the last token of each part of the table.
    @Test func tokensOfASplitEmbedding() throws {
        let decoder = try Decoder(["vocab_size": 700])
        let program = try decoder.program(context: 16, on: .groqchip1(rowsPerBank: 300))
        let run = ReferenceRun(decoder, tokens: [0, 43, 44, 351, 352, 699])
        expectClose(try run.compare(program, context: 16), "split embedding")
    }

    @Test(arguments: [
        "bias", "head norm", "head norm and bias", "tied embeddings", "partial tiles", "two layers",
        "several sets of heads",
    ])
    func family(_ name: String) throws {
        let qwen: [String: Any] = [
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
        ]
        let replaced: [String: Any] =
            switch name {
            case "bias": ["attention_bias": true, "mlp_bias": true]
            case "head norm": qwen
            case "head norm and bias": qwen.merging(["attention_bias": true]) { $1 }
            case "tied embeddings": ["tie_word_embeddings": true]
            case "partial tiles": ["hidden_size": 328, "intermediate_size": 350]
            case "two layers": ["num_hidden_layers": 2]
            case _:
                ["num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 120]
            }
        let decoder = try Decoder(replaced)
        let run = ReferenceRun(decoder, tokens: [3, 17, 9])
        if name == "several sets of heads" {
            // The caches of two sets lie apart: the answer is what is compared.
            var steps = try decoder.run(try decoder.program(context: 17))
            for position in 0..<3 {
                let (logits, _) = try steps.step(run.tokens[position], at: position)
                #expect(deviation(logits, from: run.logits[position]) < 0.01)
            }
        } else {
            expectClose(try run.compare(try decoder.program(context: 17), context: 17), name)
        }
    }
}
