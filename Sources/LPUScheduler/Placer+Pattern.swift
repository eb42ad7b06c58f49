import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSupport

/// One attempt to place an iteration of a bundle at a base cycle.
struct Attempt {
    var base: Int
    var iteration: Int
    /// Per op of the bundle: the ALU that fired it, and what left the unit.
    var alus: [Int]
    var emissions: [[Emission]]
    var deliveries: [Delivery] = []
    /// SXM units that ops of this attempt hold, and when.
    var exchanges: [(op: Int, queue: QueueID, cycle: Int, inputs: [Stream])] = []
}

extension Placer {
    /// Places one iteration of a bundle of matmuls, VXM and SXM ops.
    func placePattern(_ b: Int, iteration i: Int) throws(Infeasibility) {
        let bundle = bundles[b]
        for op in bundle.ops {
            for use in outerOperands(op, in: bundle) {
                try ensureImage(use.value, use.vector(i))
                if template.ops[op].kind.isElementwise { try bringTogether(use, i, op: op) }
            }
        }
        // Operands that rest in one slice cannot be read together: they are copied.
        if collides(bundle, iteration: i) { try copyOperands(of: bundle, iteration: i) }
        let base: Int
        do throws(Infeasibility) {
            base = try placedCycle(b, iteration: i)
        } catch {
            try copyOperands(of: bundle, iteration: i)
            base = try placedCycle(b, iteration: i)
        }
        for (k, op) in bundle.ops.enumerated() {
            guard case .matmul(let terms) = template.ops[op].kind, let plane = planeOf[op] else {
                continue
            }
            noteMatmul(
                plane, type: template.values[terms[0].activation.value.index].type,
                row: accumulatorRow(op, iteration: i), place: bundle.chip,
                at: base + bundle.offsets[k])
        }
        tables[bundle.chip].commit()
        scratchLog.removeAll(keepingCapacity: true)
    }

    private func copyOperands(of bundle: Bundle, iteration i: Int) throws(Infeasibility) {
        for op in bundle.ops {
            for use in outerOperands(op, in: bundle) { try copyAcross(use, i, op: op) }
        }
    }

    /// `true` iff operands that ALUs read in one cycle rest in one slice and nowhere else.
    private func collides(_ bundle: Bundle, iteration i: Int) -> Bool {
        var reads: [(offset: Int, vector: Int, slice: QueueID)] = []
        for (k, op) in bundle.ops.enumerated() where template.ops[op].kind.isElementwise {
            for use in outerOperands(op, in: bundle) {
                for plane in 0..<template.values[use.value.index].type.byteCount {
                    let (value, vector, p) = resolve(use.value, use.vector(i), plane)
                    let slot = vectorBase[value.index] + vector
                    guard copies[slot].count == 1 else { continue }
                    let slice = copies[slot][0].planes[p].slice
                    let isShared = reads.contains {
                        $0.offset == bundle.offsets[k] && $0.slice == slice && $0.vector != slot
                    }
                    if isShared { return true }
                    reads.append((bundle.offsets[k], slot, slice))
                }
            }
        }
        return false
    }

    /// The base cycle at which the iteration fits, with everything reserved.
    private func placedCycle(_ b: Int, iteration i: Int) throws(Infeasibility) -> Int {
        let bundle = bundles[b]
        var earliest = 0
        for (k, op) in bundle.ops.enumerated() {
            for use in outerOperands(op, in: bundle) {
                let type = template.values[use.value.index].type
                let isALU = template.ops[op].kind.isElementwise
                let arrival =
                    earliestArrival(use.value, use.vector(i), type: type, at: 0)
                    + (isALU ? chip.vxmEntryLatency : 0)
                earliest = max(earliest, arrival - bundle.offsets[k])
            }
            if let plane = planeOf[op], case .matmul = template.ops[op].kind {
                let ready = max(
                    planes[bundle.chip][planeIndex(plane)].lastInstall,
                    rowReady(
                        accumulatorRow(op, iteration: i), of: plane, place: bundle.chip))
                earliest = max(earliest, ready - bundle.offsets[k])
            }
        }
        earliest = max(earliest + choice.delay(), searchStart(of: bundle, iteration: i))
        lastBase = try firstCycle(from: earliest, on: bundle.chip, op: bundle.ops[0]) {
            cycle throws(Infeasibility) in attempt(b, iteration: i, base: cycle)
        }
        return lastBase
    }

