import LPUMachine
import LPUNumerics
import LPUSupport

/// A part of a chip's SRAM, what is there and what a plan asks of it.
struct Room {
    var unit: String
    var capacity: Int
    var terms: [Infeasibility.Term]

    var demand: Int { terms.reduce(0) { $0 + $1.amount } }
    var free: Int { capacity - demand }
}

/// The rooms of a plan's chips, as the scheduler uses them.
///
/// Layers, weights and caches, rest in the slices that feed weights, and no others; so does an LM
/// head of two bytes a weight. Tables, constants and an LM head of one byte take what is left of
/// the whole SRAM. The scheduler fills banks unevenly, and a layer takes as much of each as of the
/// fullest.
struct Rooms {
    private let plan: Plan
    private let chip: Chip
    /// Whether banks are seen as filled as evenly as can be.
    private let isLenient: Bool

    init(_ plan: Plan, _ chip: Chip, isLenient: Bool = false) {
        self.plan = plan
        self.chip = chip
        self.isLenient = isLenient
    }

    /// The rooms of a chip of the stage.
    func of(_ parts: ChipDemand, _ stage: StageParts) -> [Room] {
        let uneven = max(stage.attentions, stage.feedForwards) * uneven(parts)
        let own = stage.attentions * parts.attention + stage.feedForwards * parts.feedForward
        let feeding = stage.isLast && !headSpills ? own + parts.head : own
        var weights = room(
            feeding.resting, uneven: uneven, gaps: 4 * chip.loadCycles,
            "bytes of the weight slices of a chip", slices: weightSlices)
        if stage.isFirst && !isLenient {
            weights.terms.append(.init("embedding tables", spilled(parts)))
        }
        let all = parts.demand(stage)
        return [
            weights,
            room(
                all, uneven: uneven, gaps: chip.rowsPerBank / 18, "bytes of SRAM a chip",
                slices: chip.memSlicesPerHemisphere),
        ]
    }

    private var weightSlices: Int { chip.memSlicesPerHemisphere - chip.scratchSlices }

    /// Bytes of a row in every bank of so many slices a side.
    private func rowBytes(_ slices: Int) -> Int { 2 * slices * chip.banksPerSlice * chip.lanes }

    /// What a layer leaves free in other banks than the fullest.
    ///
    /// A plane has five tiles more than another at most, since it takes one while it has less than
    /// four more, and fills its banks evenly but for half a tile; a region of the cache is in one
    /// bank.
    private func uneven(_ parts: ChipDemand) -> Int {
        let bytes = (parts.attention + parts.feedForward).resting.total
        let row = rowBytes(weightSlices)
        let even = (bytes + row - 1) / row
        if isLenient { return max(even, parts.regionRows) * row - bytes }
        let planes = 2 * chip.planesPerHemisphere
        let sets = weightSlices / (chip.planesPerHemisphere * chip.weightStreamsPerPlane)
        let banks = max(1, sets * chip.banksPerSlice)
        let most = (chip.loadCycles + 1) / 2 + (5 * chip.loadCycles + 2 * banks - 1) / (2 * banks)
        let tiles = even + min((planes - 1) * even, most)
        return max(tiles, parts.regionRows + chip.loadCycles) * row - bytes
    }

    /// Bytes that tables take from layers: those that find no slice next to the VXM, of which they
    /// leave an eighth free, and as many in every bank as in the fullest.
    private func spilled(_ parts: ChipDemand) -> Int {
        let (count, rows) = parts.tables
        let inBank = chip.rowsPerBank * 7 / 8 / rows
        let near = 2 * chip.scratchSlices * chip.banksPerSlice * inBank
        let banks = 2 * weightSlices * chip.banksPerSlice
        let inFullest = (max(0, count - near) + banks - 1) / banks
        return inFullest * rows * rowBytes(weightSlices)
    }

    /// Whether tiles of the LM head may rest next to the VXM, where slices feed either plane.
    private var headSpills: Bool {
        plan.weightType.byteCount == 1 && chip.scratchSlices >= chip.weightStreamsPerPlane
    }

    /// - Parameter gaps: rows of every bank, such as those of a few tiles of ones.
    private func room(
        _ demand: Demand, uneven: Int, gaps: Int, _ unit: String, slices: Int
    ) -> Room {
        Room(
            unit: unit, capacity: rowBytes(slices) * chip.rowsPerBank,
            terms: demand.terms + [
                .init("uneven banks", uneven),
                .init("gaps and copies of constants", isLenient ? 0 : rowBytes(slices) * gaps),
            ])
    }
}

extension Demand {
    /// Without constants and program text.
    fileprivate var resting: Demand {
        var result = self
        (result.constants, result.text) = (0, 0)
        return result
    }
}
