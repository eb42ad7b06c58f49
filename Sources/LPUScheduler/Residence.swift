import LPUDataflow
import LPUMachine
import LPUSupport

/// A row of a slice.
struct Location: Hashable {
    var slice: QueueID
    var bank: UInt8
    var row: Int32
    /// 0: the same row wherever the template is placed; 1: rows of the placement's own.
    var slot: UInt8 = 0
    var address: RowAddress { RowAddress(slot: Int(slot), bank: Int(bank), row: Int(row)) }
}

/// One copy of a vector in SRAM: a location a byte plane, and from when on it may be read.
struct Copy {
    var planes: [Location]
    var ready: Int
}

/// Rows of 16 slices that feed a plane: weight vector 16c + s is row `row + c` of slice s.
struct TilePlace {
    var start: Int
    /// Load columns.
    var rows: Int
    var hemisphere: Hemisphere
    var plane: Int
    /// Byte planes x 16 slices.
    var slices: [QueueID]
    var bank: Int
    var row: Int
    var slot: Int
}

/// Rows of one slice that hold consecutive vectors of one byte plane: tables and regions.
struct BlockPlace {
    /// A slice a byte plane.
    var slices: [QueueID]
    var bank: Int
    var row: Int
    var slot: Int
}

/// Where the vectors of one chip's values rest, and which rows are still free.
struct SRAM {
    private let banksPerSlice: Int
    private let rowsPerBank: Int
    /// Next free row of each slot: `slice * banks + bank`.
    private var nextRow: [[Int]]

    init(chip: Chip) {
        banksPerSlice = chip.banksPerSlice
        rowsPerBank = chip.rowsPerBank
        let banks = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice
        nextRow = [Array(repeating: 0, count: banks), Array(repeating: 0, count: banks)]
    }

    func freeRows(_ slice: QueueID, bank: Int) -> Int {
        let i = slice.index * banksPerSlice + bank
        return rowsPerBank - nextRow[0][i] - nextRow[1][i]
    }

    /// Takes the rows of slot 0 that `other` has taken.
    mutating func formUnion(_ other: SRAM) {
        nextRow[0] = zip(nextRow[0], other.nextRow[0]).map { max($0, $1) }
    }

    /// Rows that one placement takes in a bank, at most.
    var slotRows: Int { nextRow[1].max() ?? 0 }

    /// The row from which on the banks that `other`'s placements use hold nothing of slot 0.
    func slotBase(of other: SRAM) -> Int {
        zip(nextRow[0], other.nextRow[1]).filter { $1 > 0 }.map(\.0).max() ?? 0
    }

    /// The row from which on `rows` rows are free in all of `slices`, or nil.
    func commonRow(_ slices: [QueueID], bank: Int, rows: Int, slot: Int) -> Int? {
        let first =
            slices.map { nextRow[slot][$0.index * banksPerSlice + bank] }.max() ?? 0
        return first + rows <= rowsPerBank ? first : nil
    }

    /// Takes rows up to `end` of `slice`.
    mutating func take(_ slice: QueueID, bank: Int, upTo end: Int, slot: Int) {
        let i = slice.index * banksPerSlice + bank
        nextRow[slot][i] = max(nextRow[slot][i], end)
    }

    mutating func takeRow(_ slice: QueueID, bank: Int, slot: Int) -> Location {
        let i = slice.index * banksPerSlice + bank
        defer { nextRow[slot][i] += 1 }
        return Location(
            slice: slice, bank: UInt8(bank), row: Int32(nextRow[slot][i]), slot: UInt8(slot))
    }

    /// Gives back the row that was taken last.
    mutating func giveBack(_ location: Location) {
        let i = location.slice.index * banksPerSlice + Int(location.bank)
        nextRow[Int(location.slot)][i] -= 1
    }
}
