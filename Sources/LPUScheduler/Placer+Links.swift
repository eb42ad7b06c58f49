import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops that move vectors between chips and to and from the host.
extension Placer {
    /// For each place, its links that send: from the first send until the link may send again.
    func sendSpans() -> [[(link: Int, cycles: Range<Int>)]] {
        tables.indices.map { place in
            (0..<chip.linkCount).compactMap { link in
                let sends = linkHistory[place * chip.linkCount + link].sends
                guard let first = sends.first, let last = sends.last,
                    let axis = machine.topology.axis(of: LinkID(link))
                else { return nil }
                return (link, first..<last + axis.interval.widestGap)
            }
        }
    }

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
        let hop = Hop(
            op: op, source: use.value, vector: use.vector(i), result: result, iteration: i,
            near: (from, link), far: (to, far.link), axis: axis)
        for plane in 0..<template.values[use.value.index].type.byteCount {
            try place(hop, plane: plane)
        }
    }

    /// A vector's way over a link.
    private struct Hop {
        var op: Int
        var source: ValueID
        var vector: Int
        var result: ValueID
        var iteration: Int
        var near: (place: Int, link: LinkID)
        var far: (place: Int, link: LinkID)
        var axis: LPUMachine.Axis
    }

    /// Sends a byte plane between others at the first cycle at which it can be taken in as well.
    private func place(_ hop: Hop, plane: Int) throws(Infeasibility) {
        let (from, link) = hop.near
        let queue = chip.queue(of: .link(link))
        let edge = chip.hemisphere(of: link).sign * chip.edge
        let side = chip.hemisphere(of: link)
        let h = from * chip.linkCount + link.index
        let type = template.values[hop.source.index].type
        let table = tables[from]
        let start = earliestArrival(hop.source, hop.vector, type: type, at: edge)
        var received = 0
        let at = try firstCycle(from: start + choice.delay(), on: from, op: hop.op) { cycle in
            guard table.isFree(queue, at: cycle),
                linkHistory[h].maySend(at: cycle, every: hop.axis.interval),
                let stream = deliverPlane(
                    hop.source, hop.vector, plane, to: edge, at: cycle,
                    streams: choice.order(streams([side.outward, side.inward])), op: hop.op)
            else { return false }
            table.issue(.send(stream), on: queue, at: cycle, op: OpID(hop.op))
            guard let taken = receive(hop, plane: plane, sent: cycle) else { return false }
            received = taken
            return true
        }
        table.commit()
        tables[hop.far.place].commit()
        scratchLog.removeAll(keepingCapacity: true)
        let order = linkHistory[h].order(of: at)
        linkHistory[h].sends.insert(at, at: order)
        linkHistory[hop.far.place * chip.linkCount + hop.far.link.index].receives.insert(
            received, at: order)
    }

    /// The cycle at which what was sent is taken in: between its neighbours, and before more can
    /// have come than the FIFO holds. nil where there is none.
    private func receive(_ hop: Hop, plane: Int, sent: Int) -> Int? {
        let (place, link) = hop.far
        let table = tables[place]
        let queue = chip.queue(of: .link(link))
        let side = chip.hemisphere(of: link)
        let near = linkHistory[hop.near.place * chip.linkCount + hop.near.link.index]
        let far = linkHistory[place * chip.linkCount + link.index]
        let cycles = far.mayTake(
            sent: sent, order: near.order(of: sent), over: hop.axis, depth: chip.receiveDepth)
        guard let cycles else { return nil }
        for cycle in cycles where table.isFree(queue, at: cycle) {
            let mark = table.mark
            let stream = writePlane(
                hop.result, hop.iteration, plane, from: side.sign * chip.edge,
                at: cycle + chip.receiveLatency, streams: choice.order(streams([side.inward])),
                op: hop.op)
            if let stream {
                table.issue(.receive(stream), on: queue, at: cycle, op: OpID(hop.op))
                return cycle
            }
            table.rollBack(to: mark)
        }
        return nil
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
