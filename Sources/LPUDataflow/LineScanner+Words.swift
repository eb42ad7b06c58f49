import LPUNumerics
import LPUSupport

/// The id of every diagnostic about the text form.
let syntax = "dataflow-syntax"

/// The words of the dataflow text form. Every integer is held within 32 bits.
extension LineScanner {
    /// An integer from 0 on.
    mutating func number(_ what: String) throws(DiagnosticSet) -> Int {
        try integer(what, in: 0...Int(Int32.max), id: syntax)
    }

    mutating func signed(_ what: String) throws(DiagnosticSet) -> Int {
        try integer(what, in: -Int(Int32.max)...Int(Int32.max), id: syntax)
    }

    /// The number after `prefix`, such as 3 of `place3`.
    mutating func suffixed(
        _ prefix: StaticString, _ what: String
    ) throws(DiagnosticSet) -> Int {
        try parsed(what, id: syntax) { $0.takePrefix(prefix) ? $0.digits() : nil }
    }

    mutating func elementType() throws(DiagnosticSet) -> ElementType {
        let text = try word("a type: fp8, int8, fp16, fp32 or int32", id: syntax)
        if let type = ElementType(rawValue: String(text)) { return type }
        throw error(syntax, "'\(text)' is not a type: fp8, int8, fp16, fp32 or int32")
    }

    mutating func use() throws(DiagnosticSet) -> Use {
        try parsed("a use such as 'v3', 'v3[5]' or 'v3[5+2]'", id: syntax) { $0.useHere() }
    }

    mutating func range(_ what: String) throws(DiagnosticSet) -> Range<Int> {
        try parsed("\(what) such as '0..<320'", id: syntax) { word in
            guard let low = word.digits(), word.takePrefix("..<"), let high = word.digits(),
                low <= high
            else { return nil }
            return low..<high
        }
    }

    mutating func bits() throws(DiagnosticSet) -> UInt32 {
        try parsed("bits such as '0x3f800000'", id: syntax) { $0.hexadecimal() }
    }

    /// `i4.v12` or `i4.v12...i4.v20`.
    mutating func arguments() throws(DiagnosticSet) -> [Instance.Argument] {
        try parsed("an argument such as 'i0.v3'", id: syntax) { word in
            word.elementsHere { $0.argumentHere() }
        }
    }

    /// `0..<320 0..<64 0/1/- 0/-/1`.
    mutating func piece() throws(DiagnosticSet) -> Piece {
        var piece = Piece(
            vectors: try range("vectors"), lanes: try range("lanes"), base: [], vector: [],
            lane: [])
        while !isAtEnd {
            let (base, vector, lane) = try parsed("a coordinate such as '0/16:1,64/-'", id: syntax)
            {
                word -> (Int, DigitSum, DigitSum)? in
                guard let base = word.signedHere(), word.takePrefix("/"),
                    let vector = word.digitSumHere(), word.takePrefix("/"),
                    let lane = word.digitSumHere()
                else { return nil }
                return (base, vector, lane)
            }
            piece.base.append(base)
            piece.vector.append(vector)
            piece.lane.append(lane)
        }
        return piece
    }

    /// The formula, without pieces, if the next word is the name of one.
    mutating func formula() throws(DiagnosticSet) -> Formula? {
        if take("zero") { return .zero }
        if take("weights") {
            let (layout, factor, scale) = try weights()
            return .weights(layout, factor: factor, columnScale: scale)
        }
        if take("scales") {
            let (layout, factor, scale) = try weights()
            return .scales(layout, factor: factor, columnScale: scale)
        }
        if take("greatestScale") {
            let (layout, factor, scale) = try weights()
            return .greatestScale(layout.tensor, factor: factor, columnScale: scale)
        }
        if take("constant") {
            let word = try bits()
            return .constant(bits: word, vectors: try range("vectors"), lanes: try range("lanes"))
        }
        if take("diagonal") {
            let word = try bits()
            let offset = try signed("an offset")
            return .diagonal(bits: word, offset: offset, period: try number("a period"))
        }
        if take("table") {
            let stride = try number("a stride")
            let run = try number("a run of lanes")
            var words: [UInt32] = []
            while !isAtEnd {
                words += try parsed("bits such as '0x3f800000' or '0x0...0xff'", id: syntax) {
                    $0.elementsHere { $0.hexadecimal() }
                }
            }
            return .table(bits: words, stride: stride, run: run)
        }
        return take("rotary") ? .rotary(try rotary()) : nil
    }

