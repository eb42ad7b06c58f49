public import LPUMachine
public import LPUNumerics

/// A range of a dimension dealt out to as few vectors as possible.
public struct Tiling: Hashable, Sendable {
    public let ranges: [Range<Int>]

    /// In equal parts, or the first `narrow` of them narrower and all others full.
    /// - Requires: the narrow ones leave as many lanes free as there are too many, in equal parts.
    public init(_ whole: Range<Int>, lanes: Int, narrow: Int = 0) {
        let count = (whole.count + lanes - 1) / lanes
        let even = count == 0 ? 0 : (whole.count + count - 1) / count
        let width = narrow == 0 ? even : lanes - (count * lanes - whole.count) / narrow
        var start = whole.lowerBound
        ranges = (0..<count).map { tile in
            let end = min(start + (narrow == 0 || tile < narrow ? width : lanes), whole.upperBound)
            defer { start = end }
            return start..<end
        }
    }

    public var count: Int { ranges.count }
    /// Elements of the widest vector.
    public var width: Int { ranges.map(\.count).max() ?? 0 }
}

/// A contraction tile that leaves lanes free, that of many output tiles side by side: a strip in
/// which each has `width` lanes behind the one before, cut into tiles. Activations are shifted to
/// where an output's weights are, and meet no others there: their other lanes are zero.
public struct LanePacking: Hashable, Sendable {
    public let width: Int
    /// The output tiles, all from one on.
    public let outputs: Range<Int>
    public let lanes: Int

    /// An output's lanes in one tile.
    public struct Piece: Hashable, Sendable {
        public var output: Int
        /// Lanes of the tile.
        public var lanes: Range<Int>
        /// How many lanes further on than in the contraction tile.
        public var shift: Int
    }

    /// nil where it would not pay: a tile less saves its loads, and each piece is an activation. In
    /// fp16 an activation takes both planes; int8 sums stay in the planes until they are whole.
    public init?(width: Int, outputs: Range<Int>, _ type: ElementType, on chip: Chip) {
        guard type == .fp8, width > 0, width < chip.lanes,
            width.isMultiple(of: chip.lanesPerSuperlane), !outputs.isEmpty
        else { return nil }
        self.width = width
        self.outputs = outputs
        lanes = chip.lanes
        guard gain(on: chip) > 0 else { return nil }
    }

    public var tiles: Int { (outputs.count * width + lanes - 1) / lanes }

    /// Tiles that hold the outputs before one.
    public func tiles(before output: Int) -> Int {
        let count = min(output, outputs.upperBound) - outputs.lowerBound
        return (count * width + lanes - 1) / lanes
    }

    /// Cycles of a plane that are saved.
    func gain(on chip: Chip) -> Int {
        let pieces = (0..<tiles).reduce(0) { $0 + self.pieces(of: $1).count }
        return (outputs.count - tiles) * chip.loadCycles - (pieces - outputs.count)
    }

    /// What a tile holds, in the order of its lanes.
    public func pieces(of tile: Int) -> [Piece] {
        let start = tile * lanes
        let end = min(start + lanes, outputs.count * width)
        return (start / width...(end - 1) / width).map { n in
            let (first, last) = (n * width, (n + 1) * width)
            return Piece(
                output: outputs.lowerBound + n,
                lanes: max(first, start) - start..<min(last, end) - start, shift: first - start)
        }
    }
}

extension Plan {
    /// How the contraction tiles of a row-parallel layer are packed: the first ones that it pays
    /// for. Where all are, the first outputs are not: the planes sum them up while activations are
    /// shifted.
    public func packings(_ widths: [Int], outputs: Int, on chip: Chip) -> [LanePacking] {
        func packed(from first: Int) -> [LanePacking] {
            widths.map {
                LanePacking(
                    width: $0, outputs: min(first, outputs)..<outputs, weightType, on: chip)
            }.prefix { $0 != nil }.compactMap { $0 }
        }
        let all = packed(from: 0)
        return all.count < widths.count ? all : packed(from: 2 * planes(of: chip))
    }

    /// Planes that tiles of the weights' type take: two together in fp16.
    public func planes(of chip: Chip) -> Int {
        2 * chip.planesPerHemisphere / weightType.byteCount
    }

    /// How a chip's share of the intermediate vector is dealt out to vectors, `outputs` tiles to
    /// each side: evenly, or with some narrow ones first, which the down projection packs. As it
    /// takes the planes the least time.
    public func innerTiling(_ share: Range<Int>, outputs: Int, on chip: Chip) -> Tiling {
        let even = Tiling(share, lanes: chip.lanes)
        let free = even.count * chip.lanes - share.count
        let planes = planes(of: chip)
        guard free > 0 else { return even }
        let narrow = Set([1, max(1, planes / 2)]).sorted().filter {
            $0 <= even.count && free.isMultiple(of: $0)
        }.map { Tiling(share, lanes: chip.lanes, narrow: $0) }
        func cycles(_ tiling: Tiling) -> Int {
            planeCycles(ofGateAndUp: tiling, inputs: outputs, planes, on: chip)
                + planeCycles(ofDown: tiling, outputs: outputs, on: chip)
        }
        return narrow.reduce(even) { cycles($1) < cycles($0) ? $1 : $0 }
    }

    /// Cycles of all planes until the last one has made its outputs.
    private func planeCycles(
        ofGateAndUp tiling: Tiling, inputs: Int, _ planes: Int, on chip: Chip
    ) -> Int {
        var work = Array(repeating: 0, count: planes)
        for range in tiling.ranges.sorted(by: { $0.count > $1.count }) {
            for _ in 0..<2 {
                let least = work.indices.min { work[$0] < work[$1] } ?? 0
                work[least] += inputs * (chip.loadColumns(of: range.count) + 1)
            }
        }
        return planes * (work.max() ?? 0)
    }

    private func planeCycles(ofDown tiling: Tiling, outputs: Int, on chip: Chip) -> Int {
        tiling.ranges.reduce(0) { sum, range in
            let packing = LanePacking(
                width: range.count, outputs: 0..<outputs, weightType, on: chip)
            return sum + outputs * (chip.loadCycles + 1) - (packing?.gain(on: chip) ?? 0)
        }
    }
}

extension Chip {
    /// Load cycles of a tile of so many weight vectors.
    func loadColumns(of vectors: Int) -> Int {
        (vectors + weightStreamsPerPlane - 1) / weightStreamsPerPlane
    }
}
