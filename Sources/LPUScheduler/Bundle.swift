import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops whose results pass from unit to unit on streams: a rigid pattern in time, placed once an
/// iteration. Times are relative to the bundle's base.
struct Bundle {
    /// Op numbers in program order.
    var ops: [Int]
    var count: Int
    var chip: Int
    /// Issue (VXM: firing) of each op, the least one 0.
    var offsets: [Int]
    /// `copies[k][j]`: delay moves between op k and the chained operand j of it.
    var copies: [[Int]]
    /// The set of edge units that each op is in, which hand over at one edge: all on one side.
    var edgeSets: [Int]
}

/// How a bundle's op takes an operand that another op of the bundle makes.
private enum Handover {
    /// ALU to ALU: `aluLatency` later, or more by delay moves.
    case chained(Int)
    /// Over a stream, exactly so much later.
    case exact(Int)
}

/// Cuts a template's ops into bundles: the chains of the program where the hardware can follow
/// them, single ops elsewhere.
struct BundleBuilder {
    let chip: Chip
    let template: ProgramTemplate
    /// `true` to follow the program's chains, `false` to rest every value in SRAM.
    var followsChains: Bool
    let gathers: [TileGather?]

    /// In program order of their first ops.
    func bundles() -> [Bundle] {
        var result: [Bundle] = []
        var start = 0
        let ops = template.ops
        while start < ops.count {
            var end = start + 1
            if followsChains, let chain = ops[start].chain {
                while end < ops.count, ops[end].chain == chain, ops[end].count == ops[start].count,
                    chipOf(end) == chipOf(start)
                {
                    end += 1
                }
            }
            result += cut(Array(start..<end).filter { !isView($0) })
            start = end
        }
        return result
    }

    private func chipOf(_ op: Int) -> Int {
        template.values[template.ops[op].result.index].chip
    }

    private func isView(_ op: Int) -> Bool {
        switch template.ops[op].kind {
        case .pack, .byte: true
        case .gather: gathers[template.ops[op].result.index] != nil
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
            .scatter, .transfer, .ingress, .egress:
            false
        }
    }

    /// Splits a chain wherever an op cannot meet its operands in time.
    private func cut(_ chain: [Int]) -> [Bundle] {
        var result: [Bundle] = []
        var timing = BundleTiming(chip: chip, template: template)
        for op in chain {
            if !timing.append(op) {
                result.append(timing.bundle(chip: chipOf(op)))
                timing = BundleTiming(chip: chip, template: template)
                _ = timing.append(op)
            }
        }
        if !timing.ops.isEmpty { result.append(timing.bundle(chip: chipOf(timing.ops[0]))) }
        return result
    }
}

/// Relative times of a growing bundle: components of ops tied by handovers, merged as they meet.
private struct BundleTiming {
    let chip: Chip
    let template: ProgramTemplate
    var ops: [Int] = []
    private var component: [Int] = []
    private var time: [Int] = []
    private var copies: [[Int]] = []
    private var edgeSets: [Int] = []

    init(chip: Chip, template: ProgramTemplate) {
        self.chip = chip
        self.template = template
    }

    /// Adds `op`, or returns false where it cannot be in time with the bundle.
    mutating func append(_ op: Int) -> Bool {
        guard !ops.isEmpty else {
            add(op, component: 0, time: 0, copies: template.ops[op].operands.map { _ in 0 })
            return true
        }
        if !Self.mayShare(template.ops[op].kind) || !Self.mayShare(template.ops[ops[0]].kind) {
            return false
        }
        var inputs: [(operand: Int, producer: Int, handover: Handover)] = []
        for (j, use) in template.ops[op].operands.enumerated() {
            guard let producer = ops.firstIndex(where: { template.ops[$0].result == use.value })
            else {
                // A view of what the bundle makes is read where that rests, after the bundle.
                if isMadeHere(use.value) { return false }
                continue
            }
            // A stream hands over this iteration's vector and no other.
            guard use.start == 0, use.step == 1 || template.ops[op].count == 1 else { return false }
            guard let handover = handover(from: ops[producer], to: op) else { return false }
            inputs.append((j, producer, handover))
        }
        return mayMeet(op, inputs.map(\.producer)) && join(op, inputs)
    }