    private mutating func weights() throws(DiagnosticSet) -> (Layout, Float, String?) {
        let tensor = String(try word("a tensor", id: syntax))
        try expect("times", id: syntax)
        let text = try word("a finite factor", id: syntax)
        guard let factor = Float(text), factor.isFinite else {
            throw error(syntax, "'\(text)' is not a finite factor")
        }
        let scale = take("by") ? String(try word("a tensor", id: syntax)) : nil
        return (Layout(tensor: tensor, pieces: []), factor, scale)
    }

    private mutating func rotary() throws(DiagnosticSet) -> Rotary {
        let isSine = take("sine")
        if !isSine { try expect("cosine", id: syntax) }
        let step = try number("a step of positions")
        let heads = try number("a number of heads")
        var frequencies: [UInt64] = []
        while !isAtEnd {
            frequencies.append(
                try parsed("a binary64 such as '0x3ff0000000000000'", id: syntax) {
                    $0.hexadecimal()
                })
        }
        return Rotary(
            inverseFrequencies: frequencies, isSine: isSine, positionStep: step, heads: heads)
    }
}

/// The operands of an op.
extension LineScanner {
    /// The name of an op and its operands.
    mutating func opKind() throws(DiagnosticSet) -> OpKind {
        let name = try word("an op", id: syntax)
        if let operation = operations[name] {
            let a = try operand()
            return .elementwise(operation, a, operation.operandCount == 2 ? try operand() : nil)
        }
        switch name {
        case "matmul": return .matmul(try terms())
        case "distribute": return .distribute(try map(), try use())
        case "permute": return .permute(try map(), try use())
        case "shift": return .shift(by: try signed("a number of lanes"), try use())
        case "rotate": return .rotate(by: try signed("a number of lanes"), try use())
        case "select":
            let boundary = try number("a boundary lane")
            return .select(low: try use(), high: try use(), boundary: boundary)
        case "transpose":
            let inputs = try number("a number of vectors")
            return .transpose(try use(), inputs: inputs)
        case "gather":
            let (table, rows, address) = try window()
            return .gather(table: table, rows: rows, address: address)
        case "scatter":
            let (region, rows, address) = try window()
            try expect("from", id: syntax)
            return .scatter(region: region, rows: rows, address: address, data: try use())
        case "transfer": return .transfer(try use())
        case "ingress": return .ingress
        case "egress": return .egress(try use())
        case "pack":
            var uses = [try use()]
            while !isAtEnd { uses.append(try use()) }
            return .pack(uses)
        case "byte": return .byte(try number("a byte"), try use())
        case _: throw error(syntax, "'\(name)' is neither an op nor a formula nor 'parameter'")
        }
    }

    private mutating func operand() throws(DiagnosticSet) -> ElementwiseOperand {
        nextByte == UInt8(ascii: "0") ? .immediate(try bits()) : .use(try use())
    }

    /// `v3 * v1:320 + v4 * v2:320`.
    private mutating func terms() throws(DiagnosticSet) -> [MatmulTerm] {
        var terms: [MatmulTerm] = []
        repeat {
            let activation = try use()
            try expect("*", id: syntax)
            let tile = try parsed("a tile such as 'v1:320' or 'v1,v2[8]:32'", id: syntax) {
                $0.tileHere()
            }
            terms.append(MatmulTerm(activation, tile))
        } while take("+")
        return terms
    }

