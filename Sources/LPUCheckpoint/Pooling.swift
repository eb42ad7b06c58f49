import Foundation
import LPUModel
public import LPUSupport

extension Checkpoint {
    /// `true` iff the model's embeddings are to have length 1: its `modules.json`, which
    /// sentence-transformers writes, then names `Normalize`. `false` where there is none.
    /// - Throws: `model-unsupported` where it makes them otherwise than by the mean of the tokens.
    public func normalisesEmbeddings() throws(DiagnosticSet) -> Bool {
        guard let directory, has("modules.json", in: directory) else { return false }
        let file = try FileBytes(path: directory + "/modules.json")
        let modules = try JSONReader.read(Array(file.bytes), file: file.name)
        guard case .array(let elements) = modules.content else {
            throw refusal(file, "config-value", "it holds \(modules.description), not an array")
        }
        var normalises = false
        for module in elements {
            let type = module["type"]?.text ?? ""
            switch type.split(separator: ".").last {
            case "Transformer": break
            case "Normalize": normalises = true
            case "Pooling": try checkPooling(directory, module["path"]?.text ?? "")
            case _:
                throw refusal(
                    file, "model-unsupported",
                    "it names the module '\(shown(type))': built are the mean of the tokens and "
                        + "Normalize")
            }
        }
        return normalises
    }

    /// The mean of the tokens and nothing else.
    private func checkPooling(_ directory: String, _ path: String) throws(DiagnosticSet) {
        let file = try FileBytes(path: "\(directory)/\(path)/config.json")
        let config = try JSONReader.read(Array(file.bytes), file: file.name)
        guard case .object(let members) = config.content else {
            throw refusal(file, "config-value", "it holds \(config.description), not an object")
        }
        let modes = members.filter { member in
            guard case .bool(true) = member.value.content else { return false }
            return member.key.hasPrefix("pooling_mode_")
        }.map(\.key)
        guard modes == ["pooling_mode_mean_tokens"] else {
            throw refusal(
                file, "model-unsupported",
                "the modes are \(modes.map { shown($0) }.joined(separator: ", ")): built is "
                    + "pooling_mode_mean_tokens")
        }
    }

    private func has(_ file: String, in directory: String) -> Bool {
        FileManager.default.fileExists(atPath: directory + "/" + file)
    }
}
