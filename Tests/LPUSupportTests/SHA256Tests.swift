import CNumerics
import LPUSupport
import Testing

@Suite struct SHA256Tests {
    /// Vectors of FIPS 180-4 and NIST's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func knownDigest(text: String, digest: String) {
        #expect(SHA256.hexDigest(of: text) == digest)
    }

    @Test func millionLetters() {
        var hash = SHA256()
        hash.update([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        #expect(
            hash.hexDigest() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func piecesDoNotMatter() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        var whole = SHA256()
        whole.update(bytes)
        var pieces = SHA256()
        var i = 0
        while i < bytes.count {
            let end = min(bytes.count, i + 1 + i % 97)
            if i % 2 == 0 {
                pieces.update(bytes[i..<end])
            } else {
                pieces.update(bytes[i..<end].lazy.map { $0 })
            }
            i = end
        }
        #expect(whole.hexDigest() == pieces.hexDigest())
    }

    /// A processor with instructions for it compresses like one without.
    @Test func everyProcessorCompressesAlike() {
        let bytes = (0..<64 * 5).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
        var fast: [UInt32] = (1...8).map { $0 &* 0x9e37_79b9 }
        var plain = fast
        compressSHA256(&fast, bytes, 5)
        compressSHA256Plainly(&plain, bytes, 5)
        #expect(fast == plain && fast[0] != 0x9e37_79b9)
    }
}
