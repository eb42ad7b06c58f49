import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUSchedule
import LPUSupport
import Testing

/// A small model on 32 lanes: two layers on chips of their own, tables that both share.
enum Fixture {
    static let lanes = 32
    static let weights =
        [
            WeightTensor("embed.weight", shape: [40, 48]),
            WeightTensor("final_norm.weight", shape: [48]),
        ]
        + (0..<2).flatMap { layer in
            [
                WeightTensor("layers.\(layer).q_proj.weight", shape: [64, 48]),
                WeightTensor("layers.\(layer).q_proj.bias", shape: [64]),
                WeightTensor("layers.\(layer).down_proj.weight", shape: [48, 64]),
                WeightTensor("layers.\(layer).norm.weight", shape: [48]),
            ]
        }
    static let source = HashedWeights(weights)

    /// A range of rows or columns as (base, count, digits).
    typealias Part = (base: Int, count: Int, digits: DigitSum)

    static func ranges(_ total: Int, by width: Int) -> [Part] {
        stride(from: 0, to: total, by: width).map { ($0, min(width, total - $0), .linear(1)) }
    }

    /// Rows of two heads of 16 that stand side by side with each rotary pair in neighbours.
    static let rotaryHeads: [Part] = [0, 32].map {
        let digits = [(2, 8), (8, 1), (0, 16)].map { DigitSum.Digit(radix: $0, stride: $1) }
        return ($0, 32, DigitSum(digits))
    }

    /// Tiles of `height` vectors, output tile by output tile; vectors are rows, lanes columns.
    static func tiles(
        _ tensor: String, rows: [Part], columns: [Part], height: Int = 32
    ) -> (layout: Layout, count: Int) {
        var pieces: [Piece] = []
        for row in rows {
            for column in columns {
                let start = pieces.count * height
                pieces.append(
                    Piece(
                        vectors: start..<start + row.count, lanes: 0..<column.count,
                        base: [row.base, column.base], vector: [row.digits, .zero],
                        lane: [.zero, column.digits]))
            }
        }
        return (Layout(tensor: tensor, pieces: pieces), pieces.count * height)
    }

    /// A vector tensor, one part a vector.
    static func vectors(_ tensor: String, _ parts: [Part]) -> Layout {
        let pieces = parts.enumerated().map { i, part in
            Piece(
                vectors: i..<i + 1, lanes: 0..<part.count, base: [part.base], vector: [.zero],
                lane: [part.digits])
        }
        return Layout(tensor: tensor, pieces: pieces)
    }

    static let norm = "layers.$layer.norm.weight"
    static let query = "layers.$layer.q_proj.weight"

    /// Two chips: the down projection is cut by columns, the query projection by rows.
    static func layer(_ type: ElementType) -> ProgramTemplate {
        var t = TemplateBuilder("layer", chipCount: 2, lanesPerSuperlane: 16)
        for chip in 0..<2 {
            let heads = [rotaryHeads[chip]]
            let q = tiles(query, rows: heads, columns: ranges(48, by: 32))
            _ = t.image(
                "q\(chip)", chip: chip, type: type, count: q.count,
                .weights(q.layout, factor: 0.25, columnScale: norm))
            _ = t.image(
                "qScales\(chip)", chip: chip, type: .fp32, count: 8,
                .scales(vectors(query, heads), factor: 3, columnScale: norm))
            _ = t.image(
                "qGreatest\(chip)", chip: chip, type: .fp32, count: 8,
                .greatestScale(query, factor: 3, columnScale: norm))
            let columns = [Part(32 * chip, 32, .linear(1))]
            let down = tiles(
                "layers.$layer.down_proj.weight", rows: ranges(48, by: 32), columns: columns)
            _ = t.image(
                "down\(chip)", chip: chip, type: type, count: down.count,
                .weights(down.layout, factor: 1, columnScale: nil))
        }
        _ = t.image(
            "bias", chip: 1, type: .fp16, count: 8,
            .weights(
                vectors("layers.$layer.q_proj.bias", rotaryHeads), factor: 1, columnScale: nil))
        _ = t.parameter("table", type: .fp16, count: 80)
        return t.template
    }

    /// The embedding with tokens over vectors, and once more with tokens over lanes.
    static func tables(_ type: ElementType) -> ProgramTemplate {
        var t = TemplateBuilder("tables", chipCount: 1, lanesPerSuperlane: 16)
        let rows = tiles(
            "embed.weight", rows: ranges(40, by: 40), columns: ranges(48, by: 32), height: 40)
        _ = t.image(
            "table", type: .fp16, count: rows.count,
            .weights(rows.layout, factor: 1, columnScale: nil))
        let turned = [(0, 32), (32, 8)].enumerated().map { i, part in
            Piece(
                vectors: 48 * i..<48 * i + 48, lanes: 0..<part.1, base: [part.0, 0],
                vector: [.zero, .linear(1)], lane: [.linear(1), .zero])
        }
        _ = t.image(
            "head", type: type, count: 96,
            .weights(
                Layout(tensor: "embed.weight", pieces: turned), factor: 1,
                columnScale: "final_norm.weight"))
        _ = t.image("zeros", type: .int8, count: 8, .zero)
        return t.template
    }