    /// Of many iterations each finds its place near the last one: what lies before is full.
    private func searchStart(of bundle: Bundle, iteration i: Int) -> Int {
        let few = chip.weightStreamsPerPlane
        return i > 0 && bundle.count > few ? lastBase - 2 * few : 0
    }

    /// Operands that the bundle itself does not make (of a matmul: of its last term).
    func outerOperands(_ op: Int, in bundle: Bundle) -> [Use] {
        var uses = template.ops[op].operands
        if case .matmul = template.ops[op].kind { uses = [uses[uses.count - 1]] }
        return uses.filter { use in
            !bundle.ops.contains { template.ops[$0].result == use.value && $0 != op }
        }
    }

    private func attempt(_ b: Int, iteration i: Int, base: Int) -> Bool {
        let bundle = bundles[b]
        var attempt = Attempt(
            base: base, iteration: i, alus: Array(repeating: -1, count: bundle.ops.count),
            emissions: Array(repeating: [], count: bundle.ops.count))
        for k in bundle.ops.indices {
            let kind = template.ops[bundle.ops[k]].kind
            let placed =
                switch kind {
                case .elementwise: placeALU(k, bundle, b, &attempt)
                case .matmul(let terms): placeMatmul(k, terms, bundle, &attempt)
                case .distribute, .permute, .shift, .rotate, .select:
                    placeExchange(k, bundle, &attempt)
                case .transpose, .gather, .scatter, .transfer, .ingress, .egress, .pack, .byte:
                    false
                }
            guard placed else { return false }
        }
        guard finish(bundle, b, &attempt) else { return false }
        for delivery in attempt.deliveries where delivery.register != 0 { notePassing(delivery) }
        return true
    }

    /// Writes what rests and issues the instructions whose streams are known only now.
    private func finish(_ bundle: Bundle, _ b: Int, _ attempt: inout Attempt) -> Bool {
        for (k, op) in bundle.ops.enumerated() {
            let kind = template.ops[op].kind
            let result = template.ops[op].result
            if !kind.isElementwise {
                var emission = attempt.emissions[k][0]
                if rests(result, in: b) || emission.stream == nil {
                    guard
                        write(
                            &emission, as: result, attempt.iteration, groups: allGroups, op: op)
                    else { return false }
                }
                attempt.emissions[k][0] = emission
            }
            let cycle = attempt.base + bundle.offsets[k]
            switch kind {
            case .matmul(let terms):
                guard let plane = planeOf[op] else { return false }
                accumulate(
                    plane, row: accumulatorRow(op, iteration: attempt.iteration),
                    add: terms.count > 1,
                    emit: attempt.emissions[k][0].stream, place: bundle.chip, matmul: cycle,
                    op: op)
            case .distribute, .permute, .shift, .rotate, .select:
                guard let held = attempt.exchanges.first(where: { $0.op == op }),
                    let to = attempt.emissions[k][0].stream
                else { return false }
                tables[bundle.chip].issue(
                    exchange(op, inputs: held.inputs, to: to), on: held.queue, at: cycle,
                    op: OpID(op))
            case .elementwise, .transpose, .gather, .scatter, .transfer, .ingress, .egress,
                .pack, .byte:
                break
            }
        }
        return true
    }

    // MARK: VXM

