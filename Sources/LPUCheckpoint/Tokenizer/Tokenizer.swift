import Foundation

/// Turns text into the token ids of a model, and ids into text.
///
/// It gives the ids of Hugging Face's `tokenizers` for byte-level byte-pair encoding and WordPiece.
public struct Tokenizer: Sendable {
    enum Scheme: Sendable {
        case bytePairs(BytePairs)
        case wordPiece(WordPiece)
    }

    /// A token that stands for a marker, such as `<|im_end|>`, and is found in the text as it is.
    struct Marker: Sendable {
        var text: [UInt8]
        var id: Int
    }

    let scheme: Scheme
    /// Text is composed canonically (NFC) before it is cut.
    var composes = false
    /// The longest first; of equal ones the lowest id.
    let markers: [Marker]
    /// By id, as the vocabulary spells them.
    let spellings: [[UInt8]]
    /// Ids that stand before and behind every text.
    var prefix: [Int] = []
    var suffix: [Int] = []

    init(
        _ scheme: Scheme, markers: [Marker], spellings: [[UInt8]]
    ) {
        self.scheme = scheme
        self.spellings = spellings
        self.markers = markers.filter { !$0.text.isEmpty }.sorted {
            ($1.text.count, $0.id) < ($0.text.count, $1.id)
        }
    }

    /// Tokens of the vocabulary; ids are below it.
    public var vocabularySize: Int { spellings.count }

    /// The ids of a text, with those that the model wants before and behind every text unless
    /// `addingEnds` is false; about linear in the text.
    public func encode(_ text: String, addingEnds: Bool = true) -> [Int] {
        let bytes = Array(text.utf8)
        var ids: [Int] = []
        var start = 0
        var i = 0
        while i < bytes.count {
            guard let marker = marker(at: i, in: bytes) else {
                i += 1
                continue
            }
            ids += encode(bytes[start..<i])
            ids.append(marker.id)
            i += marker.text.count
            start = i
        }
        ids += encode(bytes[start...])
        return addingEnds ? prefix + ids + suffix : ids
    }

    private func marker(at i: Int, in bytes: [UInt8]) -> Marker? {
        markers.first { bytes[i] == $0.text[0] && bytes[i...].starts(with: $0.text) }
    }

    /// The ids of text without markers.
    private func encode(_ bytes: ArraySlice<UInt8>) -> [Int] {
        if bytes.isEmpty { return [] }
        var text = String(decoding: bytes, as: UTF8.self)
        if composes { text = text.precomposedStringWithCanonicalMapping }
        return switch scheme {
        case .bytePairs(let pairs): pairs.encode(text)
        case .wordPiece(let pieces): pieces.encode(text)
        }
    }

    /// The bytes that a token adds to a text, which may end within a character; empty of an id
    /// beyond the vocabulary.
    public func bytes(of id: Int) -> [UInt8] {
        guard spellings.indices.contains(id) else { return [] }
        if markers.contains(where: { $0.id == id }) { return spellings[id] }
        return switch scheme {
        case .bytePairs: ByteAlphabet.bytes(of: String(decoding: spellings[id], as: UTF8.self))
        case .wordPiece(let pieces):
            spellings[id].starts(with: pieces.prefix)
                ? Array(spellings[id].dropFirst(pieces.prefix.count))
                : [UInt8(ascii: " ")] + spellings[id]
        }
    }

    /// The text of ids; bytes that are no UTF-8 become U+FFFD.
    public func decode(_ ids: [Int]) -> String {
        String(decoding: ids.flatMap(bytes), as: UTF8.self)
    }
}
