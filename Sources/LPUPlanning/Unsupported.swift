public import LPUMachine
public import LPUModel
public import LPUNumerics
public import LPUSupport

extension Chip {
    /// What programs with such weights ask of every chip and this one lacks, placed at keys of the
    /// machine file; or that no program has such weights.
    public func unsupported(weights type: ElementType) -> [Diagnostic] {
        var list = Requirements()
        list.require(
            type.byteCount <= 2, "plan.weightType",
            "weights in \(type.rawValue) are not lowered: try fp16, fp8 or int8")
        list.require(
            planeRows == lanes, "planeRows",
            "planeRows is \(planeRows), tiles are as high as a vector is wide, \(lanes) lanes: "
                + "make them equal")
        // The sources that a program's tile may have.
        list.require(
            16 % weightStreamsPerPlane == 0, "weightStreamsPerPlane",
            "weightStreamsPerPlane is \(weightStreamsPerPlane), a tile is read from 1, 2, 4, 8 or "
                + "16 slices: give one of these")
        list.require(
            planesPerHemisphere % 2 == 0, "planesPerHemisphere",
            "planesPerHemisphere is \(planesPerHemisphere), fp16 takes planes in pairs: make it "
                + "even")
        let feeding = 2 * weightStreamsPerPlane
        list.require(
            memSlicesPerHemisphere >= feeding, "memSlicesPerHemisphere",
            "memSlicesPerHemisphere is \(memSlicesPerHemisphere), weights for two planes rest in "
                + "\(feeding) slices (2 x weightStreamsPerPlane): raise it")
        list.require(
            rowsPerBank >= 16, "rowsPerBank",
            "rowsPerBank is \(rowsPerBank), tables and tiles take 16 rows of a bank at least: "
                + "raise it")
        list.require(
            rowsPerBank <= 1 << gatherOffsetBits, "gatherOffsetBits",
            "gatherOffsetBits is \(gatherOffsetBits), an offset reaches \(1 << gatherOffsetBits) "
                + "of the \(rowsPerBank) rows of a bank: raise it")
        return list.unmet
    }
}

extension Plan {
    /// What the lowering of a decoder lacks, however stages are wired: what is refused there, the
    /// planner does not offer.
    public func unsupported(_ model: ModelConfiguration, on chip: Chip) -> [Diagnostic] {
        var list = Requirements(unmet: chip.unsupported(weights: weightType))
        list.require(
            model.headDimension % 2 == 0 && model.headDimension <= chip.lanes, "head_dim",
            "head_dim is \(model.headDimension), an even number up to \(chip.lanes) lanes is "
                + "lowered")
        list.require(
            (1...chip.rowsPerBank).contains(users), "plan.users",
            "\(users) users are in flight, each with a row of every bank at least, which has "
                + "\(chip.rowsPerBank): ask for 1 to \(chip.rowsPerBank)")
        let columns = model.intermediateSize
        list.require(
            (1...columns).contains(tensorParallel), "plan.tensorParallel",
            "\(tensorParallel) chips share the \(columns) columns (intermediate_size) of a layer, "
                + "each has one at least: ask for 1 to \(columns)")
        list.require(
            3 <= context && context <= model.maximumPositions, "plan.context", id: "plan-context",
            "context is \(context), it is 3 at least, so that a position is no constant, and at "
                + "most the model's \(model.maximumPositions) positions (max_position_embeddings)")
        let positions = Int(Trigonometry.limit)
        list.require(
            context <= positions, "plan.context",
            "context is \(context), angles are exact for \(positions) positions: lower it")
        list.require(
            !(1...positions).contains(context)
                || Reciprocal(of: chip.lanes, below: context) != nil, "plan.context",
            "context is \(context), no int32 factor divides all its positions by \(chip.lanes) "
                + "lanes: lower it")
        return list.unmet
    }
}

private struct Requirements {
    var unmet: [Diagnostic] = []

    mutating func require(
        _ holds: Bool, _ place: String, id: String = "lowering-unsupported",
        _ otherwise: @autoclosure () -> String
    ) {
        guard !holds else { return }
        unmet.append(Diagnostic(at: Diagnostic.Place(place), id: id, otherwise()))
    }
}
