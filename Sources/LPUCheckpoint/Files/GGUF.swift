import LPUModel
import LPUSupport

/// One `.gguf` file of version 2 or 3: metadata by key, tensors by name, the tensors' bytes.
///
/// The format is `docs/gguf.md` of https://github.com/ggml-org/ggml.
struct GGUF {
    static let id = "gguf-header"

    enum Value {
        case integer(Int)
        case real(Double)
        case bool(Bool)
        case string(String)
        /// Of elements of one type.
        case array([Value])
    }

    let file: FileBytes
    private(set) var metadata: [String: Value] = [:]
    private(set) var tensors: [StoredTensor] = []

    /// Reads the header and checks all of it; O(header).
    /// - Throws: `gguf-header`, and `weights-type` for types of tensors that are not read.
    init(_ file: FileBytes) throws(DiagnosticSet) {
        self.file = file
        var cursor = ByteCursor(file, id: Self.id)
        guard try cursor.integer(UInt32.self, "the magic number") == 0x4655_4747 else {
            throw cursor.error("it does not begin with GGUF")
        }
        let version = try cursor.integer(UInt32.self, "the version")
        guard (2...3).contains(version) else {
            throw cursor.error("its version is \(version), read are 2 and 3, little-endian")
        }
        // A tensor takes at least 24 bytes of the header, a key 13.
        let tensorCount = try cursor.count(of: 24, "the number of tensors")
        let keyCount = try cursor.count(of: 13, "the number of keys")
        for _ in 0..<keyCount {
            let key = try cursor.string("a key")
            let value = try cursor.value("'\(shown(key))'")
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw cursor.error("the key '\(shown(key))' stands twice")
            }
        }
        let infos = try (0..<tensorCount).map { _ throws(DiagnosticSet) in
            try cursor.tensorInfo()
        }
        try place(infos, after: cursor.offset)
    }

    /// The data begins behind the header, and each tensor, at a multiple of the alignment.
    private mutating func place(_ infos: [TensorInfo], after end: Int) throws(DiagnosticSet) {
        var alignment = 32
        if case .integer(let given)? = metadata["general.alignment"] {
            guard (1...1 << 20).contains(given) else {
                throw refusal(file, Self.id, "general.alignment is \(given), not 1 to 2^20")
            }
            alignment = given
        }
        let start = (end + alignment - 1) / alignment * alignment
        let available = file.bytes.count - start
        var names: Set<String> = []
        for info in infos {
            let name = "'\(shown(info.name))'"
            guard names.insert(info.name).inserted else {
                throw refusal(file, Self.id, "\(name) stands twice")
            }
            guard let size = StoredTensor.byteCount(info.type, info.shape) else {
                throw refusal(
                    file, Self.id,
                    "\(name) \(info.shape) has no whole rows of blocks of \(info.type.blockLength)")
            }
            guard info.offset % alignment == 0, info.offset <= available,
                size <= available - info.offset
            else {
                throw refusal(
                    file, Self.id,
                    "\(name) takes \(size) bytes from \(info.offset) on, a multiple of \(alignment)"
                        + " is to be, of \(available) bytes of data")
            }
            tensors.append(
                StoredTensor(
                    file: file, name: info.name, type: info.type, shape: info.shape,
                    bytes: start + info.offset..<start + info.offset + size))
        }
        try checkOverlaps()
    }

    private func checkOverlaps() throws(DiagnosticSet) {
        let sorted = tensors.sorted {
            ($0.bytes.lowerBound, $0.name) < ($1.bytes.lowerBound, $1.name)
        }
        for (a, b) in zip(sorted, sorted.dropFirst())
        where a.bytes.upperBound > b.bytes.lowerBound {
            throw refusal(
                file, Self.id, "'\(shown(a.name))' and '\(shown(b.name))' share bytes")
        }
    }
}

/// A tensor as the header has it.
private struct TensorInfo {
    var name: String
    var shape: [Int]
    var type: StoredType
    /// From the start of the data.
    var offset: Int
}

