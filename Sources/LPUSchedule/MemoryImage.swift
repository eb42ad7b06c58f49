public import LPUMachine
public import LPUSupport

/// Bytes that rest in SRAM before cycle 0: rows of `lanes` bytes, placed.
public struct MemoryImage: Sendable {
    /// Consecutive rows of one slice's bank.
    public struct Block: Hashable, Sendable {
        public var chip: ChipID
        public var hemisphere: Hemisphere
        public var slice: Int
        public var bank: Int
        public var row: Int
        public var rows: Int
        /// Of its first byte in `bytes`.
        public var offset: Int
        public init(
            chip: ChipID, hemisphere: Hemisphere, slice: Int, bank: Int, row: Int, rows: Int,
            offset: Int
        ) {
            self.chip = chip
            self.hemisphere = hemisphere
            self.slice = slice
            self.bank = bank
            self.row = row
            self.rows = rows
            self.offset = offset
        }
    }

    /// Sorted by chip, slice, bank and row; they do not overlap.
    public var blocks: [Block]
    public var bytes: [UInt8]

    public init(blocks: [Block] = [], bytes: [UInt8] = []) {
        self.blocks = blocks
        self.bytes = bytes
    }
}
