/// A set of rows, a bit each.
struct RowSet {
    private var words: [UInt64]

    init(count: Int) { words = Array(repeating: 0, count: (count + 63) / 64) }

    mutating func insert(_ row: Int) { words[row / 64] |= 1 << (row % 64) }

    mutating func remove(_ row: Int) { words[row / 64] &= ~(1 << (row % 64)) }

    func contains(_ row: Int) -> Bool { words[row / 64] >> (row % 64) & 1 != 0 }

    /// O(rows / 64).
    mutating func insert(_ rows: Range<Int>) {
        Self.forEachWord(of: rows) {
            words[$0] |= $1
            return false
        }
    }

    /// `true` iff one of the rows is in the set. O(rows / 64).
    func contains(anyOf rows: Range<Int>) -> Bool {
        Self.forEachWord(of: rows) { words[$0] & $1 != 0 }
    }

    /// `true` iff all of the rows are in the set. O(rows / 64).
    func contains(allOf rows: Range<Int>) -> Bool {
        !Self.forEachWord(of: rows) { words[$0] & $1 != $1 }
    }

    /// Calls `body` with rows below `end` that are not in the set and stand side by side. O(rows /
    /// 64 + gaps).
    func forEachGap(below end: Int, _ body: (Range<Int>) -> Void) {
        var row = 0
        while row < end {
            // What is in the word from the row on: first rows of the set, then others.
            let taken = (~(words[row / 64] >> (row % 64))).trailingZeroBitCount
            row += min(taken, 64 - row % 64)
            if row % 64 == 0 && taken > 0 { continue }
            let first = row
            while row < end {
                let free = (words[row / 64] >> (row % 64)).trailingZeroBitCount
                row += min(free, 64 - row % 64)
                if row % 64 != 0 || free == 0 { break }
            }
            if first < min(row, end) { body(first..<min(row, end)) }
        }
    }

    /// O(rows / 64).
    var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// `true` as soon as `body` says so of a word's number and the bits of the rows in it.
    @discardableResult
    private static func forEachWord(of rows: Range<Int>, _ body: (Int, UInt64) -> Bool) -> Bool {
        var row = rows.lowerBound
        while row < rows.upperBound {
            let last = min(rows.upperBound - 1, row | 63)
            let mask = UInt64.max >> UInt64(63 - last % 64) & UInt64.max << UInt64(row % 64)
            if body(row / 64, mask) { return true }
            row = last + 1
        }
        return false
    }
}
