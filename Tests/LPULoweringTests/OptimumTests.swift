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
            place(0, small.fixed)
            return best
        }

        private mutating func place(_ k: Int, _ chip: ChipProgram) {
            guard k < small.places.count else {
                let schedule = schedule(chip)
                let verdict = Verifier().verify(
                    machine: machine, schedule: schedule, program: program)
                if verdict.isAccepted { best = min(best, schedule.claims.length.count) }
                return
            }
            for place in small.places[k] {
                var cycle = 0
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
                        self.place(k + 1, next)
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
}
