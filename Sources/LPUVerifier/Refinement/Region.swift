import LPUDataflow
import LPUNumerics
import LPUSupport

/// What one element of a step's keys or values is.
struct CachedElement {
    /// Of the cache's names.
    var tensor: Int32
    var head: Int32
    var channel: Int32
    /// The first coefficient of the element in the graph.
    var coefficient: Double
}

/// Rows that a step writes at places that its position names, and that later steps read.
///
/// What a row holds at any position follows from the writes of all positions before: every step
/// does the same ops. A row is said to hold what was written at position t if that is so at every
/// position after t.
final class Region {
    struct Write {
        var op: OpID
        /// The window.
        var start: Int
        var rows: Int
        var address: () -> Int32
        var data: () -> Int32
    }

    /// The positions at which one write meets a row, a list, and in which superlanes.
    private struct Writer {
        var write: Int
        var positions: Int32
        var superlanes: [Int]
    }

    let count: Int
    unowned let state: RefinementState
    private(set) var writes: [Write] = []
    /// Where reads begin, for each user; and which rows from there on are read. The first view is
    /// the same rows for all.
    private(set) var views: [(starts: [Int], reads: Set<Int>)]
    private lazy var writers = makeWriters()
    private var rows: [Int: TileRow] = [:]
    /// What was wrong with a write: by op.
    private(set) var problems: [(op: OpID, message: String, lane: Int32)] = []
    private var shapes: [Int: DataShape] = [:]
    private var vectors: [Int: Int32] = [:]

    private enum DataShape {
        /// What this step made of one tensor: for each head, the lanes and channels.
        case current([(element: CachedElement, lanes: [Int32])])
        /// One element of several steps: for each lane the positions (a list) of which the last one
        /// tells it, or -1.
        case column(CachedElement, [Int32])
        case other
    }

    init(_ count: Int, _ state: RefinementState) {
        self.count = count
        self.state = state
        views = [(Array(repeating: 0, count: state.users), [])]
    }

    /// The view that begins at `starts`.
    func view(_ starts: [Int]) -> Int {
        if let known = views.firstIndex(where: { $0.starts == starts }) { return known }
        views.append((starts, []))
        return views.count - 1
    }

    func add(_ write: Write) { writes.append(write) }

    private var algebra: Algebra { state.algebra }

    /// Writes that some position takes out of their windows, or to a row that it does not name:
    /// wrong in themselves, whether that row is read or not.
    func windowProblems() -> [(op: OpID, message: String)] {
        writes.compactMap { write in
            let address = write.address()
            for superlanes in state.superlanes(ofAddress: address) {
                guard let offsets = state.addresses(address, of: superlanes),
                    offsets.variable == .position
                else { return (write.op, "the position does not name the row") }
                if offsets.maximum >= write.rows {
                    return (
                        write.op,
                        "row \(offsets.maximum) is written in a window of \(write.rows)"
                    )
                }
            }
            return nil
        }
    }

    /// For each row its writers, no two of them in one superlane; none where two are. nil where the
    /// position does not name the rows.
    private func makeWriters() -> [Int: [Writer]]? {
        var result: [Int: [Writer]] = [:]
        var shared: Set<Int> = []
        for (number, write) in writes.enumerated() {
            let address = write.address()
            for superlanes in state.superlanes(ofAddress: address) {
                guard let offsets = state.addresses(address, of: superlanes),
                    offsets.variable == .position
                else { return nil }
                for (offset, positions) in state.preimages(offsets) {
                    let row = write.start + offset
                    let known = result[row] ?? []
                    if known.contains(where: { $0.superlanes.contains(where: superlanes.contains) })
                    {
                        shared.insert(row)
                    }
                    result[row] =
                        known + [
                            Writer(write: number, positions: positions, superlanes: superlanes)
                        ]
                }
            }
        }
        for row in shared { result[row] = [] }
        return result
    }

    /// Row `index` of a view when `version` writes of this step are done, in a step of user 0.
    func row(_ index: Int, version: Int, view: Int) -> TileRow {
        views[view].reads.insert(index)
        let index = views[view].starts[0] + index
        guard let writers else { return .vector(state.numbers.uniform(unknownLane)) }
        guard let writers = writers[index] else { return .vector(state.numbers.uniform(.zero)) }
        if let only = writers.first, isWhole(only), only.write < version {
            return .recent(vector: data(only.write), positions: only.positions)
        }
        // What this step wrote beside what others did is not told.
        guard !writers.isEmpty, writers.allSatisfy({ $0.write >= version }) else {
            return .vector(state.numbers.uniform(unknownLane))
        }
        if let known = rows[index] { return known }
        let row = settled(writers)
        rows[index] = row
        return row
    }

    private func isWhole(_ writer: Writer) -> Bool {
        writer.superlanes.count * state.numbers.superlane == state.numbers.lanes
    }