    /// `4...15,0,-1`.
    private mutating func map() throws(DiagnosticSet) -> [Int16] {
        try parsed("a map such as '4...15,0,-1'", id: syntax) { word in
            word.listHere { $0.signedHere().flatMap { Int16(exactly: $0) } }
        }
    }

    /// `v1 rows 512 at v2`.
    private mutating func window() throws(DiagnosticSet) -> (Use, Int, Use) {
        let table = try use()
        try expect("rows", id: syntax)
        let rows = try number("a number of rows")
        try expect("at", id: syntax)
        return (table, rows, try use())
    }
}

private let operations = Dictionary(
    uniqueKeysWithValues: ALUOperation.allCases.map { (Substring($0.rawValue), $0) })

/// Parts of words, from the next byte on; nil where there is no such part.
extension LineScanner {
    /// `v3`, `v3[5]`, `v3[5+2]` or `v3[5-2]`.
    fileprivate mutating func useHere() -> Use? {
        guard let value = name(ValueID.self) else { return nil }
        guard takePrefix("[") else { return Use(value) }
        guard let start = digits() else { return nil }
        var step: Int? = 1
        if takePrefix("+") {
            step = digits()
        } else if nextByte == UInt8(ascii: "-") {
            step = signedHere()
        }
        guard let step, takePrefix("]") else { return nil }
        return Use(value, start: start, step: step)
    }

    /// `i4.v12`.
    fileprivate mutating func argumentHere() -> Instance.Argument? {
        guard takePrefix("i"), let instance = digits(), takePrefix("."),
            let value = name(ValueID.self)
        else { return nil }
        return Instance.Argument(instance: instance, value: value)
    }

    /// `v1:320`, `v1,v2[8]:32` or `v1...v16:320`.
    fileprivate mutating func tileHere() -> Tile? {
        guard let sources = listHere({ $0.useHere() }), takePrefix(":"), let count = digits()
        else { return nil }
        return Tile(sources, count: count)
    }

    /// An element or a run of them.
    fileprivate mutating func elementsHere<Element: RunElement>(
        _ element: (inout LineScanner) -> Element?
    ) -> [Element]? {
        var list: [Element] = []
        return readElements(into: &list, element) ? list : nil
    }

    /// Elements and runs of them between commas.
    fileprivate mutating func listHere<Element: RunElement>(
        _ element: (inout LineScanner) -> Element?
    ) -> [Element]? {
        var list: [Element] = []
        repeat {
            guard readElements(into: &list, element) else { return nil }
        } while takePrefix(",")
        return list
    }

    /// `-`, `1`, `16:1,64` or `16:1,4:64`.
    fileprivate mutating func digitSumHere() -> DigitSum? {
        var sum = DigitSum([])
        let isNegative = takePrefix("-")
        guard let first = digits() else { return isNegative ? sum : nil }
        var number = isNegative ? -first : first
        while sum.digits.last?.radix != 0 {
            if takePrefix(":") {
                guard number > 0, let stride = signedHere() else { return nil }
                sum.digits.append(DigitSum.Digit(radix: number, stride: stride))
            } else {
                sum.digits.append(DigitSum.Digit(radix: 0, stride: number))
            }
            guard takePrefix(",") else { return sum }
            guard let next = signedHere() else { return nil }
            number = next
        }
        return nil
    }

    /// A number of 32 bits with its sign.
    fileprivate mutating func signedHere() -> Int? {
        let isNegative = takePrefix("-")
        return digits().map { isNegative ? -$0 : $0 }
    }

    /// `0x` and hexadecimal digits.
    fileprivate mutating func hexadecimal<Word: FixedWidthInteger & UnsignedInteger>() -> Word? {
        guard takePrefix("0x") else { return nil }
        var (word, count) = (Word(0), 0)
        while let byte = nextByte, let digit = Self.hexadecimalDigit(byte) {
            guard word.leadingZeroBitCount >= 4 else { return nil }
            word = word << 4 | Word(digit)
            count += 1
            _ = takeByte(byte)
        }
        return count > 0 ? word : nil
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case _: nil
        }
    }
}
