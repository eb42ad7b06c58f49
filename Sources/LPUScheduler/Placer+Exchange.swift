import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Where the slots of a part rest: neighbouring rows in a slice a byte plane, the second half of
/// them in other slices at the same register, so that two sums over them go on side by side.
struct ExchangeHome {
    var halves: [[QueueID]]
    var bank: Int
    var row: Int
    /// Slots of a half.
    var rows: Int

    /// A location a byte plane.
    func locations(ofSlot slot: Int) -> [Location] {
        halves[slot / rows].map {
            Location(slice: $0, bank: UInt8(bank), row: Int32(row + slot % rows))
        }
    }

    /// The byte plane and the slot that rest there; nil where no slot does.
    func slot(at address: RowAddress, of slice: QueueID) -> (plane: Int, slot: Int)? {
        let first = Int(address.row) - row
        guard Int(address.bank) == bank, (0..<rows).contains(first) else { return nil }
        for (half, slices) in halves.enumerated() {
            if let plane = slices.firstIndex(of: slice) { return (plane, half * rows + first) }
        }
        return nil
    }

    /// The other slice that the byte plane of a slot rests in on some chips, instead of `slice`.
    func other(than slice: QueueID) -> QueueID? {
        guard halves.count > 1 else { return nil }
        return zip(halves[0], halves[1]).lazy.compactMap { a, b in
            a == slice ? b : b == slice ? a : nil
        }.first
    }
}

/// A link of an exchange, and the slot that what comes over it goes to.
private struct ExchangeLink {
    var link: LinkID
    var axis: LPUMachine.Axis
    var op: Int
    var slot: Int
}

/// All-gathers: every chip of an orbit sends a part to all others, at the same time and over the
/// same links as seen from it.
///
/// A chip's own number only says which slot it writes what it makes and gets into: so all chips
/// read them alike.
extension Placer {
    /// Takes the rows of all slots, in slices near the VXM in turn.
    func placeExchangeSlots() throws(Infeasibility) {
        for exchange in exchanges {
            let value = template.values[exchange.part.index]
            let (planes, slots) = (value.type.byteCount, exchange.transfers.count + 1)
            let place = value.chip
            let halves = slots > 2 && 2 * planes <= chip.memSlicesPerGroup ? 2 : 1
            let rows = (slots + halves - 1) / halves
            let width = planes == 3 ? 4 : halves * planes
            var best: (slices: [QueueID], bank: Int, row: Int)?
            for k in 0..<scratchSlices / width {
                for side in Hemisphere.allCases {
                    let slices = (0..<halves * planes).map { slice(side, k * width + $0) }
                    for bank in 0..<chip.banksPerSlice {
                        guard
                            let row = srams[mapOf[place]].commonRow(
                                slices, bank: bank, rows: rows, slot: 0),
                            best == nil || row < best!.row
                        else { continue }
                        best = (slices, bank, row)
                    }
                }
            }
            guard let best else { throw full(place, exchange.part) }
            for slice in best.slices {
                srams[mapOf[place]].take(slice, bank: best.bank, upTo: best.row + rows, slot: 0)
            }
            let home = ExchangeHome(
                halves: (0..<halves).map { half in
                    Array(best.slices[half * planes..<(half + 1) * planes])
                }, bank: best.bank, row: best.row, rows: rows)
            exchangeHomes.append(home)
            pins[vectorBase[exchange.part.index]] = home.locations(ofSlot: 0)
        }
    }

    /// The slice that some chips take instead, for the slots of exchange `e`; nil for e < 0.
    func otherHalf(_ slice: QueueID, of e: Int) -> QueueID? {
        e < 0 ? nil : exchangeHomes[e].other(than: slice)
    }

    /// The exchange of which a transfer's result is; nil for one by itself, which may bring a part.
    func exchange(bringing value: ValueID) -> Int? {
        exchangeOf[value.index].flatMap { exchanges[$0].part == value ? nil : $0 }
    }

    /// The exchanges not placed yet that nothing parts from the transfer of bundle `b`, in the
    /// order in which a link sends them: of the parts that are made when it is free the first in
    /// the program, which is the first to be used.
    func exchanges(from b: Int) -> [Int] {
        var found: [(ready: Int, exchange: Int)] = []
        for bundle in bundles[b...] {
            let op = template.ops[bundle.ops[0]]
            guard case .transfer = op.kind, let e = exchange(bringing: op.result) else { break }
            let part = copies[vectorBase[exchanges[e].part.index]]
            let isFirst = exchanges[e].transfers[0] == bundle.ops[0]
            guard isFirst, !isExchanged[e], let own = part.first else { continue }
            isExchanged[e] = true
            found.append((own.ready, e))
        }
        var order: [Int] = []
        var free = 0
        while let earliest = found.map(\.ready).min() {
            free = max(free, earliest)
            guard let next = found.firstIndex(where: { $0.ready <= free }) else { break }
            let exchange = found.remove(at: next).exchange
            free += cyclesOfLink(exchange)
            order.append(exchange)
        }
        return order
    }

