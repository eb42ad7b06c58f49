import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops that move vectors between rows of SRAM.
extension Placer {
    /// Reads one byte plane so that it passes `register` in `cycle`, on the first of the streams
    /// that is free all the way; nil if none is. It passes `first` too, if one is given.
    func deliverPlane(
        _ value: ValueID, _ vector: Int, _ plane: Int, to register: Int, at cycle: Int,
        streams: [Stream], op: Int, exchange: Int = -1, from first: Int? = nil
    ) -> Stream? {
        let table = tables[template.values[value.index].chip]
        let (v, i, p) = resolve(value, vector, plane)
        for copy in copies[vectorBase[v.index] + i] {
            let location = copy.planes[p]
            let start = self.register(of: location.slice)
            let hops = abs(register - start)
            let issue = cycle - hops - chip.readLatency
            let other = otherHalf(location.slice, of: exchange)
            guard issue >= copy.ready,
                table.canRead(location.slice, or: other, bank: Int(location.bank), at: issue)
            else { continue }
            for stream in streams
            where (register - start) * stream.direction.sign >= 0
                && ((first ?? register) - start) * stream.direction.sign >= 0
                && table.isFree(stream, from: start, at: issue + chip.readLatency, to: register)
            {
                table.occupy(stream, from: start, at: issue + chip.readLatency, to: register)
                table.issue(
                    .memory(.read(location.address, stream), .none), on: location.slice,
                    or: other, at: issue, op: OpID(op), exchange: exchange)
                return stream
            }
        }
        return nil
    }

    /// Writes one byte plane that appears at `register` in `cycle` into a scratch row, on the first
    /// of the streams that is free all the way, and notes it; plane 0 starts a copy, the others
    /// complete it.
    func writePlane(
        _ value: ValueID, _ vector: Int, _ plane: Int, from register: Int, at cycle: Int,
        streams: [Stream], op: Int
    ) -> Stream? {
        let table = tables[template.values[value.index].chip]
        // The planes of one copy rest in different slices of one side: they are read together.
        let begun = plane > 0 ? copies[vectorBase[value.index] + vector].last?.planes ?? [] : []
        let sides = Hemisphere.allCases.filter { side in
            begun.allSatisfy { hemisphere(of: $0.slice) == side }
        }
        let fixed = pins[vectorBase[value.index] + vector]?[plane]
        let exchange = fixed == nil ? -1 : exchangeOf[value.index] ?? -1
        let candidates =
            fixed.map { [[$0.slice]] } ?? homes(of: value, vector, planes: 1, sides: sides)
        for home in candidates {
            let slice = home[0]
            guard !begun.contains(where: { $0.slice == slice }) else { continue }
            let target = self.register(of: slice)
            let arrival = cycle + abs(target - register)
            let banks = fixed.map { [Int($0.bank)] } ?? banks(for: value, in: slice)
            for bank in banks
            where table.canWrite(
                slice, or: otherHalf(slice, of: exchange), bank: bank, at: arrival)
                && (fixed != nil || hasRow(for: value, in: slice, bank: bank))
            {
                let free = streams.first {
                    (target - register) * $0.direction.sign >= 0
                        && table.isFree($0, from: register, at: cycle, to: target)
                }
                guard let stream = free else { break }
                table.occupy(stream, from: register, at: cycle, to: target)
                let row = fixed ?? takeRow(for: value, in: slice, bank: bank)
                table.issue(
                    .memory(.none, .write(row.address, stream)), on: slice,
                    or: otherHalf(slice, of: exchange), at: arrival, op: OpID(op),
                    exchange: exchange)
                note(row, of: value, vector, plane, ready: arrival + chip.writeToRead)
                scratchLog.append(([row], vectorBase[value.index] + vector, fixed != nil))
                return stream
            }
        }
        return nil
    }

    private func note(
        _ row: Location, of value: ValueID, _ vector: Int, _ plane: Int, ready: Int
    ) {
        let slot = vectorBase[value.index] + vector
        guard plane > 0 else { return copies[slot].append(Copy(planes: [row], ready: ready)) }
        let last = copies[slot].count - 1
        copies[slot][last].planes.append(row)
        copies[slot][last].ready = max(copies[slot][last].ready, ready)
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
        let (a, vector, _) = resolve(address.value, address.vector(i), 0)
        let addressed = vectorBase[a.index] + vector
        for plane in 0..<template.values[result.index].type.byteCount {
            let slice = block.slices[plane]
            let start = max(
                earliestArrival(
                    address.value, address.vector(i), type: type, at: register(of: slice)),
                regionReady[table.value.index],
                // One row is read once a cycle: the gathers by one address follow one another.
                choice.isList ? lastAddressed[addressed] ?? 0 : 0)
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
            lastAddressed[addressed] = at
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
        let register = register(of: slice)
        let table = tables[template.values[result.index].chip]
        // Addresses come along either way; what is found goes towards the VXM if it can.
        guard
            let stream = deliverPlane(
                address.0, address.1, 0, to: register, at: cycle,
                streams: choice.order(streams([.east, .west])), op: op),
            let out = writePlane(
                result, i, plane, from: register, at: cycle + chip.gatherLatency,
                streams: choice.order(streams(register < 0 ? [.east, .west] : [.west, .east])),
                op: op)
        else { return false }
        table.issue(
            .memory(.gather(window: window, rows: Int32(rows), address: stream, out), .none),
            on: slice, at: cycle, op: OpID(op))
        return true
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
        let table = tables[bundle.chip]
        var last = 0
        for plane in 0..<dataType.byteCount {
            let slice = block.slices[plane]
            let register = register(of: slice)
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
                guard table.canWrite(slice, bank: block.bank, at: cycle),
                    let a = deliverPlane(
                        address.value, address.vector(i), 0, to: register, at: cycle,
                        streams: choice.order(streams([.east, .west])), op: op),
                    let d = deliverPlane(
                        data.value, data.vector(i), plane, to: register, at: cycle,
                        streams: choice.order(streams([.east, .west])), op: op)
                else { return false }
                table.issue(
                    .memory(
                        .none, .scatter(window: window, rows: Int32(rows), address: a, d)),
                    on: slice, at: cycle, op: OpID(op))
                return true
            }
            last = max(last, at)
        }
        regionReady[result.index] = last + chip.writeToRead
    }
}
