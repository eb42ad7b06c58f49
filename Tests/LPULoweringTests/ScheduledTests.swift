import LPUDataflow
import LPULoading
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

/// Schedules compute, byte for byte, what the program says, whoever made them.
@Suite struct ScheduledTests {
    private static let families: [(name: String, keys: [String: any Sendable])] = [
        ("llama", [:]),
        ("llama with biases", ["attention_bias": true, "mlp_bias": true, "vocab_size": 700]),
        (
            "qwen3", [
                "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
                "tie_word_embeddings": true,
            ]
        ),
    ]

    @Test(arguments: [0, 1, 2], [Strategy.list, .random(seed: 1)])
    func simulatorEqualsInterpreter(_ family: Int, _ strategy: Strategy) throws {
        let (name, keys) = Self.families[family]
        let decoder = try Decoder(keys)
        // Banks so small that the tables of the second family are split.
        let machine = family == 1 && strategy == .list ? Machine.smallBanks : .groqchip1
        let program = try decoder.program(context: family == 1 ? 310 : 40, on: machine)
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
            let (_, expected) = try run.step(token, at: position)
            let ingress = DecoderRun.ingress(token, at: position, lanes: program.lanes)
            let (egress, statistics) = try simulator.step(ingress: [ChipID(0): [ingress]])
            #expect(egress.map(\.bytes) == [expected], "\(name) at \(position)")
            cycles.insert(statistics.cycles)
            #expect(differingRows(simulator, run, schedule) == 0, "\(name) at \(position)")
        }
        #expect(cycles.count == 1, "every token takes the same cycles")
        print("\(name), \(strategy): \(run.interpreter.numbering.opCount) ops, \(cycles) cycles")
    }

    /// Rows of the caches that are not what the interpreter has.
    private func differingRows(
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
                let (bank, row) = placement.resolve(entry.base)
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
}
