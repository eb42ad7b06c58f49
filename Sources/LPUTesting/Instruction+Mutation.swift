import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

extension Burst {
    /// Its single issues, each a burst of its own.
    var issues: [Burst] {
        (0..<Int(outer.count)).flatMap { j in
            (0..<Int(inner.count)).map { i in
                Burst(
                    start: Cycle(
                        start.index + i * Int(inner.distance) + j * Int(outer.distance)),
                    queue: queue,
                    instruction.stepped(by: i * Int(inner.step) + j * Int(outer.step)), op: op)
            }
        }
    }
}

extension Instruction {
    var isTransfer: Bool {
        switch self {
        case .send, .receive: true
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select, .ingress, .egress:
            false
        }
    }

    /// The instruction with its address so much further, as a Repeat steps it.
    func stepped(by step: Int) -> Instruction {
        switch self {
        case .memory(let read, let write):
            .memory(read.mapRow { $0.moved(by: step) }, write.mapRow { $0.moved(by: step) })
        case .loadWeights(let column, let tandem):
            .loadWeights(column: column + Int16(step), tandem: tandem)
        case .accumulate(let row, let add, let emit):
            .accumulate(row: row + Int16(step), add: add, emit: emit)
        case .install, .matmul, .alu, .distribute, .transpose, .permute, .shift, .rotate, .select,
            .send, .receive, .ingress, .egress:
            self
        }
    }

    /// Every stream replaced by what `change` makes of it.
    private func mapStreams(_ change: (Stream) -> Stream) -> Instruction {
        func operand(_ a: ALUOperand) -> ALUOperand {
            if case .stream(let stream, let type) = a { .stream(change(stream), type) } else { a }
        }
        return switch self {
        case .memory(let read, let write):
            .memory(read.mapStreams(change), write.mapStreams(change))
        case .loadWeights, .install: self
        case .matmul(let activation, let type): .matmul(activation: change(activation), type)
        case .accumulate(let row, let add, let emit):
            .accumulate(row: row, add: add, emit: emit.map(change))
        case .alu(let operation, let a, let b, let east, let west):
            .alu(
                operation, operand(a), b.map(operand), east: east.map(change),
                west: west.map(change))
        case .distribute(let from, let to, let count, let map):
            .distribute(from: change(from), to: change(to), count: count, map)
        case .transpose(let from, let inputs, let to, let outputs):
            .transpose(from: change(from), inputs: inputs, to: change(to), outputs: outputs)
        case .permute(let from, let to, let count, let map):
            .permute(from: change(from), to: change(to), count: count, map)
        case .shift(let from, let to, let count, let by):
            .shift(from: change(from), to: change(to), count: count, by: by)
        case .rotate(let from, let to, let count, let by):
            .rotate(from: change(from), to: change(to), count: count, by: by)
        case .select(let low, let high, let to, let count, let boundary):
            .select(
                low: change(low), high: change(high), to: change(to), count: count,
                boundary: boundary)
        case .send(let stream): .send(change(stream))
        case .receive(let stream): .receive(change(stream))
        case .ingress(let stream): .ingress(change(stream))
        case .egress(let stream): .egress(change(stream))
        }
    }

    /// One of its streams is another: of the same direction, aligned as before, or any.
    func withOtherStream(_ chip: Chip, _ random: inout SeededGenerator) -> Instruction? {
        var count = 0
        _ = mapStreams {
            count += 1
            return $0
        }
        guard count > 0 else { return nil }
        let chosen = Int.random(in: 0..<count, using: &random)
        let isAligned = Bool.random(using: &random)
        let groups = chip.streamsPerDirection / 4
        let by =
            isAligned
            ? 4 * Int.random(in: 1..<groups, using: &random)
            : Int.random(in: 1..<chip.streamsPerDirection, using: &random)
        let turns = Int.random(in: 0..<5, using: &random) == 0
        var k = 0
        return mapStreams { stream in
            defer { k += 1 }
            guard k == chosen else { return stream }
            let direction: Direction = stream.direction == .east ? .west : .east
            return turns
                ? Stream(direction, stream.id)
                : Stream(stream.direction, (stream.id + by) % chip.streamsPerDirection)
        }
    }

