import LPUNumerics
import LPUSupport

extension Program {
    /// The text form; `Documentation/Dataflow.md` gives its grammar.
    ///
    /// `Program(text:file:)` gives the same program back if `problems()` holds no error.
    public var text: String { written.text }

    /// SHA-256 of the text form, 64 hexadecimal digits.
    public var digest: String { SHA256.hexDigest(of: written.bytes) }

    private var written: LineWriter {
        var lines = LineWriter()
        lines.line("program \(name)")
        lines.line("lanes \(lanes) \(lanesPerSuperlane)")
        if users != 1 { lines.line("users \(users)") }
        for template in templates {
            lines.line("template \(template.name) chips \(template.chipCount)")
            template.write(to: &lines)
        }
        for (i, instance) in instances.enumerated() {
            let known = templates.indices.contains(instance.template)
            let name = known ? templates[instance.template].name : "?"
            lines.put("i\(i) \(name)")
            for chip in instance.chips { lines.put(" \(chip)") }
            if let layer = instance.layer { lines.put(" layer \(layer)") }
            if !instance.arguments.isEmpty { lines.put(" with") }
            for word in words(instance.arguments, { "i\($0.instance).\($0.value)" }) {
                lines.put(" \(word)")
            }
            lines.endLine()
        }
        return lines
    }
}

extension ProgramTemplate {
    /// Ops in their order; an image or a parameter comes where its number does.
    fileprivate func write(to lines: inout LineWriter) {
        var next = 0
        func writeOthers(below end: Int) {
            while next < end {
                switch values[next].origin {
                case .op: break
                case .parameter:
                    declare(next, in: &lines)
                    lines.line("parameter")
                    writeMeaning(of: next, to: &lines)
                case .image(let formula):
                    declare(next, in: &lines)
                    lines.line(formula.text)
                    for piece in formula.layout?.pieces ?? [] { lines.line("piece \(piece.text)") }
                    writeMeaning(of: next, to: &lines)
                }
                next += 1
            }
        }
        for (i, op) in ops.enumerated() where values.indices.contains(op.result.index) {
            let result = op.result.index
            writeOthers(below: result)
            declare(result, in: &lines)
            lines.put("op")
            lines.put(i)
            if op.count != values[result].count { lines.put(" count \(op.count)") }
            if let chain = op.chain {
                lines.put(" chain ")
                lines.put(chain)
            }
            lines.blank()
            op.kind.write(to: &lines)
            lines.endLine()
            writeMeaning(of: result, to: &lines)
        }
        writeOthers(below: values.count)
    }

    /// A value's line up to what it is made of.
    private func declare(_ index: Int, in lines: inout LineWriter) {
        let value = values[index]
        lines.put("v")
        lines.put(index)
        lines.blank()
        let own = ".\(index)"
        if value.name.hasSuffix(own) {
            // The reader puts the number there again.
            lines.put(String(value.name.dropLast(own.count - 1)))
        } else {
            lines.put(value.name)
        }
        lines.blank()
        lines.put(value.type.rawValue)
        lines.blank()
        lines.put(value.count)
        lines.put(" place")
        lines.put(value.chip)
        lines.put(" = ")
    }

    private func writeMeaning(of index: Int, to lines: inout LineWriter) {
        guard let meaning = values[index].meaning else { return }
        lines.line("means \(meaning.tensor)")
        for piece in meaning.pieces { lines.line("piece \(piece.text)") }
    }
}

