import Foundation
import LPUModel

/// The files of `Graphs/`, read from the package the tests stand in.
enum GraphFiles {
    static let names = [
        "all-minilm-l6-v2", "bert-base", "llama-2-70b", "llama-3.1-405b", "llama-3.1-70b",
        "llama-3.1-8b", "qwen3-32b", "smollm2-135m", "tiny-bert", "tiny-llama", "tiny-qwen3",
    ]

    static var directory: URL {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Graphs")
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: directory.appending(path: name + ".json")))
    }

    static func configuration(_ name: String) throws -> ModelConfiguration {
        try ModelConfiguration(huggingFace: bytes(name), file: name + ".json")
    }
}
