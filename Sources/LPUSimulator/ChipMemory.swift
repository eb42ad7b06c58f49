import LPUMachine
import LPUSchedule

/// The SRAM of one chip: each row of each bank refers to a vector, so that reads and writes copy
/// nothing and image rows are shared until they are overwritten.
struct ChipMemory {
    /// A bank's rows; without rows until one is written.
    private struct Bank {
        var rows: [Vector] = []
        /// Superlanes that were written of rows that are not whole: bit s is superlane s.
        var partial: [Int: UInt64] = [:]
    }

    private let chip: Chip
    private let pool: VectorPool
    private var banks: [Bank]

    init(chip: Chip, pool: VectorPool) {
        self.chip = chip
        self.pool = pool
        banks = Array(
            repeating: Bank(), count: 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice)
    }

    /// The number of a bank of the chip; `slice` is its queue's number.
    @inline(__always) func bank(_ bank: Int, ofSlice slice: Int) -> Int {
        slice * chip.banksPerSlice + bank
    }

    /// The vector in a row, `.none` if it was never written as a whole.
    @inline(__always) func row(_ row: Int, ofBank bank: Int) -> Vector {
        guard !banks[bank].rows.isEmpty else { return .none }
        if !banks[bank].partial.isEmpty && banks[bank].partial[row] != nil { return .none }
        return banks[bank].rows[row]
    }

    /// The vector in a row, `.none` if this superlane of it was never written.
    func row(_ row: Int, ofBank bank: Int, superlane: Int) -> Vector {
        guard !banks[bank].rows.isEmpty else { return .none }
        if let written = banks[bank].partial[row], written & 1 << UInt64(superlane) == 0 {
            return .none
        }
        return banks[bank].rows[row]
    }

    /// Becomes a holder of `vector` in place of what the row held.
    mutating func write(_ vector: Vector, toRow row: Int, ofBank bank: Int) {
        if banks[bank].rows.isEmpty { allocate(bank) }
        pool.retain(vector)
        pool.release(banks[bank].rows[row])
        banks[bank].rows[row] = vector
        if !banks[bank].partial.isEmpty { banks[bank].partial[row] = nil }
    }

    /// Copies one superlane of `vector` into the row and leaves the others as they are.
    mutating func write(
        superlane: Int, of vector: Vector, toRow row: Int, ofBank bank: Int
    ) {
        if banks[bank].rows.isEmpty { allocate(bank) }
        let old = banks[bank].rows[row]
        if !pool.isUnshared(old) {
            let copy = pool.allocate()
            if old == .none {
                pool.mutableBytes(copy).initialize(repeating: 0, count: pool.lanes)
                banks[bank].partial[row] = 0
            } else {
                pool.mutableBytes(copy).update(from: pool.bytes(old), count: pool.lanes)
            }
            pool.release(old)
            banks[bank].rows[row] = copy
        }
        let lanes = chip.lanesPerSuperlane
        (pool.mutableBytes(banks[bank].rows[row]) + superlane * lanes)
            .update(from: pool.bytes(vector) + superlane * lanes, count: lanes)
        if let written = banks[bank].partial[row] {
            let now = written | 1 << UInt64(superlane)
            let isWhole = now.nonzeroBitCount == chip.superlanes
            banks[bank].partial[row] = isWhole ? nil : now
        }
    }

    /// Lays a block of the memory image into its rows.
    mutating func load(_ block: MemoryImage.Block) {
        let slice = chip.queue(of: .memory(block.hemisphere, slice: block.slice)).index
        let bank = bank(block.bank, ofSlice: slice)
        for i in 0..<block.rows {
            let vector = Vector.image(row: block.offset / chip.lanes + i)
            write(vector, toRow: block.row + i, ofBank: bank)
        }
    }

    private mutating func allocate(_ bank: Int) {
        banks[bank].rows = Array(repeating: .none, count: chip.rowsPerBank)
    }
}
