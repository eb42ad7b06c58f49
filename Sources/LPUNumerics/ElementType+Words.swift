/// Between a vector's byte planes (one a stream, `byteCount` of them, low bytes first) and the
/// 32-bit words, fp32 or int32, that the VXM works on.
extension ElementType {
    /// Widens `words.count` elements, exactly, as the VXM does at entry.
    ///
    /// A NaN of fp8 or fp16 becomes the canonical one; fp32 and int32 keep their bits.
    /// `planes` holds `byteCount` pointers to at least `words.count` bytes each.
    public func widen(
        _ planes: UnsafeBufferPointer<UnsafePointer<UInt8>>,
        into words: UnsafeMutableBufferPointer<UInt32>
    ) {
        precondition(planes.count == byteCount, "a vector has one plane for each byte")
        switch self {
        case .fp8:
            let bytes = planes[0]
            for i in words.indices { words[i] = FP8.decode(bytes[i]).bitPattern }
        case .int8:
            let bytes = planes[0]
            for i in words.indices {
                words[i] = UInt32(bitPattern: Int32(Int8(bitPattern: bytes[i])))
            }
        case .fp16:
            let (low, high) = (planes[0], planes[1])
            for i in words.indices {
                words[i] = FP16.decode(UInt16(low[i]) | UInt16(high[i]) &<< 8).bitPattern
            }
        case .fp32, .int32:
            let (b0, b1, b2, b3) = (planes[0], planes[1], planes[2], planes[3])
            for i in words.indices {
                words[i] =
                    UInt32(b0[i]) | UInt32(b1[i]) &<< 8
                    | UInt32(b2[i]) &<< 16 | UInt32(b3[i]) &<< 24
            }
        }
    }

    /// Narrows words of the widened type to this type's byte planes, as the cast to it rounds.
    ///
    /// So a word that came from that cast narrows exactly. fp32 and int32 keep their bits.
    /// `planes` holds `byteCount` pointers to room for `words.count` bytes each.
    public func narrow(
        _ words: UnsafeBufferPointer<UInt32>,
        into planes: UnsafeBufferPointer<UnsafeMutablePointer<UInt8>>
    ) {
        precondition(planes.count == byteCount, "a vector has one plane for each byte")
        switch self {
        case .fp8:
            let bytes = planes[0]
            for i in words.indices { bytes[i] = FP8.encode(words[i].float) }
        case .int8:
            let bytes = planes[0]
            for i in words.indices {
                bytes[i] = UInt8(truncatingIfNeeded: words[i].int32.clampedToInt8)
            }
        case .fp16:
            let (low, high) = (planes[0], planes[1])
            for i in words.indices {
                let code = FP16.encode(words[i].float)
                low[i] = UInt8(truncatingIfNeeded: code)
                high[i] = UInt8(truncatingIfNeeded: code &>> 8)
            }
        case .fp32, .int32:
            let (b0, b1, b2, b3) = (planes[0], planes[1], planes[2], planes[3])
            for i in words.indices {
                let word = words[i]
                b0[i] = UInt8(truncatingIfNeeded: word)
                b1[i] = UInt8(truncatingIfNeeded: word &>> 8)
                b2[i] = UInt8(truncatingIfNeeded: word &>> 16)
                b3[i] = UInt8(truncatingIfNeeded: word &>> 24)
            }
        }
    }

    /// The words of a vector given as arrays of equal length, one a byte plane.
    public func widen(_ planes: [[UInt8]]) -> [UInt32] {
        let lanes = planes.first?.count ?? 0
        return withPointers(planes, lanes: lanes) { pointers in
            [UInt32](unsafeUninitializedCapacity: lanes) { words, count in
                count = lanes
                widen(pointers, into: UnsafeMutableBufferPointer(rebasing: words[..<lanes]))
            }
        }
    }

    /// The byte planes of words, `byteCount` arrays of `words.count` bytes.
    public func narrow(_ words: [UInt32]) -> [[UInt8]] {
        let lanes = words.count
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount * lanes) { bytes, count in
            count = byteCount * lanes
            guard let base = bytes.baseAddress else { return }
            let planes = (0..<byteCount).map { base + $0 * lanes }
            planes.withUnsafeBufferPointer { planes in
                words.withUnsafeBufferPointer { narrow($0, into: planes) }
            }
        }
        return (0..<byteCount).map { Array(bytes[$0 * lanes..<($0 + 1) * lanes]) }
    }
}

/// Calls `body` with a pointer to each plane.
func withPointers<Result>(
    _ planes: [[UInt8]], lanes: Int,
    _ body: (UnsafeBufferPointer<UnsafePointer<UInt8>>) -> Result
) -> Result {
    precondition(planes.allSatisfy { $0.count == lanes }, "planes have one byte a lane")
    // One more byte, so that the buffer has an address even without lanes.
    let bytes: [UInt8] = Array(planes.joined()) + [0]
    return bytes.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("a buffer has an address") }
        return planes.indices.map { base + $0 * lanes }.withUnsafeBufferPointer(body)
    }
}
