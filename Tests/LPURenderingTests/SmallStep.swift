import LPUDataflow
import LPUMachine
import LPUNumerics
import LPURendering
import LPUSchedule
import LPUSupport
import Testing

/// A step of two stages of two chips, small enough to count by hand. It breaks laws of the
/// contract: a drawing shows what the instructions say.
struct SmallStep {
    var program = Program(
        name: "small", lanes: 320, lanesPerSuperlane: 16, templates: [], instances: [])
    var schedule: Schedule
    let machine: Machine

    init() throws {
        machine = try #require(Machine.preset(named: "node8"))
        program.templates = [Self.template()]
        program.instances = [Instance(template: 0, chips: (0..<4).map { ChipID($0) })]
        schedule = Schedule(
            machine: machine.name, program: program.digest,
            templates: [
                ScheduleTemplate(name: "front", chips: try Self.front(machine)),
                ScheduleTemplate(name: "layer", chips: Self.layer(machine.chip)),
            ],
            placements: [
                Placement(template: 0, start: Cycle(0), chips: [ChipID(0), ChipID(1)]),
                Placement(template: 1, start: Cycle(100), chips: [ChipID(2), ChipID(3)]),
                Placement(template: 1, start: Cycle(200), chips: [ChipID(2), ChipID(3)]),
            ],
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    }

    func pictures(of model: String = "small") throws -> Pictures {
        try Pictures(of: model, program, schedule, on: machine)
    }

    /// Two heads of two ops each, one of them without a name.
    private static func template() -> ProgramTemplate {
        var builder = TemplateBuilder("step", chipCount: 4, lanesPerSuperlane: 16)
        let token = builder.ingress(count: 1, name: "token")
        let weights = builder.image("weights", type: .int8, count: 3, .zero)
        var heads: [ValueID] = []
        for head in 0..<2 {
            let doubled = builder.elementwise(.addInt, token[0], weights[0], count: 1)
            heads.append(
                builder.elementwise(.addInt, doubled[0], token[0], name: "layer0.h\(head).score"))
        }
        let sum = builder.elementwise(.addInt, heads[0][0], heads[1][0], name: "layer0.sum")
        let next = builder.elementwise(.copy, sum[0], name: "layer1.sum")
        _ = builder.elementwise(.copy, next[0], name: "head")
        return builder.template
    }

    /// Ingress, 4 ALU issues, 4 vectors to chip 1 and 2 to chip 2; a matmul every 2 cycles.
    private static func front(_ machine: Machine) throws -> [ChipProgram] {
        let chip = machine.chip
        let here = try #require(machine.topology.link(from: ChipID(0), to: ChipID(1)))
        let there = try #require(machine.topology.link(from: ChipID(0), to: ChipID(2)))
        let stream = Stream(.west, 0)
        let add = Instruction.alu(
            .addInt, .stream(stream, .int8), .immediate(1), east: stream, west: nil)
        func send(_ link: LinkID, _ count: Int) -> Burst {
            Burst(
                start: Cycle(20), queue: chip.queue(of: .link(link)), .send(stream),
                inner: Repeat(count: count, distance: 27))
        }
        let first = [
            Burst(start: Cycle(0), queue: chip.queue(of: .host), .ingress(stream), op: OpID(0)),
            Burst(
                start: Cycle(10), queue: chip.queue(of: .alu(0)), add, inner: Repeat(count: 4),
                op: OpID(1)),
            send(here, 4), send(there, 2),
        ]
        let second = [
            Burst(
                start: Cycle(0), queue: chip.queue(of: .matmul(.west, plane: 0)),
                .matmul(activation: stream, .fp16), inner: Repeat(count: 10, distance: 2))
        ]
        return [ChipProgram(bursts: first), ChipProgram(bursts: second)]
    }

    /// 50 reads with an image of 3 rows; on the other chip an egress.
    private static func layer(_ chip: Chip) -> [ChipProgram] {
        let stream = Stream(.east, 0)
        let row = RowAddress(bank: 0, row: 0)
        let reads = Burst(
            start: Cycle(0), queue: chip.queue(of: .memory(.west, slice: 0)),
            .memory(.read(row, stream), .none), inner: Repeat(count: 50), op: OpID(4))
        let rows = Allocation(
            value: ValueID(1), plane: 0, hemisphere: .west, slice: 0, base: row, rows: 3, first: 0,
            run: 3, innerStride: 1, outerStride: 0, live: Cycle(0)..<Cycle(50), isImage: true)
        let out = Burst(start: Cycle(60), queue: chip.queue(of: .host), .egress(stream))
        return [
            ChipProgram(bursts: [reads], allocations: [rows]), ChipProgram(bursts: [out]),
        ]
    }
}

extension Drawing {
    func node(_ id: String) throws -> Node { try #require(nodes.first { $0.id == id }) }

    /// The texts of a node's table, row by row.
    func texts(_ id: String) throws -> [String] {
        try #require(node(id).table).rows.flatMap { $0.map(\.text) }
    }

    /// `a -> b: text`.
    var arrows: [String] { edges.map { "\($0.from) -> \($0.to): \($0.text ?? "not drawn")" } }
}
