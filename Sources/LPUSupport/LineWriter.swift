/// Writes lines of a text form into UTF-8 bytes; what `LineScanner` reads.
@frozen public struct LineWriter: Sendable {
    public var bytes: [UInt8] = []
    public init() {}

    /// The whole text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Appends `text` as it is.
    @inlinable public mutating func put(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends one byte, such as `UInt8(ascii: "@")`.
    @inlinable public mutating func put(byte: UInt8) { bytes.append(byte) }

    /// Appends `number` in decimal.
    public mutating func put(_ number: Int) {
        let zero = UInt8(ascii: "0")
        if (0..<10).contains(number) { return bytes.append(zero + UInt8(number)) }
        // 19 digits and a sign, from the last one on.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var (first, rest) = (digits.count, number.magnitude)
            while rest > 0 {
                first -= 1
                digits[first] = zero + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            if number < 0 {
                first -= 1
                digits[first] = UInt8(ascii: "-")
            }
            bytes.append(contentsOf: UnsafeMutableBufferPointer(rebasing: digits[first...]))
        }
    }

    /// Appends a blank.
    @inlinable public mutating func blank() { bytes.append(UInt8(ascii: " ")) }

    /// Ends the line.
    @inlinable public mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }

    /// Appends `line` and ends it.
    public mutating func line(_ line: String) {
        put(line)
        endLine()
    }
}
