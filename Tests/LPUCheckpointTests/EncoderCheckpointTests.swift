import Foundation
import LPUModel
import LPUSupport
import Testing

@testable import LPUCheckpoint

/// Directories as sentence-transformers writes them.
@Suite struct EncoderCheckpointTests {
    private static let config = """
        {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": 8, "hidden_size": 32,
         "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "max_position_embeddings": 16}
        """
    private static let modules = """
        [{"path": "", "type": "sentence_transformers.models.Transformer"},
         {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
         {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
        """

    /// A file of zeros: the model's weights, the pooler and the positions, less or more.
    private func weights(without missing: String? = nil, with surplus: String? = nil) throws -> Data
    {
        let configuration = try ModelConfiguration(
            huggingFace: Array(Self.config.utf8), file: "config.json")
        var tensors = ModelGraph(configuration).weights.filter { $0.name != missing }.map {
            (name: $0.name, type: "F32", shape: $0.shape)
        }
        tensors.append(("embeddings.position_ids", "I64", [1, 16]))
        tensors.append(("pooler.dense.bias", "F32", [32]))
        tensors.append(("pooler.dense.weight", "F32", [32, 32]))
        if let surplus { tensors.append((surplus, "F32", [1])) }
        var header: [String] = []
        var end = 0
        for (name, type, shape) in tensors {
            let bytes = shape.reduce(type == "I64" ? 8 : 4, *)
            header.append(
                "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),"
                    + "\"data_offsets\":[\(end),\(end + bytes)]}")
            end += bytes
        }
        let text = Array("{\(header.joined(separator: ","))}".utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        return Data(length + text + [UInt8](repeating: 0, count: end))
    }

    private func open(
        _ weights: Data, modules: String? = modules, pooling: String = "mean_tokens"
    ) throws -> Bool {
        try Goldens.withFolder { folder in
            try Data(Self.config.utf8).write(to: folder.appending(path: "config.json"))
            try weights.write(to: folder.appending(path: "model.safetensors"))
            if let modules {
                let directory = folder.appending(path: "1_Pooling")
                try FileManager.default.createDirectory(
                    at: directory, withIntermediateDirectories: true)
                try Data("{\"pooling_mode_\(pooling)\": true, \"pooling_mode_x\": false}".utf8)
                    .write(to: directory.appending(path: "config.json"))
                try Data(modules.utf8).write(to: folder.appending(path: "modules.json"))
            }
            return try Checkpoint(path: folder.path).normalisesEmbeddings()
        }
    }

    private func refusal(_ body: () throws -> Bool) -> String {
        do {
            _ = try body()
            return "it was accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func poolerAndPositionsAreNotNeeded() throws {
        #expect(try open(weights()))
        #expect(try !open(weights(), modules: nil))
    }

    @Test func whatIsMissingOrTooMuchIsNamed() throws {
        let missing = "encoder.layer.0.output.LayerNorm.bias"
        let found = refusal { try open(weights(without: missing)) }
        #expect(found.contains("the model needs '\(missing)' [32]"), "\(found)")
        let surplus = refusal { try open(weights(with: "cls.bias")) }
        #expect(surplus.contains("no use for 'cls.bias'"), "\(surplus)")
    }

    @Test func otherPoolingIsRefused() throws {
        let found = refusal { try open(weights(), pooling: "cls_token") }
        #expect(found.contains("pooling_mode_cls_token: built is pooling_mode_mean_tokens"))
        let dense = Self.modules.replacing("Normalize\"", with: "Dense\"")
        let other = refusal { try open(weights(), modules: dense) }
        #expect(other.contains("Dense"), "\(other)")
    }
}
