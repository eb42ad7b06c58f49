import LPUModel
import LPUSupport

extension Tokenizer {
    /// Reads a `tokenizer.json` of Hugging Face's `tokenizers`: byte-level BPE or WordPiece.
    /// - Throws: `config-syntax` where it is no JSON, `tokenizer-syntax` where a part is missing,
    ///   `tokenizer-unsupported` for parts that would change ids and are not read.
    init(json file: FileBytes) throws(DiagnosticSet) {
        let reader = TokenizerFile(
            file: file, root: try JSONReader.read(Array(file.bytes), file: file.name))
        self = try reader.tokenizer()
    }
}

/// Takes a `tokenizer.json` apart.
private struct TokenizerFile {
    let file: FileBytes
    let root: JSONValue

    func tokenizer() throws(DiagnosticSet) -> Tokenizer {
        guard let model = root["model"], let entries = entries(model) else {
            throw missing("a model with a vocabulary")
        }
        let vocabulary = Dictionary(entries.map { ($0.spelling, $0.id) }) { $1 }
        let markers = try markers()
        let count = ((entries.map(\.id) + markers.map(\.id)).max() ?? -1) + 1
        // Ids are dense but for holes that nobody uses.
        guard count <= 4_194_304 else { throw missing("ids below 4194304") }
        var spellings = [[UInt8]](repeating: [], count: count)
        for entry in entries { spellings[entry.id] = entry.spelling }
        for marker in markers { spellings[marker.id] = marker.text }
        var result: Tokenizer
        switch model["type"]?.text {
        case "WordPiece":
            result = Tokenizer(
                .wordPiece(try wordPiece(model, vocabulary)), markers: markers,
                spellings: spellings)
        case "BPE":
            result = Tokenizer(
                .bytePairs(try bytePairs(model, vocabulary)), markers: markers,
                spellings: spellings)
            result.composes = try composes()
        case let other:
            throw unsupported("its model is '\(other ?? "none")', read are BPE and WordPiece")
        }
        (result.prefix, result.suffix) = try ends(root["post_processor"])
        return result
    }

    /// The vocabulary in the order of the file.
    private func entries(_ model: JSONValue) -> [(spelling: [UInt8], id: Int)]? {
        guard case .object(let members)? = model["vocab"]?.content else { return nil }
        var entries: [(spelling: [UInt8], id: Int)] = []
        for member in members {
            guard let id = member.value.natural else { return nil }
            entries.append((Array(member.key.utf8), id))
        }
        return entries
    }

    private func markers() throws(DiagnosticSet) -> [Tokenizer.Marker] {
        var markers: [Tokenizer.Marker] = []
        for token in root["added_tokens"]?.elements ?? [] {
            guard let id = token["id"]?.natural, let text = token["content"]?.text else {
                throw missing("an id and a content of every added token")
            }
            if ["lstrip", "rstrip", "single_word"].contains(where: { token[$0]?.flag == true }) {
                throw unsupported(
                    "'\(shown(text))' takes the spaces beside it or whole words alone")
            }
            markers.append(.init(text: Array(text.utf8), id: id))
        }
        return markers
    }

    // MARK: BPE

