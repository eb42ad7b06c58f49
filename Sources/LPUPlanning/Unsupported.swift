public import LPUMachine
public import LPUModel
import LPUNumerics
public import LPUSupport

extension Chip {
    /// What programs ask of every chip and this one lacks, placed at keys of the machine file.
    public var unsupported: [Diagnostic] {
        var problems: [(key: String, message: String)] = []
        func require(_ holds: Bool, _ key: String, _ number: Int, _ why: String) {
            if !holds { problems.append((key, "\(key) is \(number), \(why)")) }
        }
        require(
            planeRows == lanes, "planeRows", planeRows,
            "tiles are as high as a vector is wide, \(lanes) lanes: make them equal")
        // The sources that a program's tile may have.
        require(
            16 % weightStreamsPerPlane == 0, "weightStreamsPerPlane", weightStreamsPerPlane,
            "a tile is read from 1, 2, 4, 8 or 16 slices: give one of these")
        require(
            planesPerHemisphere % 2 == 0, "planesPerHemisphere", planesPerHemisphere,
            "fp16 takes planes in pairs: make it even")
        require(
            memSlicesPerHemisphere >= 2 * weightStreamsPerPlane, "memSlicesPerHemisphere",
            memSlicesPerHemisphere,
            "weights for two planes rest in \(2 * weightStreamsPerPlane) slices "
                + "(2 x weightStreamsPerPlane): raise it")
        require(
            rowsPerBank >= 16, "rowsPerBank", rowsPerBank,
            "tables and tiles take 16 rows of a bank at least: raise it")
        require(
            rowsPerBank <= 1 << gatherOffsetBits, "gatherOffsetBits", gatherOffsetBits,
            "an offset reaches \(1 << gatherOffsetBits) of the \(rowsPerBank) rows of a bank: raise "
                + "it")
        return problems.map { .unsupported($0.key, $0.message) }
    }
}

extension Plan {
    /// What the lowering of a decoder lacks, however stages are wired: what is refused there, the
    /// planner does not offer.
    public func unsupported(_ model: ModelConfiguration, on chip: Chip) -> [Diagnostic] {
        var found = chip.unsupported
        if !(1...chip.rowsPerBank).contains(users) {
            found.append(
                .unsupported(
                    "plan.users",
                    "\(users) users are in flight, each with a row of every bank at least, which "
                        + "has \(chip.rowsPerBank): ask for 1 to \(chip.rowsPerBank)"))
        }
        if !(1...model.intermediateSize).contains(tensorParallel) {
            found.append(
                .unsupported(
                    "plan.tensorParallel",
                    "\(tensorParallel) chips share the \(model.intermediateSize) columns "
                        + "(intermediate_size) of a layer, each has one at least: ask for 1 to "
                        + "\(model.intermediateSize)"))
        }
        let most = Int(Trigonometry.limit)
        if context > most {
            found.append(
                .unsupported(
                    "plan.context",
                    "context is \(context), angles are exact for \(most) positions: lower it"))
        }
        if (1...most).contains(context), Reciprocal(of: chip.lanes, below: context) == nil {
            found.append(
                .unsupported(
                    "plan.context",
                    "context is \(context), no int32 factor divides all its positions by "
                        + "\(chip.lanes) lanes: lower it"))
        }
        return found
    }
}

extension Diagnostic {
    static func unsupported(_ key: String, _ message: String) -> Diagnostic {
        Diagnostic(at: Place(key), id: "lowering-unsupported", message)
    }
}
