import CNumerics

/// SHA-256 (FIPS 180-4), fed in pieces.
///
/// Our own because swift-crypto costs 100 s of clean build for this one function.
public struct SHA256: Sendable {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
        0x5be0_cd19,
    ]
    private var block: [UInt8] = []
    private var byteCount: UInt64 = 0

    public init() { block.reserveCapacity(64) }

    public mutating func update(_ bytes: some Sequence<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ update($0) }) != nil { return }
        for byte in bytes { append(byte) }
    }

    /// Whole blocks are compressed where they lie: a schedule's text has 100 MB.
    private mutating func update(_ bytes: UnsafeBufferPointer<UInt8>) {
        var i = 0
        while i < bytes.count {
            if block.isEmpty, bytes.count - i >= 64 {
                let blocks = (bytes.count - i) / 64
                compress(UnsafeBufferPointer(rebasing: bytes[i..<i + 64 * blocks]))
                byteCount += UInt64(64 * blocks)
                i += 64 * blocks
            } else {
                append(bytes[i])
                i += 1
            }
        }
    }

    private mutating func append(_ byte: UInt8) {
        block.append(byte)
        byteCount += 1
        guard block.count == 64 else { return }
        let full = block
        full.withUnsafeBufferPointer { compress($0) }
        block.removeAll(keepingCapacity: true)
    }

    /// The digest of all that was fed, as 64 lower-case hexadecimal digits.
    public func hexDigest() -> String {
        var copy = self
        let bitCount = byteCount * 8
        copy.update(CollectionOfOne(0x80))
        while copy.block.count != 56 { copy.update(CollectionOfOne(0)) }
        copy.update((0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) })
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for word in copy.state {
            for shift in stride(from: 28, through: 0, by: -4) {
                text.append(digits[Int(word >> UInt32(shift)) & 15])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The digest of `text`'s UTF-8 bytes.
    public static func hexDigest(of text: String) -> String { hexDigest(of: Array(text.utf8)) }

    /// The digest of `bytes`, in hexadecimal.
    public static func hexDigest(of bytes: [UInt8]) -> String {
        var hash = SHA256()
        hash.update(bytes)
        return hash.hexDigest()
    }

    /// - Requires: whole blocks.
    private mutating func compress(_ blocks: UnsafeBufferPointer<UInt8>) {
        state.withUnsafeMutableBufferPointer {
            compressSHA256($0.baseAddress, blocks.baseAddress, blocks.count / 64)
        }
    }
}
