import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport

extension Compilation {
    /// For each part of the vocabulary its first token and the issue that computes its logits, by
    /// token; O(program + bursts).
    ///
    /// Which issue it is only its label says: what is found there shows whether it is right.
    func logitParts() throws(DiagnosticSet) -> [(first: Int, probe: Probe)] {
        let numbering = Numbering(program)
        var parts: [OpID: Int] = [:]
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for (k, op) in template.ops.enumerated() {
                let name = template.values[op.result.index].name
                guard name.hasPrefix("logits."), let first = Int(name.dropFirst(7)) else {
                    continue
                }
                parts[numbering.op(OpID(k), of: i)] = first
            }
        }
        var found: [(first: Int, probe: Probe)] = []
        let units = machine.chip.units
        for placement in schedule.placements {
            let programs = schedule.templates[placement.template].chips
            for (program, chip) in zip(programs, placement.chips) {
                for burst in program.bursts {
                    guard case .alu(let alu) = units[burst.queue.index], let op = burst.op,
                        let first = parts[OpID(op.index + placement.opBase)]
                    else { continue }
                    let cycle = Cycle(placement.start.index + burst.start.index)
                    found.append((first, Probe(chip: chip, alu: alu, cycle: cycle)))
                }
            }
        }
        found.sort { $0.first < $1.first }
        let firsts = Set(found.map(\.first))
        guard found.count == parts.count, firsts.count == parts.count, firsts.contains(0) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("schedule"), id: "decode-logits",
                    "\(found.count) issues are said to compute the \(parts.count) parts of the "
                        + "logits"))
        }
        return found
    }
}
