import Foundation
public import LPUSupport

/// The bytes of a file, mapped into memory: only pages that are read are loaded.
///
/// Nobody may shorten the file while it is mapped: the system ends a process that reads beyond.
public final class FileBytes: Sendable {
    /// What the file is called in diagnostics.
    public let name: String
    /// Never written; unmapped when the last holder is gone.
    nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    /// - Throws: `file-read` with the system's reason.
    public init(path: String) throws(DiagnosticSet) {
        func refusal(_ message: String) -> DiagnosticSet {
            DiagnosticSet(Diagnostic(at: Diagnostic.Place(path), id: "file-read", message))
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw refusal(String(cString: strerror(errno)).lowercased())
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw refusal("it is no regular file")
        }
        name = path
        let count = Int(status.st_size)
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let start, start != MAP_FAILED else {
            throw refusal(String(cString: strerror(errno)).lowercased())
        }
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    deinit {
        if let start = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
        }
    }
}

/// Reads little-endian numbers and strings from front to back, and never beyond the end.
struct ByteCursor {
    let file: FileBytes
    private(set) var offset = 0
    /// The id of its diagnostics.
    let id: String

    init(_ file: FileBytes, id: String) {
        self.file = file
        self.id = id
    }

    var left: Int { file.bytes.count - offset }

    func error(_ message: String) -> DiagnosticSet {
        refusal(file, id, "byte \(offset): \(message)")
    }

    /// A number of the type's width; `what` it is, for the diagnostic where the file ends.
    mutating func integer<T: FixedWidthInteger>(
        _ type: T.Type, _ what: String
    ) throws(DiagnosticSet) -> T {
        let size = MemoryLayout<T>.size
        guard left >= size else { throw error("the file ends in \(what)") }
        defer { offset += size }
        return T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A 64-bit count of things of at least `size` bytes each, which have to be in the file.
    mutating func count(of size: Int, _ what: String) throws(DiagnosticSet) -> Int {
        let count = try integer(UInt64.self, what)
        guard count <= UInt64(left / max(1, size)) else {
            throw error("\(what) is \(count), more than \(left) bytes hold")
        }
        return Int(count)
    }

    /// A 64-bit length and so many bytes of UTF-8.
    mutating func string(_ what: String) throws(DiagnosticSet) -> String {
        let length = try count(of: 1, "the length of \(what)")
        let slice = UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + length])
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw error("\(what) is not UTF-8")
        }
        offset += length
        return text
    }

    mutating func skip(_ count: Int) { offset += count }
}

/// One diagnostic about a file.
func refusal(_ file: FileBytes, _ id: String, _ message: String) -> DiagnosticSet {
    DiagnosticSet(Diagnostic(at: Diagnostic.Place(file.name), id: id, message))
}