    private func placeALU(
        _ k: Int, _ bundle: Bundle, _ b: Int, _ attempt: inout Attempt
    ) -> Bool {
        let op = bundle.ops[k]
        guard case .elementwise(let operation, _, _) = template.ops[op].kind else { return false }
        let fire = attempt.base + bundle.offsets[k]
        let table = tables[bundle.chip]
        // Most cycles fail by this, on every ALU; a draw counts its failures.
        if choice.isList && !canRead(k, bundle, attempt, fire: fire) { return false }
        let alus = operation.needsLargeALU ? largeALUs : rankedALUs
        for row in choice.order(Array(chip.aluRowGroups.indices)) {
            guard
                let alu = choice.order(alus[row]).first(where: {
                    table.isFree(chip.queue(of: .alu($0)), at: fire)
                })
            else { continue }
            let mark = table.mark
            let undo = scratchMark
            let saved = attempt
            if fireALU(alu, k, bundle, b, operation, &attempt, groups: chip.aluRowGroups[row]) {
                return true
            }
            attempt = saved
            table.rollBack(to: mark)
            rollBackScratch(to: undo)
        }
        return false
    }

    private func fireALU(
        _ alu: Int, _ k: Int, _ bundle: Bundle, _ b: Int, _ operation: ALUOperation,
        _ attempt: inout Attempt, groups: [Int]
    ) -> Bool {
        let op = bundle.ops[k]
        guard case .elementwise(_, let first, let second) = template.ops[op].kind else {
            return false
        }
        let fire = attempt.base + bundle.offsets[k]
        var operands: [ALUOperand?] = []
        var uses: [(use: Use, position: Int, operand: Int, sides: Int)] = []
        for operand in [first, second].compactMap(\.self) {
            switch operand {
            case .immediate(let bits): operands.append(.immediate(bits))
            case .use(let use):
                let sides =
                    maker(of: use.value, before: k, in: bundle) == nil
                    ? sides(of: use.value, use.vector(attempt.iteration)).count : 0
                uses.append((use, uses.count, operands.count, sides))
                operands.append(nil)
            }
        }
        // First what rests on one side only: of the other another copy may do.
        if uses.count > 1, uses[1].sides < uses[0].sides { uses.swapAt(0, 1) }
        for (use, position, operand, _) in uses {
            // One group must not enter an ALU from both directions.
            let taken = operands.compactMap { operand -> Stream? in
                if case .stream(let stream, _)? = operand { stream } else { nil }
            }
            guard
                let found = operandOf(
                    use, position: position, k, bundle, &attempt, fire: fire, groups: groups,
                    beside: taken)
            else { return false }
            operands[operand] = found
        }
        attempt.alus[k] = alu
        guard let outputs = emitALU(k, bundle, b, operation, &attempt, groups: groups) else {
            return false
        }
        tables[bundle.chip].issue(
            .alu(
                operation, operands[0]!, operands.count > 1 ? operands[1] : nil,
                east: outputs.east, west: outputs.west),
            on: chip.queue(of: .alu(alu)), at: fire, op: OpID(op))
        return true
    }

    private func operandOf(
        _ use: Use, position: Int, _ k: Int, _ bundle: Bundle, _ attempt: inout Attempt,
        fire: Int, groups: [Int], beside: [Stream]
    ) -> ALUOperand? {
        let place = bundle.chip
        let type = template.values[use.value.index].type
        let arrival = fire - chip.vxmEntryLatency
        if let p = maker(of: use.value, before: k, in: bundle) {
            if template.ops[bundle.ops[p]].kind.isElementwise {
                return chained(from: p, moves: bundle.copies[k][position], bundle, attempt)
            }
            var emission = attempt.emissions[p][0]
            let allowed = permitted(groups, emission.direction, beside: beside)
            guard extend(&emission, to: 0, groups: allowed, on: tables[place]) else { return nil }
            attempt.emissions[p][0] = emission
            return .stream(emission.stream!, type)
        }
        let vector = use.vector(attempt.iteration)
        if let known = attempt.deliveries.first(where: {
            $0.use == (use.value, vector) && $0.register == 0 && $0.cycle == arrival
        }),
            permitted(groups, known.stream.direction, beside: beside)
                .contains(known.stream.id / chip.streamsPerGroup)
        {
            return .stream(known.stream, type)
        }
        for side in sides(of: use.value, vector) {
            let allowed = permitted(groups, side.inward, beside: beside)
            if let stream = deliver(
                use.value, vector, type: type, to: 0, at: arrival, direction: side.inward,
                groups: allowed, op: bundle.ops[k])
            {
                attempt.deliveries.append(
                    Delivery(
                        use: (use.value, vector), register: 0, cycle: arrival, stream: stream))
                return .stream(stream, type)
            }
        }
        return nil
    }

