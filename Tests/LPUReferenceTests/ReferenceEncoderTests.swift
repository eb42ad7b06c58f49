import Foundation
import LPUSupport
import Testing

@testable import LPUReference

/// What transformers computes in float64, written by Goldens/make_encoder_goldens.py.
private struct EncoderGolden {
    struct File: Decodable {
        var config: String
        var tokens, types, mask: [Int]
        /// The tokens whose states are kept.
        var kept: [Int]
        var embedding: [Double]
        var states: [[Double]]
    }
    let file: File
    let json: [UInt8]

    init(_ name: String) throws {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let data = try Data(contentsOf: here.appending(path: "Goldens/\(name).json"))
        file = try JSONDecoder().decode(File.self, from: data)
        let graph = here.appending(path: "../../Graphs/\(file.config).json")
        var object = try Self.object(Data(contentsOf: graph))
        object.merge(try Self.object(data)["replaced"] as? [String: Any] ?? [:]) { $1 }
        json = [UInt8](try JSONSerialization.data(withJSONObject: object))
    }

    private static func object(_ data: Data) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    var tokens: [ReferenceEncoder.Token] {
        file.tokens.indices.map {
            ReferenceEncoder.Token(
                file.tokens[$0], type: file.types[$0], isReal: file.mask[$0] == 1)
        }
    }

    func encoder() throws -> ReferenceEncoder {
        try ReferenceEncoder(ReferenceEncoderConfig(json: json, file: file.config)) {
            ReferenceWeights.tensor($0, shape: $1)
        }
    }
}

/// Infinite where one is no number, or their counts differ.
private func distance(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { worst, pair in
        let distance = abs(pair.0 - pair.1)
        return distance.isNaN ? .infinity : max(worst, distance)
    }
}

@Suite struct ReferenceEncoderTests {
    @Test(arguments: ["tiny-bert", "tiny-bert-tanh"])
    func agreesWithTransformers(_ name: String) throws {
        let golden = try EncoderGolden(name)
        let encoder = try golden.encoder()
        let states = encoder.states(of: golden.tokens)
        for (i, expected) in zip(golden.file.kept, golden.file.states) {
            #expect(distance(states[i], expected) < 1e-6)
        }
        #expect(distance(encoder.embedding(of: golden.tokens), golden.file.embedding) < 1e-6)
    }

    @Test func paddingIsNotSeen() throws {
        let golden = try EncoderGolden("tiny-bert")
        let encoder = try golden.encoder()
        let real = golden.tokens.filter(\.isReal)
        #expect(real.count < golden.tokens.count)
        #expect(distance(encoder.embedding(of: real), golden.file.embedding) < 1e-6)
        let seen = golden.tokens.map { ReferenceEncoder.Token($0.id, type: $0.type) }
        #expect(distance(encoder.embedding(of: seen), golden.file.embedding) > 1e-3)
    }

    @Test func whatIsNotDefinedIsRefused() throws {
        for (key, part) in [
            ("hidden_act", "defined are gelu"), ("position_embedding_type", "absolute"),
            ("layer_norm_eps", "no positive number"), ("type_vocab_size", "no integer"),
        ] {
            let golden = try EncoderGolden("tiny-bert")
            var object =
                try JSONSerialization.jsonObject(with: Data(golden.json)) as? [String: Any] ?? [:]
            object[key] = "other"
            let bytes = [UInt8](try JSONSerialization.data(withJSONObject: object))
            do throws(DiagnosticSet) {
                _ = try ReferenceEncoderConfig(json: bytes, file: "config.json")
                Issue.record("\(key) was read")
            } catch {
                #expect(error.description.contains(part), "\(error)")
            }
        }
    }
}
