import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

@testable import LPUPlanning

/// The paths that the bound is made of, against the shortest lawful schedules of small programs,
/// found by trying everything: one instruction an op, at every cycle, in every place of its list.
@Suite struct OptimumTests {
    /// A program with the places of each of its instructions, producers first.
    struct Small {
        var builder: TemplateBuilder
        var fixed = ChipProgram()
        var places: [[Place]] = []

        struct Place {
            var unit: Unit
            var instruction: Instruction
        }

        init(_ chip: Chip) {
            builder = TemplateBuilder(
                "small", chipCount: 1, lanesPerSuperlane: chip.lanesPerSuperlane)
        }
    }

    /// Depth first: an instruction whose operands are not there at a cycle never gets them from
    /// those that come after it in the list.
    struct Search {
        let machine: Machine
        let program: Program
        let small: Small
        var best: Int
        var tried = 0

        init(_ small: Small, on machine: Machine, below limit: Int) {
            self.machine = machine
            self.small = small
            let chip = machine.chip
            program = Program(
                name: "small", lanes: chip.lanes, lanesPerSuperlane: chip.lanesPerSuperlane,
                templates: [small.builder.template],
                instances: [Instance(template: 0, chips: [ChipID(0)])])
            best = limit
        }

        /// The length of the shortest schedule, or the limit if none is shorter.
        mutating func run() throws -> Int {
            try program.validate()
            place(0, small.fixed, last: 0)
            return best
        }

        /// - Parameter last: the cycle of the instruction before it in the list.
        private mutating func place(_ k: Int, _ chip: ChipProgram, last: Int) {
            guard k < small.places.count else {
                let schedule = schedule(chip)
                let verdict = Verifier().verify(
                    machine: machine, schedule: schedule, program: program)
                if verdict.isAccepted { best = min(best, schedule.claims.length.count) }
                return
            }
            for place in small.places[k] {
                // What it takes was made by one of those before it, and takes time.
                var cycle = last
                while cycle < best - 1 {
                    var next = chip
                    next.bursts.append(
                        Burst(
                            start: Cycle(cycle), queue: machine.chip.queue(of: place.unit),
                            place.instruction))
                    next.sort()
                    tried += 1
                    let run = symbolicRun(
                        machine: machine, schedule: schedule(next), program: program)
                    if run.violations.allSatisfy({ $0.law == .coverage }) {
                        self.place(k + 1, next, last: cycle)
                    }
                    cycle += 1
                }
            }
        }

        private func schedule(_ chip: ChipProgram) -> Schedule {
            var schedule = Schedule(
                machine: machine.name, program: program.digest,
                templates: [ScheduleTemplate(name: "small", chips: [chip])],
                placements: [Placement(template: 0, start: Cycle(0), chips: [ChipID(0)])],
                claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
            schedule.claims = schedule.recomputedClaims(on: machine)
            return schedule
        }
    }

    private let machine = Machine.preset(named: "groqchip1")!
    private var chip: Chip { machine.chip }

    /// The shortest schedule; the limit is above the bound, so that one is found.
    private func optimum(_ small: Small, bound: Int) throws -> Int {
        var search = Search(small, on: machine, below: bound + 4)
        let optimum = try search.run()
        print("optimum \(optimum), bound \(bound), \(search.tried) places tried")
        return optimum
    }

    private func inward(_ id: Int) -> Stream { Stream(Hemisphere.west.inward, id) }
    private func outward(_ id: Int) -> Stream { Stream(Hemisphere.west.outward, id) }

    /// In at the host port, through a chain of ALUs, and out again: `vxmPath`.
    @Test(arguments: [1, 3]) func `element-wise chains take the VXM's path`(_ count: Int) throws {
        var small = Small(chip)
        var value = small.builder.ingress(count: 1)
        small.places.append([Small.Place(unit: .host, instruction: .ingress(inward(0)))])
        let alus: [UInt8] = [0, 4, 1]
        for k in 0..<count {
            let isLast = k == count - 1
            let operation: ALUOperation = isLast ? .intToInt8 : .addInt
            let second: ElementwiseOperand? = isLast ? nil : .immediate(3)
            value = small.builder.elementwise(
                operation, .use(value[0]), second, count: 1)
            let operand: ALUOperand = k == 0 ? .stream(inward(0), .int8) : .alu(alus[k - 1])
            small.places.append([
                Small.Place(
                    unit: .alu(Int(alus[k])),
                    instruction: .alu(
                        operation, operand, isLast ? nil : .immediate(3), east: nil,
                        west: isLast ? outward(4) : nil))
            ])
        }
        small.builder.egress(value[0])
        small.places.append([Small.Place(unit: .host, instruction: .egress(outward(4)))])
        let bound = chip.ingressLatency + chip.vxmPath(count) + 1
        #expect(try optimum(small, bound: bound) == bound)
    }

