import CNumerics
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// MEM slices and the VXM.
extension ChipRun {
    /// An issue of a plain read, and those after it that can be done now, with the rows of later
    /// cycles; returns how many.
    ///
    /// In a lawful schedule the burst holds its slice, so that no write comes between if none is
    /// under way; and no two reads meet on a stream, so that their order is of no meaning.
    @inline(__always)
    func read(_ burst: UnsafeMutablePointer<RunningBurst>, _ t: Int) -> Int32 {
        let row = burst.pointee.row + burst.pointee.offset
        let (mask, width) = (ringMask, self.width)
        let latency = chip.readLatency
        let (skew, lane) = (Int(burst.pointee.skew) - latency, Int(burst.pointee.lane))
        func place(_ arrival: Int) -> Int { ((arrival + skew) & mask) * width + lane }
        let left = burst.pointee.inner.count - burst.pointee.i
        guard left > 1, expansion.isLawful, landings[burst.pointee.queue] <= t, rows[row] != .none
        else {
            access?.noteRead(row)
            var term = rows[row]
            if term == .none { term = emptyRow(burst, t) }
            reads.push(place(t + latency), term, at: t + latency)
            return 1
        }
        let (distance, step) = (burst.pointee.inner.distance, Int(burst.pointee.inner.step))
        let rows = rows + row
        // What finds nothing is reported when it is read.
        var count = 1
        if distance == 1 && readsLate {
            let most = Int(min(left, RowReaders.longest))
            while count < most, rows[count * step] != .none { count += 1 }
            readers.append(
                RowReaders.Reader(
                    row: rows, step: step, start: t + latency, left: Int32(count),
                    skew: Int32(skew), lane: Int32(lane)))
        } else {
            let most = min(left, 1 + Int32(ChipRun.cyclesAhead) / distance)
            count = reads.push(
                Int(most), from: t + latency, distance: Int(distance), { rows[$0 * step] },
                to: place)
        }
        if let access { for i in 0..<count { access.noteRead(row + i * step) } }
        return Int32(count)
    }

    /// Has the rows that a plain read takes next on their way to the cache.
    @inline(__always)
    func fetchRows(_ burst: UnsafeMutablePointer<RunningBurst>) {
        let row = rows + (burst.pointee.row + burst.pointee.offset)
        fetchAhead(row)
        let left = burst.pointee.inner.count - burst.pointee.i
        let step = Int(burst.pointee.inner.step)
        for issue in stride(from: 8, to: Int(min(left, RowReaders.longest)), by: 8) {
            fetchAhead(row + issue * step)
        }
    }

    /// Does a burst that is a single plain read, now; `false` if it is none or finds nothing.
    @inline(__always)
    func readOnce(_ burst: Burst, _ placement: PlacedInstance, _ t: Int) -> Bool {
        guard burst.inner.count == 1, burst.outer.count == 1,
            case .memory(.read(let address, let stream), .none) = burst.instruction,
            stream.id < chip.streamsPerDirection,
            let place = expansion.resolve(address, placement.slots),
            let row = row(burst.queue.index, place, 0, 1), rows[row] != .none
        else { return false }
        access?.noteRead(row)
        let arrival = t + chip.readLatency
        reads.push(
            slot(stream, places[burst.queue.index].register, arrival), rows[row], at: arrival)
        return true
    }

    /// A read of a row that nothing wrote.
    private func emptyRow(_ burst: UnsafeMutablePointer<RunningBurst>, _ t: Int) -> Term {
        guard case .memory(.read(let address, _), _) = burst.pointee.instruction else {
            return .reported
        }
        report(
            .operandTiming, burst.pointee.queue, t,
            "a read of b\(address.bank) row \(Int(address.row) + burst.pointee.offset) "
                + "finds a row that nothing wrote")
        return .reported
    }

    /// Looks up once what each issue of a burst that only reads needs.
    func prepare(_ burst: UnsafeMutablePointer<RunningBurst>) {
        guard case .memory(.read(let address, let stream), .none) = burst.pointee.instruction,
            stream.id < chip.streamsPerDirection
        else { return }
        func span(_ level: Repeat) -> Int { (Int(level.count) - 1) * Int(level.step) }
        let (a, b) = (span(burst.pointee.inner), span(burst.pointee.outer))
        let queue = burst.pointee.queue
        guard let first = row(queue, address, 0, 1),
            row(queue, address, min(a, 0) + min(b, 0), 1) != nil,
            row(queue, address, max(a, 0) + max(b, 0), 1) != nil
        else { return }
        burst.pointee.isPlainRead = true
        burst.pointee.row = first
        burst.pointee.skew = Int32(
            chip.readLatency - stream.direction.sign * places[queue].register)
        burst.pointee.lane = Int32(
            Int(stream.direction.rawValue) * chip.streamsPerDirection + stream.id)
    }

