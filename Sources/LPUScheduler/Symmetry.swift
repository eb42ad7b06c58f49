import LPUDataflow
import LPUMachine
import LPUSupport

/// An all-gather of one vector: every chip of an orbit sends its part to all others. Slot s of a
/// chip holds the part of the orbit's chip s, its own among them.
struct Exchange {
    /// The representative's own part.
    var part: ValueID
    /// Of slots 1, 2, ... the representative's transfers, in that order.
    var transfers: [Int]
}

extension ProgramTemplate {
    /// Of each value that is a part, or arrives by an exchange's transfer, the exchange.
    func exchangeOfValues(_ exchanges: [Exchange]) -> [Int?] {
        var result: [Int?] = values.map { _ in nil }
        for (e, exchange) in exchanges.enumerated() {
            result[exchange.part.index] = e
            for op in exchange.transfers { result[ops[op].result.index] = e }
        }
        return result
    }
}

/// Places of a template that do the same on different chips, so that one of them is timed and the
/// others are copies of it.
///
/// Places form orbits of equal size, one after another; the first of each represents it. They may
/// differ in what their images hold and in their own number: in an exchange chip p sends to chip
/// p + k over the link by which chip 0 sends to chip k, and keeps what it gets in another slot.
struct Symmetry {
    /// Places of an orbit.
    let size: Int
    /// The representatives' ops and values. An exchange's transfers take their own part.
    private(set) var template: ProgramTemplate
    private(set) var exchanges: [Exchange] = []
    /// For each place of an orbit, the whole template's number of every op of `template`.
    private(set) var ops: [[OpID]]
    /// The same of values, by where they rest: slot s of an exchange is the part of chip s.
    private(set) var values: [[ValueID]]
    /// For each value of the whole template, the one of `template` that stands for it.
    private(set) var representative: [ValueID]

    /// The largest orbits of `template`; nil if no place is like another.
    init?(_ template: ProgramTemplate) {
        for orbits in 1...max(1, template.chipCount / 2) where template.chipCount % orbits == 0 {
            guard let parts = SymmetryParts(template, size: template.chipCount / orbits),
                let found = Symmetry(template, parts)
            else { continue }
            self = found
            return
        }
        return nil
    }

    private init?(_ whole: ProgramTemplate, _ parts: SymmetryParts) {
        guard parts.size > 1 else { return nil }
        size = parts.size
        representative = whole.values.map { _ in ValueID(0) }
        values = (0..<size).map { _ in [] }
        ops = (0..<size).map { _ in [] }
        template = ProgramTemplate(name: whole.name, chipCount: whole.chipCount / size)
        var opNumber = [Int](repeating: -1, count: whole.ops.count)
        var kept: [Int] = []
        for (o, op) in whole.ops.enumerated() where parts.isRepresentative(op.result) {
            opNumber[o] = kept.count
            kept.append(o)
        }
        var number = [ValueID](repeating: ValueID(0), count: whole.values.count)
        for (v, value) in whole.values.enumerated() where parts.isRepresentative(ValueID(v)) {
            number[v] = ValueID(template.values.count)
            var copy = value
            copy.chip /= size
            if case .op(let op) = value.origin { copy.origin = .op(OpID(opNumber[op.index])) }
            template.values.append(copy)
            for p in 0..<size { values[p].append(parts.resting(ValueID(v), on: p)) }
        }
        for v in whole.values.indices {
            representative[v] = number[parts.representative(ValueID(v)).index]
        }
        for o in kept {
            var op = whole.ops[o]
            op.result = number[op.result.index]
            if let slot = parts.slot[whole.ops[o].result.index] {
                // Transfers of one part follow one another by slots.
                let part = number[parts.part(of: whole.ops[o].result).index]
                op.kind = .transfer(Use(part, step: 0))
                if slot == 1 { exchanges.append(Exchange(part: part, transfers: [])) }
                guard let e = exchanges.firstIndex(where: { $0.part == part }),
                    exchanges[e].transfers.count == slot - 1
                else { return nil }
                exchanges[e].transfers.append(template.ops.count)
            } else {
                op.kind = op.kind.renamed { number[parts.representative($0).index] }
            }
            template.ops.append(op)
            for p in 0..<size { ops[p].append(parts.counterpart(OpID(o), on: p)) }
        }
    }

