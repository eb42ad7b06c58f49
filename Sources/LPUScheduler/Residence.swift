import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport

/// A row of a slice.
struct Location: Hashable {
    var slice: QueueID
    var bank: UInt8
    var row: Int32
    /// 0: the same row wherever the template is placed; else rows of the placement's own.
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
    /// Next free row of each slot: `slice * banks + bank`. Slot 0 stays where it is; the others are
    /// rows of a placement's own, which are moved: two for each place of a template that has the
    /// map, the first for weights and regions, the second for single vectors near the VXM.
    private var nextRow: [[Int]]
    /// Rows at the end of each bank that hold tables: few chips have some, and all others want the
    /// same rows for the rest.
    private var tables: [Int]
    /// Rows of each bank that placements of repeated templates will take.
    private var reserved: [Int]
    /// Rows before the tables that hold what ends with a template: how many this one has taken, and
    /// how many any has.
    private var passing: [Int]
    private var mostPassing: [Int]

    init(chip: Chip, places: Int = 1) {
        banksPerSlice = chip.banksPerSlice
        rowsPerBank = chip.rowsPerBank
        let banks = 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice
        nextRow = Array(
            repeating: Array(repeating: 0, count: banks), count: 1 + 2 * places)
        tables = Array(repeating: 0, count: banks)
        reserved = tables
        passing = tables
        mostPassing = tables
    }

    /// - Parameter isPassing: for what ends with the template.
    func freeRows(_ slice: QueueID, bank: Int, isPassing: Bool = false) -> Int {
        let i = slice.index * banksPerSlice + bank
        return rowsPerBank - tables[i] - reserved[i] - nextRow.reduce(0) { $0 + $1[i] }
            - (isPassing ? passing[i] : max(passing[i], mostPassing[i]))
    }

    /// Takes the rows of slot 0 that `other` has taken, and those reserved.
    mutating func formUnion(_ other: SRAM) {
        take(other, withTables: true)
        reserved = zip(reserved, other.reserved).map { max($0, $1) }
        keepRoom(for: other)
    }

    /// Leaves the rows of passing values to others of their kind.
    private mutating func keepRoom(for other: SRAM) {
        for bank in mostPassing.indices {
            mostPassing[bank] = max(
                mostPassing[bank], other.mostPassing[bank], other.passing[bank])
        }
    }

    /// Takes the rows that a placement of `other` has in a slot, for all other templates.
    mutating func settle(_ other: SRAM, slot: Int, at offset: SlotOffset) {
        for bank in reserved.indices {
            reserved[bank] = 0
            let rows = other.nextRow[slot][bank]
            if rows > 0 { nextRow[0][bank] = max(nextRow[0][bank], Int(offset.rows) + rows) }
        }
    }

    /// Takes the rows of slot 0 that `other` has taken.
    mutating func take(_ other: SRAM, withTables: Bool = false) {
        nextRow[0] = zip(nextRow[0], other.nextRow[0]).map { max($0, $1) }
        if withTables { tables = zip(tables, other.tables).map { max($0, $1) } }
    }

    /// Takes the rows that `other` has taken and `before`, from which it grew, had not.
    mutating func formUnion(_ other: SRAM, since before: SRAM) {
        take(other)
        for bank in tables.indices where other.tables[bank] > before.tables[bank] {
            tables[bank] = max(tables[bank], other.tables[bank])
        }
        keepRoom(for: other)
    }

    /// Keeps room for one more placement of a template that has placed rows as in `other`.
    mutating func reserve(_ other: SRAM, slots: Range<Int>) {
        for slot in slots {
            let rows = other.rows(ofSlot: slot)
            for bank in reserved.indices where other.nextRow[slot][bank] > 0 {
                reserved[bank] += rows
            }
        }
    }

    /// Rows of a slot that one placement takes in a bank, at most; a place may not have the slot.
    func rows(ofSlot slot: Int) -> Int { slot < nextRow.count ? nextRow[slot].max() ?? 0 : 0 }

    /// Rows that tables, and what ends with a template, take at the end of the banks in which
    /// `other` has rows of `slot`.
    func lastRows(ofSlot slot: Int, of other: SRAM) -> Int {
        tables.indices.filter { other.nextRow[slot][$0] > 0 }.map {
            tables[$0] + max(passing[$0], mostPassing[$0])
        }.max() ?? 0
    }

    /// The row from which on the banks hold nothing of slot 0 in which `other` has rows of `slot`.
    func base(ofSlot slot: Int, of other: SRAM) -> Int {
        zip(nextRow[0], other.nextRow[slot]).filter { $1 > 0 }.map(\.0).max() ?? 0
    }

    /// The row from which on `rows` rows are free in all of `slices`, or nil.
    func commonRow(_ slices: [QueueID], bank: Int, rows: Int, slot: Int) -> Int? {
        let banks = slices.lazy.map { $0.index * banksPerSlice + bank }
        let first = banks.map { nextRow[slot][$0] }.max() ?? 0
        let kept =
            banks.map {
                tables[$0] + (slot == 0 ? reserved[$0] : 0) + max(passing[$0], mostPassing[$0])
            }.max() ?? 0
        return first + rows <= rowsPerBank - kept ? first : nil
    }

    /// The first of the last `rows` rows that are free in all of `slices` for a table, or nil.
    func tableRow(_ slices: [QueueID], bank: Int, rows: Int) -> Int? {
        let banks = slices.lazy.map { $0.index * banksPerSlice + bank }
        guard banks.allSatisfy({ passing[$0] == 0 && mostPassing[$0] == 0 }) else { return nil }
        let row = rowsPerBank - (banks.map { tables[$0] }.max() ?? 0) - rows
        return row >= (banks.map { nextRow[0][$0] + reserved[$0] }.max() ?? 0) ? row : nil
    }

    /// Takes the rows from `row` on for a table.
    mutating func takeTable(_ slice: QueueID, bank: Int, from row: Int) {
        let i = slice.index * banksPerSlice + bank
        tables[i] = max(tables[i], rowsPerBank - row)
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

    /// A row for what ends with the template.
    mutating func takePassingRow(_ slice: QueueID, bank: Int) -> Location {
        let i = slice.index * banksPerSlice + bank
        passing[i] += 1
        return Location(
            slice: slice, bank: UInt8(bank), row: Int32(rowsPerBank - tables[i] - passing[i]))
    }

    /// Gives back the row that was taken last.
    mutating func giveBack(_ location: Location) {
        let i = location.slice.index * banksPerSlice + Int(location.bank)
        if passing[i] > 0, Int(location.row) == rowsPerBank - tables[i] - passing[i] {
            passing[i] -= 1
            return
        }
        nextRow[Int(location.slot)][i] -= 1
    }
}