extension OpKind {
    /// The name and the operands; those of most ops without a text by themselves.
    fileprivate func write(to lines: inout LineWriter) {
        lines.put(name)
        switch self {
        case .matmul(let terms):
            lines.blank()
            for (i, term) in terms.enumerated() {
                if i > 0 { lines.put(" + ") }
                term.activation.write(to: &lines)
                lines.put(" * \(term.tile.text)")
            }
        case .elementwise(_, let a, let b):
            for operand in [a, b] {
                guard let operand else { continue }
                lines.blank()
                operand.write(to: &lines)
            }
        case .distribute(let map, let use), .permute(let map, let use):
            lines.put(" \(words(map) { "\($0)" }.joined(separator: ",")) \(use.text)")
        case .shift(let by, let use), .rotate(let by, let use): lines.put(" \(by) \(use.text)")
        case .select(let low, let high, let boundary):
            lines.put(" \(boundary) \(low.text) \(high.text)")
        case .transpose(let use, let inputs): lines.put(" \(inputs) \(use.text)")
        case .gather(let table, let rows, let address):
            lines.put(" \(table.text) rows \(rows) at \(address.text)")
        case .scatter(let region, let rows, let address, let data):
            lines.put(" \(region.text) rows \(rows) at \(address.text) from \(data.text)")
        case .transfer(let use), .egress(let use):
            lines.blank()
            use.write(to: &lines)
        case .ingress: break
        case .pack(let uses): lines.put(" " + uses.map(\.text).joined(separator: " "))
        case .byte(let plane, let use): lines.put(" \(plane) \(use.text)")
        }
    }
}

extension Use {
    /// `v3`, `v3[5]` or `v3[5+2]`.
    var text: String {
        var lines = LineWriter()
        write(to: &lines)
        return lines.text
    }

    fileprivate func write(to lines: inout LineWriter) {
        lines.put("v")
        lines.put(value.index)
        if start == 0 && step == 1 { return }
        lines.put("[")
        lines.put(Int(start))
        if step != 1 {
            if step >= 0 { lines.put("+") }
            lines.put(Int(step))
        }
        lines.put("]")
    }
}

extension Tile {
    /// `v1:320`, `v1,v2[8]:32` or `v1[8]...v16[8]:320`.
    fileprivate var text: String {
        words(sources, \.text).joined(separator: ",") + ":\(count)"
    }
}

extension ElementwiseOperand {
    fileprivate func write(to lines: inout LineWriter) {
        switch self {
        case .use(let use): use.write(to: &lines)
        case .immediate(let word): lines.put(hexadecimal(word))
        }
    }
}

extension Formula {
    /// Without the pieces, which are lines of their own.
    fileprivate var text: String {
        switch self {
        case .weights(let layout, let factor, let scale):
            "weights \(layout.tensor) times \(factor)" + (scale.map { " by \($0)" } ?? "")
        case .scales(let layout, let factor, let scale):
            "scales \(layout.tensor) times \(factor)" + (scale.map { " by \($0)" } ?? "")
        case .greatestScale(let tensor, let factor, let scale):
            "greatestScale \(tensor) times \(factor)" + (scale.map { " by \($0)" } ?? "")
        case .constant(let bits, let vectors, let lanes):
            "constant \(hexadecimal(bits)) \(vectors.text) \(lanes.text)"
        case .diagonal(let bits, let offset, let period):
            "diagonal \(hexadecimal(bits)) \(offset) \(period)"
        case .table(let bits, let stride, let run):
            "table \(stride) \(run) " + words(bits, hexadecimal).joined(separator: " ")
        case .rotary(let rotary):
            "rotary \(rotary.isSine ? "sine" : "cosine") \(rotary.positionStep) \(rotary.heads) "
                + rotary.inverseFrequencies.map(hexadecimal).joined(separator: " ")
        case .zero: "zero"
        }
    }
}

extension Piece {
    /// `0..<320 0..<64 0/1/- 0/-/16:1,64`: vectors, lanes, and base/vector/lane a coordinate.
    fileprivate var text: String {
        base.indices.reduce("\(vectors.text) \(lanes.text)") {
            $0 + " \(base[$1])/\(vector[$1].text)/\(lane[$1].text)"
        }
    }
}

extension DigitSum {
    /// `16:1,64`: radix and stride a digit, the stride alone where it takes the rest; `-` for none.
    fileprivate var text: String {
        if digits.isEmpty { return "-" }
        return digits.map { $0.radix == 0 ? "\($0.stride)" : "\($0.radix):\($0.stride)" }
            .joined(separator: ",")
    }
}

extension Range<Int> {
    fileprivate var text: String { "\(lowerBound)..<\(upperBound)" }
}

private func hexadecimal(_ bits: some FixedWidthInteger) -> String {
    "0x" + String(bits, radix: 16)
}