    static func program(_ type: ElementType) throws -> Program {
        let table = Instance.Argument(instance: 0, value: ValueID(0))
        let program = Program(
            name: "fixture", lanes: lanes, lanesPerSuperlane: 16,
            templates: [tables(type), layer(type)],
            instances: [
                Instance(template: 0, chips: [ChipID(0)]),
                Instance(template: 1, chips: [ChipID(0), ChipID(1)], layer: 0, arguments: [table]),
                Instance(template: 1, chips: [ChipID(0), ChipID(2)], layer: 1, arguments: [table]),
            ])
        try program.validate()
        return program
    }

    /// Every tensor that the program of `program(type)` quantises, in every way.
    static func quantisations(_ type: ElementType) -> [Quantisation] {
        [
            Quantisation("embed.weight", type: .fp16),
            Quantisation("embed.weight", type: type, columnScale: "final_norm.weight"),
        ]
            + (0..<2).flatMap { layer in
                [
                    Quantisation(
                        "layers.\(layer).q_proj.weight", type: type, factor: 0.25,
                        columnScale: "layers.\(layer).norm.weight"),
                    Quantisation("layers.\(layer).down_proj.weight", type: type),
                    Quantisation("layers.\(layer).q_proj.bias", type: .fp16),
                ]
            }
    }

    static func machine() throws -> Machine {
        var machine = try #require(Machine.preset(named: "groqchip1"))
        machine.chip.superlanes = 2
        machine.chip.lanesPerSuperlane = 16
        machine.topology = Topology(
            axes: [
                Axis(
                    name: "x", size: 3, firstLink: LinkID(0), lanes: 1, latency: 1,
                    interval: Rational(1))
            ])
        try #require(machine.chipCount >= 3 && machine.chip.lanes == lanes)
        return machine
    }
}

/// Lays a program's image values into rows: striped over four slices, halves of a value dealt out
/// in turn, a layer's in a slot of its own; the tables once more on the other side.
struct Shelf {
    private var nextRow = [Int](repeating: 0, count: 64)

    private mutating func lay(
        _ value: ValueID, _ declared: Value, slot: Int, _ hemisphere: Hemisphere,
        at rows: [Int]? = nil
    ) -> [Allocation] {
        (0..<declared.type.byteCount).flatMap { plane in
            (0..<4).map { stripe in
                let slice = 4 * plane + stripe
                let key = 32 * Int(hemisphere.rawValue) + slice
                let row = rows?[slice] ?? nextRow[key]
                if rows == nil { nextRow[key] += declared.count / 4 }
                return Allocation(
                    value: value, plane: plane, hemisphere: hemisphere, slice: slice,
                    base: RowAddress(slot: slot, bank: 0, row: row), rows: declared.count / 4,
                    first: stripe, run: 2, innerStride: declared.count / 2, outerStride: 4,
                    live: Cycle(0)..<Cycle(9), isImage: true)
            }
        }
    }

    private mutating func lay(
        _ template: ProgramTemplate, slot: Int, _ sides: [Hemisphere]
    ) -> ScheduleTemplate {
        var chips = Array(repeating: ChipProgram(), count: template.chipCount)
        for (v, value) in template.values.enumerated() {
            // A parameter is laid where the table is: the same rows, named by two placements.
            let isParameter = value.origin == .parameter
            for side in isParameter ? [.west] : sides {
                chips[value.chip].allocations += lay(
                    ValueID(v), value, slot: isParameter ? 0 : slot, side,
                    at: isParameter ? Array(repeating: 0, count: 8) : nil)
            }
        }
        return ScheduleTemplate(name: template.name, chips: chips)
    }

    static func schedule(_ program: Program, on machine: Machine) -> Schedule {
        var shelf = Shelf()
        let templates = [
            shelf.lay(program.templates[0], slot: 0, [.west, .east]),
            shelf.lay(program.templates[1], slot: 1, [.east]),
        ]
        let bases = Numbering(program).valueBases
        let placements = program.instances.enumerated().map { i, instance in
            Placement(
                template: instance.template, start: Cycle(10 * i), chips: instance.chips,
                slots: [SlotOffset(rows: 600 * max(i - 1, 0), flipsBank: i == 2)],
                valueBase: bases[i])
        }
        return Schedule(
            machine: machine.name, program: "", templates: templates, placements: placements,
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    }
}
