import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// What each instruction consumes, and the term of what it makes.
extension ChipRun {
    /// One issue of a burst, now. `inbox` is what arrived over the links.
    func issue(_ burst: UnsafeMutablePointer<RunningBurst>, _ inbox: [[Arrival]]) {
        let t = burst.pointee.next
        let queue = burst.pointee.queue
        switch burst.pointee.instruction {
        case .memory(let read, let write): memory(burst, read, write, t)
        case .alu(_, let a, let b, let east, let west): alu(burst, a, b, east, west, t)
        case .loadWeights(let column, let tandem):
            loadWeights(queue, Int(column) + burst.pointee.offset, tandem, t)
        case .install(let tandem): install(queue, tandem, t)
        case .matmul(let activation, let type): matmul(queue, activation, type, t)
        case .accumulate(let row, let add, let emit):
            accumulate(burst, Int(row) + burst.pointee.offset, add, emit, t)
        case .distribute(let from, let to, let count, _):
            lanes(burst, from, to, Int(count), chip.distributeLatency, t)
        case .permute(let from, let to, let count, _):
            lanes(burst, from, to, Int(count), chip.permuteLatency, t)
        case .shift(let from, let to, let count, _):
            lanes(burst, from, to, Int(count), chip.shiftLatency, t)
        case .rotate(let from, let to, let count, _):
            lanes(burst, from, to, Int(count), chip.rotateLatency, t)
        case .select(let low, let high, let to, let count, let boundary):
            select(burst, low, high, to, Int(count), Int32(boundary), t)
        case .transpose(let from, let inputs, let to, let outputs):
            transpose(burst, from, Int(inputs), to, Int(outputs), t)
        case .send(let stream):
            let term = sampleOne(stream, queue, t, "a send")
            sent.append((places[queue].index, Arrival(cycle: t, term: term)))
        case .receive(let stream): receive(burst, stream, inbox, t)
        case .ingress(let stream): ingress(burst, stream, t)
        case .egress(let stream): egress(burst, stream, t)
        }
    }

    // MARK: SXM

    /// A remap of lanes: of each plane on its own, so that planes may go separately.
    private func lanes(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ from: Stream, _ to: Stream, _ count: Int,
        _ latency: Int, _ t: Int
    ) {
        let queue = burst.pointee.queue
        guard let inputs = sample(from, count: count, queue, t, "a lane map") else {
            return emit(Array(repeating: .reported, count: count), to, queue, t + latency)
        }
        let code = burst.pointee.code
        let results = inputs.map { input in
            planeResult(burst, .lanes, code, input, .none, t, moves: code == 0)
        }
        emit(results, to, queue, t + latency)
    }

    private func select(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ low: Stream, _ high: Stream, _ to: Stream,
        _ count: Int, _ boundary: Int32, _ t: Int
    ) {
        let queue = burst.pointee.queue
        let at = t + chip.selectLatency
        guard let lows = sample(low, count: count, queue, t, "a select"),
            let highs = sample(high, count: count, queue, t, "a select")
        else { return emit(Array(repeating: .reported, count: count), to, queue, at) }
        let results = zip(lows, highs).map { low, high in
            planeResult(burst, .select, boundary, low, high, t, moves: false)
        }
        emit(results, to, queue, at)
    }

    /// The term that an op of one or two operands makes of one byte plane.
    private func planeResult(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ kind: OpRecord.Kind, _ code: Int32,
        _ first: Term, _ second: Term, _ t: Int, moves: Bool
    ) -> Term {
        let queue = burst.pointee.queue
        if first == .reported || second == .reported { return .reported }
        let hint = burst.pointee.match.op
        guard
            let (match, plane) = program.planewise(
                kind, code, first, second, chip: id.index, hint: hint,
                instance: burst.pointee.instance)
        else {
            if moves { return first }
            report(.provenance, queue, t, program.complaint(kind, hint, [first, second]))
            return .reported
        }
        burst.pointee.match = match
        mark(match, planes: 1 << plane, burst, t)
        return program.term(Int(program.ops[match.op].result), match.iteration, plane)
    }

