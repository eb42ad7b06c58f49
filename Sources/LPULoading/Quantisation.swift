public import LPUModel
public import LPUNumerics
public import LPUSupport

/// How a weight tensor becomes the elements of image values: into which type, scaled by what.
///
/// Element (r, c) is first the fp32 number nearest to `W[r, c] * factor * columnScale[c]`, which is
/// multiplied in binary64 in this order. fp32 keeps it; fp16 takes the nearest, ties to even, and
/// saturates. For fp8 and int8 it is divided, in fp32, by the scale of its channel before the same
/// kind of cast; a channel is a row of a matrix or an element of a vector. The scale is the
/// channel's greatest magnitude divided by 448 or 127 in fp32, or 1 where that gives 0.
public struct Quantisation: Hashable, Sendable {
    /// Name in the weights.
    public var tensor: String
    public var type: ElementType
    public var factor: Float
    /// Name of a vector with an element a column.
    public var columnScale: String?

    /// - Requires: `type` is not int32.
    public init(
        _ tensor: String, type: ElementType, factor: Float = 1, columnScale: String? = nil
    ) {
        precondition(type != .int32, "weights are not int32")
        self.tensor = tensor
        self.type = type
        self.factor = factor
        self.columnScale = columnScale
    }

    /// The bit patterns of all elements, row-major.
    ///
    /// Throws `weights-missing`, `weights-shape`, `weights-finite`, and what the source throws.
    /// O(elements), 4 bytes each.
    public func elements(of weights: any WeightSource) throws(DiagnosticSet) -> [UInt32] {
        let place = Diagnostic.Place(tensor)
        var rows = try QuantisedTensor(self, of: weights, at: place)
        var elements: [UInt32] = []
        for r in 0..<rows.matrix.rowCount {
            let row = try rows.row(r, of: weights, keepingBytes: 0, at: place)
            let count = rows.matrix.rowLength
            for c in 0..<count {
                elements.append(
                    (0..<type.byteCount).reduce(0) {
                        $0 | UInt32(row.bytes[$1 * count + c]) << UInt32(8 * $1)
                    })
            }
        }
        return elements
    }

    /// The scale of every channel; 1 for fp16 and fp32. Throws as `elements(of:)`.
    public func scales(of weights: any WeightSource) throws(DiagnosticSet) -> [Float] {
        let place = Diagnostic.Place(tensor)
        var rows = try QuantisedTensor(self, of: weights, at: place)
        var scales: [Float] = []
        for r in 0..<rows.matrix.rowCount {
            scales += try rows.row(r, of: weights, keepingBytes: 0, at: place).scales
        }
        return scales
    }

    /// The greatest finite number that the scale of a channel maps its greatest magnitude to.
    private var greatest: Float? {
        switch type {
        case .fp8: 448
        case .int8: 127
        case .fp16, .fp32, .int32: nil
        }
    }

    /// Scales and casts a row of elements, `channelLength` of them a channel.
    func row(_ elements: [Float], channelLength: Int) -> QuantisedRow {
        var scaled = elements
        var scales = [Float](repeating: 1, count: elements.count / channelLength)
        if let greatest {
            scaled.withUnsafeMutableBufferPointer { scaled in
                for c in scales.indices {
                    let channel = UnsafeMutableBufferPointer(
                        rebasing: scaled[c * channelLength..<(c + 1) * channelLength])
                    let quotient = channel.greatestMagnitude / greatest
                    if quotient > 0 { scales[c] = quotient }
                    let scale = scales[c]
                    for i in channel.indices { channel[i] /= scale }
                }
            }
        }
        var words = scaled.map { $0.bitPattern }
        if type == .int8 { words = ALUOperation.toInt8.apply(words) }
        let bytes = [UInt8](unsafeUninitializedCapacity: type.byteCount * words.count) {
            bytes, count in
            count = type.byteCount * words.count
            guard let base = bytes.baseAddress else { return }
            let planes = (0..<type.byteCount).map { base + $0 * words.count }
            planes.withUnsafeBufferPointer { planes in
                words.withUnsafeBufferPointer { type.narrow($0, into: planes) }
            }
        }
        return QuantisedRow(bytes: bytes, scales: scales)
    }
}

/// A row of a quantised tensor: byte plane by byte plane, low bytes first.
struct QuantisedRow {
    var bytes: [UInt8]
    /// One a channel of the row.
    var scales: [Float]
}

extension Sequence<Float> {
    /// The greatest magnitude, 0 of nothing; not finite iff one of the numbers is not.
    var greatestMagnitude: Float {
        // Magnitudes order as their bit patterns do, NaN above infinity.
        var greatest: UInt32 = 0
        for number in self { greatest = Swift.max(greatest, number.magnitude.bitPattern) }
        return Float(bitPattern: greatest)
    }
}