    /// `true` iff the chips are wired alike: what one chip's link leads to is as far from it in
    /// its orbit as another chip's.
    func fits(_ chips: [ChipID], _ topology: Topology) -> Bool {
        let orbits = chips.count / size
        for orbit in 0..<orbits {
            let own = Array(chips[orbit * size..<(orbit + 1) * size])
            if !exchanges.isEmpty {
                for p in 0..<size {
                    for k in 1..<size
                    where topology.link(from: own[p], to: own[(p + k) % size])
                        != topology.link(from: own[0], to: own[k])
                        || topology.link(from: own[0], to: own[k]) == nil
                    {
                        return false
                    }
                }
            }
            for next in orbit + 1..<max(orbit + 1, orbits) {
                let other = Array(chips[next * size..<(next + 1) * size])
                for p in 0..<size
                where topology.link(from: own[p], to: other[p])
                    != topology.link(from: own[0], to: other[0])
                {
                    return false
                }
            }
        }
        return true
    }
}

/// Which values and ops of the places correspond.
private struct SymmetryParts {
    let whole: ProgramTemplate
    let size: Int
    /// Of a value that a transfer brings from the same orbit, the place in it that it is of.
    var slot: [Int?]
    /// Values of each place but those, and its ops but those transfers, in their order.
    private var own: [[Int]]
    private var ownOps: [[Int]]
    /// Of each value of `own`, its place there.
    private var rank: [Int]
    /// By a part's place in `own` of its orbit: for each chip p and slot s, the value there.
    private var slots: [PartID: [[Int?]]] = [:]

    private struct PartID: Hashable {
        var orbit: Int
        var rank: Int
    }

    init?(_ whole: ProgramTemplate, size: Int) {
        self.whole = whole
        self.size = size
        slot = whole.values.map { _ in nil }
        own = (0..<whole.chipCount).map { _ in [] }
        ownOps = own
        rank = whole.values.map { _ in -1 }
        for op in whole.ops {
            guard let source = exchanged(op) else { continue }
            slot[op.result.index] = whole.values[source.index].chip % size
        }
        for (v, value) in whole.values.enumerated() where slot[v] == nil {
            rank[v] = own[value.chip].count
            own[value.chip].append(v)
        }
        for (o, op) in whole.ops.enumerated() where slot[op.result.index] == nil {
            ownOps[whole.values[op.result.index].chip].append(o)
        }
        guard collectSlots(), valuesAgree(), opsAgree() else { return nil }
    }

    func isRepresentative(_ value: ValueID) -> Bool {
        whole.values[value.index].chip % size == 0
    }

    /// The source of a transfer between chips of one orbit.
    private func exchanged(_ op: Op) -> ValueID? {
        guard case .transfer(let use) = op.kind else { return nil }
        let (from, to) = (whole.values[use.value.index].chip, whole.values[op.result.index].chip)
        return from / size == to / size ? use.value : nil
    }

    private func orbit(_ value: Int) -> Int { whole.values[value].chip / size }

    /// Every part that is sent at all must go from every chip to all others, whole and once.
    private mutating func collectSlots() -> Bool {
        for op in whole.ops {
            guard let source = exchanged(op), case .transfer(let use) = op.kind else { continue }
            let value = whole.values[source.index]
            guard rank[source.index] >= 0, value.count == 1, op.count == 1, use.start == 0,
                case .op = value.origin
            else { return false }
            let part = PartID(orbit: orbit(source.index), rank: rank[source.index])
            let p = whole.values[op.result.index].chip % size
            let s = value.chip % size
            let empty = Array(repeating: [Int?](repeating: nil, count: size), count: size)
            guard slots[part, default: empty][p][s] == nil else { return false }
            slots[part, default: empty][p][s] = op.result.index
        }
        for part in slots.keys {
            for p in 0..<size {
                guard part.rank < own[part.orbit * size + p].count else { return false }
                slots[part]![p][p] = own[part.orbit * size + p][part.rank]
            }
            if slots[part]!.joined().contains(where: { $0 == nil }) { return false }
        }
        return true
    }

