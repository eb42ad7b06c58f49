public import LPUMachine
public import LPUModel
import LPUNumerics
import LPUSupport

extension Plan {
    /// The query heads of each chip of a stage, and the KV heads that those need.
    public func headsOfChips(_ model: ModelConfiguration) -> [(queries: Int, keyValues: Int)] {
        (0..<tensorParallel).map {
            let share = ChipShare(
                model, place: $0, of: tensorParallel, lanes: model.headDimension, streams: 1)
            return (share.queryHeads, share.keyValueHeads)
        }
    }
}

extension Plan {
    /// Rows of the longest cache region of all chips, which one bank of a slice holds.
    public func longestRegion(_ model: ModelConfiguration, on chip: Chip) -> Int {
        let blocks = CacheBlocks(model, self, on: chip)
        return (0..<tensorParallel).map {
            ChipShare(model, place: $0, of: tensorParallel, on: chip).longestRegion(blocks)
        }.max() ?? 0
    }
}

/// What a chip of a stage has of every layer and of the model's ends, dealt out and cut into tiles
/// by the lowering's rules; `place` is its number among the chips that share the layers.
struct ChipShare {
    /// KV heads that share a vector, each with the number of its query heads on this chip.
    var sets: [[Int]] = []
    var headDimension: Int
    var hiddenSize: Int
    /// Columns between up and down projection, and tokens, that fall to the chip.
    var intermediate: Int
    var vocabulary: Int
    let lanes: Int
    /// Weight streams of a plane: weight vectors come in whole load columns of as many.
    let streams: Int

    init(_ model: ModelConfiguration, place: Int, of degree: Int, on chip: Chip) {
        self.init(
            model, place: place, of: degree, lanes: chip.lanes,
            streams: chip.weightStreamsPerPlane)
    }

    init(_ model: ModelConfiguration, place: Int, of degree: Int, lanes: Int, streams: Int) {
        func share(_ count: Int) -> Range<Int> {
            place * count / degree..<(place + 1) * count / degree
        }
        self.lanes = lanes
        self.streams = streams
        headDimension = model.headDimension
        hiddenSize = model.hiddenSize
        intermediate = share(model.intermediateSize).count
        vocabulary = share(model.vocabularySize).count
        var heads: [(head: Int, queries: Int)] = []
        for query in share(model.queryHeadCount) {
            let head = query / model.groupSize
            if heads.last?.head == head {
                heads[heads.count - 1].queries += 1
            } else {
                heads.append((head, 1))
            }
        }
        let perSet = max(1, lanes / model.headDimension)
        sets = stride(from: 0, to: heads.count, by: perSet).map {
            heads[$0..<min($0 + perSet, heads.count)].map(\.queries)
        }
    }

    var queryHeads: Int { sets.joined().reduce(0, +) }
    var keyValueHeads: Int { sets.reduce(0) { $0 + $1.count } }
    /// KV heads of the widest set.
    var perSet: Int { sets.map(\.count).max() ?? 0 }

    /// Vectors that `count` elements are dealt out to.
    func tiles(_ count: Int) -> Int { (count + lanes - 1) / lanes }
    private func rounded(_ rows: Int) -> Int { rows.roundedUp(toMultipleOf: streams) }

    /// Weight vectors that hold a set's heads.
    func cacheRows(_ set: Int) -> Int { rounded(sets[set].count * headDimension) }
    /// Rows of the longest region of its caches, which one bank of a slice holds.
    func longestRegion(_ blocks: CacheBlocks) -> Int {
        sets.indices.map {
            max(blocks.keyRows, blocks.valueRows(perBlock: cacheRows($0) / streams))
        }.max() ?? 0
    }
    /// Query vectors of a set: vector j holds query j of each KV head that has so many.
    func queryVectors(_ set: Int) -> Int { sets[set].max() ?? 0 }
    var allQueryVectors: Int { sets.indices.reduce(0) { $0 + queryVectors($1) } }
    /// Lanes of each vector as which the output projection takes a set's heads: query vectors side
    /// by side, up to the last KV head that has a query in the last of them.
    func outputWidths(_ set: Int) -> [Int] {
        let width = sets[set].count * headDimension
        let (count, perVector) = (queryVectors(set), lanes / width)
        return stride(from: 0, to: count, by: perVector).map { first in
            let last = min(first + perVector, count) - 1
            let heads = (sets[set].lastIndex { last < $0 } ?? -1) + 1
            return (last - first) * width + heads * headDimension
        }
    }

