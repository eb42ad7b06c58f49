import LPUMachine
import LPUNumerics

/// Which instructions a unit of a chip has at all, whatever the cycle and the bytes.
struct InstructionShape {
    let chip: Chip
    let laneMaps: [[Int16]]

    /// Why `unit` cannot issue `instruction`; nil if it can.
    func error(_ instruction: Instruction, on unit: Unit) -> String? {
        switch unit {
        case .memory:
            if case .memory(let read, let write) = instruction { return memory(read, write) }
        case .alu:
            if case .alu(let op, let a, let b, let east, let west) = instruction {
                return alu(op, a, b, east, west)
            }
        case .loadWeights(_, let plane):
            if case .loadWeights(_, let tandem) = instruction { return tandem ? pair(plane) : nil }
        case .matmul(let side, let plane):
            if case .install(let tandem) = instruction { return tandem ? pair(plane) : nil }
            if case .matmul(let stream, let type) = instruction {
                return matmul(stream, type, side, plane)
            }
        case .accumulate(let side, _):
            if case .accumulate(_, _, let emit) = instruction {
                return emit.flatMap { typed($0, .fp32) ?? direction($0, side.inward) }
            }
        case .distributor:
            if case .distribute(let from, let to, let count, let map) = instruction {
                return several(from, to, count, atMost: chip.distributorStreams)
                    ?? laneMap(map, count: chip.lanesPerSuperlane, isBijection: false)
            }
        case .transposer:
            if case .transpose(let from, let inputs, let to, let outputs) = instruction {
                return several(from, from, inputs, atMost: chip.transposerStreams)
                    ?? several(to, to, outputs, atMost: chip.transposerStreams)
            }
        case .permutor:
            if case .permute(let from, let to, let count, let map) = instruction {
                return several(from, to, count, atMost: chip.permutorStreams)
                    ?? laneMap(map, count: chip.lanes, isBijection: true)
            }
        case .shifter: return shifter(instruction, unit)
        case .link, .host: return port(instruction, unit)
        }
        return foreign(unit)
    }

    private func foreign(_ unit: Unit) -> String { "\(unit) has no such instruction" }

    private func shifter(_ instruction: Instruction, _ unit: Unit) -> String? {
        switch instruction {
        case .shift(let from, let to, let count, _), .rotate(let from, let to, let count, _):
            several(from, to, count, atMost: chip.shifterStreams)
        case .select(let low, let high, let to, let count, _):
            several(low, to, count, atMost: chip.shifterStreams)
                ?? several(high, to, count, atMost: chip.shifterStreams)
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .send, .receive, .ingress, .egress:
            foreign(unit)
        }
    }

    private func port(_ instruction: Instruction, _ unit: Unit) -> String? {
        switch instruction {
        case .send(let stream), .receive(let stream):
            unit == .host ? foreign(unit) : streams(stream, 1)
        case .ingress(let stream), .egress(let stream):
            unit == .host ? streams(stream, 1) : foreign(unit)
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select:
            foreign(unit)
        }
    }

    private func memory(_ read: MemoryRead, _ write: MemoryWrite) -> String? {
        let readError: String? =
            switch read {
            case .none: nil
            case .read(_, let to): streams(to, 1)
            case .gather(_, let rows, let address, let to):
                window(rows) ?? streams(address, 1) ?? streams(to, 1)
            }
        let writeError: String? =
            switch write {
            case .none: nil
            case .write(_, let from): streams(from, 1)
            case .scatter(_, let rows, let address, let from):
                window(rows) ?? streams(address, 1) ?? streams(from, 1)
            }
        return readError ?? writeError
    }

    private func window(_ rows: Int32) -> String? {
        rows < 1 ? "a window of \(rows) rows, less than 1" : nil
    }

    private func matmul(
        _ stream: Stream, _ type: ElementType, _ side: Hemisphere, _ plane: Int
    ) -> String? {
        if type.byteCount > 2 { return "the MXM does not take \(type.rawValue)" }
        return typed(stream, type) ?? direction(stream, side.outward)
            ?? (type == .fp16 ? pair(plane) : nil)
    }

    private func pair(_ plane: Int) -> String? {
        plane % 2 == 0 && plane + 1 < chip.planesPerHemisphere
            ? nil : "tandem instructions are on the even plane's queues, this is plane \(plane)"
    }

    private func alu(
        _ op: ALUOperation, _ a: ALUOperand, _ b: ALUOperand?, _ east: Stream?, _ west: Stream?
    ) -> String? {
        let operands = b == nil ? 1 : 2
        if operands != op.operandCount {
            return "'\(op.rawValue)' takes \(op.operandCount) operands, \(operands) are given"
        }
        let result = op.resultType(of: .fp32)
        return operand(a) ?? b.flatMap(operand)
            ?? east.flatMap { typed($0, result) ?? direction($0, .east) }
            ?? west.flatMap { typed($0, result) ?? direction($0, .west) }
    }

    private func operand(_ operand: ALUOperand) -> String? {
        switch operand {
        case .stream(let stream, let type): typed(stream, type)
        case .alu(let alu): Int(alu) < chip.aluCount ? nil : "the chip has no alu\(alu)"
        case .immediate: nil
        }
    }

    /// A vector of `type` takes as many aligned streams as it has bytes.
    private func typed(_ stream: Stream, _ type: ElementType) -> String? {
        stream.id % type.byteCount == 0
            ? streams(stream, type.byteCount)
            : "\(type.rawValue) takes \(type.byteCount) aligned streams, \(stream) is not the first"
    }

    private func several(_ from: Stream, _ to: Stream, _ count: UInt8, atMost limit: Int) -> String?
    {
        if count < 1 || Int(count) > limit {
            return "\(count) streams at once, the unit takes 1...\(limit)"
        }
        return streams(from, Int(count)) ?? streams(to, Int(count))
    }

    private func streams(_ stream: Stream, _ count: Int) -> String? {
        stream.id + count <= chip.streamsPerDirection
            ? nil
            : "\(count) streams from \(stream) on, there are \(chip.streamsPerDirection)"
    }

    private func direction(_ stream: Stream, _ direction: Direction) -> String? {
        stream.direction == direction
            ? nil : "\(stream) flows the wrong way, the unit is on \(direction)ward streams"
    }

    private func laneMap(_ id: LaneMapID, count: Int, isBijection: Bool) -> String? {
        let index = Int(id.index)
        guard laneMaps.indices.contains(index) else {
            return "lane map \(index) is named, the schedule has \(laneMaps.count)"
        }
        let map = laneMaps[index]
        if map.count != count { return "lane map \(index) has \(map.count) lanes, not \(count)" }
        let least: Int16 = isBijection ? 0 : -1
        if !map.allSatisfy({ $0 >= least && $0 < count }) {
            return "lane map \(index) names lanes outside of \(least)..<\(count)"
        }
        if isBijection && map.sorted() != Array(0..<Int16(count)) {
            return "lane map \(index) takes a lane twice"
        }
        return nil
    }
}
