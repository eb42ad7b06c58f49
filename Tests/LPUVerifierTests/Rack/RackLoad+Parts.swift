import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// The templates of the load.
extension RackLoad {
    /// Where a vector on the inward stream 8 from `side`'s edge, or from further in, is written:
    /// to the slices from which each plane takes its activation.
    private func write(
        _ value: ValueID, _ j: Int, from side: Hemisphere, atEdge cycle: Int, stream: Stream,
        place: Int, _ part: inout RackPart
    ) {
        for (target, slice) in Self.planes {
            let register = chip.register(ofSlice: slice, in: target)
            let at = cycle + chip.edge - side.sign * register
            let row = RowAddress(bank: 0, row: activationRow + j)
            part.at(
                at, .memory(target, slice: slice), .memory(.none, .write(row, stream)), place: place
            )
            part.hold(value, target, slice, row, from: at, place: place)
        }
    }

    /// Activations out of the memory image to where the first layer takes them.
    func prologue() -> RackPart {
        var part = RackPart("prologue", chip, places: places)
        for place in 0..<places {
            for j in 0..<activations {
                let value = part.builder.image(
                    "x\(j).\(place)", chip: place, type: .fp8, count: 1,
                    .constant(bits: UInt32(0x30 + j), vectors: 0..<1, lanes: 0..<chip.lanes))
                part.results.append(value)
                let row = RowAddress(bank: 0, row: activationRow + j)
                part.hold(value, .east, 8, row, isImage: true, place: place)
                let stream = Stream(.west, 8)
                part.at(
                    100 + 30 * j, .memory(.east, slice: 8), .memory(.read(row, stream), .none),
                    place: place)
                // As if it had come from the east edge: one cycle for the read.
                let register = chip.register(ofSlice: 8, in: .east)
                write(
                    value, j, from: .east,
                    atEdge: 100 + 30 * j + chip.readLatency - (chip.edge - register),
                    stream: stream, place: place, &part)
            }
        }
        part.finish()
        return part
    }

    /// Activations from the chips of a stage to those of the next.
    func handOver() -> RackPart {
        var part = RackPart("handOver", chip, places: 2 * places)
        for place in 0..<places {
            let (from, to) = (ChipID(place), ChipID(16 + place))
            for j in 0..<activations {
                let x = part.builder.parameter("x\(j).\(place)", chip: place, type: .fp8, count: 1)
                part.parameters.append((x, activations * place + j))
                let row = RowAddress(bank: 0, row: activationRow + j)
                let link = machine.topology.link(from: from, to: to)!
                let side = chip.hemisphere(of: link)
                let read = 10 + 120 * j
                let stream = Stream(side.outward, 8)
                part.at(
                    read, .memory(side, slice: 0), .memory(.read(row, stream), .none), place: place)
                for (target, slice) in Self.planes {
                    part.hold(x, target, slice, row, to: read + 1, place: place)
                }
                let sent = read + chip.readLatency + chip.edge - 1
                let result = part.builder.transfer(x[0], to: places + place, name: "y\(j).\(place)")
                part.results.append(result)
                hop(result, j, from, to, sent, stream, from: place, to: places + place, &part)
            }
        }
        part.finish()
        return part
    }

    /// Over the link and into the slices of the activations.
    private func hop(
        _ result: ValueID, _ j: Int, _ from: ChipID, _ to: ChipID, _ sent: Int, _ stream: Stream,
        from place: Int, to target: Int, _ part: inout RackPart
    ) {
        let link = machine.topology.link(from: from, to: to)!
        let peer = machine.topology.peer(of: LinkEnd(from, link))!
        let axis = machine.topology.axis(of: link)!
        part.at(sent, .link(link), .send(stream), place: place)
        let side = chip.hemisphere(of: peer.link)
        let inward = Stream(side.outward == .east ? .west : .east, 8)
        let received = sent + axis.latency
        part.at(received, .link(peer.link), .receive(inward), place: target)
        write(
            result, j, from: side, atEdge: received + chip.receiveLatency, stream: inward,
            place: target, &part)
    }

    func layer() -> RackPart {
        var part = RackPart("layer", chip, places: places)
        var sums: [[ValueID]] = []
        for place in 0..<places {
            let xs = (0..<activations).map { j in
                part.builder.parameter("x\(j).\(place)", chip: place, type: .fp8, count: 1)
            }
            for (j, x) in xs.enumerated() { part.parameters.append((x, activations * place + j)) }
            let last = firstArrival + tiles * period + 60
            for (target, slice) in Self.planes {
                for (j, x) in xs.enumerated() {
                    part.hold(
                        x, target, slice, RowAddress(bank: 0, row: activationRow + j), to: last,
                        place: place)
                }
            }
            for tile in 0..<tiles {
                for (side, plane) in Self.planes { stream(tile, side, plane, place, &part) }
            }
            var working = Array(repeating: workingRow, count: 2)
            sums.append(
                Self.planes.map { side, plane in
                    sum(xs, side, plane, &working[Int(side.rawValue)], place, &part)
                })
        }
        let end = part.length + 2 * chip.edge + 20
        for j in 0..<activations {
            for place in 0..<places { passOn(sums[place][j], j, place, at: end + 120 * j, &part) }
        }
        part.finish()
        return part
    }

    private func arrival(_ tile: Int) -> Int { firstArrival + tile * period }