    func withOtherRow(_ chip: Chip, _ random: inout SeededGenerator) -> Instruction? {
        let step = Int.random(in: 1...3, using: &random) * (Bool.random(using: &random) ? 1 : -1)
        switch self {
        case .memory(.read(let row, let stream), let write):
            guard let row = row.inside(chip, movedBy: step) else { return nil }
            return .memory(.read(row, stream), write)
        case .memory(.none, .write(let row, let stream)):
            guard let row = row.inside(chip, movedBy: step) else { return nil }
            return .memory(.none, .write(row, stream))
        case .loadWeights(let column, _):
            guard (0..<chip.loadCycles).contains(Int(column) + step) else { return nil }
            return stepped(by: step)
        case .accumulate(let row, _, _):
            guard (0..<chip.accumulatorRows).contains(Int(row) + step) else { return nil }
            return stepped(by: step)
        case .memory, .install, .matmul, .alu, .distribute, .transpose, .permute, .shift, .rotate,
            .select, .send, .receive, .ingress, .egress:
            return nil
        }
    }

    /// The bank of the read, of the write, or of whichever there is.
    func withOtherBank(_ random: inout SeededGenerator) -> Instruction? {
        guard case .memory(let read, let write) = self else { return nil }
        func flipped(_ row: RowAddress) -> RowAddress {
            RowAddress(slot: Int(row.slot), bank: Int(row.bank) ^ 1, row: Int(row.row))
        }
        let isRead = write == .none || read != .none && Bool.random(using: &random)
        return isRead
            ? .memory(read.mapRow(flipped), write) : .memory(read, write.mapRow(flipped))
    }

    var withSwappedOperands: Instruction? {
        switch self {
        case .alu(let operation, let a, let b?, let east, let west):
            guard !operation.isCommutative, a != b else { return nil }
            return .alu(operation, b, a, east: east, west: west)
        case .select(let low, let high, let to, let count, let boundary):
            guard low != high else { return nil }
            return .select(low: high, high: low, to: to, count: count, boundary: boundary)
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .send, .receive, .ingress, .egress:
            return nil
        }
    }

    var withFlippedAccumulate: Instruction? {
        guard case .accumulate(let row, let add, let emit) = self else { return nil }
        return .accumulate(row: row, add: !add, emit: emit)
    }

    /// The way of a shift or rotation, the boundary of a select.
    func withOtherAmount(_ random: inout SeededGenerator) -> Instruction? {
        let by: Int16 = Bool.random(using: &random) ? 1 : -1
        return switch self {
        case .shift(let from, let to, let count, let amount):
            .shift(from: from, to: to, count: count, by: amount + by)
        case .rotate(let from, let to, let count, let amount):
            .rotate(from: from, to: to, count: count, by: amount + by)
        case .select(let low, let high, let to, let count, let boundary):
            .select(low: low, high: high, to: to, count: count, boundary: boundary + by)
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .send, .receive, .ingress, .egress:
            nil
        }
    }

    /// An operation of as many operands, and a result of as many bytes.
    func withOtherOperation(_ random: inout SeededGenerator) -> Instruction? {
        guard case .alu(let operation, let a, let b, let east, let west) = self else { return nil }
        let width = operation.resultType(of: .fp32).byteCount
        let others = ALUOperation.allCases.filter {
            $0 != operation && $0.operandCount == operation.operandCount
                && $0.resultType(of: .fp32).byteCount == width
        }
        guard let other = others.randomElement(using: &random) else { return nil }
        return .alu(other, a, b, east: east, west: west)
    }

