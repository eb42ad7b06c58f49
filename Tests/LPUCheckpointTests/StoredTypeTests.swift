import Testing

@testable import LPUCheckpoint

@Suite struct StoredTypeTests {
    struct Golden: Decodable {
        struct Blocks: Decodable {
            var bytes: String
            var floats: String
        }
        var types: [String: Blocks]
    }

    /// Random blocks of each type give the floats that the package `gguf`, and torch for fp8, give.
    @Test(arguments: StoredType.allCases) func blocksDecode(_ type: StoredType) throws {
        let golden = try Goldens.read("blocks.json", as: Golden.self)
        let blocks = try #require(golden.types[type.rawValue])
        let stored = bytes(hex: blocks.bytes)
        #expect(stored.count % type.blockBytes == 0)
        var row: [Float] = []
        stored.withUnsafeBytes { type.decode($0, into: &row) }
        #expect(row.count == stored.count / type.blockBytes * type.blockLength)
        #expect(row.count >= 64)
        #expect(row.map { $0 + 0 } == words(hex: blocks.floats).map { Float(bitPattern: $0) + 0 })
    }

    @Test func sizesThatNoFileHasAreRefused() {
        #expect(StoredTensor.byteCount(.q8_0, [3, 64]) == 204)
        #expect(StoredTensor.byteCount(.q8_0, [3, 63]) == nil)
        #expect(StoredTensor.byteCount(.f32, [1 << 39, 1 << 39]) == nil)
        #expect(StoredTensor.byteCount(.f32, [1 << 62]) == nil)
    }
}
