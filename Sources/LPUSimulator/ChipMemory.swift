import LPUMachine
import LPUSchedule

/// Where the rows of one chip's SRAM rest. A row that no instruction writes is a row of the memory
/// image, to which reads refer; every other one has a slot of its own.
struct ChipMemory {
    /// Of each bank, by row; without rows where there is nothing.
    private var banks: [[Vector]]
    /// Rows that have a slot: 0 to this.
    private(set) var slotCount = 0
    private let chip: Chip

    /// Gives every row a slot that a burst of one of the programs may write.
    init(chip: Chip, programs: [(program: PlacedProgram, schedule: Schedule)]) {
        self.chip = chip
        banks = Array(repeating: [], count: 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice)
        for (program, schedule) in programs { giveSlots(program, schedule) }
    }

    private mutating func giveSlots(_ program: PlacedProgram, _ schedule: Schedule) {
        for slice in 0..<2 * chip.memSlicesPerHemisphere {
            for placed in program.bursts[program.queues[slice]] {
                let (burst, placement) = schedule.burst(placed)
                guard case .memory(_, let write) = burst.instruction.moved(by: placement) else {
                    continue
                }
                switch write {
                case .none: break
                case .scatter(let window, let rows, _, _):
                    giveSlots(Int(window.row)..<Int(window.row) + Int(rows), window.bank, slice)
                case .write(let address, _):
                    for i in burst.inner.offsets {
                        for j in burst.outer.offsets {
                            let row = Int(address.row) + i + j
                            giveSlots(row..<row + 1, address.bank, slice)
                        }
                    }
                }
            }
        }
    }

    /// Rows outside of the bank are faults when they are written.
    private mutating func giveSlots(_ rows: Range<Int>, _ bank: UInt8, _ slice: Int) {
        guard Int(bank) < chip.banksPerSlice else { return }
        let bank = self.bank(Int(bank), ofSlice: slice)
        for row in rows.clamped(to: 0..<chip.rowsPerBank) {
            if self.row(row, ofBank: bank) != .none { continue }
            set(row, ofBank: bank, to: Vector(raw: Int32(slotCount)))
            slotCount += 1
        }
    }

    private mutating func set(_ row: Int, ofBank bank: Int, to vector: Vector) {
        if banks[bank].isEmpty {
            banks[bank] = Array(repeating: .none, count: chip.rowsPerBank)
        }
        banks[bank][row] = vector
    }

    /// Lays a block of the memory image into its rows, and calls `body` with each slot that is to
    /// hold a row of it.
    mutating func load(
        _ block: MemoryImage.Block, _ body: (_ slot: Vector, _ image: Vector) -> Void
    ) {
        let slice = chip.queue(of: .memory(block.hemisphere, slice: block.slice)).index
        let bank = bank(block.bank, ofSlice: slice)
        for i in 0..<block.rows {
            let image = Vector.image(row: block.offset / chip.lanes + i)
            let slot = row(block.row + i, ofBank: bank)
            if slot.isSlot {
                body(slot, image)
            } else {
                set(block.row + i, ofBank: bank, to: image)
            }
        }
    }

    /// The number of a bank of the chip; `slice` is its queue's number.
    @inline(__always) func bank(_ bank: Int, ofSlice slice: Int) -> Int {
        slice * chip.banksPerSlice + bank
    }

    /// Where a row rests; `.none` if it is not in the image and nothing writes it.
    @inline(__always) func row(_ row: Int, ofBank bank: Int) -> Vector {
        let rows = banks[bank]
        return rows.isEmpty ? .none : rows[row]
    }

    /// The row that has the slot, and its bank's number within its slice.
    func place(of slot: Vector) -> (row: Int, bank: Int) {
        for (bank, rows) in banks.enumerated() {
            if let row = rows.firstIndex(of: slot) { return (row, bank % chip.banksPerSlice) }
        }
        preconditionFailure("\(slot) is no row of SRAM")
    }
}
