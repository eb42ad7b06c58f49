import LPUDataflow
import LPUMachine
import LPUSupport

/// A row of a slice.
struct Location: Hashable {
    var slice: QueueID
    var bank: UInt8
    var row: Int32
    var address: RowAddress { RowAddress(bank: Int(bank), row: Int(row)) }
}

/// One copy of a vector in SRAM: a location a byte plane, and from when on it may be read.
struct Copy {
    var planes: [Location]
    var ready: Int
}

/// Rows of 16 slices that feed a plane: weight vector 16c + s is row `row + c` of slice s.
struct TilePlace {
    var start: Int
    var hemisphere: Hemisphere
    var plane: Int
    /// Byte planes x 16 slices.
    var slices: [QueueID]
    var bank: Int
    var row: Int
}

/// Rows of one slice that hold consecutive vectors of one byte plane: tables and regions.
struct BlockPlace {
    /// A slice a byte plane.
    var slices: [QueueID]
    var bank: Int
    var row: Int
}

/// Where the vectors of one chip's values rest, and which rows are still free.
struct SRAM {
    let chip: Chip
    /// Next free row: `slice * banks + bank`.
    private var nextRow: [Int]

    init(chip: Chip) {
        self.chip = chip
        nextRow = Array(
            repeating: 0, count: 2 * chip.memSlicesPerHemisphere * chip.banksPerSlice)
    }

    func slice(_ hemisphere: Hemisphere, _ index: Int) -> QueueID {
        chip.queue(of: .memory(hemisphere, slice: index))
    }

    func hemisphere(of slice: QueueID) -> Hemisphere {
        slice.index < chip.memSlicesPerHemisphere ? .west : .east
    }

    /// The slice's number in its hemisphere.
    func number(of slice: QueueID) -> Int { slice.index % chip.memSlicesPerHemisphere }

    func register(of slice: QueueID) -> Int {
        chip.register(ofSlice: number(of: slice), in: hemisphere(of: slice))
    }

    func freeRows(_ slice: QueueID, bank: Int) -> Int {
        chip.rowsPerBank - nextRow[slice.index * chip.banksPerSlice + bank]
    }

    /// The row from which on `rows` rows are free in all of `slices`, or nil.
    func commonRow(_ slices: [QueueID], bank: Int, rows: Int) -> Int? {
        let first = slices.map { nextRow[$0.index * chip.banksPerSlice + bank] }.max() ?? 0
        return first + rows <= chip.rowsPerBank ? first : nil
    }

    /// Takes rows up to `end` of `slice`.
    mutating func take(_ slice: QueueID, bank: Int, upTo end: Int) {
        let i = slice.index * chip.banksPerSlice + bank
        nextRow[i] = max(nextRow[i], end)
    }

    mutating func takeRow(_ slice: QueueID, bank: Int) -> Location {
        let i = slice.index * chip.banksPerSlice + bank
        defer { nextRow[i] += 1 }
        return Location(slice: slice, bank: UInt8(bank), row: Int32(nextRow[i]))
    }

    /// Gives back the row that was taken last.
    mutating func giveBack(_ location: Location) {
        nextRow[location.slice.index * chip.banksPerSlice + Int(location.bank)] -= 1
    }
}
