/// A vector of a pool, or a row of the memory image: `lanes` bytes that are never changed while
/// more than one holder refers to them.
struct Vector: Equatable {
    /// 0 or more: a slot of the pool; below: row -1 - raw of the memory image.
    var raw: Int32

    static let none = Vector(raw: .min)
    static func image(row: Int) -> Vector { Vector(raw: -1 - Int32(row)) }
    var isPooled: Bool { raw >= 0 }
    /// The row of the memory image that it is, if it is one.
    var imageRow: Int { -1 - Int(raw) }
}

/// The vectors of one chip, counted by holder: a stream, an SRAM row, a weight buffer.
///
/// Moving a vector is passing a number: only units that compute write bytes.
final class VectorPool {
    let lanes: Int
    /// The memory image's bytes; valid during a step.
    @exclusivity(unchecked) var image: UnsafePointer<UInt8>?

    private static let chunkShift: Int32 = 10
    // Its methods end before they are called again: no access overlaps another one.
    @exclusivity(unchecked) private var chunks: [UnsafeMutablePointer<UInt8>] = []
    @exclusivity(unchecked) private var holders: [Int32] = []
    @exclusivity(unchecked) private var free: [Int32] = []

    init(lanes: Int) { self.lanes = lanes }

    deinit { for chunk in chunks { chunk.deallocate() } }

    /// A vector with one holder and undefined bytes.
    func allocate() -> Vector {
        if free.isEmpty { grow() }
        let slot = free.removeLast()
        holders[Int(slot)] = 1
        return Vector(raw: slot)
    }

    private func grow() {
        let slots = 1 << Self.chunkShift
        chunks.append(.allocate(capacity: slots * lanes))
        let first = Int32(holders.count)
        holders += repeatElement(0, count: Int(slots))
        // Low slots are taken first: neighbours stay neighbours.
        free += (first..<first + Int32(slots)).reversed()
    }

    @inline(__always) func retain(_ vector: Vector) {
        if vector.isPooled { holders[Int(vector.raw)] += 1 }
    }

    @inline(__always) func release(_ vector: Vector) {
        guard vector.isPooled else { return }
        holders[Int(vector.raw)] -= 1
        if holders[Int(vector.raw)] == 0 { free.append(vector.raw) }
    }

    /// `true` iff the only holder may change its bytes.
    func isUnshared(_ vector: Vector) -> Bool {
        vector.isPooled && holders[Int(vector.raw)] == 1
    }

    /// The vector's bytes; of an image row only during a step.
    @inline(__always) func bytes(_ vector: Vector) -> UnsafePointer<UInt8> {
        if vector.isPooled { return UnsafePointer(mutableBytes(vector)) }
        guard let image else { preconditionFailure("an image row is read outside of a step") }
        return image + vector.imageRow * lanes
    }

    /// - Requires: a pooled vector that is unshared or was just allocated.
    @inline(__always) func mutableBytes(_ vector: Vector) -> UnsafeMutablePointer<UInt8> {
        let slot = Int(vector.raw & (1 << Self.chunkShift - 1))
        return chunks[Int(vector.raw >> Self.chunkShift)] + slot * lanes
    }
}
