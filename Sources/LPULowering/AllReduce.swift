public import LPUDataflow
public import LPUMachine
import LPUNumerics
public import LPUSupport

/// One all-reduce by itself: every chip of the machine holds fp16 vectors of its own, and in the
/// end of the step all of them rest on every chip, added up.
///
/// Axis by axis, from the first on: over an all-to-all axis every chip sends its sum so far to all
/// others and adds theirs to it, one hop. Over the groups of a dragonfly each chip sends its
/// group's sum over its own links, adds what it gets, and gives that to its group, two hops. Links
/// carry fp16; on each hop a vector is read from SRAM, sent, received, written, and read again to
/// be added.
/// - Throws: `all-reduce` where the machine is one chip, or its groups are not so wired.
/// - Complexity: O(vectors x links of the machine).
public func lowerAllReduce(
    vectors: Int, on machine: Machine
) throws(DiagnosticSet) -> Program {
    var lowering = AllReduce(vectors: vectors, machine: machine)
    if let problem = lowering.problem {
        throw DiagnosticSet(
            Diagnostic(at: Diagnostic.Place(machine.name), id: "all-reduce", problem))
    }
    return lowering.program()
}

private struct AllReduce {
    let topology: Topology
    let chip: Chip
    let vectors: Int
    var builder: TemplateBuilder

    init(vectors: Int, machine: Machine) {
        topology = machine.topology
        chip = machine.chip
        self.vectors = vectors
        builder = TemplateBuilder(
            "allReduce", chipCount: machine.chipCount,
            lanesPerSuperlane: machine.chip.lanesPerSuperlane)
    }

    private var chips: Range<Int> { 0..<topology.chipCount }

    /// Why there is no such program; nil if there is.
    var problem: String? {
        if topology.axes.isEmpty { return "it is one chip, which has nobody to add to" }
        for (a, axis) in topology.axes.enumerated() {
            switch axis.wiring {
            case .allToAll: break
            case .dragonfly:
                if a != 1 || topology.axes[0].wiring != .allToAll {
                    return "the groups of axis '\(axis.name)' are not all to all within themselves"
                }
            case .line: return "axis '\(axis.name)' is a line, over which nothing is added up"
            }
        }
        return nil
    }

    mutating func program() -> Program {
        // Numbers that fp16 holds, and another on each chip.
        var sums = chips.map { chip in
            (0..<vectors).map { v in
                builder.image(
                    "part.\(chip).\(v)", chip: chip, type: .fp16, count: 1,
                    .constant(
                        bits: UInt32(FP16.encode(Float(chip + 1))), vectors: 0..<1,
                        lanes: 0..<self.chip.lanes))
            }
        }
        for (a, axis) in topology.axes.enumerated() {
            switch axis.wiring {
            case .allToAll: sums = exchanged(sums, along: a)
            case .dragonfly: sums = addedOverGroups(sums, axis)
            case .line: preconditionFailure("a line is a problem")
            }
        }
        return Program(
            name: "allReduce", lanes: chip.lanes, lanesPerSuperlane: chip.lanesPerSuperlane,
            templates: [builder.template],
            instances: [Instance(template: 0, chips: chips.map { ChipID($0) })])
    }

    /// The chips that differ from `chip` in no coordinate but that of axis `a`, itself among them.
    private func row(of chip: Int, along a: Int) -> [Int] {
        let stride = topology.axes[..<a].reduce(1) { $0 * $1.size }
        let first = chip - chip / stride % topology.axes[a].size * stride
        return (0..<topology.axes[a].size).map { first + $0 * stride }
    }

    /// Every chip adds what all chips of its row have, in the order of the row.
    private mutating func exchanged(_ sums: [[ValueID]], along a: Int) -> [[ValueID]] {
        let arrived = chips.map { chip in
            (0..<vectors).map { v in
                row(of: chip, along: a).map { sent(sums[$0][v], to: chip) }
            }
        }
        return arrived.map { $0.map { added($0) } }
    }

    /// Every chip sends over its own links, adds what it gets, and its group's chips add that.
    private mutating func addedOverGroups(_ sums: [[ValueID]], _ axis: Axis) -> [[ValueID]] {
        let arrived = chips.map { chip in
            let senders = axis.links.compactMap {
                topology.peer(of: LinkEnd(ChipID(chip), LinkID($0)))?.chip.index
            }
            return (0..<vectors).map { v in senders.map { sent(sums[$0][v], to: chip) } }
        }
        let others = arrived.map { $0.filter { !$0.isEmpty }.map { added($0) } }
        return chips.map { chip in
            (0..<vectors).map { v in
                let parts = row(of: chip, along: 0).compactMap { other in
                    others[other].isEmpty ? nil : sent(others[other][v], to: chip)
                }
                return added([sums[chip][v]] + parts)
            }
        }
    }

    private mutating func sent(_ value: ValueID, to chip: Int) -> ValueID {
        builder[value].chip == chip ? value : builder.transfer(value.at(), to: chip, count: 1)
    }

    /// Neighbours in pairs, these in pairs, and so on; rounded once to the links' type. Eight at a
    /// time pass the VXM without resting between: more have no streams side by side.
    private mutating func added(_ parts: [ValueID]) -> ValueID {
        guard parts.count > 1 else { return parts[0] }
        var level = parts
        while level.count > 8 {
            level = stride(from: 0, to: level.count, by: 8).map { first in
                chained { $0.paired(Array(level[first..<min(first + 8, level.count)])) }
            }
        }
        return chained { $0.builder.elementwise(.toFP16, $0.paired(level).at()) }
    }

    private mutating func paired(_ parts: [ValueID]) -> ValueID {
        parts.reducedInPairs { builder.elementwise(.add, $0.at(), $1.at()) }
    }

    private mutating func chained(_ body: (inout Self) -> ValueID) -> ValueID {
        builder.chain = builder.template.ops.count
        defer { builder.chain = nil }
        return body(&self)
    }
}
