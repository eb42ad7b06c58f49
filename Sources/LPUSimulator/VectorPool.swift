/// The bytes of a vector: a slot of the chip, or a row of the memory image.
struct Vector: Hashable {
    /// 0 or more: a slot; below: row -1 - raw of the memory image.
    var raw: Int32

    static let none = Vector(raw: .min)
    static func image(row: Int) -> Vector { Vector(raw: -1 - Int32(row)) }
    var isSlot: Bool { raw >= 0 }
    /// The row of the memory image that it is, if it is one.
    var imageRow: Int { -1 - Int(raw) }
}

/// The slots of one chip. Those that streams and weight buffers refer to are counted by holder and
/// used again when none is left; the first ones are SRAM rows and stay.
///
/// Moving a vector is passing a number: only units that compute need bytes, and which slots those
/// are is the same in every step.
final class VectorPool {
    /// Slots that were ever in use at once, SRAM rows among them.
    private(set) var slotCount: Int
    private let rows: Int
    // Its methods end before they are called again: no access overlaps another one.
    @exclusivity(unchecked) private var holders: [Int32] = []
    /// The SRAM row of which a slot is a copy, if it is one.
    @exclusivity(unchecked) private var origins: [Vector] = []
    @exclusivity(unchecked) private var free: [Int32] = []

    /// - Parameter rows: slots that are SRAM rows.
    init(rows: Int) {
        self.rows = rows
        slotCount = rows
    }

    /// A slot with one holder, a copy of `origin` if that is given.
    func allocate(origin: Vector = .none) -> Vector {
        if let slot = free.popLast() {
            holders[Int(slot) - rows] = 1
            origins[Int(slot) - rows] = origin
            return Vector(raw: slot)
        }
        holders.append(1)
        origins.append(origin)
        slotCount += 1
        return Vector(raw: Int32(slotCount - 1))
    }

    /// What a vector has its bytes from: an image row or an SRAM row, `.none` if it was computed.
    func origin(_ vector: Vector) -> Vector {
        vector.isSlot ? origins[Int(vector.raw) - rows] : vector
    }

    @inline(__always) func retain(_ vector: Vector) {
        if vector.isSlot { holders[Int(vector.raw) - rows] += 1 }
    }

    @inline(__always) func release(_ vector: Vector) {
        guard vector.isSlot else { return }
        let index = Int(vector.raw) - rows
        holders[index] -= 1
        if holders[index] == 0 { free.append(vector.raw) }
    }
}
