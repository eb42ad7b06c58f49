import CNumerics

/// The weight vectors that an MXM plane (for fp16, a tandem pair) multiplies by, decoded once.
///
/// `multiply` gives for each row n the sum over lanes of activation[lane] * row_n[lane].
/// fp8 and fp16: products are exact, added in binary64 in lane order from +0, and the sum is
/// rounded once to fp32, NaN canonical. int8: the exact sum in int32. A row that was not set
/// since the last `removeAll` gives +0, whatever the activation holds.
public struct WeightTile: Sendable {
    /// The type of weights and activations: fp8, int8 or fp16.
    public private(set) var type: ElementType
    public let rowCount: Int
    /// Elements of a row and of an activation.
    public let laneCount: Int

    /// Blocks of `blockRows` rows, in each block lane-major, so that the rows of a block are
    /// neighbours in memory and are summed side by side, each in its own lane order.
    private var weights: [Float]
    private var isSet: [Bool]
    /// No row that was set holds an infinity or a NaN.
    private var isFinite = true

    fileprivate static let blockRows = CNumerics.blockRows

    /// A tile without rows; about 4 * rowCount * laneCount bytes, kept over `removeAll`.
    public init(type: ElementType, rowCount: Int, laneCount: Int) {
        precondition(type.byteCount <= 2, "the MXM takes fp8, int8 and fp16")
        // Below 2^53 / 2^14 lanes int8 sums are exact in binary64; below 2^17 they fit int32.
        precondition(laneCount < 1 << 17, "an int8 sum would leave int32")
        self.type = type
        self.rowCount = rowCount
        self.laneCount = laneCount
        let blocks = (rowCount + Self.blockRows - 1) / Self.blockRows
        weights = Array(repeating: 0, count: blocks * Self.blockRows * laneCount)
        isSet = Array(repeating: false, count: blocks * Self.blockRows)
    }

    /// Unsets every row; the tile may take another type.
    public mutating func removeAll(type: ElementType? = nil) {
        self.type = type ?? self.type
        precondition(self.type.byteCount <= 2, "the MXM takes fp8, int8 and fp16")
        for row in isSet.indices { isSet[row] = false }
        isFinite = true
    }

    /// Sets row n from `type.byteCount` byte planes of `laneCount` bytes.
    public mutating func setRow(
        _ row: Int, _ planes: UnsafeBufferPointer<UnsafePointer<UInt8>>
    ) {
        precondition((0..<rowCount).contains(row), "row \(row) of \(rowCount)")
        isSet[row] = true
        let first = (row - row % Self.blockRows) * laneCount + row % Self.blockRows
        type.withValues(planes, count: laneCount) { values in
            var greatest: UInt32 = 0
            weights.withUnsafeMutableBufferPointer { weights in
                // Unchecked arithmetic: it is a third of the time of a tile that is used once.
                for lane in values.indices {
                    weights[first &+ lane &* Self.blockRows] = values[lane]
                    greatest = max(greatest, values[lane].bitPattern & 0x7fff_ffff)
                }
            }
            if greatest >= 0x7f80_0000 { isFinite = false }
        }
    }

    /// Writes the `rowCount` sums as words of `type.widened`, from the activation's byte planes.
    ///
    /// O(rowCount * laneCount), less the blocks of 16 rows in which none is set, and less lanes
    /// whose activation is 0: a zero product changes no sum, since none is -0.
    public func multiply(
        _ activation: UnsafeBufferPointer<UnsafePointer<UInt8>>,
        into sums: UnsafeMutableBufferPointer<UInt32>
    ) {
        precondition(sums.count == rowCount, "one sum for each row")
        type.withValues(activation, count: laneCount, droppingZeros: isFinite) { activation in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: Self.blockRows) { block in
                weights.withUnsafeBufferPointer { weights in
                    for row in stride(from: 0, to: rowCount, by: Self.blockRows) {
                        let rows = row..<min(row + Self.blockRows, rowCount)
                        if isSet[rows].contains(true), let base = weights.baseAddress {
                            sumBlock(
                                base + row * laneCount, activation.baseAddress, activation.count,
                                block.baseAddress)
                        }
                        for row in rows {
                            sums[row] = isSet[row] ? word(block[row % Self.blockRows]) : 0
                        }
                    }
                }
            }
        }
    }

    /// The sum as a word of `type.widened`.
    private func word(_ sum: Double) -> UInt32 {
        switch type.widened {
        case .fp32: Float(sum).word
        case .int32: UInt32(bitPattern: Int32(truncatingIfNeeded: Int(sum)))
        case .fp8, .int8, .fp16: preconditionFailure("not a widened type")
        }
    }
}

extension WeightTile {
    /// Sets row n from `type.byteCount` arrays of `laneCount` bytes.
    public mutating func setRow(_ row: Int, _ planes: [[UInt8]]) {
        let lanes = laneCount
        withPointers(planes, lanes: lanes) { setRow(row, $0) }
    }

    /// The `rowCount` sums as words of `type.widened`.
    public func multiply(_ activation: [[UInt8]]) -> [UInt32] {
        withPointers(activation, lanes: laneCount) { pointers in
            [UInt32](unsafeUninitializedCapacity: rowCount) { sums, count in
                count = rowCount
                multiply(pointers, into: UnsafeMutableBufferPointer(rebasing: sums[..<rowCount]))
            }
        }
    }
}

extension ElementType {
    /// How an MXM accumulator of this type of weights adds a sum to a kept one: fp32 or int32.
    public var accumulation: ALUOperation {
        switch self {
        case .fp8, .fp16, .fp32: .add
        case .int8, .int32: .addInt
        }
    }

    /// Calls `body` with a vector's values as fp32, which holds fp8, int8 and fp16 exactly.
    ///
    /// Not a method of the tile, whose weights it would share and so have copied when written.
    @inline(__always) fileprivate func withValues(
        _ planes: UnsafeBufferPointer<UnsafePointer<UInt8>>, count: Int,
        _ body: (UnsafeBufferPointer<Float>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) { words in
            widen(planes, into: words)
            if widened == .int32 {
                for i in words.indices { words[i] = Float(words[i].int32).bitPattern }
            }
            words.withMemoryRebound(to: Float.self) { body(UnsafeBufferPointer($0)) }
        }
    }

    /// Calls `body` with the activation's elements in lane order, zeros left out if asked.
    @inline(__always) fileprivate func withValues(
        _ planes: UnsafeBufferPointer<UnsafePointer<UInt8>>, count: Int, droppingZeros: Bool,
        _ body: (UnsafeBufferPointer<LaneValue>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: LaneValue.self, capacity: count) { elements in
            var kept = 0
            withValues(planes, count: count) { values in
                for lane in values.indices where !droppingZeros || values[lane] != 0 {
                    elements[kept] = LaneValue(
                        value: Double(values[lane]), offset: lane * WeightTile.blockRows)
                    kept += 1
                }
            }
            body(UnsafeBufferPointer(rebasing: elements[..<kept]))
        }
    }
}
