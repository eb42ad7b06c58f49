import LPUNumerics

/// A reason why a chip cannot issue an instruction on a unit, whatever the cycle.
public struct InstructionProblem: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// A stream group, direction or ALU that the operand or result cannot go to or come from.
        case route
        /// A row, column, stream, lane or count outside what the chip has.
        case range
        /// No instruction of that unit, or one whose parts do not go together.
        case malformed
    }

    public var kind: Kind
    /// Both sides of what does not hold, lower case.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

extension Chip {
    /// Everything that makes `instruction` impossible on `unit`, at its first issue; empty if it
    /// is possible.
    ///
    /// Rows of a row slot are judged once they are resolved. Lane maps are the schedule's.
    /// - Requires: the chip has the unit.
    public func problems(with instruction: Instruction, on unit: Unit) -> [InstructionProblem] {
        var check = InstructionCheck(chip: self)
        switch (unit, instruction) {
        case (.memory, .memory(let read, let write)): check.memory(read, write)
        case (.loadWeights(let h, let p), .loadWeights(let column, let tandem)):
            check.range("column", Int(column), below: loadCycles)
            if tandem { check.tandem(h, p) }
        case (.matmul(let h, let p), .install(let tandem)):
            if tandem { check.tandem(h, p) }
        case (.matmul(let h, let p), .matmul(let activation, let type)):
            check.matmul(activation, type, h, p)
        case (.accumulate(let h, _), .accumulate(let row, _, let emit)):
            check.range("accumulator row", Int(row), below: accumulatorRows)
            if let emit {
                check.streams(emit, ElementType.fp32.byteCount, aligned: true)
                check.direction(emit, h.inward, "a sum leaves inward")
            }
        case (.alu(let alu), .alu(let operation, let a, let b, let east, let west)):
            check.alu(alu, operation, [a] + (b.map { [$0] } ?? []), east: east, west: west)
        case (.distributor, .distribute(let from, let to, let count, _)):
            check.move(from, to, Int(count), atMost: distributorStreams)
        case (.transposer, .transpose(let from, let inputs, let to, let outputs)):
            check.count("inputs", Int(inputs), atMost: transposerStreams)
            check.count("outputs", Int(outputs), atMost: transposerStreams)
            check.streams(from, Int(inputs))
            check.streams(to, Int(outputs))
        case (.permutor, .permute(let from, let to, let count, _)):
            check.move(from, to, Int(count), atMost: permutorStreams)
        case (.shifter, .shift(let from, let to, let count, let by)):
            check.move(from, to, Int(count), atMost: shifterStreams)
            check.range("shift", abs(Int(by)), below: lanes + 1)
        case (.shifter, .rotate(let from, let to, let count, let by)):
            check.move(from, to, Int(count), atMost: shifterStreams)
            check.range("rotation", abs(Int(by)), below: lanesPerSuperlane)
        case (.shifter, .select(let low, let high, let to, let count, let boundary)):
            check.move(low, to, Int(count), atMost: shifterStreams)
            check.streams(high, Int(count))
            check.range("boundary", Int(boundary), below: lanes + 1)
        case (.link, .send(let stream)), (.link, .receive(let stream)),
            (.host, .ingress(let stream)), (.host, .egress(let stream)):
            check.streams(stream, 1)
        case (.memory, _), (.loadWeights, _), (.matmul, _), (.accumulate, _), (.alu, _),
            (.distributor, _), (.transposer, _), (.permutor, _), (.shifter, _), (.link, _),
            (.host, _):
            check.add(.malformed, "the instruction is none of \(unit)")
        }
        return check.problems
    }
}

/// Collects the problems of one instruction.
private struct InstructionCheck {
    let chip: Chip
    var problems: [InstructionProblem] = []

    mutating func add(_ kind: InstructionProblem.Kind, _ message: String) {
        problems.append(InstructionProblem(kind, message))
    }

    mutating func range(_ what: String, _ value: Int, below end: Int) {
        guard !(0..<end).contains(value) else { return }
        add(.range, "\(what) is \(value), outside 0..<\(end)")
    }

    mutating func count(_ what: String, _ value: Int, atMost limit: Int) {
        guard !(1...limit).contains(value) else { return }
        add(.range, "\(what) is \(value), outside 1...\(limit)")
    }

    /// `count` streams from `stream` on exist.
    mutating func streams(_ stream: Stream, _ count: Int, aligned: Bool = false) {
        if stream.id + count > chip.streamsPerDirection {
            add(
                .range,
                "\(count) streams from \(stream) on end after stream \(stream.id + count - 1), a "
                    + "direction has \(chip.streamsPerDirection)")
        }
        if aligned && !stream.id.isMultiple(of: count) {
            add(.route, "\(count) streams from \(stream) on are not aligned to \(count)")
        }
    }