    /// The row of which each writer has superlanes of its own; the others are as they were at
    /// first: zero.
    private func settled(_ writers: [Writer]) -> TileRow {
        if isWhole(writers[0]) { return settled(writers[0]) }
        var all: [Segment] = []
        for writer in writers {
            switch settled(writer) {
            case .segments(let segments):
                all += segments.compactMap { $0.within(writer.superlanes, state.numbers) }
            case .vector(let vector):
                let isZero = vector == state.numbers.uniform(.zero)
                guard isZero else { return .vector(vector) }
            case .recent: return .vector(state.numbers.uniform(unknownLane))
            }
        }
        return .segments(all)
    }

    private func data(_ write: Int) -> Int32 {
        if let known = vectors[write] { return known }
        let vector = writes[write].data()
        vectors[write] = vector
        return vector
    }

    private var unknownLane: Lane {
        Lane(polynomial: algebra.unknown("a row that does not keep what was written into it"))
    }

    // MARK: What stays

    /// The row as later steps find it.
    private func settled(_ writer: Writer) -> TileRow {
        let shape: DataShape
        if let known = shapes[writer.write] {
            shape = known
        } else {
            shape = self.shape(writer.write)
            shapes[writer.write] = shape
        }
        let positions = algebra.lists[writer.positions]
        switch shape {
        case .current(let groups):
            if groups.isEmpty { return .vector(state.numbers.uniform(.zero)) }
            guard positions.count == 1 else {
                return .vector(state.numbers.uniform(unknownLane))
            }
            return .segments(
                groups.map { segment($0.element, axis: 2, at: positions[0], [-1] + $0.lanes) })
        case .column(let element, let histories):
            var lanes: [Int32] = [-1]
            for (lane, history) in histories.enumerated() where history >= 0 {
                if let position = state.settled(writer.positions, history) {
                    lanes += [Int32(lane), position]
                }
            }
            return .segments([segment(element, axis: 1, at: element.channel, lanes)])
        case .other: return .vector(state.numbers.uniform(unknownLane))
        }
    }

    /// - Parameter coordinate: the position or the channel, whatever the lanes do not run along.
    private func segment(
        _ element: CachedElement, axis: Int32, at coordinate: Int32, _ pattern: [Int32]
    ) -> Segment {
        let fixed = [Int(element.head), Int(coordinate)].map {
            Segment.Row(base: $0, digits: .zero, origin: 0)
        }
        return Segment(
            tensor: element.tensor, axis: axis, rows: fixed,
            pattern: algebra.lists.intern(pattern), factor: element.coefficient, quantum: nil)
    }

    private func shape(_ write: Int) -> DataShape {
        let vector = data(write)
        let lanes = state.numbers.vectors[vector]
        var groups: [(element: CachedElement, lanes: [Int32])] = []
        var column: CachedElement?
        var histories = [Int32](repeating: -1, count: lanes.count)
        for (l, lane) in lanes.enumerated() where lane != .zero {
            var number = state.numbers.polynomial(lane)
            if let atom = algebra.onlyAtom(number), atom.kind == .recent {
                (number, histories[l]) = (atom.a, atom.b)
            }
            let unscaled = state.unscaled(number)
            guard var element = state.cached[unscaled.polynomial] else {
                problems.append(
                    (writes[write].op, "lane \(l) stores what is no element of a cache", number))
                return .other
            }
            element.coefficient = unscaled.coefficient / element.coefficient
            if histories[l] >= 0 {
                if let column, column != element { return .other }
                column = element
            } else if let g = groups.firstIndex(where: { element.isBeside($0.element) }) {
                groups[g].lanes += [Int32(l), element.channel]
            } else {
                groups.append((element, [Int32(l), element.channel]))
            }
        }
        guard let column else { return .current(groups) }
        return groups.isEmpty ? .column(column, histories) : .other
    }
}

extension Segment {
    /// What of it stands in some superlanes; nil where nothing does.
    fileprivate func within(_ superlanes: [Int], _ numbers: LaneAlgebra) -> Segment? {
        let list = numbers.algebra.lists[pattern]
        var kept = [list[0]]
        for i in stride(from: 1, to: list.count, by: 2)
        where superlanes.contains(Int(list[i]) / numbers.superlane) {
            kept += [list[i], list[i + 1]]
        }
        guard kept.count > 1 else { return nil }
        var result = self
        result.pattern = numbers.algebra.lists.intern(kept)
        return result
    }
}

extension CachedElement: Equatable {
    /// Of one head, and scaled alike.
    fileprivate func isBeside(_ other: CachedElement) -> Bool {
        tensor == other.tensor && head == other.head
            && abs(coefficient - other.coefficient)
                <= Reals.tolerance * abs(coefficient)
    }

    static func == (a: CachedElement, b: CachedElement) -> Bool {
        a.isBeside(b) && a.channel == b.channel
    }
}
