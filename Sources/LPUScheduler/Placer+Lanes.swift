import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

extension Placer {
    /// Queues of the SXM units that can do it.
    func exchangeUnits(for kind: OpKind, side: Hemisphere) -> [QueueID] {
        switch kind {
        case .distribute:
            (0..<chip.distributors).map { chip.queue(of: .distributor(side, $0)) }
        case .permute: (0..<chip.permutors).map { chip.queue(of: .permutor(side, $0)) }
        case .shift, .rotate, .select:
            (0..<chip.shifters).map { chip.queue(of: .shifter(side, $0)) }
        case .transpose: (0..<chip.transposers).map { chip.queue(of: .transposer(side, $0)) }
        case .matmul, .elementwise, .gather, .scatter, .transfer, .ingress, .egress, .pack, .byte:
            []
        }
    }

    /// The instruction of an SXM op whose streams are chosen.
    func exchange(_ op: Int, inputs: [Stream], to: Stream) -> Instruction {
        let count = UInt8(
            template.values[template.ops[op].result.index].type.byteCount)
        switch template.ops[op].kind {
        case .distribute(let map, _):
            return .distribute(from: inputs[0], to: to, count: count, laneMap(map))
        case .permute(let map, _):
            return .permute(from: inputs[0], to: to, count: count, laneMap(map))
        case .shift(let by, _):
            return .shift(from: inputs[0], to: to, count: count, by: Int16(by))
        case .rotate(let by, _):
            // A whole turn is none: the instruction names less than a superlane.
            let turn = Int16(by % chip.lanesPerSuperlane)
            return .rotate(from: inputs[0], to: to, count: count, by: turn)
        case .select(_, _, let boundary):
            return .select(
                low: inputs[0], high: inputs[1], to: to, count: count, boundary: Int16(boundary))
        case .matmul, .elementwise, .transpose, .gather, .scatter, .transfer, .ingress, .egress,
            .pack, .byte:
            preconditionFailure("op\(op) is not an SXM op")
        }
    }

    /// Up to 16 vectors, each from a slice of its own, through a transposer a byte plane.
    func placeTranspose(_ bundle: Bundle) throws(Infeasibility) {
        let op = bundle.ops[0]
        let uses = template.ops[op].operands
        let result = template.ops[op].result
        let type = template.values[result.index].type
        for use in uses { try ensureImage(use.value, use.vector(0)) }
        for plane in 0..<type.byteCount {
            let start =
                uses.map {
                    earliestArrival($0.value, Int($0.start), type: type, at: 0) + chip.edge
                }.max() ?? 0
            _ = try firstCycle(from: start + choice.delay(), on: bundle.chip, op: op) {
                cycle throws(Infeasibility) in
                choice.order(Hemisphere.allCases).contains { side in
                    let mark = tables[bundle.chip].mark
                    let undo = scratchMark
                    if transpose(op, plane: plane, side: side, place: bundle.chip, at: cycle) {
                        return true
                    }
                    tables[bundle.chip].rollBack(to: mark)
                    rollBackScratch(to: undo)
                    return false
                }
            }
            scratchLog.removeAll(keepingCapacity: true)
        }
    }

    private func transpose(
        _ op: Int, plane: Int, side: Hemisphere, place: Int, at cycle: Int
    ) -> Bool {
        let uses = template.ops[op].operands
        let result = template.ops[op].result
        let edge = side.sign * chip.edge
        let count = template.values[result.index].count
        let table = tables[place]
        guard
            let unit = exchangeUnits(for: template.ops[op].kind, side: side).first(where: {
                table.isFree($0, at: cycle)
            })
        else { return false }
        let half = chip.transposerStreams
        let bases = stride(from: 0, to: chip.streamsPerDirection, by: half).map { $0 }
        for base in choice.order(bases) {
            let mark = table.mark
            let read = uses.enumerated().allSatisfy { i, use in
                deliverPlane(
                    use.value, Int(use.start), plane, to: edge, at: cycle,
                    streams: [Stream(side.outward, base + i)], op: op) != nil
            }
            guard read else {
                table.rollBack(to: mark)
                continue
            }
            for out in choice.order(bases) {
                let inner = table.mark
                let undo = scratchMark
                let written = (0..<count).allSatisfy { j in
                    writePlane(
                        result, j, plane, from: edge, at: cycle + chip.transposeLatency,
                        streams: [Stream(side.inward, out + j)], op: op) != nil
                }
                if written {
                    table.issue(
                        .transpose(
                            from: Stream(side.outward, base), inputs: UInt8(uses.count),
                            to: Stream(side.inward, out), outputs: UInt8(count)),
                        on: unit, at: cycle, op: OpID(op))
                    return true
                }
                table.rollBack(to: inner)
                rollBackScratch(to: undo)
            }
            table.rollBack(to: mark)
        }
        return false
    }
}
