import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Law 11: what an instruction names exists, in every issue: its unit has the instruction; rows,
/// windows, streams, columns, accumulator rows and ALUs are in range; lane maps name lanes.
enum AddressRange: ChipLaw {
    static let law = Law.addressRange

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        report.count(timeline, queues: timeline.queues.indices)
        for i in timeline.bursts.indices where !timeline.isSound[i] {
            let burst = timeline.bursts[i]
            guard let problem = timeline.addressProblem(burst) else { continue }
            report.add(
                chip: timeline.id, unit: timeline.unit(burst), cycle: burst.start.index, problem)
        }
    }
}

extension ChipTimeline {
    /// `true` iff a slice's burst only reads or writes rows of its banks: most do, and nothing else
    /// of them could be wrong.
    @inline(__always)
    func isPlain(_ burst: Burst) -> Bool {
        guard burst.queue.index < 2 * chip.memSlicesPerHemisphere,
            case .memory(let read, let write) = burst.instruction
        else { return false }
        let steps = burst.addressSteps
        func isPlain(_ row: RowAddress, _ stream: Stream) -> Bool {
            row.slot == 0 && row.bank < chip.banksPerSlice && stream.id < chip.streamsPerDirection
                && Int(row.row) + steps.lowerBound >= 0
                && Int(row.row) + steps.upperBound < chip.rowsPerBank
        }
        let isRead =
            switch read {
            case .none: true
            case .read(let row, let to): isPlain(row, to)
            case .gather: false
            }
        guard isRead else { return false }
        return switch write {
        case .none: true
        case .write(let row, let from): isPlain(row, from)
        case .scatter: false
        }
    }

    /// What `burst` names that does not exist; nil if everything does.
    func addressProblem(_ burst: Burst) -> String? {
        let unit = table.units[burst.queue.index]
        let steps = burst.addressSteps
        return switch (unit, burst.instruction) {
        case (.memory, .memory(let read, let write)):
            problem(read, steps) ?? problem(write, steps)
        case (.loadWeights(_, let plane), .loadWeights(let column, let tandem)):
            problem("column", Int(column), steps, count: chip.loadCycles)
                ?? tandemProblem(tandem, plane)
        case (.matmul(_, let plane), .install(let tandem)): tandemProblem(tandem, plane)
        case (.matmul(let side, let plane), .matmul(let activation, let type)):
            type.byteCount > 2
                ? "the MXM takes fp8, int8 and fp16, not \(type.rawValue)"
                : typedProblem(activation, type) ?? flowProblem(activation, side.outward)
                    ?? tandemProblem(type == .fp16, plane)
        case (.accumulate(let side, _), .accumulate(let row, _, let emit)):
            problem("accumulator row", Int(row), steps, count: chip.accumulatorRows)
                ?? emit.flatMap { typedProblem($0, .fp32) ?? flowProblem($0, side.inward) }
        case (.alu, .alu(let operation, let a, let b, let east, let west)):
            problem(operation, a, b, east, west)
        case (.distributor, _), (.transposer, _), (.permutor, _), (.shifter, _):
            sxmProblem(burst.instruction, unit)
        case (.link, .send(let stream)), (.link, .receive(let stream)),
            (.host, .ingress(let stream)), (.host, .egress(let stream)):
            streamProblem(stream, 1)
        case (.memory, _), (.loadWeights, _), (.matmul, _), (.accumulate, _), (.alu, _),
            (.link, _), (.host, _):
            "\(unit) has no such instruction"
        }
    }

    private func sxmProblem(_ instruction: Instruction, _ unit: Unit) -> String? {
        switch (unit, instruction) {
        case (.distributor, .distribute(let from, let to, let count, let map)):
            problem(from, to, count, limit: chip.distributorStreams)
                ?? problem(map, lanes: chip.lanesPerSuperlane, isBijection: false)
        case (.transposer, .transpose(let from, let inputs, let to, let outputs)):
            countProblem(inputs, limit: chip.transposerStreams)
                ?? countProblem(outputs, limit: chip.transposerStreams)
                ?? streamProblem(from, Int(inputs)) ?? streamProblem(to, Int(outputs))
        case (.permutor, .permute(let from, let to, let count, let map)):
            problem(from, to, count, limit: chip.permutorStreams)
                ?? problem(map, lanes: chip.lanes, isBijection: true)
        case (.shifter, .shift(let from, let to, let count, let by)):
            problem(from, to, count, limit: chip.shifterStreams)
                ?? problem("shift", abs(Int(by)), 0...0, count: chip.lanes + 1)
        case (.shifter, .rotate(let from, let to, let count, let by)):
            problem(from, to, count, limit: chip.shifterStreams)
                ?? problem("rotation", abs(Int(by)), 0...0, count: chip.lanesPerSuperlane)
        case (.shifter, .select(let low, let high, let to, let count, let boundary)):
            problem(low, to, count, limit: chip.shifterStreams)
                ?? problem(high, to, count, limit: chip.shifterStreams)
                ?? problem("boundary", Int(boundary), 0...0, count: chip.lanes + 1)
        case (.distributor, _), (.transposer, _), (.permutor, _), (.shifter, _), (.memory, _),
            (.alu, _), (.loadWeights, _), (.matmul, _), (.accumulate, _), (.link, _), (.host, _):
            "\(unit) has no such instruction"
        }
    }

    private func problem(_ read: MemoryRead, _ steps: ClosedRange<Int>) -> String? {
        switch read {
        case .none: nil
        case .read(let row, let to): rowProblem(row, 1, steps) ?? streamProblem(to, 1)
        case .gather(let window, let rows, let address, let to):
            windowProblem(window, rows, steps) ?? streamProblem(address, 1) ?? streamProblem(to, 1)
        }
    }

