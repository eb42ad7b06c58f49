/// Ascending ranges of positions, or of tokens, that do not touch.
struct PositionSet: Hashable {
    private(set) var ranges: [Range<Int32>] = []

    init() {}

    /// Of bounds in turn, as `list` gives them.
    init(_ list: UnsafeBufferPointer<Int32>) {
        for i in stride(from: 0, to: list.count, by: 2) { ranges.append(list[i]..<list[i + 1]) }
    }

    var list: [Int32] { ranges.flatMap { [$0.lowerBound, $0.upperBound] } }

    /// - Requires: no position of `range` is below one that is there.
    mutating func append(_ range: Range<Int32>) {
        guard !range.isEmpty else { return }
        if let last = ranges.last, last.upperBound == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(range)
        }
    }

    /// - Requires: no member is in both.
    func union(_ other: PositionSet) -> PositionSet {
        var result = PositionSet()
        for range in (ranges + other.ranges).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            result.append(range)
        }
        return result
    }

    func intersection(_ other: PositionSet) -> PositionSet {
        var result = PositionSet()
        var (i, j) = (0, 0)
        while i < ranges.count, j < other.ranges.count {
            let (a, b) = (ranges[i], other.ranges[j])
            result.append(
                max(
                    a.lowerBound, b.lowerBound)..<max(
                        min(a.upperBound, b.upperBound), max(a.lowerBound, b.lowerBound)))
            if a.upperBound <= b.upperBound { i += 1 } else { j += 1 }
        }
        return result
    }
}