    func memory(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ read: MemoryRead, _ write: MemoryWrite,
        _ t: Int
    ) {
        let queue = burst.pointee.queue
        let register = places[queue].register
        switch read {
        case .none: break
        case .read(let address, let stream):
            var term = Term.none
            if let row = row(queue, address, burst.pointee.offset, 1) {
                access?.noteRead(row)
                term = rows[row]
            }
            if term == .none { term = emptyRow(burst, t) }
            produce(term, stream, register, at: t + chip.readLatency)
        case .gather(let window, let count, let address, let stream):
            let term = gather(burst, window, Int(count) - span(burst), address, t)
            produce(term, stream, register, at: t + chip.gatherLatency)
        }
        switch write {
        case .none: break
        case .write(let address, let stream):
            let term = sampleOne(stream, queue, t, "a write")
            if let row = row(queue, address, burst.pointee.offset, 1) {
                writes.push(row, term, at: t + chip.writeToRead)
                landings[queue] = t + chip.writeToRead
            }
        case .scatter(let window, let count, let address, let stream):
            scatter(burst, window, Int(count) - span(burst), address, stream, t)
        }
    }

    /// Place of `count` rows from the address on; nil if they are not all in the bank.
    @inline(__always)
    private func row(_ queue: Int, _ address: RowAddress, _ offset: Int, _ count: Int) -> Int? {
        let row = Int(address.row) + offset
        guard row >= 0, count >= 1, row + count <= chip.rowsPerBank,
            Int(address.bank) < chip.banksPerSlice
        else { return nil }
        return places[queue].index + Int(address.bank) * chip.rowsPerBank + row
    }

    /// Rows that the Repeats step over: a window has them beyond the rows that its address names.
    private func span(_ burst: UnsafeMutablePointer<RunningBurst>) -> Int {
        let steps = [burst.pointee.inner, burst.pointee.outer].map {
            (Int($0.count) - 1) * Int($0.step)
        }
        // Steps back would leave the window before the address does.
        return steps.allSatisfy { $0 >= 0 } ? steps[0] + steps[1] : chip.rowsPerBank
    }

    /// The offsets of a gather or scatter: sampled at the first issue, kept for the Repeats.
    private func address(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ stream: Stream, _ t: Int
    ) -> Term {
        if burst.pointee.i == 0 && burst.pointee.j == 0 {
            burst.pointee.address = sampleOne(stream, burst.pointee.queue, t, "an address")
        }
        return burst.pointee.address
    }

    private func gather(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ window: RowAddress, _ count: Int,
        _ stream: Stream, _ t: Int
    ) -> Term {
        let queue = burst.pointee.queue
        let address = address(burst, stream, t)
        guard let base = row(queue, window, burst.pointee.offset, count) else {
            report(
                .operandTiming, queue, t,
                "the window of a gather leaves its bank, or steps leave it")
            return .reported
        }
        if let access { for k in 0..<count { access.noteRead(base + k) } }
        let terms = UnsafeBufferPointer(start: rows + base, count: count)
        let isWhole = !terms.contains { $0 == .none || $0 == .reported }
        if !isWhole, let empty = terms.firstIndex(of: .none) {
            report(
                .operandTiming, queue, t,
                "row \(empty) of the window of a gather was never written")
            return .reported
        }
        if address == .reported || !isWhole { return .reported }
        let hint = burst.pointee.match.op
        guard
            let (match, plane) = program.gather(
                terms, address, chip: id.index, hint: hint, instance: burst.pointee.instance)
        else {
            report(
                .provenance, queue, t, program.complaint(.gather, hint, [terms[0], address]))
            return .reported
        }
        burst.pointee.match = match
        mark(match, planes: 1 << plane, burst, t)
        return program.term(Int(program.ops[match.op].result), match.iteration, plane)
    }

    private func scatter(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ window: RowAddress, _ count: Int,
        _ addressStream: Stream, _ stream: Stream, _ t: Int
    ) {
        let queue = burst.pointee.queue
        let address = address(burst, addressStream, t)
        let data = sampleOne(stream, queue, t, "a scatter")
        landings[queue] = t + chip.writeToRead
        guard let base = row(queue, window, burst.pointee.offset, count) else {
            return report(
                .operandTiming, queue, t,
                "the window of a scatter leaves its bank, or steps leave it")
        }
        func spoil() {
            for k in 0..<count { writes.push(base + k, .reported, at: t + chip.writeToRead) }
        }
        if let access { for k in 0..<count { access.noteRead(base + k) } }
        let terms = UnsafeBufferPointer(start: rows + base, count: count)
        let hint = burst.pointee.match.op
        // No op takes what is wrong, which is looked for only then.
        guard
            let (match, plane) = program.scatter(
                terms, address, data, chip: id.index, hint: hint, instance: burst.pointee.instance)
        else {
            if let empty = terms.firstIndex(of: .none) {
                report(
                    .operandTiming, queue, t,
                    "row \(empty) of the window of a scatter was never written")
            } else if address != .reported, data != .reported, !terms.contains(.reported) {
                report(
                    .provenance, queue, t,
                    program.complaint(.scatter, hint, [terms[0], address, data]))
            }
            return spoil()
        }
        burst.pointee.match = match
        mark(match, planes: 1 << plane, burst, t)
        program.forEachVersion(program.ops[match.op], after: match.iteration, plane) {
            writes.push(base + $1, $0, count: $2, at: t + chip.writeToRead)
        }
    }

