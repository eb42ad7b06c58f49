import LPUDataflow
import LPUMachine
import LPUSupport

/// A gather whose rows go into tiles and nowhere else: nothing is done for it but that they are
/// loaded from where its one address says.
struct TileGather {
    var op: Int
    var table: Use
    /// Offsets that the address may have.
    var rows: Int
    var address: Use
}

extension ProgramTemplate {
    /// For each value, the gather into tiles that makes it; nil for others.
    /// - Parameter streams: Of a plane: as many sources feed it at once.
    /// - Complexity: O(uses).
    func tileGathers(streams: Int) -> [TileGather?] {
        var result: [TileGather?] = values.map { _ in nil }
        for (o, op) in ops.enumerated() {
            guard case .gather(let table, let rows, let address) = op.kind, table.step == 1,
                address.step == 0
            else { continue }
            result[op.result.index] = TileGather(
                op: o, table: table, rows: rows, address: address)
        }
        var isTiled = values.map { _ in false }
        for op in ops {
            for use in op.operands { result[use.value.index] = nil }
            switch op.kind {
            case .matmul(let terms):
                for term in terms {
                    for source in term.tile.sources {
                        isTiled[source.value.index] = true
                        if term.tile.sources.count != streams { result[source.value.index] = nil }
                    }
                }
            case .gather(let table, _, _), .scatter(let table, _, _, _):
                result[table.value.index] = nil
            case .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
                .transfer, .ingress, .egress, .pack, .byte:
                break
            }
        }
        return result.indices.map { isTiled[$0] ? result[$0] : nil }
    }
}

extension Placer {
    /// For each address that a tile's rows are gathered by, the stream on which it passes them; nil
    /// where it cannot.
    func deliverAddresses(
        _ rows: WeightRows, _ direction: Direction, at cycle: Int, op: Int
    ) -> [Use: Stream]? {
        var result: [Use: Stream] = [:]
        for source in rows.streams where source.count > 0 {
            guard let use = source.gather?.address, result[use] == nil else { continue }
            let slices = rows.streams.filter { $0.count > 0 && $0.gather?.address == use }.map {
                $0.location.slice
            }
            guard
                let stream = deliverAddress(
                    use, past: slices, outward: direction, at: cycle, op: op)
            else { return nil }
            result[use] = stream
        }
        return result
    }

    /// Brings an address past all of `slices`, in time for reads that reach the edge in `cycle`;
    /// what is read then keeps step with it, so that one vector serves all.
    private func deliverAddress(
        _ use: Use, past slices: [QueueID], outward direction: Direction, at cycle: Int, op: Int
    ) -> Stream? {
        let registers = slices.map { register(of: $0) * direction.sign }
        guard let near = registers.min(), let far = registers.max() else { return nil }
        return deliverPlane(
            use.value, Int(use.start), 0, to: far * direction.sign,
            at: cycle - (chip.edge - far) - chip.gatherLatency,
            streams: choice.order(streams([direction])), op: op, from: near * direction.sign)
    }

    /// `true` iff the rows and the address of a tile's source are made, as far as this template
    /// makes them.
    func isMade(_ source: ValueID) -> Bool {
        if isMadeHere(source) { return isWritten(source) }
        let gather = tileGathers[source.index]
        if let gather, !hasCopy(gather.address) { return false }
        let region = gather?.table.value ?? source
        if case .op = template.values[region.index].origin { return regionReady[region.index] > 0 }
        return true
    }

    func hasCopy(_ use: Use) -> Bool {
        if isImage(use.value) { return true }
        let (value, vector, _) = resolve(use.value, Int(use.start), 0)
        return !copies[vectorBase[value.index] + vector].isEmpty
    }
}