    /// A tile's weights from 16 slices to a plane, the install, and the activation.
    private func stream(
        _ tile: Int, _ side: Hemisphere, _ plane: Int, _ place: Int, _ part: inout RackPart
    ) {
        let group = (tile + 2 * plane) % 5
        let arrival = arrival(tile)
        for s in 0..<16 {
            let slice = 16 * group + s
            let register = slice / chip.memSlicesPerGroup + 1
            part.at(
                arrival - chip.readLatency - (chip.edge - register), .memory(side, slice: slice),
                .memory(
                    .read(
                        RowAddress(slot: 1, bank: plane, row: 20 * (tile / 5)),
                        Stream(side.outward, 16 * plane + s)), .none), count: 20, step: 1,
                place: place)
        }
        part.at(
            arrival, .loadWeights(side, plane: plane), .loadWeights(column: 0, tandem: false),
            count: 20, step: 1, place: place)
        let matmul = Unit.matmul(side, plane: plane)
        part.at(arrival + 22, matmul, .install(tandem: false), place: place)
        let activation = Stream(side.outward, 16 * plane)
        part.at(
            arrival + 41 - chip.readLatency - (chip.edge - 1), .memory(side, slice: plane),
            .memory(.read(RowAddress(bank: 0, row: activationRow + tile % 4), activation), .none),
            place: place)
        part.at(arrival + 41, matmul, .matmul(activation: activation, .fp8), place: place)
    }

    /// The sums of a plane, written as they leave it; the last of them.
    private func sum(
        _ xs: [ValueID], _ side: Hemisphere, _ plane: Int, _ row: inout Int, _ place: Int,
        _ part: inout RackPart
    ) -> ValueID {
        let w = part.builder.image(
            "w.\(side)\(plane).\(place)", chip: place, type: .fp8, count: 320 * tiles,
            .constant(bits: 0x38, vectors: 0..<320 * tiles, lanes: 0..<chip.lanes))
        for slice in 0..<80 {
            // The first tile of the group, and every fifth.
            let tile = (slice / 16 - 2 * plane + 10) % 5
            guard tile < tiles else { continue }
            part.hold(
                w, side, slice, RowAddress(slot: 1, bank: plane, row: 0),
                rows: 20 * ((tiles - tile + 4) / 5), first: 320 * tile + slice % 16, run: 20,
                inner: 16, outer: 320 * 5, isImage: true, place: place)
        }
        var last = w
        for m in 0..<sums {
            let products = (0..<products).map { k in
                let tile = m * self.products + k
                return MatmulTerm(xs[tile % 4][0], Tile([w[320 * tile]], count: 320))
            }
            last = part.builder.matmul(products, count: 1, name: "sum\(m).\(side)\(plane).\(place)")
            for k in 0..<self.products {
                let isLast = k == self.products - 1
                part.at(
                    arrival(m * self.products + k) + 41 + chip.matmulToAccumulate,
                    .accumulate(side, plane: plane),
                    .accumulate(
                        row: Int16(m % 8), add: k > 0,
                        emit: isLast ? Stream(side.inward, 4 * plane) : nil),
                    op: part.builder.template.ops.count - 1, place: place)
            }
            let emitted =
                arrival((m + 1) * self.products - 1) + 41 + chip.matmulToAccumulate
                + chip.accumulateLatency
            for byte in 0..<4 {
                writeByte(
                    last, byte, side, Stream(side.inward, 4 * plane + byte), emitted, &row, place,
                    &part)
            }
        }
        return last
    }

    /// To the first slice from the edge inward whose queue is free.
    private func writeByte(
        _ value: ValueID, _ byte: Int, _ side: Hemisphere, _ stream: Stream, _ emitted: Int,
        _ row: inout Int, _ place: Int, _ part: inout RackPart
    ) {
        for slice in (20 * byte..<20 * byte + 20) {
            let register = slice / chip.memSlicesPerGroup + 1
            let at = emitted + chip.edge - register
            guard part.isFree(.memory(side, slice: slice), at, place: place) else { continue }
            let address = RowAddress(bank: 0, row: row)
            row += 1
            part.at(
                at, .memory(side, slice: slice), .memory(.none, .write(address, stream)),
                place: place)
            part.hold(value, plane: byte, side, slice, address, from: at, place: place)
            return
        }
        preconditionFailure("no slice is free")
    }

    /// A sum, cast to fp8, to the next chip.
    private func passOn(
        _ sum: ValueID, _ j: Int, _ place: Int, at cycle: Int, _ part: inout RackPart
    ) {
        let side = Self.planes[j].side
        for held in part.programs[place].allocations where held.value == sum {
            let register = chip.register(ofSlice: Int(held.slice), in: side)
            part.at(
                cycle - chip.vxmEntryLatency - chip.readLatency - abs(register),
                .memory(side, slice: Int(held.slice)),
                .memory(.read(held.base, Stream(side.inward, Int(held.plane))), .none),
                place: place)
        }
        let target = (place + 1) % places
        let (from, to) = (ChipID(place), ChipID(target))
        let link = machine.topology.link(from: from, to: to)!
        let out = Stream(chip.hemisphere(of: link).outward, 0)
        let cast = part.builder.elementwise(.toFP8, sum[0])
        part.at(
            cycle, .alu(0),
            .alu(
                .toFP8, .stream(Stream(side.inward, 0), .fp32), nil,
                east: out.direction == .east ? out : nil,
                west: out.direction == .west ? out : nil),
            op: part.builder.template.ops.count - 1, place: place)
        let result = part.builder.transfer(cast[0], to: target, name: "y\(j).\(target)")
        if part.results.isEmpty {
            part.results = Array(repeating: result, count: places * activations)
        }
        part.results[activations * target + j] = result
        hop(
            result, j, from, to, cycle + chip.aluResultLatency + chip.edge, out,
            from: place, to: target, &part)
    }
}
