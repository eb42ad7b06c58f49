import LPUSupport

extension Tokenizer {
    private static let id = "tokenizer-unsupported"

    /// The tokenizer that a GGUF brings: byte pairs of the pre-tokenizers `smollm`, `gpt-2`,
    /// `llama-bpe` and `qwen2`.
    /// - Throws: `tokenizer-unsupported` for others, `tokenizer-syntax` where parts do not fit.
    init(gguf: GGUF) throws(DiagnosticSet) {
        let key = "tokenizer.ggml."
        let model = gguf.string(key + "model") ?? "none"
        guard model == "gpt2" else {
            throw refusal(
                gguf.file, Self.id,
                "its tokenizer is '\(model)', read is 'gpt2': give --token-ids")
        }
        let splitter: Splitter
        let pre = gguf.string(key + "pre") ?? "default"
        switch pre {
        case "smollm": splitter = Splitter(pattern: .gpt2, isolatesDigits: true)
        case "gpt-2", "gpt2": splitter = Splitter(pattern: .gpt2)
        case "llama-bpe", "llama3", "llama-v3": splitter = Splitter(pattern: .llama3)
        case "qwen2": splitter = Splitter(pattern: .qwen2)
        case _:
            throw refusal(
                gguf.file, Self.id,
                "its pre-tokenizer is '\(pre)', read are smollm, gpt-2, llama-bpe and qwen2: give "
                    + "--token-ids")
        }
        let spellings = gguf.strings(key + "tokens").map { Array($0.utf8) }
        let types = gguf.integers(key + "token_type")
        let merges = gguf.strings(key + "merges").map { Self.pair($0) }
        guard !spellings.isEmpty, types.isEmpty || types.count == spellings.count,
            case let known = merges.compactMap(\.self), known.count == merges.count,
            let pairs = BytePairs(
                vocabulary: Self.numbered(spellings), merges: known, splitter: splitter,
                takesWholePieces: splitter.pattern == .llama3)
        else {
            throw refusal(
                gguf.file, "tokenizer-syntax",
                "its tokens, their types and the merges do not fit each other")
        }
        // Control tokens and those that a user added.
        let markers = zip(spellings, types).enumerated().filter { [3, 4].contains($1.1) }.map {
            Marker(text: $1.0, id: $0)
        }
        self.init(.bytePairs(pairs), markers: markers, spellings: spellings)
        composes = splitter.pattern == .qwen2
        if case .bool(true)? = gguf.metadata[key + "add_bos_token"] {
            prefix = gguf.integers(key + "bos_token_id")
        }
        if case .bool(true)? = gguf.metadata[key + "add_eos_token"] {
            suffix = gguf.integers(key + "eos_token_id")
        }
    }

    /// The two tokens of a merge, which a space parts.
    static func pair(_ text: String) -> (left: [UInt8], right: [UInt8])? {
        let parts = text.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        return (Array(parts[0]), Array(parts[1]))
    }

    /// Ids by spelling; of equal ones the lowest.
    static func numbered(_ spellings: [[UInt8]]) -> [[UInt8]: Int] {
        Dictionary(spellings.enumerated().map { ($1, $0) }) { first, _ in first }
    }
}

extension GGUF {
    fileprivate func string(_ key: String) -> String? {
        if case .string(let text)? = metadata[key] { text } else { nil }
    }

    fileprivate func strings(_ key: String) -> [String] {
        guard case .array(let values)? = metadata[key] else { return [] }
        return values.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }

    /// An array's, or the one that stands alone.
    func integers(_ key: String) -> [Int] {
        switch metadata[key] {
        case .array(let values):
            values.compactMap { if case .integer(let number) = $0 { number } else { nil } }
        case .integer(let number): [number]
        case .real, .bool, .string, nil: []
        }
    }
}
