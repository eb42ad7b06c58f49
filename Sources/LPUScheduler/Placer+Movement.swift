import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops that move vectors between SRAM, links and the host port.
extension Placer {
    /// Reads one byte plane so that it passes `register` in `cycle` on exactly that stream.
    func deliverPlane(
        _ value: ValueID, _ vector: Int, _ plane: Int, to register: Int, at cycle: Int,
        stream: Stream, op: Int, exchange: Int = -1
    ) -> Bool {
        let place = template.values[value.index].chip
        let table = tables[place]
        let (v, i, p) = resolve(value, vector, plane)
        for copy in copies[vectorBase[v.index] + i] {
            let location = copy.planes[p]
            let start = srams[place].register(of: location.slice)
            guard let hops = travel(stream.direction, from: start, to: register) else { continue }
            let issue = cycle - hops - chip.readLatency
            guard issue >= copy.ready,
                table.canRead(location.slice, bank: Int(location.bank), at: issue),
                table.isFree(stream, from: start, at: issue + chip.readLatency, to: register)
            else { continue }
            table.occupy(stream, from: start, at: issue + chip.readLatency, to: register)
            table.issue(
                .memory(.read(location.address, stream), .none), on: location.slice, at: issue,
                op: OpID(op), exchange: exchange)
            return true
        }
        return false
    }

    /// Writes one byte plane that appears on `stream` at `register` in `cycle` into a scratch row
    /// and notes it; plane 0 starts a copy, the others complete it.
    func writePlane(
        _ value: ValueID, _ vector: Int, _ plane: Int, from register: Int, at cycle: Int,
        stream: Stream, op: Int
    ) -> Bool {
        let place = template.values[value.index].chip
        let table = tables[place]
        let sign = stream.direction.sign
        // The planes of one copy rest in different slices of one side: they are read together.
        let begun = plane > 0 ? copies[vectorBase[value.index] + vector].last?.planes ?? [] : []
        let sides = sides(downstreamOf: register, stream.direction).filter { side in
            begun.allSatisfy { srams[place].hemisphere(of: $0.slice) == side }
        }
        let fixed = pins[vectorBase[value.index] + vector]?[plane]
        let candidates =
            fixed.map { [[$0.slice]] } ?? homes(of: value, vector, planes: 1, sides: sides)
        for home in candidates {
            let slice = home[0]
            guard !begun.contains(where: { $0.slice == slice }) else { continue }
            let target = srams[place].register(of: slice)
            guard (target - register) * sign >= 0 else { continue }
            let arrival = cycle + (target - register) * sign
            let banks = fixed.map { [Int($0.bank)] } ?? Array(0..<chip.banksPerSlice)
            for bank in choice.order(banks) {
                guard table.canWrite(slice, bank: bank, at: arrival),
                    srams[place].freeRows(slice, bank: bank) > 0,
                    table.isFree(stream, from: register, at: cycle, to: target)
                else { continue }
                table.occupy(stream, from: register, at: cycle, to: target)
                let row = fixed ?? srams[place].takeRow(slice, bank: bank, slot: 0)
                table.issue(
                    .memory(.none, .write(row.address, stream)), on: slice, at: arrival,
                    op: OpID(op))
                let slot = vectorBase[value.index] + vector
                let ready = arrival + chip.writeToRead
                if plane == 0 {
                    copies[slot].append(Copy(planes: [row], ready: ready))
                } else {
                    let last = copies[slot].count - 1
                    copies[slot][last].planes.append(row)
                    copies[slot][last].ready = max(copies[slot][last].ready, ready)
                }
                scratchLog.append(([row], slot, fixed != nil))
                return true
            }
        }
        return false
    }

    func anyStream(_ directions: [Direction]) -> [Stream] {
        directions.flatMap { direction in
            (0..<chip.streamsPerDirection).map { Stream(direction, $0) }
        }
    }

    // MARK: Gather and scatter

    func placeGather(_ bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        let op = bundle.ops[0]
        guard case .gather(let table, let rows, let address) = template.ops[op].kind else {
            return
        }
        let result = template.ops[op].result
        let block = try blockPlace(table.value)
        try ensureImage(address.value, address.vector(i))
        let type = template.values[address.value.index].type
        for plane in 0..<template.values[result.index].type.byteCount {
            let slice = block.slices[plane]
            let register = srams[bundle.chip].register(of: slice)
            let start = max(
                earliestArrival(address.value, address.vector(i), type: type, at: register),
                regionReady[table.value.index])
            let window = RowAddress(
                slot: block.slot, bank: block.bank, row: block.row + table.vector(i))
            let at = try firstCycle(from: start + choice.delay(), on: bundle.chip, op: op) {
                cycle throws(Infeasibility) in
                guard tables[bundle.chip].canRead(slice, bank: block.bank, at: cycle) else {
                    return false
                }
                return gather(
                    op, plane: plane, iteration: i, slice: slice, window: window, rows: rows,
                    address: (address.value, address.vector(i)), at: cycle)
            }
            // A later scatter into the region waits for this read of its old version.
            let region = root(table.value).index
            lastRead[region] = max(lastRead[region], at)
            scratchLog.removeAll(keepingCapacity: true)
        }
    }

