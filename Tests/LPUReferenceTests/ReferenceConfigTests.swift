import LPUSupport
import Testing

@testable import LPUReference

@Suite struct ReferenceConfigTests {
    private static let required = """
        "architectures": ["LlamaForCausalLM"], "hidden_size": 96, "intermediate_size": 128,
        "num_hidden_layers": 1, "num_attention_heads": 6, "vocab_size": 100, "rms_norm_eps": 1e-5,
        "rope_theta": 10000
        """

    private func read(_ json: String) throws(DiagnosticSet) -> ReferenceConfig {
        try ReferenceConfig(json: [UInt8](json.utf8), file: "config.json")
    }

    /// The messages that reading `{required, extra}` throws, sorted.
    private func refusals(_ extra: String) -> [String] {
        do throws(DiagnosticSet) {
            _ = try read("{\(Self.required), \(extra)}")
            return []
        } catch {
            return error.diagnostics.sorted().map(\.message)
        }
    }

    @Test func missingKeysHaveTheirPublishedDefaults() throws {
        let config = try read("{\(Self.required)}")
        #expect(config.family == .llama)
        #expect(config.keyValueHeadCount == 6 && config.headSize == 16)
        #expect(!config.tiesEmbeddings && !config.hasAttentionBias && !config.hasMLPBias)
        #expect(config.ropeScaling == nil && config.ropeTheta == 10000)
        #expect(try read("{\(Self.required), \"head_dim\": null}").headSize == 16)
    }

    @Test func olderSpellingOfTheRopeType() throws {
        let scaling = try read(
            """
            {\(Self.required), "rope_scaling": {"type": "llama3", "factor": 8,
            "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 64}}
            """
        ).ropeScaling
        #expect(
            scaling
                == ReferenceConfig.RopeScaling(
                    factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 64))
    }

    @Test(arguments: [
        (
            #""num_key_value_heads": 4"#,
            "num_attention_heads 6 is no multiple of num_key_value_heads 4"
        ),
        (#""num_key_value_heads": 0"#, "'num_key_value_heads' is 0, no integer of 1...1048576"),
        (#""head_dim": 1.5"#, "'head_dim' is 1.5, no integer of 1...1048576"),
        (#""head_dim": 1e300"#, "'head_dim' is 1e+300, no integer of 1...1048576"),
        (#""head_dim": 15"#, "head_dim 15 is odd; rotation takes pairs"),
        (#""hidden_act": "gelu""#, "'hidden_act' is 'gelu'; defined is silu"),
        (#""attention_bias": "yes""#, "'attention_bias' is yes, neither true nor false"),
        (
            #""rope_scaling": {"rope_type": "yarn"}"#,
            "'rope_scaling.rope_type' is 'yarn'; defined is llama3"
        ),
        (
            #""use_sliding_window": true"#,
            "'use_sliding_window' is true; defined is attention to all positions"
        ),
    ])
    func refuses(_ extra: String, _ message: String) {
        #expect(refusals(extra) == [message])
    }

    @Test func allThatIsWrongIsReported() {
        let found = refusals(
            #""rope_scaling": {"rope_type": "llama3", "factor": -1}, "head_dim": 0"#)
        #expect(found.count == 5)
        #expect(found.contains("'rope_scaling.factor' is -1, no positive number"))
        #expect(found.contains("'rope_scaling.low_freq_factor' is missing"))
    }

    @Test(arguments: ["", "[1]", "{", "7"])
    func refusesWhatIsNoObject(_ json: String) {
        let error = #expect(throws: DiagnosticSet.self) { try self.read(json) }
        #expect(
            error?.description
                == "config.json: error: the file is not a JSON object [reference-config]")
    }

    @Test func refusesAnUnknownArchitecture() {
        let error = #expect(throws: DiagnosticSet.self) {
            try self.read(#"{"architectures": ["GPT2LMHeadModel"]}"#)
        }
        let messages = error?.diagnostics.map(\.message) ?? []
        #expect(messages.contains("'hidden_size' is missing"))
        #expect(
            messages.contains(
                "'architectures' starts with 'GPT2LMHeadModel'; defined are LlamaForCausalLM, "
                    + "Qwen3ForCausalLM"))
    }
}