    /// Groups through which a further operand may enter from `direction`.
    private func permitted(_ groups: [Int], _ direction: Direction, beside: [Stream]) -> [Int] {
        groups.filter { group in
            !beside.contains {
                $0.direction != direction && $0.id / chip.streamsPerGroup == group
            }
        }
    }

    /// The ALU that hands over op `p`'s result after so many delay moves.
    private func chained(
        from p: Int, moves: Int, _ bundle: Bundle, _ attempt: Attempt
    ) -> ALUOperand? {
        var alu = attempt.alus[p]
        let fired = attempt.base + bundle.offsets[p]
        for m in 0..<moves {
            let cycle = fired + (m + 1) * chip.aluLatency
            let free = choice.order(Array(0..<chip.aluCount)).last {
                tables[bundle.chip].isFree(chip.queue(of: .alu($0)), at: cycle)
            }
            guard let free else { return nil }
            tables[bundle.chip].issue(
                .alu(.copy, .alu(UInt8(alu)), nil, east: nil, west: nil),
                on: chip.queue(of: .alu(free)), at: cycle, op: OpID(bundle.ops[p]))
            alu = free
        }
        return .alu(UInt8(alu))
    }

    /// Sends the result to the edges that take it in this bundle and to scratch if it rests.
    private func emitALU(
        _ k: Int, _ bundle: Bundle, _ b: Int, _ operation: ALUOperation,
        _ attempt: inout Attempt, groups: [Int]
    ) -> (east: Stream?, west: Stream?)? {
        let op = bundle.ops[k]
        let result = template.ops[op].result
        let cycle = attempt.base + bundle.offsets[k] + chip.aluResultLatency
        let byteCount = template.values[result.index].type.byteCount
        func fresh(_ side: Hemisphere) -> Emission {
            Emission(
                register: side.sign, cycle: cycle + 1, byteCount: byteCount, reach: nil,
                stream: nil, direction: side.outward)
        }
        var out: [Emission] = []
        for side in Hemisphere.allCases where takesAtEdge(result, side, bundle, after: k) {
            var emission = fresh(side)
            guard
                extend(
                    &emission, to: side.sign * chip.edge, groups: groups, on: tables[bundle.chip])
            else { return nil }
            out.append(emission)
        }
        if rests(result, in: b) {
            let isPinned = pins[vectorBase[result.index] + attempt.iteration] != nil
            let isCrowded = isCrowded(result, attempt.iteration, planes: byteCount)
            let isAlone = isPinned || isPiece(result)
            // On both sides, so that one copy can be read beside any co-operand; what many sums
            // take where that is possible, so that a slice that is busy holds none of them up.
            let needed = isCrowded && !isAlone ? 2 : 1
            let wanted = !isAlone && isTakenByMany[result.index] ? 2 : needed
            var written = 0
            for e in out.indices where written < wanted {
                if write(&out[e], as: result, attempt.iteration, groups: groups, op: op) {
                    written += 1
                }
            }
            for side in preferredSides(result, attempt.iteration)
            where written < wanted && !out.contains(where: { $0.direction == side.outward }) {
                var emission = fresh(side)
                if write(&emission, as: result, attempt.iteration, groups: groups, op: op) {
                    out.append(emission)
                    written += 1
                }
            }
            guard written >= needed else { return nil }
        }
        attempt.emissions[k] = out
        return (
            out.first { $0.direction == .east }?.stream, out.first { $0.direction == .west }?.stream
        )
    }

    /// The side to write a result to first: they take turns.
    private func preferredSides(_ value: ValueID, _ vector: Int) -> [Hemisphere] {
        let isWest = (turn(of: value, vector) ?? rotor) % 2 == 0
        return isPiece(value) ? [.west] : choice.order(isWest ? [.west, .east] : [.east, .west])
    }
}
