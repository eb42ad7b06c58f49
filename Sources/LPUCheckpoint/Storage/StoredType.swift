import LPUNumerics

/// How the elements of a tensor rest in a file: plain numbers, or blocks that share their scales.
///
/// The quantised ones are those of ggml (`ggml-common.h` of llama.cpp), by their names there.
public enum StoredType: String, Hashable, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    /// E4M3FN, a byte each.
    case f8E4M3 = "F8_E4M3"
    /// 32 elements: an fp16 scale and as many int8.
    case q8_0 = "Q8_0"
    /// 32 elements: an fp16 scale and nibbles less 8.
    case q4_0 = "Q4_0"
    /// 32 elements: an fp16 scale, an fp16 least and nibbles.
    case q4_1 = "Q4_1"
    /// 256 elements: 8 groups of nibbles with 6-bit scales and leasts, and an fp16 scale of each.
    case q4_K = "Q4_K"
    /// 256 elements: 16 groups of 6-bit numbers less 32 with int8 scales, and an fp16 scale of all.
    case q6_K = "Q6_K"

    /// Elements of a block; rows are whole blocks.
    public var blockLength: Int {
        switch self {
        case .f32, .f16, .bf16, .f8E4M3: 1
        case .q8_0, .q4_0, .q4_1: 32
        case .q4_K, .q6_K: 256
        }
    }

    /// Bytes of a block.
    public var blockBytes: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .f8E4M3: 1
        case .q8_0: 34
        case .q4_0: 18
        case .q4_1: 20
        case .q4_K: 144
        case .q6_K: 210
        }
    }

    /// Appends the elements of whole blocks; each is rounded at most once, to fp32.
    ///
    /// - Requires: `bytes` are whole blocks.
    func decode(_ bytes: UnsafeRawBufferPointer, into row: inout [Float]) {
        let end = bytes.count
        switch self {
        case .f32:
            for i in stride(from: 0, to: end, by: 4) {
                let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt32.self)
                row.append(Float(bitPattern: UInt32(littleEndian: word)))
            }
        case .f16:
            for i in stride(from: 0, to: end, by: 2) { row.append(bytes.half(i)) }
        case .bf16:
            for i in stride(from: 0, to: end, by: 2) {
                let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt16.self)
                row.append(Float(bitPattern: UInt32(UInt16(littleEndian: word)) << 16))
            }
        case .f8E4M3:
            for byte in bytes { row.append(FP8.decode(byte)) }
        case .q8_0:
            for block in stride(from: 0, to: end, by: blockBytes) {
                let scale = bytes.half(block)
                for i in 0..<32 { row.append(scale * bytes.signed(block + 2 + i)) }
            }
        case .q4_0:
            for block in stride(from: 0, to: end, by: blockBytes) {
                let scale = bytes.half(block)
                for shift in [0, 4] as [UInt8] {
                    for i in 0..<16 {
                        row.append(scale * (bytes.nibble(block + 2 + i, shift) - 8))
                    }
                }
            }
        case .q4_1:
            for block in stride(from: 0, to: end, by: blockBytes) {
                let (scale, least) = (bytes.half(block), bytes.half(block + 2))
                for shift in [0, 4] as [UInt8] {
                    for i in 0..<16 {
                        row.append(scale * bytes.nibble(block + 4 + i, shift) + least)
                    }
                }
            }
        case .q4_K:
            for block in stride(from: 0, to: end, by: blockBytes) {
                bytes.decodeQ4K(block, into: &row)
            }
        case .q6_K:
            for block in stride(from: 0, to: end, by: blockBytes) {
                bytes.decodeQ6K(block, into: &row)
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func half(_ offset: Int) -> Float {
        FP16.decode(UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
    }

    fileprivate func signed(_ offset: Int) -> Float { Float(Int8(bitPattern: self[offset])) }

    fileprivate func nibble(_ offset: Int, _ shift: UInt8) -> Float {
        Float(self[offset] >> shift & 0xf)
    }

    /// 2 fp16, 12 bytes of 6-bit scales and leasts, 128 of nibbles.
    fileprivate func decodeQ4K(_ block: Int, into row: inout [Float]) {
        let (scale, least) = (half(block), half(block + 2))
        for group in 0..<8 {
            let (s, m) = sixBits(block + 4, group)
            let (groupScale, groupLeast) = (scale * Float(s), least * Float(m))
            let first = block + 16 + group / 2 * 32
            for i in 0..<32 {
                let code = nibble(first + i, group % 2 == 0 ? 0 : 4)
                row.append(groupScale * code - groupLeast)
            }
        }
    }

    /// The scale and the least of a group of Q4_K: those of the first four groups are the low six
    /// bits of a byte each, those of the others a nibble and the two high bits of an earlier byte.
    private func sixBits(_ start: Int, _ group: Int) -> (scale: UInt8, least: UInt8) {
        if group < 4 { return (self[start + group] & 63, self[start + group + 4] & 63) }
        let nibbles = self[start + group + 4]
        return (
            nibbles & 0xf | (self[start + group - 4] >> 6) << 4,
            nibbles >> 4 | (self[start + group] >> 6) << 4
        )
    }

    /// 128 bytes of low nibbles, 64 of high pairs of bits, 16 int8 scales, an fp16.
    fileprivate func decodeQ6K(_ block: Int, into row: inout [Float]) {
        let scale = half(block + 208)
        for i in 0..<256 {
            let (half, quarter, lane) = (i / 128, i % 128 / 32, i % 32)
            let low = self[block + half * 64 + quarter % 2 * 32 + lane] >> UInt8(quarter / 2 * 4)
            let high = self[block + 128 + half * 32 + lane] >> UInt8(quarter * 2)
            let code = Int(low & 0xf | (high & 3) << 4) - 32
            row.append(scale * signed(block + 192 + i / 16) * Float(code))
        }
    }
}