    private func problem(_ write: MemoryWrite, _ steps: ClosedRange<Int>) -> String? {
        switch write {
        case .none: nil
        case .write(let row, let from): rowProblem(row, 1, steps) ?? streamProblem(from, 1)
        case .scatter(let window, let rows, let address, let from):
            windowProblem(window, rows, steps) ?? streamProblem(address, 1)
                ?? streamProblem(from, 1)
        }
    }

    private func windowProblem(
        _ window: RowAddress, _ rows: Int32, _ steps: ClosedRange<Int>
    ) -> String? {
        let limit = 1 << chip.gatherOffsetBits
        if rows < 1 || Int(rows) > limit {
            return "a window of \(rows) rows, outside of the 1...\(limit) that offsets reach"
        }
        // Steps move the offset, not the window.
        if steps.upperBound - steps.lowerBound >= rows {
            return "the offset steps over \(steps.upperBound - steps.lowerBound + 1) rows, the "
                + "window has \(rows)"
        }
        return rowProblem(window, Int(rows), 0...0)
    }

    private func rowProblem(
        _ address: RowAddress, _ rows: Int, _ steps: ClosedRange<Int>
    ) -> String? {
        if address.slot > 0 { return "row slot \(address.slot) is not given by the placement" }
        if address.bank >= chip.banksPerSlice {
            return "bank \(address.bank) is named, a slice has \(chip.banksPerSlice)"
        }
        let first = Int(address.row) + steps.lowerBound
        let end = Int(address.row) + steps.upperBound + rows
        return first >= 0 && end <= chip.rowsPerBank
            ? nil
            : "rows \(first)..<\(end) are named, a bank has 0..<\(chip.rowsPerBank)"
    }

    private func problem(
        _ name: String, _ first: Int, _ steps: ClosedRange<Int>, count: Int
    ) -> String? {
        let range = first + steps.lowerBound...first + steps.upperBound
        return range.lowerBound >= 0 && range.upperBound < count
            ? nil
            : "\(name) \(range.lowerBound < 0 ? range.lowerBound : range.upperBound) is named, "
                + "there are 0..<\(count)"
    }

    private func problem(
        _ operation: ALUOperation, _ a: ALUOperand, _ b: ALUOperand?, _ east: Stream?,
        _ west: Stream?
    ) -> String? {
        let result = operation.resultType(of: .fp32)
        return operandProblem(a) ?? b.flatMap { operandProblem($0) }
            ?? east.flatMap { typedProblem($0, result) ?? flowProblem($0, .east) }
            ?? west.flatMap { typedProblem($0, result) ?? flowProblem($0, .west) }
    }

    private func operandProblem(_ operand: ALUOperand) -> String? {
        switch operand {
        case .stream(let stream, let type): typedProblem(stream, type)
        case .alu(let alu): problem("alu", Int(alu), 0...0, count: chip.aluCount)
        case .immediate: nil
        }
    }
}

extension ChipTimeline {
    private func tandemProblem(_ tandem: Bool, _ plane: Int) -> String? {
        guard tandem else { return nil }
        return plane.isMultiple(of: 2) && plane + 1 < chip.planesPerHemisphere
            ? nil : "a tandem instruction is on plane \(plane), not on the even plane of a pair"
    }

    /// A vector of `type` takes as many aligned streams as it has bytes.
    private func typedProblem(_ stream: Stream, _ type: ElementType) -> String? {
        stream.id.isMultiple(of: type.byteCount)
            ? streamProblem(stream, type.byteCount)
            : "\(type.rawValue) takes \(type.byteCount) aligned streams, \(stream) is not the first"
    }

    private func problem(_ from: Stream, _ to: Stream, _ count: UInt8, limit: Int) -> String? {
        countProblem(count, limit: limit) ?? streamProblem(from, Int(count))
            ?? streamProblem(to, Int(count))
    }

    private func countProblem(_ count: UInt8, limit: Int) -> String? {
        (1...limit).contains(Int(count))
            ? nil : "\(count) streams at once, outside of the unit's 1...\(limit)"
    }

    private func streamProblem(_ stream: Stream, _ count: Int) -> String? {
        stream.id + count <= chip.streamsPerDirection
            ? nil
            : "streams \(stream.id)..<\(stream.id + count) are named, a direction has "
                + "0..<\(chip.streamsPerDirection)"
    }

    private func flowProblem(_ stream: Stream, _ direction: Direction) -> String? {
        stream.direction == direction ? nil : "\(stream) does not flow \(direction)"
    }

    private func problem(_ id: LaneMapID, lanes: Int, isBijection: Bool) -> String? {
        guard laneMaps.indices.contains(Int(id.index)) else {
            return "lane map \(id.index) is named, the schedule has \(laneMaps.count)"
        }
        let map = laneMaps[Int(id.index)]
        if map.count != lanes { return "lane map \(id.index) has \(map.count) lanes, not \(lanes)" }
        let least = isBijection ? 0 : -1
        if let lane = map.first(where: { Int($0) < least || Int($0) >= lanes }) {
            return "lane map \(id.index) takes lane \(lane), outside of \(least)..<\(lanes)"
        }
        guard isBijection else { return nil }
        var taken = Array(repeating: false, count: lanes)
        for lane in map {
            if taken[Int(lane)] { return "lane map \(id.index) takes lane \(lane) twice" }
            taken[Int(lane)] = true
        }
        return nil
    }
}