    private func transpose(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ from: Stream, _ inputs: Int, _ to: Stream,
        _ outputs: Int, _ t: Int
    ) {
        let queue = burst.pointee.queue
        let at = t + chip.transposeLatency
        let failed = Array(repeating: Term.reported, count: outputs)
        guard let terms = sample(from, count: inputs, queue, t, "a transpose"),
            !terms.contains(.reported)
        else { return emit(failed, to, queue, at) }
        let hint = burst.pointee.match.op
        guard
            let (op, plane) = program.transpose(
                terms, chip: id.index, hint: hint, instance: burst.pointee.instance)
        else {
            report(.provenance, queue, t, program.complaint(.transpose, hint, terms))
            return emit(failed, to, queue, at)
        }
        let record = program.ops[op]
        let results = (0..<outputs).map { j -> Term in
            guard j < Int(record.count) else { return .foreign }
            mark(Match(op: op, iteration: j), planes: 1 << plane, burst, t)
            return program.term(Int(record.result), j, plane)
        }
        emit(results, to, queue, at)
    }

    /// Terms on aligned streams from `stream` on.
    func emit(_ terms: [Term], _ stream: Stream, _ queue: Int, _ t: Int) {
        for (k, term) in terms.enumerated() where stream.id + k < chip.streamsPerDirection {
            produce(term, stream.advanced(by: k), places[queue].register, at: t)
        }
    }

    // MARK: Links and host port

    /// The k-th `receive` of a link takes the k-th vector that its peer sent.
    private func receive(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ stream: Stream, _ inbox: [[Arrival]],
        _ t: Int
    ) {
        let queue = burst.pointee.queue
        let link = places[queue].index
        let number = received[link]
        received[link] += 1
        guard number < inbox[link].count, inbox[link][number].cycle <= t else {
            let arrival = number < inbox[link].count ? "@\(inbox[link][number].cycle)" : "later"
            report(
                .operandTiming, queue, t,
                "receive number \(number) takes a vector that arrives \(arrival), "
                    + "finds nothing in the FIFO")
            return produce(
                .reported, stream, places[queue].register, at: t + chip.receiveLatency)
        }
        let term = inbox[link][number].term
        markTransfers(term)
        produce(term, stream, places[queue].register, at: t + chip.receiveLatency)
    }

    /// All transfers of the program that bring this vector to this chip are done by its arrival.
    private func markTransfers(_ term: Term) {
        guard term.isOfProgram else { return }
        let key = SymbolicProgram.searchKey(
            .transfer, 0, program.family(term), 0, chip: id.index)
        var node = transfers.first(key)
        while let candidate = node {
            let op = Int(candidate.op)
            node = transfers.after(candidate)
            let record = program.ops[op]
            guard record.kind == .transfer, Int(record.chip) == id.index else { continue }
            for plane in 0..<program.types[Int(record.a.value)].byteCount {
                let count = Int(record.count)
                guard let i = program.iteration(record.a, term, plane, count: count) else {
                    continue
                }
                for iteration in i < 0 ? 0..<count : i..<i + 1 {
                    _ = coverage.mark(op, iteration, planes: 1 << plane)
                }
            }
        }
    }

    private func ingress(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ stream: Stream, _ t: Int
    ) {
        let queue = burst.pointee.queue
        var term = Term.reported
        if let (op, iteration, plane) = next(&hostIn) {
            mark(Match(op: op, iteration: iteration), planes: 1 << plane, burst, t)
            term = program.term(Int(program.ops[op].result), iteration, plane)
        } else {
            report(.coverage, queue, t, "the program has no further ingress on this chip")
        }
        emit([term], stream, queue, t + chip.ingressLatency)
    }

    private func egress(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ stream: Stream, _ t: Int
    ) {
        let queue = burst.pointee.queue
        let term = sampleOne(stream, queue, t, "an egress")
        guard let (op, iteration, plane) = next(&hostOut) else {
            return report(
                .coverage, queue, t, "the program has no further egress on this chip")
        }
        guard term != .reported else { return }
        let wanted = program.term(program.ops[op].a, iteration, plane)
        guard term == wanted else {
            return report(
                .provenance, queue, t,
                "\(program.opName(op)) wants \(program.text(wanted)), finds \(program.text(term))")
        }
        mark(Match(op: op, iteration: iteration), planes: 1 << plane, burst, t)
    }

    /// Op, iteration and plane that the host port passes next; planes of a vector in order.
    private func next(_ cursor: inout HostCursor) -> (Int, Int, Int)? {
        while cursor.op < cursor.ops.count {
            let op = cursor.ops[cursor.op]
            if cursor.iteration < Int(program.ops[op].count) {
                defer {
                    cursor.plane += 1
                    if cursor.plane == program.types[Int(program.ops[op].result)].byteCount {
                        cursor.plane = 0
                        cursor.iteration += 1
                    }
                }
                return (op, cursor.iteration, cursor.plane)
            }
            cursor.op += 1
            cursor.iteration = 0
        }
        return nil
    }
}