    mutating func direction(_ stream: Stream, _ direction: Direction, _ rule: String) {
        guard stream.direction != direction else { return }
        add(.route, "\(rule), here \(direction), and \(stream) flows \(stream.direction)")
    }

    mutating func move(_ from: Stream, _ to: Stream, _ count: Int, atMost limit: Int) {
        self.count("count", count, atMost: limit)
        streams(from, count)
        streams(to, count)
    }
}

// MARK: MEM and MXM

extension InstructionCheck {
    mutating func memory(_ read: MemoryRead, _ write: MemoryWrite) {
        switch read {
        case .none: break
        case .read(let row, let stream): access(row, 1, stream)
        case .gather(let window, let rows, let address, let stream):
            self.window(window, Int(rows), address, stream)
        }
        switch write {
        case .none: break
        case .write(let row, let stream): access(row, 1, stream)
        case .scatter(let window, let rows, let address, let stream):
            self.window(window, Int(rows), address, stream)
        }
    }

    private mutating func access(_ row: RowAddress, _ rows: Int, _ stream: Stream) {
        streams(stream, 1)
        range("bank", Int(row.bank), below: chip.banksPerSlice)
        guard row.slot == 0 else { return }
        range("row", Int(row.row), below: chip.rowsPerBank)
        if rows > 1 { range("last row", Int(row.row) + rows - 1, below: chip.rowsPerBank) }
    }

    private mutating func window(
        _ window: RowAddress, _ rows: Int, _ address: Stream, _ stream: Stream
    ) {
        streams(address, 1)
        count("window", rows, atMost: 1 << chip.gatherOffsetBits)
        access(window, rows, stream)
    }

    mutating func tandem(_ hemisphere: Hemisphere, _ plane: Int) {
        guard !plane.isMultiple(of: 2) || plane + 1 >= chip.planesPerHemisphere else { return }
        add(.malformed, "tandem takes an even plane and the next, plane \(plane) has none")
    }

    mutating func matmul(
        _ activation: Stream, _ type: ElementType, _ hemisphere: Hemisphere, _ plane: Int
    ) {
        streams(activation, type.byteCount, aligned: true)
        direction(activation, hemisphere.outward, "an activation comes outward")
        switch type {
        case .fp8, .int8: break
        case .fp16: tandem(hemisphere, plane)
        case .fp32, .int32: add(.malformed, "a plane multiplies no \(type.rawValue)")
        }
    }
}

// MARK: VXM

extension InstructionCheck {
    mutating func alu(
        _ alu: Int, _ operation: ALUOperation, _ operands: [ALUOperand], east: Stream?,
        west: Stream?
    ) {
        if operands.count != operation.operandCount {
            add(
                .malformed,
                "\(operation.rawValue) takes \(operation.operandCount) operands, here are "
                    + "\(operands.count)")
        }
        if operation.needsLargeALU && !chip.largeALUs.contains(alu) {
            add(.route, "\(operation.rawValue) needs a large ALU, alu\(alu) is none")
        }
        for operand in operands { self.operand(operand, alu) }
        if case .stream(let a, _)? = operands.first, case .stream(let b, _)? = operands.last,
            a.direction != b.direction, group(a) == group(b)
        {
            add(.route, "group \(group(a)) enters alu\(alu) from both directions, \(a) and \(b)")
        }
        // The width of a result depends on the operation only.
        let bytes = operation.resultType(of: .fp32).byteCount
        if let east { output(east, .east, bytes, alu) }
        if let west { output(west, .west, bytes, alu) }
    }

    private mutating func operand(_ operand: ALUOperand, _ alu: Int) {
        switch operand {
        case .immediate: break
        case .alu(let other): range("operand alu", Int(other), below: chip.aluCount)
        case .stream(let stream, let type):
            streams(stream, type.byteCount, aligned: true)
            reach(stream, alu)
        }
    }

    private mutating func output(_ stream: Stream, _ side: Direction, _ bytes: Int, _ alu: Int) {
        streams(stream, bytes, aligned: true)
        direction(stream, side, "this result leaves")
        reach(stream, alu)
    }

    private mutating func reach(_ stream: Stream, _ alu: Int) {
        guard !chip.alu(alu, reachesGroup: group(stream)) else { return }
        let groups = chip.aluRowGroups[alu / chip.aluColumns].map(String.init)
        add(
            .route,
            "\(stream) is in group \(group(stream)), alu\(alu) reaches groups "
                + groups.joined(separator: ", "))
    }

    private func group(_ stream: Stream) -> Int { stream.id / chip.streamsPerGroup }
}