    /// Query heads that attend side by side, as many of a set as a superlane has lanes at most.
    struct HeadGroup {
        var set: Int
        var heads: Int
        /// Query vectors that are asked for one of them.
        var queryVectors: Int
        /// Whether one of them shares its vector with a KV head before it.
        var isShared: Bool

        /// A mask a head for each query vector, of the head's lanes, and of those where one vector
        /// holds a number a head.
        var maskVectors: Int { heads * (queryVectors + (isShared ? 1 : 0) + 1) }
    }

    func headGroups(of most: Int) -> [HeadGroup] {
        sets.indices.flatMap { set in
            let queries = sets[set]
            let heads = (0..<queryVectors(set)).flatMap { j in
                queries.indices.filter { j < queries[$0] }.map { (keyValue: $0, query: j) }
            }
            return stride(from: 0, to: heads.count, by: most).map { first in
                let group = heads[first..<min(first + most, heads.count)]
                return HeadGroup(
                    set: set, heads: group.count,
                    queryVectors: (group.last?.query ?? 0) + 1,
                    isShared: group.contains { $0.keyValue > 0 })
            }
        }
    }
}

/// A matrix on a chip: its elements, and the weight vectors that hold them.
struct Matrix {
    var elements: Int
    var vectors: Int

    static func + (a: Matrix, b: Matrix) -> Matrix {
        Matrix(elements: a.elements + b.elements, vectors: a.vectors + b.vectors)
    }
}

/// The matrices of a layer and the LM head.
extension ChipShare {
    private var hidden: Tiling { Tiling(0..<hiddenSize, lanes: lanes) }

    /// Weight vectors of a contraction tile for each output tile: whole load columns.
    private func vectors(_ outputs: Tiling) -> Int {
        outputs.ranges.reduce(0) { $0 + rounded($1.count) }
    }

    /// Projections of heads: weight vectors up to the last head that each query vector holds.
    private func projection(_ heads: Int, lastHeads: [Int]) -> Matrix {
        Matrix(
            elements: heads * headDimension * hiddenSize,
            vectors: tiles(hiddenSize)
                * lastHeads.reduce(0) { $0 + rounded($1 * headDimension) })
    }

    /// A row-parallel matrix: contraction tiles of these widths, of which the first are packed.
    private func rowParallel(
        _ widths: [Int], elements: Int, _ plan: Plan, on chip: Chip
    ) -> Matrix {
        let packings = plan.packings(widths, outputs: hidden.count, on: chip)
        let first = packings.first?.outputs.lowerBound ?? hidden.count
        let rows = hidden.ranges.map { rounded($0.count) }
        let own =
            rows[..<first].reduce(0, +) * widths.count
            + rows[first...].reduce(0, +) * (widths.count - packings.count)
        let tiles = packings.reduce(0) { $0 + $1.tiles }
        return Matrix(elements: elements, vectors: own + tiles * rounded(hidden.width))
    }

    var query: Matrix {
        let last = sets.flatMap { set in
            (0..<(set.max() ?? 0)).map { j in (set.lastIndex { j < $0 } ?? -1) + 1 }
        }
        return projection(queryHeads, lastHeads: last)
    }
    /// The key projection; that of values is as large.
    var key: Matrix { projection(keyValueHeads, lastHeads: sets.map(\.count)) }

    /// Elements of the output projection; of the gate, as many of up and down.
    var outputElements: Int { queryHeads * headDimension * hiddenSize }
    var innerElements: Int { hiddenSize * intermediate }

    func output(_ plan: Plan, on chip: Chip) -> Matrix {
        rowParallel(
            sets.indices.flatMap(outputWidths), elements: outputElements, plan, on: chip)
    }

    private func inner(_ plan: Plan, on chip: Chip) -> Tiling {
        plan.innerTiling(0..<intermediate, outputs: hidden.count, on: chip)
    }

    /// Of the gate; the up projection is as large.
    func gate(_ plan: Plan, on chip: Chip) -> Matrix {
        Matrix(
            elements: innerElements,
            vectors: hidden.count * vectors(inner(plan, on: chip)))
    }

    func down(_ plan: Plan, on chip: Chip) -> Matrix {
        rowParallel(
            inner(plan, on: chip).ranges.map(\.count), elements: innerElements, plan, on: chip)
    }

    var head: Matrix {
        Matrix(
            elements: hiddenSize * vocabulary,
            vectors: hidden.count * vectors(Tiling(0..<vocabulary, lanes: lanes)))
    }
}
