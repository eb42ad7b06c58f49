public import LPUMachine
public import LPUModel
public import LPUSupport

extension Chip {
    /// What programs ask of every chip and this one lacks, placed at keys of the machine file.
    public var unsupported: [Diagnostic] {
        var problems: [(key: String, message: String)] = []
        if planeRows != lanes {
            problems.append(
                (
                    "planeRows",
                    "planeRows is \(planeRows), tiles are as high as a vector is wide, "
                        + "\(lanes) lanes: make them equal"
                ))
        }
        // The sources that a program's tile may have.
        if 16 % weightStreamsPerPlane != 0 {
            problems.append(
                (
                    "weightStreamsPerPlane",
                    "weightStreamsPerPlane is \(weightStreamsPerPlane), a "
                        + "tile is read from 1, 2, 4, 8 or 16 slices: give one of these"
                ))
        }
        return problems.map { .unsupported($0.key, $0.message) }
    }
}

extension Plan {
    /// What the lowering of a decoder lacks whatever chips share it: what is refused there, the
    /// planner does not offer.
    public func unsupported(_ model: ModelConfiguration, on chip: Chip) -> [Diagnostic] {
        var found = chip.unsupported
        if context > 0, Reciprocal(of: chip.lanes, below: context) == nil {
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