    func withOtherImmediate(_ random: inout SeededGenerator) -> Instruction? {
        guard case .alu(let operation, let a, let b, let east, let west) = self else { return nil }
        let flip = UInt32(1) << UInt32.random(in: 0..<32, using: &random)
        if case .immediate(let bits) = a {
            return .alu(operation, .immediate(bits ^ flip), b, east: east, west: west)
        }
        if case .immediate(let bits)? = b {
            return .alu(operation, a, .immediate(bits ^ flip), east: east, west: west)
        }
        return nil
    }

    /// The window of a gather or scatter begins a row later or earlier, or has one more or less.
    func withOtherWindow(_ chip: Chip, _ random: inout SeededGenerator) -> Instruction? {
        let step = Bool.random(using: &random) ? 1 : -1
        let moves = Bool.random(using: &random)
        guard case .memory(let read, let write) = self else { return nil }
        if case .gather(let window, let rows, let address, let stream) = read {
            guard let moved = window.inside(chip, movedBy: moves ? step : 0) else { return nil }
            let count = moves ? rows : rows + Int32(step)
            return .memory(
                .gather(window: moved, rows: count, address: address, stream), write)
        }
        if case .scatter(let window, let rows, let address, let stream) = write {
            guard let moved = window.inside(chip, movedBy: moves ? step : 0) else { return nil }
            let count = moves ? rows : rows + Int32(step)
            return .memory(
                read, .scatter(window: moved, rows: count, address: address, stream))
        }
        return nil
    }
}

extension RowAddress {
    fileprivate func moved(by rows: Int) -> RowAddress {
        RowAddress(slot: Int(slot), bank: Int(bank), row: Int(row) + rows)
    }

    /// The row so much further; nil outside its bank.
    fileprivate func inside(_ chip: Chip, movedBy rows: Int) -> RowAddress? {
        (0..<chip.rowsPerBank).contains(Int(row) + rows) ? moved(by: rows) : nil
    }
}

extension MemoryRead {
    fileprivate func mapRow(_ change: (RowAddress) -> RowAddress) -> MemoryRead {
        switch self {
        case .none: .none
        case .read(let row, let stream): .read(change(row), stream)
        case .gather(let window, let rows, let address, let stream):
            .gather(window: change(window), rows: rows, address: address, stream)
        }
    }

    fileprivate func mapStreams(_ change: (Stream) -> Stream) -> MemoryRead {
        switch self {
        case .none: .none
        case .read(let row, let stream): .read(row, change(stream))
        case .gather(let window, let rows, let address, let stream):
            .gather(window: window, rows: rows, address: change(address), change(stream))
        }
    }
}

extension MemoryWrite {
    fileprivate func mapRow(_ change: (RowAddress) -> RowAddress) -> MemoryWrite {
        switch self {
        case .none: .none
        case .write(let row, let stream): .write(change(row), stream)
        case .scatter(let window, let rows, let address, let stream):
            .scatter(window: change(window), rows: rows, address: address, stream)
        }
    }

    fileprivate func mapStreams(_ change: (Stream) -> Stream) -> MemoryWrite {
        switch self {
        case .none: .none
        case .write(let row, let stream): .write(row, change(stream))
        case .scatter(let window, let rows, let address, let stream):
            .scatter(window: window, rows: rows, address: change(address), change(stream))
        }
    }
}

extension ALUOperation {
    /// `true` iff its operands may change places, for all words.
    fileprivate var isCommutative: Bool {
        switch self {
        case .add, .multiply, .max, .min, .addInt, .multiplyInt, .maxInt, .minInt, .and, .or, .xor,
            .equal, .notEqual, .equalInt, .notEqualInt:
            true
        case .copy, .negate, .absolute, .not, .exp, .tanh, .rsqrt, .subtract, .subtractInt,
            .shiftLeft, .shiftRight, .less, .lessEqual, .lessInt, .lessEqualInt, .mask, .maskNot,
            .toFP16, .toFP8, .toInt8, .toInt32, .toFP32, .intToInt8:
            false
        }
    }
}