    private func gather(
        _ op: Int, plane: Int, iteration i: Int, slice: QueueID, window: RowAddress, rows: Int,
        address: (ValueID, Int), at cycle: Int
    ) -> Bool {
        let result = template.ops[op].result
        let place = template.values[result.index].chip
        let register = srams[place].register(of: slice)
        let table = tables[place]
        for side in sides(of: address.0, address.1) {
            // Addresses come along either way; a slice on the other side flows through the VXM.
            for stream in choice.order(anyStream(Direction.allCases)) {
                let mark = table.mark
                let undo = scratchMark
                guard
                    deliverPlane(
                        address.0, address.1, 0, to: register, at: cycle, stream: stream, op: op)
                else { continue }
                for out in choice.order(
                    anyStream(side == .west ? [.east, .west] : [.west, .east]))
                {
                    if writePlane(
                        result, i, plane, from: register, at: cycle + chip.gatherLatency,
                        stream: out, op: op)
                    {
                        table.issue(
                            .memory(
                                .gather(
                                    window: window, rows: Int32(rows), address: stream, out),
                                .none), on: slice, at: cycle, op: OpID(op))
                        return true
                    }
                }
                table.rollBack(to: mark)
                rollBackScratch(to: undo)
                break
            }
        }
        return false
    }

    func placeScatter(_ bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        let op = bundle.ops[0]
        guard case .scatter(let region, let rows, let address, let data) = template.ops[op].kind
        else { return }
        let block = try blockPlace(region.value)
        try ensureImage(address.value, address.vector(i))
        try ensureImage(data.value, data.vector(i))
        let addressType = template.values[address.value.index].type
        let dataType = template.values[data.value.index].type
        let result = template.ops[op].result
        var last = 0
        for plane in 0..<dataType.byteCount {
            let slice = block.slices[plane]
            let register = srams[bundle.chip].register(of: slice)
            let start = max(
                earliestArrival(address.value, address.vector(i), type: addressType, at: register),
                earliestArrival(data.value, data.vector(i), type: dataType, at: register),
                lastRead[root(region.value).index] + 1, regionReady[region.value.index],
                // Iterations write in their order: two of them may hit one row.
                regionReady[result.index])
            let window = RowAddress(
                slot: block.slot, bank: block.bank, row: block.row + region.vector(i))
            let at = try firstCycle(from: start + choice.delay(), on: bundle.chip, op: op) {
                cycle throws(Infeasibility) in
                guard tables[bundle.chip].canWrite(slice, bank: block.bank, at: cycle) else {
                    return false
                }
                let table = tables[bundle.chip]
                let mark = table.mark
                for a in choice.order(anyStream(Direction.allCases)) {
                    guard
                        deliverPlane(
                            address.value, address.vector(i), 0, to: register, at: cycle,
                            stream: a, op: op)
                    else { continue }
                    for d in choice.order(anyStream(Direction.allCases))
                    where deliverPlane(
                        data.value, data.vector(i), plane, to: register, at: cycle, stream: d,
                        op: op)
                    {
                        table.issue(
                            .memory(
                                .none,
                                .scatter(window: window, rows: Int32(rows), address: a, d)),
                            on: slice, at: cycle, op: OpID(op))
                        return true
                    }
                    table.rollBack(to: mark)
                    break
                }
                return false
            }
            last = max(last, at)
        }
        regionReady[result.index] = last + chip.writeToRead
    }

    // MARK: Links and host

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
                demand: machine.topology.hops(from: chips[from], to: chips[to]), capacity: 1,
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
            for stream in choice.order(anyStream([side.outward, side.inward]))
            where deliverPlane(
                use.0, use.1, plane, to: edge, at: cycle, stream: stream, op: op)
            {
                tables[from].issue(.send(stream), on: queue, at: cycle, op: OpID(op))
                return true
            }
            return false
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
            for stream in choice.order(anyStream([side.inward]))
            where writePlane(
                template.ops[op].result, vector, plane, from: side.sign * chip.edge,
                at: cycle + chip.receiveLatency, stream: stream, op: op)
            {
                tables[place].issue(.receive(stream), on: queue, at: cycle, op: OpID(op))
                return true
            }
            return false
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
            for stream in choice.order(anyStream([side.inward]))
            where writePlane(
                template.ops[op].result, i, 0, from: side.sign * chip.edge,
                at: cycle + chip.ingressLatency, stream: stream, op: op)
            {
                tables[bundle.chip].issue(
                    .ingress(stream), on: chip.queue(of: .host), at: cycle, op: OpID(op))
                return true
            }
            return false
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
            for stream in choice.order(anyStream([side.outward]))
            where deliverPlane(
                use.value, use.vector(i), 0, to: edge, at: cycle, stream: stream, op: op)
            {
                tables[bundle.chip].issue(
                    .egress(stream), on: chip.queue(of: .host), at: cycle, op: OpID(op))
                return true
            }
            return false
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
