import Foundation
public import LPUModel
public import LPUSupport

/// A trained model: its configuration, its weights and, where it brings one, its tokenizer.
public struct Checkpoint: Sendable {
    /// What the model is called: the name of the file or directory.
    public let name: String
    /// The bytes of the `config.json`; of a GGUF the one that its metadata stands for.
    public let config: [UInt8]
    public let configuration: ModelConfiguration
    public let weights: StoredWeights
    /// Ids with which a text ends.
    public let endTokens: [Int]
    private let source: Source

    /// Where the tokenizer is.
    private enum Source {
        case gguf(GGUF)
        case directory(String)
    }

    /// Opens a `.gguf` file, or a directory with `config.json`, `model.safetensors` or
    /// `model.safetensors.index.json`, and perhaps `tokenizer.json`.
    ///
    /// Headers are checked whole, and the tensors against the model's graph; bytes of weights are
    /// read when they are asked for.
    /// - Throws: what is wrong with the files, by name; see `Documentation/Checkpoints.md`.
    public init(path: String) throws(DiagnosticSet) {
        var isDirectory: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        if isDirectory.boolValue {
            try self.init(directory: path)
        } else {
            try self.init(gguf: path)
        }
    }

    private init(gguf path: String) throws(DiagnosticSet) {
        let file = try GGUF(FileBytes(path: path))
        name = URL(filePath: path).deletingPathExtension().lastPathComponent
        config = try file.config()
        configuration = try ModelConfiguration(
            huggingFace: config, file: path + " (its metadata as config.json)")
        weights = StoredWeights(tensors: try file.renamedTensors(configuration), name: path)
        try weights.check(
            against: ModelGraph(configuration).weights, tied: configuration.tiesEmbeddings)
        endTokens = ["eos", "eot", "eom"].flatMap { file.integers("tokenizer.ggml.\($0)_token_id") }
        source = .gguf(file)
    }

    private init(directory path: String) throws(DiagnosticSet) {
        func has(_ file: String) -> Bool {
            FileManager.default.fileExists(atPath: path + "/" + file)
        }
        name = URL(filePath: path).lastPathComponent
        let file = try FileBytes(path: path + "/config.json")
        config = Array(file.bytes)
        configuration = try ModelConfiguration(huggingFace: config, file: file.name)
        let tensors: [StoredTensor]
        if has("model.safetensors.index.json") {
            let index = try FileBytes(path: path + "/model.safetensors.index.json")
            tensors = try ShardedSafetensors(index: index, in: path).tensors
        } else {
            tensors = try Safetensors(FileBytes(path: path + "/model.safetensors")).tensors
        }
        // Frequencies that older files keep follow from the configuration; what an encoder's pooler
        // makes of the first token is no part of an embedding.
        let isEncoder = configuration.isEncoder
        let own = tensors.filter {
            !$0.name.hasSuffix(".rotary_emb.inv_freq")
                && !(isEncoder && $0.name.hasPrefix("pooler.dense."))
        }
        weights = StoredWeights(
            tensors: Dictionary(uniqueKeysWithValues: own.map { ($0.name, $0) }), name: path)
        try weights.check(
            against: ModelGraph(configuration).weights, tied: configuration.tiesEmbeddings)
        endTokens = Self.endTokens(ofConfig: file)
        source = .directory(path)
    }

    /// Where its files are; nil of a single file.
    var directory: String? {
        switch source {
        case .gguf: nil
        case .directory(let path): path
        }
    }

    /// The tokenizer that came with the model.
    /// - Throws: `file-read` where there is none, and what `tokenizer-` diagnostics say.
    public func tokenizer() throws(DiagnosticSet) -> Tokenizer {
        switch source {
        case .gguf(let file): try Tokenizer(gguf: file)
        case .directory(let path): try Tokenizer(json: FileBytes(path: path + "/tokenizer.json"))
        }
    }

    /// `eos_token_id`, a number or several; the importer has read the file before.
    private static func endTokens(ofConfig file: FileBytes) -> [Int] {
        guard let value = try? JSONReader.read(Array(file.bytes), file: file.name),
            case .object(let members) = value.content,
            let ids = members.last(where: { $0.key == "eos_token_id" })?.value.content
        else { return [] }
        func id(_ content: JSONValue.Content) -> Int? {
            if case .number(let literal) = content { Int(literal) } else { nil }
        }
        if case .array(let all) = ids { return all.compactMap { id($0.content) } }
        return id(ids).map { [$0] } ?? []
    }
}
