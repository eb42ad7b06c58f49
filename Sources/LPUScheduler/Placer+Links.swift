import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops that move vectors between chips and to and from the host.
extension Placer {
    /// One hop: each byte plane is read, sent, received and written.
    func placeTransfer(_ bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        let op = bundle.ops[0]
        guard case .transfer(let use) = template.ops[op].kind else { return }
        let result = template.ops[op].result
        let from = template.values[use.value.index].chip
        let to = template.values[result.index].chip
        guard let link = machine.topology.link(from: chips[from], to: chips[to]),
            let far = machine.topology.peer(of: LinkEnd(chips[from], link)),
            let axis = machine.topology.axis(of: link)
        else {
            throw Infeasibility(
                at: "\(OpID(op))", id: "link-path",
                unit: "hops from \(chips[from]) to \(chips[to])",
                demand: machine.topology.leastHops(from: chips[from], to: chips[to]), capacity: 1,
                terms: [], remedies: ["a transfer a hop"])
        }
        try ensureImage(use.value, use.vector(i))
        let type = template.values[use.value.index].type
        for plane in 0..<type.byteCount {
            let sent = try send(
                op, use: (use.value, use.vector(i)), plane: plane, link: link, from: from,
                interval: axis.interval)
            try receive(
                op, vector: i, plane: plane, link: far.link, place: to,
                from: sent + axis.latency)
        }
    }

    private func send(
        _ op: Int, use: (ValueID, Int), plane: Int, link: LinkID, from: Int, interval: Rational
    ) throws(Infeasibility) -> Int {
        let queue = chip.queue(of: .link(link))
        let side = chip.hemisphere(of: link)
        let edge = side.sign * chip.edge
        let h = from * chip.linkCount + link.index
        let type = template.values[use.0.index].type
        // Any b+1 consecutive sends span at least a cycles, any two at least floor(a/b).
        var start = earliestArrival(use.0, use.1, type: type, at: edge)
        let sends = linkHistory[h].sends
        if let last = sends.last {
            start = max(start, last + interval.numerator / interval.denominator)
        }
        if sends.count >= interval.denominator {
            start = max(start, sends[sends.count - interval.denominator] + interval.numerator)
        }
        let at = try firstCycle(from: start + choice.delay(), on: from, op: op) {
            cycle throws(Infeasibility) in
            guard tables[from].isFree(queue, at: cycle) else { return false }
            guard
                let stream = deliverPlane(
                    use.0, use.1, plane, to: edge, at: cycle,
                    streams: choice.order(streams([side.outward, side.inward])), op: op)
            else { return false }
            tables[from].issue(.send(stream), on: queue, at: cycle, op: OpID(op))
            return true
        }
        tables[from].commit()
        linkHistory[h].sends.append(at)
        return at
    }

    private func receive(
        _ op: Int, vector: Int, plane: Int, link: LinkID, place: Int, from arrival: Int
    ) throws(Infeasibility) {
        let queue = chip.queue(of: .link(link))
        let side = chip.hemisphere(of: link)
        let h = place * chip.linkCount + link.index
        let start = max(arrival, (linkHistory[h].receives.last ?? -1) + 1)
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard tables[place].isFree(queue, at: cycle) else { return false }
            guard
                let stream = writePlane(
                    template.ops[op].result, vector, plane, from: side.sign * chip.edge,
                    at: cycle + chip.receiveLatency,
                    streams: choice.order(streams([side.inward])), op: op)
            else { return false }
            tables[place].issue(.receive(stream), on: queue, at: cycle, op: OpID(op))
            return true
        }
        tables[place].commit()
        scratchLog.removeAll(keepingCapacity: true)
        linkHistory[h].receives.append(at)
    }

    func placeIngress(_ bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        let op = bundle.ops[0]
        let side = chip.hostHemisphere
        let start = hostReady(bundle.chip)
        let at = try firstCycle(from: start, on: bundle.chip, op: op) {
            cycle throws(Infeasibility) in
            guard tables[bundle.chip].isFree(chip.queue(of: .host), at: cycle) else {
                return false
            }
            guard
                let stream = writePlane(
                    template.ops[op].result, i, 0, from: side.sign * chip.edge,
                    at: cycle + chip.ingressLatency,
                    streams: choice.order(streams([side.inward])), op: op)
            else { return false }
            tables[bundle.chip].issue(
                .ingress(stream), on: chip.queue(of: .host), at: cycle, op: OpID(op))
            return true
        }
        scratchLog.removeAll(keepingCapacity: true)
        hostHistory[bundle.chip].append(at)
    }

    func placeEgress(_ bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        let op = bundle.ops[0]
        guard case .egress(let use) = template.ops[op].kind else { return }
        let side = chip.hostHemisphere
        try ensureImage(use.value, use.vector(i))
        let type = template.values[use.value.index].type
        let edge = side.sign * chip.edge
        let start = max(
            hostReady(bundle.chip),
            earliestArrival(use.value, use.vector(i), type: type, at: edge))
        let at = try firstCycle(from: start + choice.delay(), on: bundle.chip, op: op) {
            cycle throws(Infeasibility) in
            guard tables[bundle.chip].isFree(chip.queue(of: .host), at: cycle) else {
                return false
            }
            guard
                let stream = deliverPlane(
                    use.value, use.vector(i), 0, to: edge, at: cycle,
                    streams: choice.order(streams([side.outward])), op: op)
            else { return false }
            tables[bundle.chip].issue(
                .egress(stream), on: chip.queue(of: .host), at: cycle, op: OpID(op))
            return true
        }
        hostHistory[bundle.chip].append(at)
    }

    /// The first cycle at which the host port keeps its interval.
    private func hostReady(_ place: Int) -> Int {
        let history = hostHistory[place]
        let interval = chip.hostInterval
        var start = 0
        if let last = history.last {
            start = last + interval.numerator / interval.denominator
        }
        if history.count >= interval.denominator {
            start = max(
                start, history[history.count - interval.denominator] + interval.numerator)
        }
        return start
    }
}
