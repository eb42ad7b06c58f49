import LPUMachine
import LPUNumerics
import LPUSupport
import Testing

@Suite struct InstructionProblemTests {
    let chip = Machine.preset(named: "lp30")!.chip
    let row = RowAddress(bank: 1, row: 4879)

    private func east(_ id: Int) -> Stream { Stream(.east, id) }
    private func west(_ id: Int) -> Stream { Stream(.west, id) }

    @Test func possibleInstructionsHaveNone() {
        let possible: [(Unit, Instruction)] = [
            (.memory(.east, slice: 3), .memory(.read(row, west(31)), .write(row, east(0)))),
            (
                .memory(.west, slice: 3),
                .memory(
                    .gather(
                        window: RowAddress(bank: 0, row: 0), rows: 4880, address: west(1), east(2)),
                    .none)
            ),
            (.loadWeights(.east, plane: 0), .loadWeights(column: 19, tandem: true)),
            (.matmul(.west, plane: 2 - 1), .install(tandem: false)),
            (.matmul(.west, plane: 1), .matmul(activation: west(31), .int8)),
            (.matmul(.east, plane: 0), .matmul(activation: east(30), .fp16)),
            (.accumulate(.east, plane: 1), .accumulate(row: 127, add: true, emit: west(28))),
            (.alu(0), .alu(.exp, .stream(west(12), .fp32), nil, east: east(0), west: west(4))),
            (
                .alu(4),
                .alu(
                    .toFP16, .stream(east(8), .fp8), nil, east: east(22), west: nil)
            ),
            (.alu(1), .alu(.add, .stream(west(0), .fp16), .alu(1), east: nil, west: nil)),
            (.distributor(.west, 3), .distribute(from: east(24), to: west(0), count: 8, .init(0))),
            (
                .transposer(.east, 1),
                .transpose(from: west(16), inputs: 16, to: west(3), outputs: 1)
            ),
            (.permutor(.east, 0), .permute(from: west(0), to: west(0), count: 4, .init(1))),
            (.shifter(.east, 0), .shift(from: west(0), to: west(0), count: 4, by: -320)),
            (.shifter(.east, 0), .rotate(from: west(0), to: west(0), count: 1, by: 15)),
            (
                .shifter(.east, 0),
                .select(low: west(0), high: east(0), to: west(0), count: 4, boundary: 320)
            ),
            (.link(LinkID(33)), .send(east(31))), (.link(LinkID(0)), .receive(west(0))),
            (.host, .ingress(east(0))), (.host, .egress(west(0))),
        ]
        for (unit, instruction) in possible {
            #expect(chip.problems(with: instruction, on: unit) == [], "\(unit) \(instruction)")
        }
    }

    @Test func impossibleInstructionsAreExplained() {
        let wrong: [(Unit, Instruction, InstructionProblem.Kind, String)] = [
            (.host, .send(east(0)), .malformed, "the instruction is none of host"),
            (.link(LinkID(0)), .send(east(32)), .range, "a direction has 32"),
            (
                .memory(.east, slice: 0),
                .memory(.read(RowAddress(bank: 2, row: 0), east(0)), .none), .range, "bank is 2"
            ),
            (
                .memory(.east, slice: 0),
                .memory(.none, .write(RowAddress(bank: 0, row: 4880), east(0))), .range,
                "row is 4880, outside 0..<4880"
            ),
            (
                .memory(.east, slice: 0),
                .memory(.none, .scatter(window: row, rows: 2, address: east(0), east(1))), .range,
                "last row is 4880, outside 0..<4880"
            ),
            (
                .memory(.east, slice: 0),
                .memory(.gather(window: row, rows: 0, address: east(0), east(1)), .none), .range,
                "window is 0, outside 1...65536"
            ),
            (
                .loadWeights(.east, plane: 0), .loadWeights(column: 20, tandem: false), .range,
                "column is 20, outside 0..<20"
            ),
            (
                .loadWeights(.east, plane: 1), .loadWeights(column: 0, tandem: true), .malformed,
                "plane 1 has none"
            ),
            (
                .matmul(.east, plane: 1), .matmul(activation: east(0), .fp16), .malformed,
                "plane 1 has none"
            ),
            (
                .matmul(.east, plane: 0), .matmul(activation: east(1), .fp16), .route,
                "not aligned to 2"
            ),
            (.matmul(.east, plane: 0), .matmul(activation: west(0), .fp8), .route, "outward"),
            (.matmul(.east, plane: 0), .matmul(activation: east(0), .int32), .malformed, "int32"),
            (
                .accumulate(.east, plane: 0), .accumulate(row: 128, add: false, emit: nil), .range,
                "accumulator row is 128"
            ),
            (
                .accumulate(.west, plane: 0), .accumulate(row: 0, add: false, emit: west(0)),
                .route,
                "a sum leaves inward"
            ),
            (.alu(1), .alu(.exp, .immediate(0), nil, east: nil, west: nil), .route, "alu1 is none"),
            (
                .alu(0), .alu(.add, .immediate(0), nil, east: nil, west: nil), .malformed,
                "add takes 2 operands, here are 1"
            ),
            (
                .alu(0), .alu(.copy, .stream(west(16), .fp8), nil, east: nil, west: nil), .route,
                "s16w is in group 4, alu0 reaches groups 0, 1, 2, 3"
            ),
            (
                .alu(0), .alu(.copy, .immediate(0), nil, east: east(28), west: nil), .route,
                "s28e is in group 7"
            ),
            (
                .alu(0), .alu(.copy, .immediate(0), nil, east: east(2), west: nil), .route,
                "not aligned to 4"
            ),
            (
                .alu(0), .alu(.copy, .immediate(0), nil, east: west(0), west: nil), .route,
                "this result leaves"
            ),
            (
                .alu(0), .alu(.copy, .alu(16), nil, east: nil, west: nil), .range,
                "operand alu is 16"
            ),
            (
                .alu(0),
                .alu(.add, .stream(west(0), .fp8), .stream(east(1), .fp8), east: nil, west: nil),
                .route, "group 0 enters alu0 from both directions"
            ),
            (
                .distributor(.east, 0), .distribute(from: east(0), to: east(0), count: 9, .init(0)),
                .range, "count is 9, outside 1...8"
            ),
            (
                .transposer(.east, 0),
                .transpose(from: east(0), inputs: 17, to: east(0), outputs: 0), .range,
                "outputs is 0, outside 1...16"
            ),
            (
                .shifter(.east, 0), .shift(from: east(30), to: east(0), count: 4, by: 1), .range,
                "4 streams from s30e on end after stream 33"
            ),
            (
                .shifter(.east, 0), .rotate(from: east(0), to: east(0), count: 4, by: 16), .range,
                "rotation is 16"
            ),
        ]
        for (unit, instruction, kind, part) in wrong {
            let problems = chip.problems(with: instruction, on: unit)
            #expect(
                problems.contains { $0.kind == kind && $0.message.contains(part) },
                "\(unit) \(instruction): \(problems)")
        }
    }
}
