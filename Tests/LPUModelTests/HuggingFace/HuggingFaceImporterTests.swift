import Foundation
import LPUSupport
import Testing

@testable import LPUModel

@Suite struct HuggingFaceImporterTests {
    private func imported(_ text: ConfigText) throws(DiagnosticSet) -> ModelConfiguration {
        try ModelConfiguration(huggingFace: Array(text.json.utf8), file: "config.json")
    }

    /// What is wrong with a file, in its order; empty if the import succeeds.
    private func diagnostics(_ text: ConfigText) -> [Diagnostic] {
        do throws(DiagnosticSet) {
            _ = try imported(text)
            return []
        } catch {
            return error.diagnostics.sorted()
        }
    }

    // MARK: Files

    @Test(arguments: GraphFiles.names)
    func everyGraphFileImports(_ name: String) throws {
        _ = try GraphFiles.configuration(name)
        let readme = try String(
            contentsOf: GraphFiles.directory.appending(path: "README.md"), encoding: .utf8)
        #expect(readme.contains("| `\(name).json` |"))
    }

    @Test func everyGraphFileIsTested() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: GraphFiles.directory.path)
            .filter { $0.hasSuffix(".json") }
        #expect(files.sorted() == GraphFiles.names.map { $0 + ".json" })
    }

    @Test func tinySizesNeedMoreThanOneTileAndFillNone() throws {
        for name in ["tiny-llama", "tiny-qwen3"] {
            let configuration = try GraphFiles.configuration(name)
            for size in [configuration.hiddenSize, configuration.intermediateSize] {
                #expect(size > 320 && size % 320 != 0)
            }
            #expect(configuration.groupSize == 3)
        }
    }

    @Test func valuesArriveWhereTheyBelong() throws {
        #expect(
            try imported(.llama)
                == ModelConfiguration(
                    architecture: .llama, layerCount: 2, hiddenSize: 384, intermediateSize: 736,
                    vocabularySize: 1000, queryHeadCount: 6, keyValueHeadCount: 2,
                    headDimension: 32,
                    maximumPositions: 1024, normEpsilon: 1e-5,
                    rotary: RotaryEmbedding(
                        theta: 500_000, headDimension: 32,
                        scaling: .llama3(
                            factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4,
                            originalMaximumPositions: 128))))
        #expect(
            try imported(.qwen3)
                == ModelConfiguration(
                    architecture: .qwen3, layerCount: 2, hiddenSize: 352, intermediateSize: 736,
                    vocabularySize: 1000, queryHeadCount: 6, keyValueHeadCount: 2,
                    headDimension: 32,
                    maximumPositions: 1024, normEpsilon: 1e-6,
                    rotary: RotaryEmbedding(theta: 1_000_000, headDimension: 32),
                    hasQueryKeyNorm: true, tiesEmbeddings: true))
        #expect(
            try imported(.bert)
                == ModelConfiguration(
                    architecture: .bert, layerCount: 2, hiddenSize: 352, intermediateSize: 736,
                    vocabularySize: 1000, queryHeadCount: 11, keyValueHeadCount: 11,
                    headDimension: 32, maximumPositions: 128, normEpsilon: 1e-12, rotary: nil,
                    hasAttentionBias: true, hasFeedForwardBias: true, activation: .geluTanh,
                    tokenTypeCount: 3))
    }

    @Test func encodersHaveTheDefaultsOfHuggingFace() throws {
        for (key, value) in [
            ("type_vocab_size", "2"), ("layer_norm_eps", "1e-12"), ("hidden_act", #""gelu""#),
            ("position_embedding_type", #""absolute""#),
        ] {
            #expect(
                try imported(.bert.with(key, nil)) == imported(.bert.with(key, value)), "\(key)")
        }
    }

    @Test(arguments: [
        ("hidden_act", #""silu""#), ("position_embedding_type", #""relative_key""#),
        ("is_decoder", "true"), ("add_cross_attention", "true"), ("is_encoder_decoder", "true"),
        ("quantization_config", "{}"),
    ])
    func encodersThatAreNotBuilt(_ key: String, _ value: String) {
        let found = diagnostics(.bert.with(key, value))
        #expect(found.map(\.id) == ["model-unsupported"])
        #expect(found.allSatisfy { $0.message.contains("'\(key)'") })
    }

    @Test func keysOfDecodersAreUnknownToEncoders() {
        for key in ["rms_norm_eps", "num_key_value_heads", "rope_theta", "head_dim", "mlp_bias"] {
            #expect(diagnostics(.bert.with(key, "1")).map(\.id) == ["config-key"])
        }
        #expect(
            diagnostics(.bert.with("num_attention_heads", "12")).map(\.id) == ["config-value"])
    }

    @Test func flagsArriveWhereTheyBelong() throws {
        #expect(try imported(.llama.with("attention_bias", "true")).hasAttentionBias)
        #expect(try imported(.llama.with("mlp_bias", "true")).hasFeedForwardBias)
        #expect(try imported(.llama.with("tie_word_embeddings", "true")).tiesEmbeddings)
        #expect(try !imported(.qwen3.with("tie_word_embeddings", nil)).tiesEmbeddings)
    }

    // MARK: Absent keys

    @Test(arguments: [
        "architectures", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "max_position_embeddings", "rms_norm_eps",
    ])
    func requiredKeys(_ key: String) {
        for text in [ConfigText.llama, .qwen3] {
            for absent in [nil, "null"] {
                let found = diagnostics(text.with(key, absent))
                #expect(found.map(\.message) == ["'\(key)' is missing"])
                #expect(found.map(\.id) == ["config-key"])
            }
        }
    }

    @Test func qwen3SaysItsHeads() {
        for key in ["num_key_value_heads", "head_dim"] {
            #expect(
                diagnostics(.qwen3.with(key, nil)).map(\.message) == ["'\(key)' is missing"])
        }
    }

    @Test func absentKeysHaveTheDefaultsOfHuggingFace() throws {
        let text = ConfigText.llama
        #expect(try imported(text.with("num_key_value_heads", nil)).keyValueHeadCount == 6)
        #expect(try imported(text.with("head_dim", nil)).headDimension == 64)
        #expect(try imported(text.with("head_dim", "null")).headDimension == 64)
        #expect(try imported(text.with("rope_theta", nil)).rotary?.theta == 10_000)
        #expect(try #require(imported(text.with("rope_scaling", nil)).rotary).scaling == .none)
        for key in [
            "attention_bias", "mlp_bias", "tie_word_embeddings", "hidden_act", "pretraining_tp",
            "model_type", "torch_dtype",
        ] {
            #expect(try imported(text.with(key, nil)) == imported(text))
            #expect(try imported(text.with(key, "null")) == imported(text))
        }
    }

    // MARK: Values

    @Test(arguments: [
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings",
    ])
    func integersAreIntegersInRange(_ key: String) {
        for literal in [
            #""32""#, "32.0", "3.2e1", "1e400", "true", "[]", "{}", "0", "-1", "-0", "99999999999",
            "9223372036854775807", "-9223372036854775808", "123456789012345678901234567890",
        ] {
            for text in [ConfigText.llama, .qwen3] {
                let found = diagnostics(text.with(key, literal))
                let guilty = found.filter { $0.message.hasPrefix("'\(key)' is ") }
                #expect(guilty.map(\.id).contains("config-value"), "\(key): \(literal)")
            }
        }
    }

    @Test(arguments: ["rms_norm_eps", "rope_theta"])
    func realsAreFiniteAndInRange(_ key: String) {
        for literal in [
            #""1e-5""#, "1e400", "-1e400", "-1e-5", "0", "0.0", "1e-400", "true", "[1]",
        ] {
            let found = diagnostics(.llama.with(key, literal))
            #expect(found.count == 1 && found[0].id == "config-value", "\(key): \(literal)")
            #expect(found[0].message.hasPrefix("'\(key)' is "))
        }
    }

    @Test(arguments: [
        "attention_bias", "mlp_bias", "tie_word_embeddings", "use_sliding_window",
        "rope_interleaved", "is_encoder_decoder",
    ])
    func flagsAreFlags(_ key: String) {
        for literal in ["0", "1", #""true""#, "[]", "{}"] {
            let found = diagnostics(.llama.with(key, literal))
            #expect(found.map(\.id) == ["config-value"], "\(key): \(literal)")
        }
    }

    @Test func sizesFitEachOther() {
        for (text, key) in [
            (ConfigText.llama.with("num_key_value_heads", "4"), "num_key_value_heads"),
            (.llama.with("num_key_value_heads", "12"), "num_key_value_heads"),
            (.llama.with("hidden_size", "385"), "hidden_size"),
            (.llama.with("head_dim", "33"), "head has 33"),
            (.llama.with("head_dim", nil).with("hidden_size", "6144"), "head has 1024"),
            (.llama.with("head_dim", nil).with("hidden_size", "6"), "head has 1"),
            (.llama.with("model_type", #""qwen3""#), "model_type"),
        ] {
            let found = diagnostics(text)
            #expect(found.map(\.id) == ["config-value"], "\(key)")
            #expect(found.allSatisfy { $0.message.contains(key) && !$0.notes.isEmpty })
        }
    }

    // MARK: Rotary

    @Test func ropeSpellings() throws {
        let text = ConfigText.llama
        let expected = try imported(text)
        for scaling in [
            ConfigText.scaling(["rope_type": nil, "type": #""llama3""#]),
            ConfigText.scaling(["type": #""llama3""#]),
            ConfigText.scaling(["rope_theta": "500000"]),
            ConfigText.scaling(["partial_rotary_factor": "1.0"]),
            ConfigText.scaling(["factor": "8"]),
        ] {
            #expect(try imported(text.with("rope_scaling", scaling)) == expected)
        }
        let new = text.with("rope_scaling", nil).with("rope_theta", nil)
            .with("rope_parameters", ConfigText.scaling(["rope_theta": "500000.0"]))
        #expect(try imported(new) == expected)
        let none = try imported(text.with("rope_scaling", "null"))
        for spelling in ["rope_type", "type"] {
            let scaling = "{\"\(spelling)\": \"default\"}"
            #expect(try imported(text.with("rope_scaling", scaling)) == none)
        }
    }

    @Test func ropeErrors() {
        for (scaling, id, part) in [
            ("[]", "config-value", "'rope_scaling' is an array"),
            ("{}", "config-key", "'rope_scaling.rope_type' is missing"),
            (#"{"rope_type": null}"#, "config-key", "'rope_scaling.rope_type' is missing"),
            (#"{"rope_type": 3}"#, "config-value", "'rope_scaling.rope_type' is 3"),
            (#"{"rope_type": "yarn", "beta_fast": 32}"#, "model-unsupported", "'yarn'"),
            (#"{"type": "linear", "factor": 2.0}"#, "model-unsupported", "'rope_scaling.type'"),
            (#"{"rope_type": "default", "factor": 2.0}"#, "config-key", "'rope_scaling.factor'"),
            (ConfigText.scaling(["type": #""linear""#]), "config-value", "'type' is 'linear'"),
            (ConfigText.scaling(["factor": nil]), "config-key", "'rope_scaling.factor' is missing"),
            (ConfigText.scaling(["factor": "0.5"]), "config-value", "is 0.5, outside"),
            (ConfigText.scaling(["factor": "\"8\""]), "config-value", "a number is expected"),
            (ConfigText.scaling(["low_freq_factor": "4.0"]), "config-value", "not above"),
            (ConfigText.scaling(["low_freq_factor": "0"]), "config-value", "outside"),
            (
                ConfigText.scaling(["original_max_position_embeddings": "8192.0"]),
                "config-value", "an integer is expected"
            ),
            (
                ConfigText.scaling(["original_max_position_embeddings": "1025"]),
                "config-value", "outside 1...1024"
            ),
            (ConfigText.scaling(["rope_theta": "7"]), "config-value", "stands twice"),
            (ConfigText.scaling(["partial_rotary_factor": "0.5"]), "model-unsupported", "0.5"),
            (ConfigText.scaling(["facto": "1"]), "config-key", "'rope_scaling.facto'"),
        ] {
            let found = diagnostics(.llama.with("rope_scaling", scaling))
            #expect(found.map(\.id).contains(id), "\(scaling): \(found)")
            #expect(found.contains { $0.message.contains(part) }, "\(scaling): \(found)")
        }
        let both = diagnostics(.llama.with("rope_parameters", ConfigText.llama3))
        #expect(both.map(\.id) == ["config-value"])
    }

    // MARK: Keys

    @Test(arguments: HuggingFaceKeys.harmless)
    func harmlessKeysChangeNothing(_ key: String) throws {
        for literal in ["1", "null", "[]", #""x""#] {
            #expect(try imported(.llama.with(key, literal)) == imported(.llama))
        }
    }

    @Test func harmlessKeysAreSortedAndUnique() {
        #expect(HuggingFaceKeys.harmless == Set(HuggingFaceKeys.harmless).sorted())
        let families = HuggingFaceKeys.unsupported.map(\.architecture)
        #expect(families == Set(families).sorted())
    }

    @Test func unknownKeysAreNamedWithTheNearest() {
        for (key, near) in [
            ("rope_thetta", "rope_theta"), ("hidden_sise", "hidden_size"),
            ("num_attention_head", "num_attention_heads"), ("rms_norm_epsilon", "rms_norm_eps"),
            ("num_experts", nil), ("x", nil),
        ] {
            let found = diagnostics(.llama.with(key, "1"))
            #expect(found.map(\.id) == ["config-key"])
            #expect(found.allSatisfy { $0.message.hasPrefix("'\(key)' is no known key") })
            #expect(found.map(\.notes) == [near.map { ["try: '\($0)'"] } ?? []])
        }
    }

    @Test func repeatedKeysAreNamedWhereTheyStand() {
        var text = ConfigText.llama
        text.members.append(("hidden_size", "384"))
        let found = diagnostics(text)
        #expect(found.map(\.message) == ["'hidden_size' stands twice"])
        #expect(found.map(\.place.line) == [text.members.count + 1])
    }

    @Test func allDiagnosticsComeAtOnceWithTheirPlaces() {
        let text = ConfigText.llama.with("hidden_size", "-1").with("rms_norm_eps", #""ab""#)
            .with("hidden_act", #""gelu""#).with("sink", "1").with("vocab_size", nil)
        let found = diagnostics(text)
        #expect(
            found.map(\.description) == [
                "config.json:1:1: error: 'vocab_size' is missing [config-key]",
                "config.json:4:18: error: 'hidden_size' is -1, outside 1...131072 [config-value]",
                "config.json:10:17: error: 'hidden_act' is the string 'gelu': built is 'silu' "
                    + "[model-unsupported]",
                "config.json:12:19: error: 'rms_norm_eps' is the string 'ab', a number is "
                    + "expected [config-value]",
                "config.json:20:3: error: 'sink' is no known key: what it asks for might be lost "
                    + "[config-key]",
            ])
    }

    // MARK: What is not built

    @Test func otherFamiliesAreNamed() {
        for (name, part) in [
            ("MixtralForCausalLM", "mixture of experts"), ("GptOssForCausalLM", "attention sinks"),
            ("DeepseekV3ForCausalLM", "MLA"), ("Gemma2ForCausalLM", "soft-capped"),
            ("Llama4ForConditionalGeneration", "chunked attention"),
            ("BertForMaskedLM", "the head"),
            ("Qwen3MoeForCausalLM", "mixture of experts"), ("NovelForCausalLM", "unknown family"),
        ] {
            let found = diagnostics(.llama.with("architectures", "[\"\(name)\"]"))
            #expect(found.map(\.id) == ["model-unsupported"])
            #expect(found.allSatisfy { $0.message.contains("'\(name)'") })
            #expect(found.allSatisfy { $0.message.contains(part) })
        }
        for literal in ["[]", "3", #""LlamaForCausalLM""#, "[1]", #"["LlamaForCausalLM", "B"]"#] {
            #expect(
                diagnostics(.llama.with("architectures", literal)).map(\.id) == ["config-value"])
        }
    }

    @Test func otherFeaturesAreNamed() {
        for (text, key, literal) in [
            (ConfigText.qwen3, "use_sliding_window", "true"),
            (.llama, "sliding_window", "4096"), (.llama, "hidden_act", #""gelu""#),
            (.llama, "quantization_config", #"{"quant_method": "fp8"}"#),
            (.llama, "pretraining_tp", "2"), (.llama, "rope_interleaved", "true"),
            (.llama, "partial_rotary_factor", "0.5"), (.llama, "is_encoder_decoder", "true"),
            (.qwen3, "mlp_bias", "true"),
            (.qwen3, "layer_types", #"["full_attention", "sliding_attention"]"#),
        ] {
            let found = diagnostics(text.with(key, literal))
            #expect(found.map(\.id) == ["model-unsupported"], "\(key)")
            #expect(found.allSatisfy { $0.message.hasPrefix("'\(key)' is ") })
        }
    }

    @Test func featuresThatAreTurnedOffAreHarmless() throws {
        for (key, literal) in [
            ("sliding_window", "4096"), ("quantization_config", "null"),
            ("layer_types", #"["full_attention", "full_attention"]"#),
            ("rope_interleaved", "false"), ("partial_rotary_factor", "1.0"),
        ] {
            #expect(try imported(.qwen3.with(key, literal)) == imported(.qwen3))
        }
        for literal in ["3", #"["full_attention"]"#] {
            #expect(
                diagnostics(.qwen3.with("layer_types", literal)).map(\.id) == ["config-value"])
        }
    }

    @Test(arguments: ["null", "[]", "3", #""x""#])
    func aFileHoldsAnObject(_ json: String) {
        #expect(throws: DiagnosticSet.self) {
            try ModelConfiguration(huggingFace: Array(json.utf8), file: "config.json")
        }
    }
}
