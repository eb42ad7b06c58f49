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
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        var rest = number.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        if bytes.count - start > 1 { bytes[start...].reverse() }
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
