public import LPUNumerics

extension Formula {
    /// The bytes of an image value of `count` vectors: vector by vector, in a vector plane by plane
    /// (low bytes first), in a plane lane by lane.
    ///
    /// `nil` for `weights`, `scales` and `greatestScale`, which need a model's weights.
    /// - Requires: the formula is legal for the value. O(bytes).
    public func bytes(type: ElementType, count: Int, lanes: Int) -> [UInt8]? {
        var bytes = ElementBytes(type: type, count: count, lanes: lanes)
        switch self {
        case .weights, .scales, .greatestScale: return nil
        case .zero: break
        case .constant(let bits, let vectors, let laneRange):
            for v in vectors {
                for l in laneRange { bytes.set(v, l, bits) }
            }
        case .diagonal(let bits, let offset, let period):
            for v in 0..<count {
                let first = ((v + offset) % period + period) % period
                for l in stride(from: first, to: lanes, by: period) { bytes.set(v, l, bits) }
            }
        case .table(let bits, let step, let run):
            for v in 0..<count {
                for l in 0..<lanes { bytes.set(v, l, bits[(v * step + l / run) % bits.count]) }
            }
        case .rotary(let rotary):
            for v in 0..<count { rotary.write(v, to: &bytes) }
        }
        return bytes.bytes
    }
}

extension Rotary {
    /// Writes row `v` of the table.
    fileprivate func write(_ v: Int, to bytes: inout ElementBytes) {
        let pairs = inverseFrequencies.count
        let position = Double(v * positionStep)
        for pair in 0..<pairs {
            let angle = position * Double(bitPattern: inverseFrequencies[pair])
            let value = Float(isSine ? Trigonometry.sine(angle) : Trigonometry.cosine(angle))
            for head in 0..<heads {
                let lane = 2 * (head * pairs + pair)
                bytes.set(v, lane, (isSine ? -value : value).bitPattern)
                bytes.set(v, lane + 1, value.bitPattern)
            }
        }
    }
}

/// The bytes of a value's elements, all zero at first.
private struct ElementBytes {
    let planes: Int
    let lanes: Int
    var bytes: [UInt8]

    init(type: ElementType, count: Int, lanes: Int) {
        planes = type.byteCount
        self.lanes = lanes
        bytes = Array(repeating: 0, count: count * type.byteCount * lanes)
    }

    mutating func set(_ vector: Int, _ lane: Int, _ bits: UInt32) {
        for plane in 0..<planes {
            let byte = UInt8(truncatingIfNeeded: bits >> (8 * UInt32(plane)))
            bytes[(vector * planes + plane) * lanes + lane] = byte
        }
    }
}
