import LPUDataflow
import LPULoading
import LPUMachine
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

/// Schedules compute, byte for byte, what the program says, whoever made them.
@Suite struct ScheduledTests {
    private struct Family {
        var name: String
        var keys: [String: any Sendable]
        var context = 40
        var rowsPerBank = 4096
        var types: [ElementType] = [.fp16, .fp16]
        var users = 1
    }

    private static let families = [
        Family(name: "llama", keys: [:]),
        Family(name: "llama with biases", keys: ["attention_bias": true, "mlp_bias": true]),
        Family(
            name: "qwen3",
            keys: [
                "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
                "tie_word_embeddings": true,
            ]),
        Family(name: "llama, split embedding", keys: ["vocab_size": 700], rowsPerBank: 400),
        Family(name: "llama, all fp8", keys: [:], context: 1300, types: [.fp8, .fp8]),
        Family(
            name: "qwen3, fp8 weights",
            keys: ["architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"],
            types: [.fp8, .fp16]),
        Family(
            name: "llama, int8 weights", keys: ["attention_bias": true, "hidden_size": 328],
            types: [.int8, .fp8]),
        Family(
            name: "llama, three users", keys: [:], context: 700, types: [.fp16, .fp8], users: 3),
    ]

    @Test(arguments: 0..<8, [Strategy.list, .random(seed: 1)])
    func simulatorEqualsInterpreter(_ number: Int, _ strategy: Strategy) throws {
        try compare(Self.families[number], strategy)
    }

    @Test func addedAngles() throws {
        let family = Family(name: "llama, angles added", keys: [:], context: 610, rowsPerBank: 600)
        try compare(family, .random(seed: 1))
    }

    private func compare(_ family: Family, _ strategy: Strategy) throws {
        let name = family.name
        let decoder = try Decoder(family.keys)
        let machine = Machine.groqchip1(rowsPerBank: family.rowsPerBank)
        let plan = Plan(
            context: family.context, users: family.users, weightType: family.types[0],
            kvType: family.types[1])
        let program = try decoder.program(plan, on: machine)
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine, strategy: strategy)
        let verdict = Verifier().verify(machine: machine, schedule: schedule)
        #expect(verdict.violations.isEmpty, "\(name)")
        let symbolic = symbolicRun(machine: machine, schedule: schedule, program: program)
        #expect(symbolic.violations.isEmpty, "\(name)")

        let image = try MemoryImage(program, schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(machine: machine, schedule: schedule, image: image)
        var run = try decoder.run(program)
        var cycles: Set<Int> = []
        for (position, token) in [3, 17, 39].enumerated() {
            let user = family.users - 1
            let (_, expected) = try run.step(token, at: position, user: user)
            let ingress = DecoderRun.ingress(
                token, at: position, user: user, lanes: program.lanes)
            let (egress, statistics) = try simulator.step(ingress: [ChipID(0): [ingress]])
            #expect(egress.map(\.bytes) == [expected], "\(name) at \(position)")
            cycles.insert(statistics.cycles)
            #expect(differingRows(simulator, run, schedule) == 0, "\(name) at \(position)")
        }
        #expect(cycles.count == 1, "every token takes the same cycles")
        print("\(name), \(strategy): \(run.interpreter.numbering.opCount) ops, \(cycles) cycles")
    }
}

/// Rows of the caches that are not what the interpreter has.
func differingRows(
    _ simulator: Simulator, _ run: DecoderRun, _ schedule: Schedule
) -> Int {
    let program = run.interpreter.program
    let bases = run.interpreter.numbering.valueBases
    var count = 0
    var compared = 0
    for placement in schedule.placements {
        let entries = schedule.templates[placement.template].chips[0].allocations
        for entry in entries where entry.isImage {
            let number = entry.value.index + placement.valueBase
            let instance = (bases.firstIndex { $0 > number } ?? 1) - 1
            let id = ValueID(number - bases[instance])
            let value = program.templates[program.instances[instance].template].values[id.index]
            guard value.origin == .image(.zero) else { continue }
            let base = placement.resolve(entry.base)!
            let (bank, row) = (Int(base.bank), Int(base.row))
            let bytes = run.interpreter.bytes(of: id, in: instance)
            for r in 0..<Int(entry.rows) {
                let found = simulator.row(
                    row + r, bank: bank, slice: Int(entry.slice), entry.hemisphere,
                    of: ChipID(0))
                let vector = entry.vector(ofRow: r) * value.type.byteCount + Int(entry.plane)
                let start = vector * program.lanes
                compared += 1
                if found.map({ $0[...] }) != bytes[start..<start + program.lanes] { count += 1 }
            }
        }
    }
    return compared == 0 ? -1 : count
}