    /// `true` iff the edge units that hand over to `op` can be on one side: a set has at most one
    /// plane, since each plane is chosen for itself; and a plane's activation flows outwards, so
    /// that nobody else has it.
    private func mayMeet(_ op: Int, _ producers: [Int]) -> Bool {
        let kind = template.ops[op].kind
        guard !kind.isElementwise else { return true }
        let edge = producers.filter { !template.ops[ops[$0]].kind.isElementwise }
        var isPlane = false
        if case .matmul = kind { isPlane = true }
        let sets = Set(edge.map { edgeSets[$0] })
        let planes = ops.indices.count { k in
            guard case .matmul = template.ops[ops[k]].kind else { return false }
            return sets.contains(edgeSets[k])
        }
        guard planes + (isPlane ? 1 : 0) <= 1 else { return false }
        return !isPlane || edge.allSatisfy { isTaken(template.ops[ops[$0]].result, onlyBy: op) }
    }

    private func isTaken(_ value: ValueID, onlyBy op: Int) -> Bool {
        template.ops.indices.allSatisfy { other in
            other == op || !template.ops[other].operands.contains { $0.value == value }
        }
    }

    /// `true` iff an op of the bundle makes the value or a byte that it is packed from.
    private func isMadeHere(_ value: ValueID) -> Bool {
        guard case .op(let op) = template.values[value.index].origin else { return false }
        switch template.ops[op.index].kind {
        case .pack(let uses): return uses.contains { isMadeHere($0.value) }
        case .byte(_, let use): return isMadeHere(use.value)
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
            .gather, .scatter, .transfer, .ingress, .egress:
            return ops.contains(op.index)
        }
    }

    private mutating func join(
        _ op: Int, _ inputs: [(operand: Int, producer: Int, handover: Handover)]
    ) -> Bool {
        let saved = (component, time)
        // One component: shift each further component so that its operand arrives with the first.
        var at: Int?
        var home = (component.max() ?? 0) + 1
        for input in inputs {
            let arrival = time[input.producer] + Self.cycles(input.handover)
            let c = component[input.producer]
            if let fixed = at {
                if c != home {
                    let shift = fixed - arrival
                    for k in component.indices where component[k] == c {
                        component[k] = home
                        time[k] += shift
                    }
                }
            } else {
                at = arrival
                home = c
            }
        }
        // Exact handovers rule; chained ones may wait by delay moves.
        var wanted = at ?? 0
        for input in inputs {
            let arrival = time[input.producer] + Self.cycles(input.handover)
            switch input.handover {
            case .exact: wanted = arrival
            case .chained:
                if !inputs.contains(where: { Self.isExact($0.handover) }) {
                    wanted = max(wanted, arrival)
                }
            }
        }
        var delays = template.ops[op].operands.map { _ in 0 }
        for input in inputs {
            let wait = wanted - (time[input.producer] + Self.cycles(input.handover))
            let isLegal =
                Self.isExact(input.handover)
                ? wait == 0 : wait >= 0 && wait % chip.aluLatency == 0
            guard isLegal else {
                (component, time) = saved
                return false
            }
            delays[input.operand] = wait / chip.aluLatency
        }
        add(op, component: home, time: wanted, copies: delays)
        return true
    }

    private mutating func add(_ op: Int, component c: Int, time t: Int, copies k: [Int]) {
        ops.append(op)
        component.append(c)
        time.append(t)
        copies.append(k)
        edgeSets.append(ops.count - 1)
        guard !template.ops[op].kind.isElementwise else { return }
        let taken = template.ops[op].operands.map(\.value)
        for p in ops.indices.dropLast()
        where taken.contains(template.ops[ops[p]].result)
            && !template.ops[ops[p]].kind.isElementwise
        {
            let old = edgeSets[p]
            for q in edgeSets.indices where edgeSets[q] == old { edgeSets[q] = ops.count - 1 }
        }
    }