extension ByteCursor {
    fileprivate mutating func tensorInfo() throws(DiagnosticSet) -> TensorInfo {
        let name = try string("a tensor's name")
        let rank = try integer(UInt32.self, "the rank of '\(shown(name))'")
        guard (1...4).contains(rank) else {
            throw error("'\(shown(name))' has \(rank) dimensions, 1 to 4 are expected")
        }
        var shape: [Int] = []
        for _ in 0..<rank {
            let extent = try integer(UInt64.self, "the shape of '\(shown(name))'")
            guard extent > 0, extent < 1 << 40 else {
                throw error("'\(shown(name))' has an extent of \(extent)")
            }
            // Innermost first in the file.
            shape.insert(Int(extent), at: 0)
        }
        let code = try integer(UInt32.self, "the type of '\(shown(name))'")
        guard let type = StoredType(ggml: code) else {
            throw refusal(
                file, "weights-type",
                "'\(shown(name))' is of ggml type \(code): read are F32, F16, BF16, Q8_0, Q4_0, "
                    + "Q4_1, Q4_K and Q6_K")
        }
        let offset = try integer(UInt64.self, "the offset of '\(shown(name))'")
        guard offset < 1 << 60 else { throw error("'\(shown(name))' is at offset \(offset)") }
        return TensorInfo(name: name, shape: shape, type: type, offset: Int(offset))
    }

    fileprivate mutating func value(_ what: String) throws(DiagnosticSet) -> GGUF.Value {
        let type = try integer(UInt32.self, "the type of \(what)")
        guard type == 9 else { return try scalar(type, what) }
        let element = try integer(UInt32.self, "the element type of \(what)")
        let size = try minimumBytes(element, what)
        let count = try count(of: size, "the length of \(what)")
        var values: [GGUF.Value] = []
        values.reserveCapacity(count)
        for _ in 0..<count { values.append(try scalar(element, what)) }
        return .array(values)
    }

    /// Bytes that an element takes at least.
    private func minimumBytes(_ type: UInt32, _ what: String) throws(DiagnosticSet) -> Int {
        switch type {
        case 0, 1, 7: return 1
        case 2, 3: return 2
        case 4, 5, 6: return 4
        case 8, 10, 11, 12: return 8
        case 9: throw error("\(what) is an array of arrays")
        case _: throw error("\(what) is of type \(type), types are 0 to 12")
        }
    }

    private mutating func scalar(
        _ type: UInt32, _ what: String
    ) throws(DiagnosticSet) -> GGUF.Value {
        switch type {
        case 0: return .integer(Int(try integer(UInt8.self, what)))
        case 1: return .integer(Int(try integer(Int8.self, what)))
        case 2: return .integer(Int(try integer(UInt16.self, what)))
        case 3: return .integer(Int(try integer(Int16.self, what)))
        case 4: return .integer(Int(try integer(UInt32.self, what)))
        case 5: return .integer(Int(try integer(Int32.self, what)))
        case 6:
            // The number that was meant: the shortest decimal that gives this float.
            let float = Float(bitPattern: try integer(UInt32.self, what))
            return .real(Double("\(float)") ?? Double(float))
        case 7:
            let byte = try integer(UInt8.self, what)
            guard byte <= 1 else { throw error("\(what) is \(byte), neither true nor false") }
            return .bool(byte == 1)
        case 8: return .string(try string(what))
        case 10:
            let number = try integer(UInt64.self, what)
            return .integer(Int(clamping: number))
        case 11: return .integer(Int(try integer(Int64.self, what)))
        case 12: return .real(Double(bitPattern: try integer(UInt64.self, what)))
        case _: throw error("\(what) is of type \(type), types are 0 to 12")
        }
    }
}

extension StoredType {
    /// The type by its number in `ggml.h`.
    fileprivate init?(ggml code: UInt32) {
        switch code {
        case 0: self = .f32
        case 1: self = .f16
        case 2: self = .q4_0
        case 3: self = .q4_1
        case 8: self = .q8_0
        case 12: self = .q4_K
        case 14: self = .q6_K
        case 30: self = .bf16
        case _: return nil
        }
    }
}
