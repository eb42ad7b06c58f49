import Foundation
import LPUModel
import LPUSupport
import Testing

@testable import LPUCheckpoint

@Suite struct CheckpointTests {
    struct Golden: Decodable { var rows: [String: [String: [String]]] }
    static let forms = ["tiny.gguf", "tiny", "tiny-sharded"]

    /// Each form gives the configuration, and first and last rows, that its own library reads.
    @Test(arguments: forms) func rowsAreThoseOfTheReference(_ form: String) throws {
        let checkpoint = try Checkpoint(path: Goldens.path(form))
        let golden = try #require(try Goldens.read("tiny.json", as: Golden.self).rows[form])
        let weights = ModelGraph(checkpoint.configuration).weights
        #expect(Set(golden.keys) == Set(weights.map(\.name)))
        var row: [Float] = []
        for weight in weights {
            #expect(checkpoint.weights.shape(of: weight.name) == weight.shape)
            for (index, hex) in zip([0, weight.rowCount - 1], golden[weight.name] ?? []) {
                checkpoint.weights.readRow(index, of: weight.name, into: &row)
                #expect(
                    row.map(\.bitPattern) == words(hex: hex),
                    "\(form) \(weight.name) row \(index)")
            }
        }
        #expect(checkpoint.endTokens == (form == "tiny.gguf" ? [32] : [2]))
    }

    @Test func allFormsAreOneModel() throws {
        let configurations = try Self.forms.map {
            try Checkpoint(path: Goldens.path($0)).configuration
        }
        #expect(configurations.allSatisfy { $0 == configurations[0] })
        #expect(configurations[0].normEpsilon == 1e-5)
        #expect(configurations[0].tiesEmbeddings)
    }

    /// Rows of queries rest as pairs in the GGUF; read back they stand as in safetensors.
    @Test func pairedRowsAreUndone() throws {
        let gguf = try Checkpoint(path: Goldens.path("tiny.gguf"))
        let plain = try Checkpoint(path: Goldens.path("tiny"))
        for name in ["q_proj", "k_proj", "v_proj"] {
            let tensor = "model.layers.1.self_attn.\(name).weight"
            let rows = try #require(plain.weights.shape(of: tensor))[0]
            var (a, b): ([Float], [Float]) = ([], [])
            for r in 0..<rows {
                gguf.weights.readRow(r, of: tensor, into: &a)
                plain.weights.readRow(r, of: tensor, into: &b)
                // Both are rounded: neighbours differ by far more.
                #expect(zip(a, b).allSatisfy { abs($0 - $1) < 0.06 }, "\(tensor) row \(r)")
            }
        }
    }

    @Test func tensorsThatDoNotFitAreNamed() throws {
        let stored = try Checkpoint(path: Goldens.path("tiny")).weights
        var graph = ModelGraph(try Checkpoint(path: Goldens.path("tiny")).configuration).weights
        graph[2].shape = [65]
        let gone = graph.removeLast().name
        graph.append(WeightTensor("model.layers.9.mlp.up_proj.weight", shape: [96, 64]))
        do {
            try stored.check(against: graph, tied: true)
            Issue.record("it was accepted")
        } catch {
            let found = error.diagnostics.map { "\($0.id) \($0.message)" }
            #expect(
                found == [
                    "weights-shape '\(graph[2].name)' has shape [64, 64], the model needs [65]",
                    "weights-missing the model needs 'model.layers.9.mlp.up_proj.weight' [96, 64]",
                    "weights-surplus the model has no use for '\(gone)'",
                ])
        }
    }

    struct Edit: Sendable, CustomTestStringConvertible {
        var from: String
        var to: String
        var id: String
        var testDescription: String { "\(from) -> \(to)" }
    }

    /// Edits of one length, so that offsets stay.
    static let edits = [
        Edit(from: #""dtype":"F16""#, to: #""dtype":"F64""#, id: "weights-type"),
        Edit(from: #""shape":[40,64]"#, to: #""shape":[64,40]"#, id: "weights-shape"),
        Edit(from: #""shape":[40,64]"#, to: #""shape":[40,65]"#, id: "safetensors-header"),
        Edit(from: "model.norm.weight", to: "model.born.weight", id: "weights-missing"),
        Edit(from: #""data_offsets":[0,"#, to: #""data_offsets":[4,"#, id: "safetensors-header"),
        Edit(from: #"{"__metadata__""#, to: #"["__metadata__""#, id: "config-syntax"),
    ]

    @Test(arguments: edits) func whatIsWrongIsSaid(_ edit: Edit) throws {
        var bytes = try Goldens.bytes("tiny/model.safetensors")
        let at = try #require(bytes.firstRange(of: Array(edit.from.utf8)))
        bytes.replaceSubrange(at, with: Array(edit.to.utf8))
        try Goldens.withFolder { folder in
            try Data(try Goldens.bytes("tiny/config.json"))
                .write(to: folder.appending(path: "config.json"))
            try Data(bytes).write(to: folder.appending(path: "model.safetensors"))
            do {
                _ = try Checkpoint(path: folder.path)
                Issue.record("it was accepted")
            } catch let error as DiagnosticSet {
                #expect(error.diagnostics.contains { $0.id == edit.id }, "\(error)")
            }
        }
    }

    @Test func aFileThatIsNotThereIsSaid() {
        #expect(throws: DiagnosticSet.self) { try Checkpoint(path: "nowhere.gguf") }
        #expect(throws: DiagnosticSet.self) {
            try Checkpoint(path: Goldens.path("blocks.json"))
        }
    }
}
