import LPUNumerics
import LPUSupport

extension Program {
    /// The text form; `Documentation/Dataflow.md` gives its grammar.
    ///
    /// `Program(text:file:)` gives the same program back if `problems()` holds no error.
    public var text: String {
        var text = "program \(name)\nlanes \(lanes) \(lanesPerSuperlane)\n"
        if users != 1 { text += "users \(users)\n" }
        for template in templates {
            text += "template \(template.name) chips \(template.chipCount)\n"
            template.write(to: &text)
        }
        for (i, instance) in instances.enumerated() {
            let known = templates.indices.contains(instance.template)
            let name = known ? templates[instance.template].name : "?"
            text += "i\(i) \(name)"
            for chip in instance.chips { text += " \(chip)" }
            if let layer = instance.layer { text += " layer \(layer)" }
            if !instance.arguments.isEmpty { text += " with" }
            for word in words(instance.arguments, { "i\($0.instance).\($0.value)" }) {
                text += " \(word)"
            }
            text += "\n"
        }
        return text
    }

    /// SHA-256 of the text form, 64 hexadecimal digits.
    public var digest: String { SHA256.hexDigest(of: text) }
}

extension ProgramTemplate {
    /// Ops in their order; an image or a parameter comes where its number does.
    fileprivate func write(to text: inout String) {
        var next = 0
        func writeOthers(below end: Int) {
            while next < end {
                switch values[next].origin {
                case .op: break
                case .parameter: write(next, "parameter", [], to: &text)
                case .image(let formula):
                    write(next, formula.text, formula.layout?.pieces ?? [], to: &text)
                }
                next += 1
            }
        }
        for (i, op) in ops.enumerated() where values.indices.contains(op.result.index) {
            writeOthers(below: op.result.index)
            var source = "\(OpID(i))"
            if op.count != values[op.result.index].count { source += " count \(op.count)" }
            if let chain = op.chain { source += " chain \(chain)" }
            write(op.result.index, "\(source) \(op.kind.text)", [], to: &text)
        }
        writeOthers(below: values.count)
    }

    private func write(_ index: Int, _ source: String, _ pieces: [Piece], to text: inout String) {
        let value = values[index]
        text += "\(ValueID(index)) \(value.name) \(value.type.rawValue) \(value.count)"
        text += " place\(value.chip) = \(source)\n"
        for piece in pieces { text += "piece \(piece.text)\n" }
        if let meaning = value.meaning {
            text += "means \(meaning.tensor)\n"
            for piece in meaning.pieces { text += "piece \(piece.text)\n" }
        }
    }
}

extension OpKind {
    /// The name and the operands.
    fileprivate var text: String {
        switch self {
        case .matmul(let terms):
            "\(name) "
                + terms.map { "\($0.activation.text) * \($0.tile.text)" }
                .joined(separator: " + ")
        case .elementwise(_, let a, let b): "\(name) \(a.text)" + (b.map { " \($0.text)" } ?? "")
        case .distribute(let map, let use), .permute(let map, let use):
            "\(name) \(words(map) { "\($0)" }.joined(separator: ",")) \(use.text)"
        case .shift(let by, let use), .rotate(let by, let use): "\(name) \(by) \(use.text)"
        case .select(let low, let high, let boundary):
            "\(name) \(boundary) \(low.text) \(high.text)"
        case .transpose(let use, let inputs): "\(name) \(inputs) \(use.text)"
        case .gather(let table, let rows, let address):
            "\(name) \(table.text) rows \(rows) at \(address.text)"
        case .scatter(let region, let rows, let address, let data):
            "\(name) \(region.text) rows \(rows) at \(address.text) from \(data.text)"
        case .transfer(let use), .egress(let use): "\(name) \(use.text)"
        case .ingress: name
        case .pack(let uses): "\(name) " + uses.map(\.text).joined(separator: " ")
        case .byte(let plane, let use): "\(name) \(plane) \(use.text)"
        }
    }
}

extension Use {
    /// `v3`, `v3[5]` or `v3[5+2]`.
    var text: String {
        switch (start, step) {
        case (0, 1): "\(value)"
        case (_, 1): "\(value)[\(start)]"
        case (_, ..<0): "\(value)[\(start)\(step)]"
        case (_, _): "\(value)[\(start)+\(step)]"
        }
    }
}

extension Tile {
    /// `v1:320`, `v1,v2[8]:32` or `v1[8]...v16[8]:320`.
    fileprivate var text: String {
        words(sources, \.text).joined(separator: ",") + ":\(count)"
    }
}

extension ElementwiseOperand {
    fileprivate var text: String {
        switch self {
        case .use(let use): use.text
        case .immediate(let word): hexadecimal(word)
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
