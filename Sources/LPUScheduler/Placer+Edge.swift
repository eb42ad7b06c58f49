import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// Ops of a bundle that run at the edge: MXM and SXM.
extension Placer {
    func placeMatmul(
        _ k: Int, _ terms: [MatmulTerm], _ bundle: Bundle, _ attempt: inout Attempt
    ) -> Bool {
        let op = bundle.ops[k]
        let use = terms[terms.count - 1].activation
        let type = template.values[use.value.index].type
        let cycle = attempt.base + bundle.offsets[k]
        guard let plane = planeOf[op],
            canMultiply(plane, type: type, place: bundle.chip, at: cycle)
        else { return false }
        let edge = plane.hemisphere.sign * chip.edge
        guard
            let stream = atEdge(
                use, k, bundle, &attempt, register: edge, cycle: cycle,
                direction: plane.hemisphere.outward,
                groups: activationGroups(op, of: plane, type))
        else { return false }
        multiply(plane, activation: stream, type: type, place: bundle.chip, at: cycle, op: op)
        attempt.emissions[k] = [
            Emission(
                register: edge, cycle: cycle + chip.matmulLatency, byteCount: 4, reach: nil,
                stream: nil, direction: plane.hemisphere.inward)
        ]
        return true
    }

    /// `true` iff a later op of the bundle takes the value at that side's edge.
    func takesAtEdge(
        _ value: ValueID, _ side: Hemisphere, _ bundle: Bundle, after k: Int
    ) -> Bool {
        bundle.ops[(k + 1)...].contains { op in
            guard !template.ops[op].kind.isElementwise,
                template.ops[op].operands.contains(where: { $0.value == value })
            else { return false }
            return sideOf(op, in: bundle) == side
        }
    }

    /// An operand as it passes the edge register: from the bundle, or read for it.
    func atEdge(
        _ use: Use, _ k: Int, _ bundle: Bundle, _ attempt: inout Attempt, register: Int,
        cycle: Int, direction: Direction, groups: [Int]
    ) -> Stream? {
        if let p = bundle.ops[..<k].lastIndex(where: { template.ops[$0].result == use.value }) {
            guard template.ops[bundle.ops[p]].kind.isElementwise else {
                var emission = attempt.emissions[p][0]
                guard
                    extend(
                        &emission, to: register, groups: allGroups, on: tables[bundle.chip])
                else { return nil }
                attempt.emissions[p][0] = emission
                return emission.stream
            }
            return attempt.emissions[p].first { $0.direction == direction }?.stream
        }
        let vector = use.vector(attempt.iteration)
        if let known = attempt.deliveries.first(where: {
            $0.use == (use.value, vector) && $0.register == register && $0.cycle == cycle
        }) {
            return known.stream
        }
        if let stream = passing(use.value, vector, register: register, cycle: cycle) {
            return stream
        }
        let stream = deliver(
            use.value, vector, type: template.values[use.value.index].type, to: register,
            at: cycle, direction: direction, groups: groups, op: bundle.ops[k])
        if let stream {
            attempt.deliveries.append(
                Delivery(
                    use: (use.value, vector), register: register, cycle: cycle, stream: stream))
        }
        return stream
    }

    /// The side on which an op of the bundle runs: that of its set's plane, if there is one.
    func sideOf(_ op: Int, in bundle: Bundle) -> Hemisphere {
        if let plane = planeOf[op] { return plane.hemisphere }
        let set = bundle.edgeSets[bundleOf[op].place]
        let members = bundle.ops.indices.filter { bundle.edgeSets[$0] == set }.map {
            bundle.ops[$0]
        }
        for member in members {
            if let plane = planeOf[member] { return plane.hemisphere }
        }
        return members[0] % 2 == 0 ? .west : .east
    }

    func placeExchange(_ k: Int, _ bundle: Bundle, _ attempt: inout Attempt) -> Bool {
        let op = bundle.ops[k]
        let side = sideOf(op, in: bundle)
        let edge = side.sign * chip.edge
        let cycle = attempt.base + bundle.offsets[k]
        var inputs: [Stream] = []
        for use in template.ops[op].operands {
            guard
                let stream = atEdge(
                    use, k, bundle, &attempt, register: edge, cycle: cycle,
                    direction: side.outward, groups: allGroups)
            else { return false }
            inputs.append(stream)
        }
        let units = exchangeUnits(for: template.ops[op].kind, side: side)
        let free = choice.order(units).first { unit in
            tables[bundle.chip].isFree(unit, at: cycle)
                && !attempt.exchanges.contains { $0.queue == unit && $0.cycle == cycle }
        }
        guard let free, let latency = chip.edgeLatency(of: template.ops[op].kind) else {
            return false
        }
        attempt.exchanges.append((op, free, cycle, inputs))
        let feedsPlane = bundle.ops[(k + 1)...].contains {
            if case .matmul = template.ops[$0].kind {
                template.ops[$0].operands.contains { $0.value == template.ops[op].result }
            } else {
                false
            }
        }
        attempt.emissions[k] = [
            Emission(
                register: edge, cycle: cycle + latency,
                byteCount: template.values[template.ops[op].result.index].type.byteCount,
                reach: nil, stream: nil, direction: feedsPlane ? side.outward : side.inward)
        ]
        return true
    }
}
