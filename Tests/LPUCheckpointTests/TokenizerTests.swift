import Foundation
import LPUSupport
import Testing

@testable import LPUCheckpoint

@Suite struct TokenizerTests {
    struct Small: Decodable {
        var texts: [String]
        var ids: [String: [[Int]]]
    }
    struct Large: Decodable { var ids: [[Int]] }

    static let kinds = ["gpt2", "llama3", "qwen2", "bert"]

    /// Small tokenizers give the ids of the reference for texts of many scripts.
    @Test(arguments: kinds) func idsAreThoseOfTheReference(_ kind: String) throws {
        let golden = try Goldens.read("small-tokens.json", as: Small.self)
        let tokenizer = try Tokenizer(
            json: FileBytes(path: Goldens.path("small-\(kind).tokenizer.json")))
        let ids = try #require(golden.ids[kind])
        #expect(ids.count == golden.texts.count && ids.count > 40)
        for (text, ids) in zip(golden.texts, ids) {
            #expect(
                tokenizer.encode(text, addingEnds: false) == ids, "\(kind) \(text.debugDescription)"
            )
        }
    }

    /// Bytes come back as they were.
    @Test(arguments: ["gpt2", "llama3"]) func decodingUndoesEncoding(_ kind: String) throws {
        let golden = try Goldens.read("small-tokens.json", as: Small.self)
        let tokenizer = try Tokenizer(
            json: FileBytes(path: Goldens.path("small-\(kind).tokenizer.json")))
        for text in golden.texts {
            #expect(tokenizer.decode(tokenizer.encode(text)).utf8.elementsEqual(text.utf8))
        }
        #expect(tokenizer.bytes(of: -1) == [] && tokenizer.bytes(of: 1 << 40) == [])
    }

    @Test func tokenizerOfATinyGGUF() throws {
        let tokenizer = try Checkpoint(path: Goldens.path("tiny.gguf")).tokenizer()
        #expect(tokenizer.encode("hello he<|end|>hell") == [30, 31, 32, 29])
        #expect(tokenizer.vocabularySize == 40)
        #expect(tokenizer.decode(tokenizer.encode("hello he<|end|>")) == "hello he<|end|>")
    }

    /// The vocabulary of SmolLM2 gives the ids of the reference.
    @Test(.enabled(if: Goldens.smolLM != nil, "run 'make weights' to fetch SmolLM2-135M-Instruct"))
    func idsOfSmolLM() throws {
        let texts = try Goldens.read("small-tokens.json", as: Small.self).texts
        let golden = try Goldens.read("smollm2-tokens.json", as: Large.self)
        let path = try #require(Goldens.smolLM)
        let tokenizer = try Checkpoint(path: path).tokenizer()
        #expect(golden.ids.count == texts.count)
        for (text, ids) in zip(texts, golden.ids) {
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8))
        }
    }

    struct Edit: Sendable, CustomTestStringConvertible {
        var from: String
        var to: String
        var words: String
        var testDescription: String { to }
    }

    static let edits = [
        Edit(from: #""type":"BPE""#, to: #""type":"Unigram""#, words: "its model is 'Unigram'"),
        Edit(from: #""lstrip":false"#, to: #""lstrip":true"#, words: "takes the spaces"),
        Edit(from: #""dropout":null"#, to: #""dropout":0.1"#, words: "'model.dropout' is given"),
        Edit(from: #"{1,3}"#, to: #"{1,4}"#, words: "is not read"),
        Edit(from: #""normalizer":null"#, to: #""normalizer":{"type":"NFD"}"#, words: "'NFD'"),
    ]

    @Test(arguments: edits) func whatWouldChangeIDsIsRefused(_ edit: Edit) throws {
        let text = String(
            decoding: try Goldens.bytes("small-llama3.tokenizer.json"), as: UTF8.self)
        #expect(text.contains(edit.from))
        try Goldens.withFolder { folder in
            let file = folder.appending(path: "tokenizer.json")
            let first = try #require(text.range(of: edit.from))
            try Data(text.replacingCharacters(in: first, with: edit.to).utf8).write(to: file)
            do {
                _ = try Tokenizer(json: FileBytes(path: file.path))
                Issue.record("it was accepted")
            } catch let error as DiagnosticSet {
                #expect("\(error)".contains(edit.words), "\(error)")
            }
        }
    }
}
