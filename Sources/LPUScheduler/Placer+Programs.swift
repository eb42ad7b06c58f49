import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport

/// From issues to programs: the representative's, and those of the places that it stands for.
extension Placer {
    /// The bursts and the SRAM map of each place of the whole template; `ends` are the last cycles
    /// at which later templates read a value of this one, `length` is the template's.
    func programs(length: Int, ends: [Int], _ symmetry: Symmetry?) -> [ChipProgram] {
        chips.indices.flatMap { place in
            let allocations = allocations(of: place, length: length, ends: ends)
            return (0..<(symmetry?.size ?? 1)).map { p in
                var program = ChipProgram(
                    bursts: Folding(chip: chip).bursts(
                        tables[place].issues.map { copy($0, on: p, symmetry) }),
                    allocations: allocations)
                if let symmetry {
                    for i in program.allocations.indices {
                        let value = program.allocations[i].value.index
                        program.allocations[i].value = symmetry.values[p][value]
                    }
                }
                return program
            }
        }
    }

    /// The issue as place `p` of the orbit has it.
    private func copy(
        _ issue: Reservations.Issue, on p: Int, _ symmetry: Symmetry?
    ) -> Reservations.Issue {
        guard let symmetry else { return issue }
        var result = issue
        result.op = symmetry.ops[p][issue.op.index]
        guard issue.exchange >= 0 else { return result }
        let home = exchangeHomes[Int(issue.exchange)]
        func turned(_ address: RowAddress) -> RowAddress {
            guard let (plane, slot) = home.slot(at: address, of: issue.queue) else {
                preconditionFailure("slots rest in the rows of their exchange")
            }
            let location = home.locations(ofSlot: (slot + p) % symmetry.size)[plane]
            result.queue = location.slice
            return location.address
        }
        switch issue.instruction {
        case .memory(.read(let row, let stream), .none):
            result.instruction = .memory(.read(turned(row), stream), .none)
        case .memory(.none, .write(let row, let stream)):
            result.instruction = .memory(.none, .write(turned(row), stream))
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select, .send, .receive, .ingress, .egress:
            preconditionFailure("only reads and writes of slots depend on the chip's number")
        }
        return result
    }
}
