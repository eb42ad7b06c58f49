import Foundation

@testable import LPUCheckpoint

/// The files beside the tests, and folders to write in.
enum Goldens {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Goldens")
    static let repository = directory.deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func path(_ name: String) -> String { directory.appending(path: name).path }

    static func read<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: directory.appending(path: name)))
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: directory.appending(path: name)))
    }

    /// The trained model that `make weights` fetches; nil where it was not.
    static var smolLM: String? {
        let path = repository.appending(path: "Weights/SmolLM2-135M-Instruct.Q4_1.gguf").path
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    /// A folder of its own, removed after `body`.
    static func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "lpuc-checkpoint-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }
}

/// The bytes that hexadecimal digits stand for.
func bytes(hex: String) -> [UInt8] {
    let digits = hex.utf8.map { UInt8($0 > 57 ? $0 - 87 : $0 - 48) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The bit patterns of little-endian fp32 numbers.
func words(hex: String) -> [UInt32] {
    let bytes = bytes(hex: hex)
    return stride(from: 0, to: bytes.count, by: 4).map { i in
        (0..<4).reduce(0) { $0 | UInt32(bytes[i + $1]) << UInt32(8 * $1) }
    }
}
