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

    private static let roundConstants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
        0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
        0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
        0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
        0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
        0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
        0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
        0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
        0xc671_78f2,
    ]

    public init() { block.reserveCapacity(64) }

    public mutating func update(_ bytes: some Sequence<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ update($0) }) != nil { return }
        for byte in bytes { append(byte) }
    }

    /// Whole blocks are compressed where they lie: a schedule's text has 100 MB.
    private mutating func update(_ bytes: UnsafeBufferPointer<UInt8>) {
        var i = 0
        while i < bytes.count {
            if block.isEmpty && bytes.count - i >= 64 {
                byteCount += 64
                compress(UnsafeBufferPointer(rebasing: bytes[i..<i + 64]))
                i += 64
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

    private mutating func compress(_ block: UnsafeBufferPointer<UInt8>) {
        func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
        let k = Self.roundConstants
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
            for i in 0..<16 {
                let high = UInt32(block[4 * i]) << 24 | UInt32(block[4 * i + 1]) << 16
                w[i] = high | UInt32(block[4 * i + 2]) << 8 | UInt32(block[4 * i + 3])
            }
            for i in 16..<64 {
                let s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3
                let s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10
                w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
            }
            var v = (
                state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
            )
            for i in 0..<64 {
                let s1 = rotate(v.4, 6) ^ rotate(v.4, 11) ^ rotate(v.4, 25)
                let choice = (v.4 & v.5) ^ (~v.4 & v.6)
                let t1 = v.7 &+ s1 &+ choice &+ k[i] &+ w[i]
                let s0 = rotate(v.0, 2) ^ rotate(v.0, 13) ^ rotate(v.0, 22)
                let t2 = s0 &+ ((v.0 & v.1) ^ (v.0 & v.2) ^ (v.1 & v.2))
                v = (t1 &+ t2, v.0, v.1, v.2, v.3 &+ t1, v.4, v.5, v.6)
            }
            state[0] &+= v.0
            state[1] &+= v.1
            state[2] &+= v.2
            state[3] &+= v.3
            state[4] &+= v.4
            state[5] &+= v.5
            state[6] &+= v.6
            state[7] &+= v.7
        }
    }
}