    /// An address in, the row out, from any slice: the bound's way of the embedding.
    @Test func `a gathered row takes the way of the embedding`() throws {
        var small = Small(chip)
        let table = small.builder.image("table", type: .int8, count: 2, .zero)
        let address = small.builder.ingress(count: 1)
        let row = small.builder.gather(table[0, step: 0], rows: 2, address: address[0], count: 1)
        small.builder.egress(row[0])
        small.places = [
            [Small.Place(unit: .host, instruction: .ingress(inward(0)))],
            [],
            [Small.Place(unit: .host, instruction: .egress(outward(4)))],
        ]
        for slice in 0..<chip.memSlicesPerHemisphere {
            small.fixed.allocations.append(
                Allocation(
                    value: table, plane: 0, hemisphere: .west, slice: slice,
                    base: RowAddress(bank: 0, row: 0), rows: 2, first: 0, run: 2, innerStride: 1,
                    outerStride: 0, live: Cycle(0)..<Cycle(1_000), isImage: true))
            small.places[1].append(
                Small.Place(
                    unit: .memory(.west, slice: slice),
                    instruction: .memory(
                        .gather(
                            window: RowAddress(bank: 0, row: 0), rows: 2, address: inward(0),
                            outward(4)), .none)))
        }
        let embedding = chip.ingressLatency + 1 + chip.gatherLatency + 1
        #expect(try optimum(small, bound: embedding + 1) == embedding + 1)
    }

    /// A number in, narrowed, against a tile of weights, the sum narrowed and out: `vxmPath` and
    /// `sumPath`. The tile is there as early as it can be, which takes the plane from nothing.
    @Test func `a product of a tile takes the way of a sum`() throws {
        var small = Small(chip)
        let weights = small.builder.image(
            "weights", type: .int8, count: 16, .diagonal(bits: 1, offset: 0, period: chip.lanes))
        let token = small.builder.ingress(count: 1)
        let activation = small.builder.elementwise(.intToInt8, token[0], count: 1)
        let sum = small.builder.matmul(
            [MatmulTerm(activation[0], Tile([weights[0]], count: 16))], count: 1)
        let result = small.builder.elementwise(.intToInt8, sum[0], count: 1)
        small.builder.egress(result[0])
        let loaded = load(weights, into: &small.fixed)
        small.fixed.bursts.append(
            Burst(
                start: Cycle(loaded + chip.installLatency),
                queue: chip.queue(of: .matmul(.west, plane: 1)), .install(tandem: false)))
        func place(_ unit: Unit, _ instruction: Instruction) -> [Small.Place] {
            [Small.Place(unit: unit, instruction: instruction)]
        }
        func cast(_ operand: ALUOperand, _ result: Stream) -> Instruction {
            .alu(.intToInt8, operand, nil, east: nil, west: result)
        }
        small.places = [
            place(.host, .ingress(inward(0))),
            place(.alu(0), cast(.stream(inward(0), .int8), outward(4))),
            place(.matmul(.west, plane: 1), .matmul(activation: outward(4), .int8)),
            place(
                .accumulate(.west, plane: 1), .accumulate(row: 0, add: false, emit: inward(8))),
            place(.alu(1), cast(.stream(inward(8), .int32), outward(12))),
            place(.host, .egress(outward(12))),
        ]
        let bound = chip.ingressLatency + chip.vxmPath(1) + chip.sumPath(1) + 1
        #expect(try optimum(small, bound: bound) == bound)
    }

    /// One vector a slice, outermost slices first, on the streams of plane 1 at the edge at once;
    /// the cycle of their load.
    private func load(_ weights: ValueID, into program: inout ChipProgram) -> Int {
        let nearest = chip.memSlicesPerHemisphere - 1
        let groups = (16 + chip.memSlicesPerGroup - 1) / chip.memSlicesPerGroup
        let cycle = chip.readLatency + groups
        for s in 0..<16 {
            let slice = nearest - s
            let hops = chip.edge - abs(chip.register(ofSlice: slice, in: .west))
            program.allocations.append(
                Allocation(
                    value: weights, plane: 0, hemisphere: .west, slice: slice,
                    base: RowAddress(bank: 0, row: 0), rows: 1, first: s, run: 1, innerStride: 1,
                    outerStride: 0, live: Cycle(0)..<Cycle(1_000), isImage: true))
            program.bursts.append(
                Burst(
                    start: Cycle(cycle - chip.readLatency - hops),
                    queue: chip.queue(of: .memory(.west, slice: slice)),
                    .memory(.read(RowAddress(bank: 0, row: 0), outward(16 + s)), .none)))
        }
        program.bursts.append(
            Burst(
                start: Cycle(cycle), queue: chip.queue(of: .loadWeights(.west, plane: 1)),
                .loadWeights(column: 0, tandem: false)))
        return cycle
    }
}
