import LPUMachine
import LPUNumerics
import LPUSupport

extension ScheduleWriter {
    /// The words of an instruction; what `ScheduleReader.instruction` reads.
    mutating func instruction(_ instruction: Instruction) {
        switch instruction {
        case .memory(let read, let write): memory(read, write)
        case .loadWeights(let column, let tandem):
            word("load")
            number(Int(column))
            if tandem { word("tandem") }
        case .install(let tandem): word(tandem ? "install tandem" : "install")
        case .matmul(let activation, let type):
            word("matmul")
            stream(activation)
            word(type.rawValue)
        case .accumulate(let row, let add, let emit):
            word("accumulate")
            number(Int(row))
            word(add ? "add" : "overwrite")
            if let emit { output("emit", emit) }
        case .alu(let operation, let a, let b, let east, let west):
            word(operation.rawValue)
            operand(a)
            if let b { operand(b) }
            if let east { output("east", east) }
            if let west { output("west", west) }
        case .distribute(let from, let to, let count, let map):
            lanes("distribute", from, to, count, map)
        case .transpose(let from, let inputs, let to, let outputs):
            move("transpose", from, to)
            field("inputs", Int(inputs))
            field("outputs", Int(outputs))
        case .permute(let from, let to, let count, let map):
            lanes("permute", from, to, count, map)
        case .shift(let from, let to, let count, let by): turn("shift", from, to, count, by)
        case .rotate(let from, let to, let count, let by): turn("rotate", from, to, count, by)
        case .select(let low, let high, let to, let count, let boundary):
            word("select")
            stream(low)
            stream(high)
            output("to", to)
            field("count", Int(count))
            field("boundary", Int(boundary))
        case .send(let stream): output("send", stream)
        case .receive(let stream): output("receive", stream)
        case .ingress(let stream): output("ingress", stream)
        case .egress(let stream): output("egress", stream)
        }
    }

    private mutating func memory(_ read: MemoryRead, _ write: MemoryWrite) {
        switch read {
        case .none: if write == .none { word("idle") }
        case .read(let row, let stream): access("read", row, stream)
        case .gather(let window, let rows, let by, let stream):
            access("gather", window, rows, by, stream)
        }
        switch write {
        case .none: break
        case .write(let row, let stream): access("write", row, stream)
        case .scatter(let window, let rows, let by, let stream):
            access("scatter", window, rows, by, stream)
        }
    }

    private mutating func access(_ name: String, _ row: RowAddress, _ stream: Stream) {
        word(name)
        address(row)
        self.stream(stream)
    }

    private mutating func access(
        _ name: String, _ window: RowAddress, _ rows: Int32, _ by: Stream, _ stream: Stream
    ) {
        word(name)
        address(window)
        field("rows", Int(rows))
        output("by", by)
        self.stream(stream)
    }

    private mutating func operand(_ operand: ALUOperand) {
        switch operand {
        case .stream(let stream, let type):
            self.stream(stream)
            lines.put(":")
            lines.put(type.rawValue)
        case .alu(let alu):
            lines.put(" alu")
            lines.put(Int(alu))
        case .immediate(let bits):
            lines.put(" 0x")
            for shift in stride(from: 28 as UInt32, through: 0, by: -4) {
                let digit = UInt8(bits >> shift & 15)
                lines.put(byte: digit < 10 ? digit + 0x30 : digit - 10 + UInt8(ascii: "a"))
            }
        }
    }

    private mutating func lanes(
        _ name: String, _ from: Stream, _ to: Stream, _ count: UInt8, _ map: LaneMapID
    ) {
        move(name, from, to)
        field("count", Int(count))
        lines.put(" map")
        lines.put(Int(map.index))
    }

    private mutating func turn(
        _ name: String, _ from: Stream, _ to: Stream, _ count: UInt8, _ by: Int16
    ) {
        move(name, from, to)
        field("count", Int(count))
        field("by", Int(by))
    }

    private mutating func move(_ name: String, _ from: Stream, _ to: Stream) {
        output(name, from)
        output("to", to)
    }

    private mutating func output(_ name: String, _ stream: Stream) {
        word(name)
        self.stream(stream)
    }

    mutating func field(_ name: String, _ value: Int) {
        word(name)
        number(value)
    }
}