    private func bytePairs(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int]
    ) throws(DiagnosticSet) -> BytePairs {
        for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"]
        where !(model[key]?.isEmpty ?? true) {
            throw unsupported("'model.\(key)' is given")
        }
        if model["byte_fallback"]?.flag == true {
            throw unsupported("'model.byte_fallback' is true")
        }
        var merges: [(left: [UInt8], right: [UInt8])] = []
        for merge in model["merges"]?.elements ?? [] {
            let pair: (left: [UInt8], right: [UInt8])?
            if let text = merge.text {
                pair = Tokenizer.pair(text)
            } else {
                let parts = (merge.elements ?? []).compactMap(\.text).map { Array($0.utf8) }
                pair = parts.count == 2 ? (parts[0], parts[1]) : nil
            }
            guard let pair else { throw missing("merges of two tokens each") }
            merges.append(pair)
        }
        let splitter = try splitter()
        guard
            let pairs = BytePairs(
                vocabulary: vocabulary, merges: merges, splitter: splitter,
                takesWholePieces: model["ignore_merges"]?.flag == true)
        else { throw missing("every token that a merge names in the vocabulary") }
        return pairs
    }

    private func splitter() throws(DiagnosticSet) -> Splitter {
        var steps = root["pre_tokenizer"].map { [$0] } ?? []
        if steps.first?["type"]?.text == "Sequence" {
            steps = steps[0]["pretokenizers"]?.elements ?? []
        }
        var pattern: Splitter.Pattern?
        var isolatesDigits = false
        var isByteLevel = false
        for step in steps {
            switch step["type"]?.text {
            case "Digits" where step["individual_digits"]?.flag == true && pattern == nil:
                isolatesDigits = true
            case "Split"
            where step["behavior"]?.text == "Isolated" && pattern == nil
                && step["invert"]?.flag != true:
                let expression = step["pattern"]?["Regex"]?.text ?? ""
                pattern = Splitter.Pattern.allCases.first { $0.expression == expression }
                if pattern == nil {
                    throw unsupported("its expression '\(shown(expression))' is not read")
                }
            case "ByteLevel" where step["add_prefix_space"]?.flag != true && !isByteLevel:
                isByteLevel = true
                if step["use_regex"]?.flag != false {
                    guard pattern == nil else { throw unsupported("it splits twice") }
                    pattern = .gpt2
                }
            case let other: throw unsupported("its pre-tokenizer '\(other ?? "none")' is not read")
            }
        }
        guard let pattern, isByteLevel else { throw unsupported("its BPE is not of bytes") }
        return Splitter(pattern: pattern, isolatesDigits: isolatesDigits)
    }

    private func composes() throws(DiagnosticSet) -> Bool {
        guard let normaliser = root["normalizer"], !normaliser.isNull else { return false }
        guard normaliser["type"]?.text == "NFC" else {
            throw unsupported("its normaliser '\(normaliser["type"]?.text ?? "none")' is not read")
        }
        return true
    }

    // MARK: WordPiece

    private func wordPiece(
        _ model: JSONValue, _ vocabulary: [[UInt8]: Int]
    ) throws(DiagnosticSet) -> WordPiece {
        guard root["pre_tokenizer"]?["type"]?.text == "BertPreTokenizer",
            let given = root["normalizer"], given["type"]?.text == "BertNormalizer"
        else { throw unsupported("its WordPiece is not BERT's") }
        let lowercases = given["lowercase"]?.flag ?? true
        guard let unknown = vocabulary[Array((model["unk_token"]?.text ?? "[UNK]").utf8)] else {
            throw missing("the unknown token in the vocabulary")
        }
        return WordPiece(
            vocabulary: vocabulary, unknown: unknown,
            prefix: Array((model["continuing_subword_prefix"]?.text ?? "##").utf8),
            longestWord: model["max_input_chars_per_word"]?.natural ?? 100,
            normaliser: WordPiece.Normaliser(
                cleansText: given["clean_text"]?.flag ?? true,
                separatesIdeographs: given["handle_chinese_chars"]?.flag ?? true,
                stripsAccents: given["strip_accents"]?.flag ?? lowercases, lowercases: lowercases))
    }

    // MARK: Ends

    /// The ids before and behind a text.
    private func ends(_ processor: JSONValue?) throws(DiagnosticSet) -> ([Int], [Int]) {
        guard let processor, !processor.isNull else { return ([], []) }
        switch processor["type"]?.text {
        case "ByteLevel": return ([], [])
        case "Sequence":
            var result: ([Int], [Int]) = ([], [])
            for step in processor["processors"]?.elements ?? [] {
                let (before, behind) = try ends(step)
                result = (before + result.0, result.1 + behind)
            }
            return result
        case "TemplateProcessing":
            var result: ([Int], [Int]) = ([], [])
            var isBehind = false
            for part in processor["single"]?.elements ?? [] {
                if part["Sequence"] != nil { isBehind = true }
                guard let name = part["SpecialToken"]?["id"]?.text else { continue }
                let ids = processor["special_tokens"]?[name]?["ids"]?.elements ?? []
                let numbers = ids.compactMap(\.natural)
                if isBehind { result.1 += numbers } else { result.0 += numbers }
            }
            return result
        case let other:
            throw unsupported("its post-processor '\(other ?? "none")' is not read")
        }
    }

    private func missing(_ what: String) -> DiagnosticSet {
        refusal(file, "tokenizer-syntax", "it lacks \(what)")
    }

    private func unsupported(_ message: String) -> DiagnosticSet {
        refusal(file, "tokenizer-unsupported", message + ": give --token-ids")
    }
}

extension JSONValue {
    /// The last member of that name, as in other readers.
    subscript(key: String) -> JSONValue? {
        guard case .object(let members) = content else { return nil }
        return members.last { $0.key == key }?.value
    }

    var text: String? {
        if case .string(let text) = content { text } else { nil }
    }

    fileprivate var flag: Bool? {
        if case .bool(let flag) = content { flag } else { nil }
    }

    fileprivate var natural: Int? {
        guard case .number(let literal) = content, let number = Int(literal), number >= 0,
            number < 1 << 31
        else { return nil }
        return number
    }

    fileprivate var elements: [JSONValue]? {
        if case .array(let elements) = content { elements } else { nil }
    }

    /// Null, or a string without characters.
    fileprivate var isEmpty: Bool { isNull || text == "" }
}
