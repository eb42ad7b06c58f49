import Foundation
import LPUSupport

@testable import LPUReference

/// What transformers computes in float64: a file of Goldens, written by Goldens/make_goldens.py.
struct Golden {
    /// The golden's `config.json`, its replaced keys included.
    let config: ReferenceConfig
    /// `true` iff its weights are the wide ones.
    let isWide: Bool
    /// The prompt, then what greedy decoding adds.
    let tokens: [Int]
    let promptLength: Int
    /// At every position but the last token's.
    let logits: [[Double]]

    init(_ name: String) throws {
        struct File: Decodable {
            var config: String
            var wide: Bool
            var promptLength: Int
            var tokens: [Int]
            var logits: [[Double]]
        }
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: here.appending(path: "Goldens/\(name).json"))
        let file = try JSONDecoder().decode(File.self, from: data)
        let graphs = here.appending(path: "../../Graphs")
        let json = try Data(contentsOf: graphs.appending(path: "\(file.config).json"))
        var object = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
        let golden = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        object.merge(golden["replaced"] as? [String: Any] ?? [:]) { $1 }
        let merged = try JSONSerialization.data(withJSONObject: object)
        config = try ReferenceConfig(json: [UInt8](merged), file: file.config)
        isWide = file.wide
        tokens = file.tokens
        promptLength = file.promptLength
        logits = file.logits
    }

    /// The tokens of the positions that have logits.
    var fed: [Int] { Array(tokens.dropLast()) }

    /// The model of the golden, or one that `change` makes of each of its tensors.
    func model(
        _ config: ReferenceConfig? = nil,
        change: @escaping (_ name: String, inout [Double]) -> Void = { _, _ in }
    ) throws -> ReferenceModel {
        try ReferenceModel(config ?? self.config) { [isWide] name, shape in
            var elements = ReferenceWeights.tensor(name, shape: shape, wide: isWide)
            change(name, &elements)
            return elements
        }
    }

    /// The largest distance of a logit from the golden's, over all positions of `logits`;
    /// infinite if one is not a number, which `max` would pass over.
    func distance(_ logits: [[Double]]) -> Double {
        zip(logits, self.logits).reduce(0) { worst, rows in
            zip(rows.0, rows.1).reduce(worst) { worst, pair in
                let distance = abs(pair.0 - pair.1)
                return distance.isNaN ? .infinity : max(worst, distance)
            }
        }
    }
}