    func bundle(chip number: Int) -> Bundle {
        // Components that never met start together.
        var offsets = time
        for c in Set(component).sorted() {
            let least = time.indices.filter { component[$0] == c }.map { time[$0] }.min() ?? 0
            for k in offsets.indices where component[k] == c { offsets[k] -= least }
        }
        return Bundle(
            ops: ops, count: template.ops[ops[0]].count, chip: number, offsets: offsets,
            copies: copies, edgeSets: edgeSets)
    }

    private static func isExact(_ handover: Handover) -> Bool {
        switch handover {
        case .exact: true
        case .chained: false
        }
    }

    private static func cycles(_ handover: Handover) -> Int {
        switch handover {
        case .exact(let d), .chained(let d): d
        }
    }

    /// `true` iff the op can be placed together with others.
    private static func mayShare(_ kind: OpKind) -> Bool {
        switch kind {
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select: true
        case .transpose, .gather, .scatter, .transfer, .ingress, .egress, .pack, .byte: false
        }
    }

    private func handover(from producer: Int, to consumer: Int) -> Handover? {
        let made = template.ops[producer].kind
        let taken = template.ops[consumer].kind
        if case .matmul(let terms) = taken, terms.count > 1 { return nil }
        guard let emitted = chip.edgeLatency(of: made) else {
            guard case .elementwise = made else { return nil }
            return taken.isElementwise
                ? .chained(chip.aluLatency)
                : .exact(chip.aluResultLatency + chip.edge)
        }
        if taken.isElementwise { return .exact(emitted + chip.edge + chip.vxmEntryLatency) }
        if case .matmul = made, case .matmul = taken { return nil }
        return .exact(emitted)
    }
}

extension OpKind {
    var isElementwise: Bool {
        switch self {
        case .elementwise: true
        case .matmul, .distribute, .permute, .shift, .rotate, .select, .transpose, .gather,
            .scatter, .transfer, .ingress, .egress, .pack, .byte:
            false
        }
    }
}

extension Op {
    /// What it reads besides installed tiles, in the order of its kind's arguments.
    var operands: [Use] {
        switch kind {
        case .matmul(let terms): terms.map(\.activation)
        case .elementwise(_, let a, let b):
            [a, b].compactMap {
                switch $0 {
                case .use(let use): use
                case .immediate, nil: nil
                }
            }
        case .distribute(_, let use), .permute(_, let use), .shift(_, let use),
            .rotate(_, let use), .transfer(let use), .egress(let use), .byte(_, let use):
            [use]
        case .select(let low, let high, _): [low, high]
        case .transpose(let use, let inputs):
            (0..<inputs).map { Use(use.value, start: Int(use.start) + $0 * Int(use.step)) }
        case .gather(_, _, let address): [address]
        case .scatter(_, _, let address, let data): [address, data]
        case .ingress: []
        case .pack(let uses): uses
        }
    }
}

extension Chip {
    /// From issue to the result at the edge register, for ops of units that sit there; else nil.
    func edgeLatency(of kind: OpKind) -> Int? {
        switch kind {
        case .matmul: matmulLatency
        case .distribute: distributeLatency
        case .permute: permuteLatency
        case .shift: shiftLatency
        case .rotate: rotateLatency
        case .select: selectLatency
        case .transpose: transposeLatency
        case .elementwise, .gather, .scatter, .transfer, .ingress, .egress, .pack, .byte: nil
        }
    }
}

extension ProgramTemplate {
    /// For each value, the ops that use it, each with the number of its operand.
    /// - Complexity: O(uses).
    var consumers: [[(op: Int, operand: Int)]] {
        var consumers = values.map { _ in [(op: Int, operand: Int)]() }
        for (i, op) in ops.enumerated() {
            for (j, use) in op.operands.enumerated() { consumers[use.value.index].append((i, j)) }
        }
        return consumers
    }
}
