import LPUMachine
import LPUNumerics
import LPUSupport

/// ALU operations by their names; looked up only.
private let operations = Dictionary(
    uniqueKeysWithValues: ALUOperation.allCases.map { ($0.rawValue, $0) })

/// Words with which an instruction of another unit begins; looked up only.
private let instructions: Set<String> = [
    "read", "gather", "write", "scatter", "idle", "load", "install", "matmul", "accumulate", "send",
    "receive", "ingress", "egress", "distribute", "permute", "transpose", "shift", "rotate",
    "select",
]

extension ScheduleReader {
    /// `true` iff an instruction begins with the word.
    func isInstruction(_ word: String) -> Bool {
        instructions.contains(word) || operations[word] != nil
    }

    /// The words that `ScheduleWriter.instruction` writes, the first of which was read.
    mutating func instruction(_ word: String) throws(DiagnosticSet) -> Instruction {
        switch word {
        case "read", "gather": return .memory(try read(word), try writeHalf())
        case "write", "scatter": return .memory(.none, try write(word))
        case "idle": return .memory(.none, .none)
        case "load":
            let column = Int16(try integer("a column", in: 0...Int(Int16.max)))
            return .loadWeights(column: column, tandem: scanner.take("tandem"))
        case "install": return .install(tandem: scanner.take("tandem"))
        case "matmul": return .matmul(activation: try stream(), try type())
        case "accumulate": return try accumulate()
        case "send": return .send(try stream())
        case "receive": return .receive(try stream())
        case "ingress": return .ingress(try stream())
        case "egress": return .egress(try stream())
        case "distribute", "permute", "transpose", "shift", "rotate", "select":
            return try exchange(word)
        default:
            if let operation = operations[word] { return try alu(operation) }
            throw error("'\(word)' is no instruction")
        }
    }

    private mutating func read(_ word: String) throws(DiagnosticSet) -> MemoryRead {
        let row = try address()
        guard word == "gather" else { return .read(row, try stream()) }
        let rows = try field("rows", in: 0...maxRow)
        let by = try stream("by")
        return .gather(window: row, rows: Int32(rows), address: by, try stream())
    }

    private mutating func writeHalf() throws(DiagnosticSet) -> MemoryWrite {
        if scanner.take("write") { return try write("write") }
        return scanner.take("scatter") ? try write("scatter") : .none
    }

    private mutating func write(_ word: String) throws(DiagnosticSet) -> MemoryWrite {
        let row = try address()
        guard word == "scatter" else { return .write(row, try stream()) }
        let rows = try field("rows", in: 0...maxRow)
        let by = try stream("by")
        return .scatter(window: row, rows: Int32(rows), address: by, try stream())
    }

    private mutating func accumulate() throws(DiagnosticSet) -> Instruction {
        let row = Int16(try integer("an accumulator row", in: 0...Int(Int16.max)))
        let add = scanner.take("add")
        if !add { try scanner.expect("overwrite", id: scheduleSyntax) }
        let emit = scanner.take("emit") ? try stream() : nil
        return .accumulate(row: row, add: add, emit: emit)
    }

    private mutating func alu(_ operation: ALUOperation) throws(DiagnosticSet) -> Instruction {
        let a = try operand()
        let hasSecond =
            switch scanner.nextByte {
            case UInt8(ascii: "s"), UInt8(ascii: "a"), UInt8(ascii: "0"): true
            case _: false
            }
        let b = hasSecond ? try operand() : nil
        let east = scanner.take("east") ? try stream() : nil
        let west = scanner.take("west") ? try stream() : nil
        return .alu(operation, a, b, east: east, west: west)
    }

    private mutating func exchange(_ word: String) throws(DiagnosticSet) -> Instruction {
        let from = try stream()
        switch word {
        case "transpose":
            let to = try stream("to")
            let inputs = UInt8(try field("inputs", in: 0...255))
            let outputs = UInt8(try field("outputs", in: 0...255))
            return .transpose(from: from, inputs: inputs, to: to, outputs: outputs)
        case "select":
            let high = try stream()
            let to = try stream("to")
            let count = UInt8(try field("count", in: 0...255))
            let boundary = Int16(try field("boundary", in: 0...Int(Int16.max)))
            return .select(low: from, high: high, to: to, count: count, boundary: boundary)
        case "shift", "rotate":
            let to = try stream("to")
            let count = UInt8(try field("count", in: 0...255))
            let by = Int16(try field("by", in: Int(Int16.min)...Int(Int16.max)))
            return word == "shift"
                ? .shift(from: from, to: to, count: count, by: by)
                : .rotate(from: from, to: to, count: count, by: by)
        case _:
            let to = try stream("to")
            let count = UInt8(try field("count", in: 0...255))
            let map = try entity("map", "a lane map", below: schedule.laneMaps.count)
            let lanes =
                word == "permute" ? machine.chip.lanes : machine.chip.lanesPerSuperlane
            guard schedule.laneMaps[map].count == lanes else {
                throw error("\(word) takes a map of \(lanes) lanes")
            }
            return word == "permute"
                ? .permute(from: from, to: to, count: count, LaneMapID(map))
                : .distribute(from: from, to: to, count: count, LaneMapID(map))
        }
    }
}

// MARK: Operands

extension ScheduleReader {
    /// `s12e`
    private mutating func stream() throws(DiagnosticSet) -> Stream {
        try scanner.beginWord("a stream such as 's12e'", id: scheduleSyntax)
        let stream = try streamPart()
        try scanner.endWord(id: scheduleSyntax)
        return stream
    }

    /// A stream after `keyword`.
    private mutating func stream(_ keyword: String) throws(DiagnosticSet) -> Stream {
        try scanner.expect(keyword, id: scheduleSyntax)
        return try stream()
    }

    private mutating func streamPart() throws(DiagnosticSet) -> Stream {
        guard scanner.takeByte(UInt8(ascii: "s")) else {
            throw unexpected("a stream such as 's12e'")
        }
        let id = try number("a stream", in: 0...255)
        if scanner.takeByte(UInt8(ascii: "e")) { return Stream(.east, id) }
        if scanner.takeByte(UInt8(ascii: "w")) { return Stream(.west, id) }
        throw unexpected("a stream with its direction, 'e' or 'w',")
    }

    private mutating func type() throws(DiagnosticSet) -> ElementType {
        let word = try name("a type")
        guard let type = ElementType(rawValue: word) else { throw error("'\(word)' is no type") }
        return type
    }

    /// `s12e:fp16`, `alu3` or `0x3f800000`
    private mutating func operand() throws(DiagnosticSet) -> ALUOperand {
        if scanner.nextByte == UInt8(ascii: "a") {
            return .alu(UInt8(try entity("alu", "an operand", below: machine.chip.aluCount)))
        }
        if scanner.nextByte == UInt8(ascii: "0") {
            let word = try name("an operand")
            guard word.hasPrefix("0x"), word.utf8.count == 10,
                let bits = UInt32(word.dropFirst(2), radix: 16)
            else { throw error("'\(word)' is no operand; an immediate is 0x and 8 digits") }
            return .immediate(bits)
        }
        try scanner.beginWord("an operand", id: scheduleSyntax)
        let stream = try streamPart()
        guard scanner.takeByte(UInt8(ascii: ":")) else { throw unexpected("':' and a type") }
        return .stream(stream, try type())
    }
}