    /// Cycles for which a part keeps a link busy.
    private func cyclesOfLink(_ e: Int) -> Int {
        let value = template.values[exchanges[e].part.index]
        guard let to = orbitChips[value.chip].dropFirst().first,
            let link = machine.topology.link(from: chips[value.chip], to: to),
            let interval = machine.topology.axis(of: link)?.interval
        else { return 0 }
        return value.type.byteCount * interval.numerator / interval.denominator
    }

    /// Sends the part to all chips of the orbit and takes theirs in.
    func placeExchange(_ e: Int) throws(Infeasibility) {
        let exchange = exchanges[e]
        let place = template.values[exchange.part.index].chip
        var links: [ExchangeLink] = []
        for (k, op) in exchange.transfers.enumerated() {
            let to = orbitChips[place][k + 1]
            guard let link = machine.topology.link(from: chips[place], to: to),
                let axis = machine.topology.axis(of: link)
            else { preconditionFailure("the chips of an orbit are wired all to all") }
            links.append(ExchangeLink(link: link, axis: axis, op: op, slot: k + 1))
        }
        // Which slot the last part goes to depends on the chip: none is read before it is there.
        var ready = 0
        for plane in 0..<template.values[exchange.part.index].type.byteCount {
            for side in Hemisphere.allCases {
                let own = links.filter { chip.hemisphere(of: $0.link) == side }
                guard !own.isEmpty else { continue }
                ready = max(
                    ready, try broadcast(e, plane: plane, side: side, own, place: place))
            }
        }
        let part = vectorBase[exchange.part.index]
        copies[part][0].ready = max(copies[part][0].ready, ready)
        for (k, op) in exchange.transfers.enumerated() {
            copies[vectorBase[template.ops[op].result.index]] = [
                Copy(
                    planes: exchangeHomes[e].locations(ofSlot: k + 1),
                    ready: copies[part][0].ready)
            ]
        }
    }

    /// One byte plane of the own part over all links of a side at once, which sample one stream,
    /// between what else they send; the cycle from which on those of the others may be read.
    private func broadcast(
        _ e: Int, plane: Int, side: Hemisphere, _ links: [ExchangeLink], place: Int
    ) throws(Infeasibility) -> Int {
        let part = exchanges[e].part
        let edge = side.sign * chip.edge
        let table = tables[place]
        let start = earliestArrival(
            part, 0, type: template.values[part.index].type, at: edge)
        let op = exchanges[e].transfers[0]
        var taken: [Int] = []
        let at = try firstCycle(from: start, on: place, op: op) { cycle throws(Infeasibility) in
            guard
                links.allSatisfy({
                    table.isFree(chip.queue(of: .link($0.link)), at: cycle)
                        && linkHistory[place * chip.linkCount + $0.link.index].maySend(
                            at: cycle, every: $0.axis.interval)
                }),
                let stream = deliverPlane(
                    part, 0, plane, to: edge, at: cycle,
                    streams: streams([side.outward, side.inward]), op: op, exchange: e)
            else { return false }
            for link in links {
                table.issue(
                    .send(stream), on: chip.queue(of: .link(link.link)), at: cycle, op: OpID(op))
            }
            taken.removeAll(keepingCapacity: true)
            for link in links {
                guard let at = take(e, plane: plane, link, place: place, sent: cycle) else {
                    return false
                }
                taken.append(at)
            }
            return true
        }
        table.commit()
        var ready = 0
        for (link, received) in zip(links, taken) {
            let h = place * chip.linkCount + link.link.index
            let order = linkHistory[h].order(of: at)
            linkHistory[h].sends.insert(at, at: order)
            linkHistory[h].receives.insert(received, at: order)
            let slice = exchangeHomes[e].locations(ofSlot: link.slot)[plane].slice
            ready = max(ready, received + chip.receiveLatency + abs(register(of: slice) - edge))
        }
        return ready + chip.writeToRead
    }

    /// Takes in what the chip at the other end sent at the same cycle: between its neighbours, and
    /// before more can have come than the FIFO holds. nil where there is no such cycle.
    private func take(
        _ e: Int, plane: Int, _ link: ExchangeLink, place: Int, sent: Int
    ) -> Int? {
        let queue = chip.queue(of: .link(link.link))
        let side = chip.hemisphere(of: link.link)
        let location = exchangeHomes[e].locations(ofSlot: link.slot)[plane]
        let other = exchangeHomes[e].other(than: location.slice)
        let target = register(of: location.slice)
        let table = tables[place]
        let edge = side.sign * chip.edge
        let hops = abs(target - edge)
        let cycles = linkHistory[place * chip.linkCount + link.link.index].mayTake(
            sent: sent, over: link.axis, depth: chip.receiveDepth)
        guard let cycles else { return nil }
        for cycle in cycles {
            let arrival = cycle + chip.receiveLatency
            guard table.isFree(queue, at: cycle),
                table.canWrite(
                    location.slice, or: other, bank: Int(location.bank), at: arrival + hops)
            else { continue }
            for stream in streams([side.inward])
            where table.isFree(stream, from: edge, at: arrival, to: target) {
                table.occupy(stream, from: edge, at: arrival, to: target)
                table.issue(.receive(stream), on: queue, at: cycle, op: OpID(link.op))
                table.issue(
                    .memory(.none, .write(location.address, stream)), on: location.slice,
                    or: other, at: arrival + hops, op: OpID(link.op), exchange: e)
                return cycle
            }
        }
        return nil
    }
}
