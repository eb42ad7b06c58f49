import LPUMachine
import LPUSchedule
import LPUSupport

/// Rows of one bank of a slice, as the template names them, that a chip's program may read or
/// write: those between the lowest and the highest that a burst names.
struct TouchedRows: Equatable {
    var queue: Int
    var slot: UInt8
    var bank: UInt8
    var rows: Range<Int>

    /// Of all bursts, merged; sorted by queue, slot, bank and row.
    static func of(_ program: ChipProgram) -> [TouchedRows] {
        var all: [TouchedRows] = []
        for burst in program.bursts {
            guard case .memory(let read, let write) = burst.instruction else { continue }
            func add(_ address: RowAddress, _ count: Int) {
                let steps = burst.addressSteps
                let first = Int(address.row) + steps.lowerBound
                all.append(
                    TouchedRows(
                        queue: burst.queue.index, slot: address.slot, bank: address.bank,
                        rows: first..<Int(address.row) + steps.upperBound + max(count, 1)))
            }
            switch read {
            case .none: break
            case .read(let address, _): add(address, 1)
            case .gather(let window, let rows, _, _): add(window, Int(rows))
            }
            switch write {
            case .none: break
            case .write(let address, _): add(address, 1)
            case .scatter(let window, let rows, _, _): add(window, Int(rows))
            }
        }
        all.sort {
            ($0.queue, $0.slot, $0.bank, $0.rows.lowerBound)
                < ($1.queue, $1.slot, $1.bank, $1.rows.lowerBound)
        }
        var merged: [TouchedRows] = []
        for next in all {
            if let last = merged.last, last.isInBank(of: next),
                next.rows.lowerBound <= last.rows.upperBound
            {
                merged[merged.count - 1].rows =
                    last.rows.lowerBound..<max(last.rows.upperBound, next.rows.upperBound)
            } else {
                merged.append(next)
            }
        }
        return merged
    }

    func isInBank(of other: TouchedRows) -> Bool {
        queue == other.queue && slot == other.slot && bank == other.bank
    }
}

extension BurstExpansion {
    /// Where a placement puts the first of each range of rows; nil if two ranges share a row there,
    /// or one leaves its bank.
    func bases(_ touched: [TouchedRows], _ placement: Placement) -> [Int]? {
        let chip = machine.chip
        var bases: [Int] = []
        for range in touched {
            let address = RowAddress(
                slot: Int(range.slot), bank: Int(range.bank), row: range.rows.lowerBound)
            guard let resolved = resolve(address, placement.slots), resolved.row >= 0,
                Int(resolved.row) + range.rows.count <= chip.rowsPerBank
            else { return nil }
            bases.append(row(range.queue, resolved))
        }
        let order = bases.indices.sorted { bases[$0] < bases[$1] }
        for (a, b) in zip(order, order.dropFirst())
        where bases[a] + touched[a].rows.count > bases[b] {
            return nil
        }
        return bases
    }
}
