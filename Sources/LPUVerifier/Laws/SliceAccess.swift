import LPUMachine
import LPUSchedule

/// The rows that one half of a MEM instruction touches at its first issue, in one bank.
struct SliceAccess {
    enum Verb: String {
        case read = "reads"
        case gather = "gathers from"
        case write = "writes"
        case scatter = "scatters into"
    }

    var verb: Verb
    var bank: Int
    private var rows: Range<Int>

    private init(_ verb: Verb, _ row: RowAddress, rows: Int = 1) {
        self.verb = verb
        bank = Int(row.bank)
        self.rows = Int(row.row)..<Int(row.row) + rows
    }

    /// Of both halves; none of what is no MEM instruction.
    static func both(
        of instruction: Instruction
    ) -> (read: SliceAccess?, write: SliceAccess?) {
        guard case .memory(let read, let write) = instruction else { return (nil, nil) }
        let first: SliceAccess? =
            switch read {
            case .none: nil
            case .read(let row, _): SliceAccess(.read, row)
            case .gather(let window, let rows, _, _):
                SliceAccess(.gather, window, rows: Int(rows))
            }
        let second: SliceAccess? =
            switch write {
            case .none: nil
            case .write(let row, _): SliceAccess(.write, row)
            case .scatter(let window, let rows, _, _):
                SliceAccess(.scatter, window, rows: Int(rows))
            }
        return (first, second)
    }

    /// A window does not move: all of it counts at every issue.
    private var moves: Bool { verb == .read || verb == .write }

    /// At an issue whose address has moved by `step`.
    func rows(step: Int) -> Range<Int> {
        moves ? rows.lowerBound + step..<rows.upperBound + step : rows
    }

    /// From the lowest that an issue of the burst touches to the highest.
    func rows(of burst: Burst) -> Range<Int> {
        let steps = burst.addressSteps
        return rows(step: steps.lowerBound).lowerBound..<rows(step: steps.upperBound).upperBound
    }
}