    // MARK: VXM

    func alu(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ a: ALUOperand, _ b: ALUOperand?,
        _ east: Stream?, _ west: Stream?, _ t: Int
    ) {
        let queue = burst.pointee.queue
        let first = word(burst, a, t)
        let second = b.map { word(burst, $0, t) } ?? .none
        var result = Term.reported
        if first != .reported && second != .reported {
            let code = burst.pointee.code
            let match =
                code == program.copyCode && !program.hasCopies
                ? nil
                : program.elementwise(
                    code, first, second, chip: id.index, hint: burst.pointee.match,
                    instance: burst.pointee.instance)
            if let match {
                burst.pointee.match = Match(op: match.op, iteration: match.iteration + 1)
                mark(match, planes: 1, burst, t)
                result = program.term(
                    Int(program.ops[match.op].result), match.iteration, SymbolicProgram.word)
            } else if code == program.copyCode && first.isOfProgram {
                result = first
            } else {
                report(
                    .provenance, queue, t,
                    program.complaint(
                        .elementwise, burst.pointee.match.op, [first, second],
                        iteration: burst.pointee.match.iteration))
            }
        }
        let place = places[queue].index * (aluMask + 1) + (t & aluMask)
        aluTerms[place] = result
        aluCycles[place] = t
        let bytes = program.resultBytes[Int(burst.pointee.code)]
        for stream in [east, west] {
            guard let stream else { continue }
            for k in 0..<bytes where stream.id + k < chip.streamsPerDirection {
                let term = program.byte(k, ofResult: result, width: bytes)
                produce(
                    term, stream.advanced(by: k), places[queue].register,
                    at: t + chip.aluResultLatency)
            }
        }
    }

    /// The word that an operand is; `reported` if there is none.
    @inline(__always)
    private func word(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ operand: ALUOperand, _ t: Int
    ) -> Term {
        let queue = burst.pointee.queue
        switch operand {
        case .immediate(let bits): return .immediate(bits)
        case .alu(let other):
            let fired = t - chip.aluLatency
            let place = Int(other) * (aluMask + 1) + (fired & aluMask)
            guard Int(other) < chip.aluCount, aluCycles[place] == fired else {
                report(
                    .operandTiming, queue, t,
                    "a chained operand needs a result of alu\(other) fired @\(fired), finds none")
                return .reported
            }
            return aluTerms[place]
        case .stream(let stream, let type): return streamWord(burst, stream, type, t)
        }
    }

    private func streamWord(
        _ burst: UnsafeMutablePointer<RunningBurst>, _ stream: Stream, _ type: ElementType,
        _ t: Int
    ) -> Term {
        let queue = burst.pointee.queue
        let sampled = t - chip.vxmEntryLatency
        let bytes = type.byteCount
        guard stream.id + bytes <= chip.streamsPerDirection else {
            report(.operandTiming, queue, t, "\(stream) has no \(bytes) aligned streams")
            return .reported
        }
        let slots =
            history + (sampled & historyMask) * width
            + Int(stream.direction.rawValue) * chip.streamsPerDirection + stream.id
        let first = slots[0]
        if bytes == 1 && first.isOfProgram && first.view.isByte {
            return Term(
                raw: first.raw & ~0xff
                    | UInt64(View(word: type, plane: first.view.byte).raw))
        }
        let terms = UnsafeBufferPointer(start: slots, count: bytes)
        if let empty = terms.firstIndex(of: .none) {
            report(
                .operandTiming, queue, t,
                "an operand needs a vector on \(stream.advanced(by: empty)) at register "
                    + "\(places[queue].register) @\(sampled), finds nothing")
            return .reported
        }
        if terms.contains(.reported) { return .reported }
        guard let word = program.word(type, terms, instance: burst.pointee.instance) else {
            report(
                .provenance, queue, t,
                "an operand needs \(bytes) byte planes of one vector from \(stream) on, finds "
                    + terms.map(program.text).joined(separator: ", "))
            return .reported
        }
        return word
    }
}
