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
    mutating func suffixed(_ prefix: String, _ what: String) throws(DiagnosticSet) -> Int {
        try parsed(what) { word in
            guard word.hasPrefix(prefix), let number = Int32(word.dropFirst(prefix.count)),
                number >= 0
            else { return nil }
            return Int(number)
        }
    }

    mutating func elementType() throws(DiagnosticSet) -> ElementType {
        try parsed("a type: fp8, int8, fp16, fp32 or int32") { ElementType(rawValue: String($0)) }
    }

    mutating func use() throws(DiagnosticSet) -> Use {
        try parsed("a use such as 'v3', 'v3[5]' or 'v3[5+2]'") { Use($0) }
    }

    mutating func range(_ what: String) throws(DiagnosticSet) -> Range<Int> {
        try parsed("\(what) such as '0..<320'") { word in
            guard let dots = word.firstRange(of: "..<"),
                let low = Int32(word[..<dots.lowerBound]),
                let high = Int32(word[dots.upperBound...]), 0 <= low, low <= high
            else { return nil }
            return Int(low)..<Int(high)
        }
    }

    mutating func bits() throws(DiagnosticSet) -> UInt32 {
        try parsed("bits such as '0x3f800000'") { hexadecimal($0) }
    }

    /// `i4.v12` or `i4.v12...i4.v20`.
    mutating func arguments() throws(DiagnosticSet) -> [Instance.Argument] {
        try parsed("an argument such as 'i0.v3'") { elements(of: $0) { Instance.Argument($0) } }
    }

    /// `0..<320 0..<64 0/1/- 0/-/1`.
    mutating func piece() throws(DiagnosticSet) -> Piece {
        var piece = Piece(
            vectors: try range("vectors"), lanes: try range("lanes"), base: [], vector: [],
            lane: [])
        while !isAtEnd {
            let (base, vector, lane) = try parsed("a coordinate such as '0/16:1,64/-'") {
                word -> (Int, DigitSum, DigitSum)? in
                let parts = word.split(separator: "/", omittingEmptySubsequences: false)
                guard parts.count == 3, let base = Int32(parts[0]),
                    let vector = DigitSum(parts[1]), let lane = DigitSum(parts[2])
                else { return nil }
                return (Int(base), vector, lane)
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
                words += try parsed("bits such as '0x3f800000' or '0x0...0xff'") { word in
                    elements(of: word) { hexadecimal($0) }
                }
            }
            return .table(bits: words, stride: stride, run: run)
        }
        return take("rotary") ? .rotary(try rotary()) : nil
    }

    private mutating func weights() throws(DiagnosticSet) -> (Layout, Float, String?) {
        let tensor = String(try word("a tensor", id: syntax))
        try expect("times", id: syntax)
        let factor = try parsed("a finite factor") { word in
            Float(word).flatMap { $0.isFinite ? $0 : nil }
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
                try parsed("a binary64 such as '0x3ff0000000000000'") { hexadecimal($0) })
        }
        return Rotary(
            inverseFrequencies: frequencies, isSine: isSine, positionStep: step, heads: heads)
    }

    /// Reads one word by `parse`; `what` names it in the error.
    mutating func parsed<Result>(
        _ what: String, _ parse: (Substring) -> Result?
    ) throws(DiagnosticSet) -> Result {
        let text = try word(what, id: syntax)
        guard let result = parse(text) else { throw error(syntax, "'\(text)' is not \(what)") }
        return result
    }
}

/// The operands of an op.
extension LineScanner {
    /// The name of an op and its operands.
    mutating func opKind() throws(DiagnosticSet) -> OpKind {
        let name = try word("an op", id: syntax)
        if let operation = ALUOperation(rawValue: String(name)) {
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
        if let word = peek.flatMap({ hexadecimal($0) as UInt32? }) {
            _ = try bits()
            return .immediate(word)
        }
        return .use(try use())
    }

    /// `v3 * v1:320 + v4 * v2:320`.
    private mutating func terms() throws(DiagnosticSet) -> [MatmulTerm] {
        var terms: [MatmulTerm] = []
        repeat {
            let activation = try use()
            try expect("*", id: syntax)
            let tile = try parsed("a tile such as 'v1:320' or 'v1,v2[8]:32'") { Tile($0) }
            terms.append(MatmulTerm(activation, tile))
        } while take("+")
        return terms
    }

    /// `4...15,0,-1`.
    private mutating func map() throws(DiagnosticSet) -> [Int16] {
        try parsed("a map such as '4...15,0,-1'") { list(ofWord: $0) { Int16($0) } }
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

extension Use {
    /// Parses `v3`, `v3[5]`, `v3[5+2]` or `v3[5-2]`.
    fileprivate init?(_ text: Substring) {
        guard let bracket = text.firstIndex(of: "[") else {
            guard let value = ValueID(String(text)) else { return nil }
            self.init(value)
            return
        }
        let body = text[bracket...].dropFirst().dropLast()
        let sign = body.firstIndex { $0 == "+" || $0 == "-" } ?? body.endIndex
        guard text.last == "]", let value = ValueID(String(text[..<bracket])),
            let start = Int32(body[..<sign]),
            let step = sign == body.endIndex ? 1 : Int32(body[sign...])
        else { return nil }
        self.init(value, start: Int(start), step: Int(step))
    }
}

extension Instance.Argument {
    /// Parses `i4.v12`.
    fileprivate init?(_ text: Substring) {
        guard text.first == "i", let dot = text.firstIndex(of: "."),
            let instance = Int32(text[..<dot].dropFirst()), instance >= 0,
            let value = ValueID(String(text[dot...].dropFirst()))
        else { return nil }
        self.init(instance: Int(instance), value: value)
    }
}

extension Tile {
    /// Parses `v1:320`, `v1,v2[8]:32` or `v1...v16:320`.
    fileprivate init?(_ text: Substring) {
        guard let colon = text.lastIndex(of: ":"),
            let count = Int32(text[colon...].dropFirst()), count >= 0,
            let sources = list(ofWord: text[..<colon], { Use($0) })
        else { return nil }
        self.init(sources, count: Int(count))
    }
}

extension DigitSum {
    /// Parses `-`, `1`, `16:1,64` or `16:1,4:64`.
    fileprivate init?(_ text: Substring) {
        self.init([])
        if text == "-" { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let numbers = part.split(separator: ":", omittingEmptySubsequences: false)
            let isRest = numbers.count == 1
            guard (1...2).contains(numbers.count), digits.last?.radix != 0,
                let stride = Int32(numbers[numbers.count - 1]),
                let radix = isRest ? 0 : Int32(numbers[0]), isRest || radix > 0
            else { return nil }
            digits.append(Digit(radix: Int(radix), stride: Int(stride)))
        }
    }
}

/// Parses elements and runs of them between commas.
private func list<Element: RunElement>(
    ofWord word: Substring, _ parse: (Substring) -> Element?
) -> [Element]? {
    var list: [Element] = []
    for part in word.split(separator: ",", omittingEmptySubsequences: false) {
        guard let elements = elements(of: part, parse) else { return nil }
        list += elements
    }
    return list
}

/// Parses `0x` and hexadecimal digits.
private func hexadecimal<Word: FixedWidthInteger>(_ text: Substring) -> Word? {
    guard text.hasPrefix("0x"), !text.dropFirst(2).isEmpty,
        text.dropFirst(2).allSatisfy(\.isHexDigit)
    else { return nil }
    return Word(text.dropFirst(2), radix: 16)
}
