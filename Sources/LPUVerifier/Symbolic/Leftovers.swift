import LPUMachine
import LPUSchedule
import LPUSupport

/// What a step leaves to the next one: the memory image, with the last version of what was
/// scattered into.
extension BurstExpansion {
    /// Rows of the image of a region, in whatever copy, that do not hold its last version: of each
    /// allocation the first one.
    /// - Parameter memory: after the last write; rows of nothing are as the image has them.
    func leftovers(on id: ChipID, _ memory: ChipMemory) -> [Violation] {
        if program.lastVersions.isEmpty { return [] }
        var violations: [Violation] = []
        forEachImage(on: id) { allocation, placement in
            guard let terms = imageTerms(allocation, placement, on: id),
                let last = program.lastVersions[Int32(terms.root)],
                let (queue, first) = place(allocation, placement)
            else { return }
            for i in 0..<Int(allocation.rows) {
                let wanted = program.term(
                    Int(last), allocation.vector(ofRow: i), Int(allocation.plane))
                let row = memory.rows[first + i]
                let held = row == .none ? terms(i) : row
                if held == wanted { continue }
                let place = rowName(first + i)
                violations.append(
                    Violation(
                        .provenance, chip: id, unit: machine.chip.units[queue],
                        "\(place) holds \(program.text(held)) at the end, where the next step is "
                            + "to find \(program.text(wanted))"))
                return
            }
        }
        return violations
    }

    private func rowName(_ row: Int) -> String {
        let chip = machine.chip
        let (bank, number) = row.quotientAndRemainder(dividingBy: chip.rowsPerBank)
        return "row \(number) of bank \(bank % chip.banksPerSlice)"
    }
}