    private func valuesAgree() -> Bool {
        (0..<whole.chipCount).allSatisfy { q in
            let first = own[q / size * size]
            return own[q].count == first.count
                && zip(own[q], first).allSatisfy { v, w in
                    let (a, b) = (whole.values[v], whole.values[w])
                    return a.type == b.type && a.count == b.count
                        && Self.isAlike(a.origin, b.origin)
                }
        }
    }

    private static func isAlike(_ a: Origin, _ b: Origin) -> Bool {
        switch (a, b) {
        case (.op, .op), (.parameter, .parameter): true
        case (.image(let a), .image(let b)):
            (a == .zero) == (b == .zero)
        case (.op, _), (.parameter, _), (.image, _): false
        }
    }

    private func opsAgree() -> Bool {
        for q in 0..<whole.chipCount {
            let first = ownOps[q / size * size]
            guard ownOps[q].count == first.count else { return false }
            var chains: [Int: Int] = [:]
            for (o, f) in zip(ownOps[q], first) {
                let (a, b) = (whole.ops[o], whole.ops[f])
                guard a.count == b.count, rank[a.result.index] == rank[b.result.index],
                    (a.chain == nil) == (b.chain == nil)
                else { return false }
                if let x = a.chain, let y = b.chain {
                    guard chains[x, default: y] == y else { return false }
                    chains[x] = y
                }
                var isLocal = true
                let renamed = a.kind.renamed { value in
                    if whole.values[value.index].chip % size != q % size { isLocal = false }
                    return representative(value)
                }
                guard isLocal, renamed == b.kind.renamed(representative) else { return false }
            }
        }
        return true
    }

    /// The representative's value that stands for `value`: of a part, that in the same slot.
    func representative(_ value: ValueID) -> ValueID {
        let v = value.index
        let p = whole.values[v].chip % size
        if let (part, s) = place(v) { return ValueID(slots[part]![0][s]!) }
        return ValueID(own[whole.values[v].chip - p][rank[v]])
    }

    /// The representative's own part of what a transfer brings.
    func part(of value: ValueID) -> ValueID {
        guard let (part, _) = place(value.index) else { return value }
        return ValueID(slots[part]![0][0]!)
    }

    /// The part that a value is of, and its slot.
    private func place(_ v: Int) -> (PartID, Int)? {
        if let s = slot[v] {
            // The transfer's source says which part it is of.
            guard case .op(let op) = whole.values[v].origin,
                case .transfer(let use) = whole.ops[op.index].kind
            else { return nil }
            return (PartID(orbit: orbit(v), rank: rank[use.value.index]), s)
        }
        let part = PartID(orbit: orbit(v), rank: rank[v])
        return slots[part] == nil ? nil : (part, whole.values[v].chip % size)
    }

    /// The value on place `p` that rests where the representative's `value` does.
    func resting(_ value: ValueID, on p: Int) -> ValueID {
        if let (part, s) = place(value.index) { return ValueID(slots[part]![p][s]!) }
        return ValueID(own[whole.values[value.index].chip + p][rank[value.index]])
    }

    /// The op on place `p` that does what the representative's `op` does.
    func counterpart(_ op: OpID, on p: Int) -> OpID {
        let result = whole.ops[op.index].result.index
        if let (part, s) = place(result), slot[result] != nil {
            let value = slots[part]![p][(p + s) % size]!
            if case .op(let other) = whole.values[value].origin { return other }
        }
        let chip = whole.values[result].chip
        let value = own[chip + p][rank[result]]
        guard case .op(let other) = whole.values[value].origin else {
            preconditionFailure("places of an orbit have like values")
        }
        return other
    }
}
