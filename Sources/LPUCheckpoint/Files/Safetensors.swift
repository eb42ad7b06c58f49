import LPUModel
import LPUSupport

/// One `.safetensors` file: a length, a JSON header and the tensors' bytes.
///
/// The format is that of https://github.com/huggingface/safetensors; as there, the tensors cover
/// all bytes behind the header, without gaps and overlaps.
struct Safetensors {
    private static let id = "safetensors-header"
    /// The header may be as long as in the reference implementation.
    private static let longestHeader = 100_000_000

    private let file: FileBytes
    private let start: Int
    private(set) var tensors: [StoredTensor] = []
    /// Tensors of I64: indices, of which no weight is made.
    private(set) var indices: [(name: String, bytes: Range<Int>)] = []

    /// Reads the header and checks all of it; O(header).
    /// - Throws: `safetensors-header`, and `weights-type` for types that are not read.
    init(_ file: FileBytes) throws(DiagnosticSet) {
        self.file = file
        var cursor = ByteCursor(file, id: Self.id)
        let length = try cursor.count(of: 1, "the length of the header")
        guard length <= Self.longestHeader else {
            throw cursor.error("the header is longer than \(Self.longestHeader) bytes")
        }
        start = cursor.offset + length
        let header = Array(file.bytes[cursor.offset..<start])
        let value = try JSONReader.read(header, file: file.name)
        guard case .object(let members) = value.content else {
            throw refusal(file, Self.id, "the header is \(value.description), not an object")
        }
        var names: Set<String> = []
        for member in members {
            guard names.insert(member.key).inserted else {
                throw refusal(file, Self.id, "'\(shown(member.key))' stands twice")
            }
            if member.key == "__metadata__" { continue }
            try read(member)
        }
        try checkCover()
    }

    private mutating func read(_ member: JSONMember) throws(DiagnosticSet) {
        let name = "'\(shown(member.key))'"
        guard case .object(let fields) = member.value.content, fields.count == 3,
            case .string(let typeName)? = fields.first(where: { $0.key == "dtype" })?.value.content,
            let shape = naturals(fields, "shape"), shape.count <= 8,
            let offsets = naturals(fields, "data_offsets"), offsets.count == 2
        else {
            throw refusal(
                file, Self.id,
                "\(name) is to have dtype, shape (numbers) and data_offsets (two numbers) alone")
        }
        let available = file.bytes.count - start
        guard offsets[0] <= offsets[1], offsets[1] <= available else {
            throw refusal(
                file, Self.id,
                "\(name) is at \(offsets[0])..<\(offsets[1]) of \(available) bytes of data")
        }
        let bytes = start + offsets[0]..<start + offsets[1]
        if typeName == "I64" { return indices.append((member.key, bytes)) }
        guard let type = Self.type(typeName) else {
            throw refusal(
                file, "weights-type",
                "\(name) is of type \(shown(typeName)): read are F32, F16, BF16 and F8_E4M3")
        }
        guard let needed = StoredTensor.byteCount(type, shape), needed == offsets[1] - offsets[0]
        else {
            throw refusal(
                file, Self.id,
                "\(name) \(shape) in \(type.rawValue) does not take "
                    + "\(offsets[1] - offsets[0]) bytes")
        }
        tensors.append(
            StoredTensor(file: file, name: member.key, type: type, shape: shape, bytes: bytes))
    }

    private static func type(_ name: String) -> StoredType? {
        let plain: [StoredType] = [.f32, .f16, .bf16, .f8E4M3]
        return plain.first { $0.rawValue == name }
    }

    /// An array of integers of 0 or more.
    private func naturals(_ fields: [JSONMember], _ key: String) -> [Int]? {
        guard case .array(let values)? = fields.first(where: { $0.key == key })?.value.content
        else { return nil }
        var result: [Int] = []
        for value in values {
            guard case .number(let literal) = value.content, let number = Int(literal), number >= 0
            else { return nil }
            result.append(number)
        }
        return result
    }

    /// Each byte of data belongs to one tensor.
    private func checkCover() throws(DiagnosticSet) {
        var end = start
        let all = tensors.map { (name: $0.name, bytes: $0.bytes) } + indices
        let sorted = all.sorted {
            ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name)
                < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
        }
        for tensor in sorted {
            guard tensor.bytes.lowerBound == end else {
                throw refusal(
                    file, Self.id,
                    "'\(shown(tensor.name))' begins at byte \(tensor.bytes.lowerBound), the tensor "
                        + "before it ends at \(end): tensors neither overlap nor leave gaps")
            }
            end = tensor.bytes.upperBound
        }
        guard end == file.bytes.count else {
            throw refusal(
                file, Self.id,
                "the tensors end at byte \(end), the file has \(file.bytes.count)")
        }
    }
}

/// The tensors of a model in several files, by the index that names the file of each.
struct ShardedSafetensors {
    private(set) var tensors: [StoredTensor] = []

    /// - Parameter directory: where the files are.
    /// - Throws: `safetensors-index` where index and files disagree, and as `Safetensors`.
    init(index: FileBytes, in directory: String) throws(DiagnosticSet) {
        let id = "safetensors-index"
        let value = try JSONReader.read(Array(index.bytes), file: index.name)
        guard case .object(let members) = value.content,
            case .object(let map)? = members.first(where: { $0.key == "weight_map" })?.value.content
        else { throw refusal(index, id, "it has no object 'weight_map'") }
        var fileOf: [String: String] = [:]
        for member in map {
            guard case .string(let file) = member.value.content, !file.isEmpty,
                !file.contains("/"), !file.hasPrefix(".")
            else {
                throw refusal(
                    index, id, "'\(shown(member.key))' is in no file of the same directory")
            }
            guard fileOf.updateValue(file, forKey: member.key) == nil else {
                throw refusal(index, id, "'\(shown(member.key))' stands twice")
            }
        }
        for file in Set(fileOf.values).sorted() {
            let shard = try Safetensors(FileBytes(path: directory + "/" + file))
            for (name, _) in shard.indices { fileOf[name] = nil }
            for tensor in shard.tensors {
                guard fileOf.removeValue(forKey: tensor.name) == file else {
                    throw refusal(
                        index, id,
                        "'\(shown(tensor.name))' is in '\(shown(file))', the index does not say so")
                }
                tensors.append(tensor)
            }
        }
        if let missing = fileOf.keys.min() {
            throw refusal(
                index, id,
                "'\(shown(missing))' is not in '\(shown(fileOf[missing] ?? ""))', as the index says"
            )
        }
    }
}
