import LPUMachine

/// The machine's queues with what every law asks of them, looked up by queue.
final class UnitTable: Sendable {
    let machine: Machine
    let chip: Chip
    /// In queue order.
    let units: [Unit]
    /// The stream register of each unit.
    let registers: [Int]

    init(_ machine: Machine) {
        self.machine = machine
        let chip = machine.chip
        self.chip = chip
        units = chip.units
        registers = units.map { unit in
            switch unit {
            case .memory(let side, let slice): chip.register(ofSlice: slice, in: side)
            case .alu: 0
            case .loadWeights(let side, _), .matmul(let side, _), .accumulate(let side, _),
                .distributor(let side, _), .transposer(let side, _), .permutor(let side, _),
                .shifter(let side, _):
                side.sign * chip.edge
            case .link(let link): chip.hemisphere(of: link).sign * chip.edge
            case .host: chip.hostHemisphere.sign * chip.edge
            }
        }
    }
}
