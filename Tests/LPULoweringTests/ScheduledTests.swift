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
        ("llama with biases", ["attention_bias": true, "mlp_bias": true, "vocab_size": 330]),
        (
            "qwen3", [
                "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
                "tie_word_embeddings": true,
            ]
        ),
    ]

    @Test(arguments: [0, 1, 2], [Strategy.list, .random(seed: 5)])
    func simulatorEqualsInterpreter(_ family: Int, _ strategy: Strategy) throws {
        let (name, keys) = Self.families[family]
        let decoder = try Decoder(keys)
        // Banks so small that the tables of the second family are split.
        let machine = family == 1 ? Machine.smallBanks : .groqchip1
        let program = try decoder.program(context: family == 1 ? 140 : 40, on: machine)
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
        print("\(name), \(strategy): \(program.templates[0].ops.count) ops, \(cycles) cycles")
    }

    /// Rows of the image, caches among them, that are not what the interpreter has.
    private func differingRows(
        _ simulator: Simulator, _ run: DecoderRun, _ schedule: Schedule
    ) -> Int {
        let program = run.interpreter.program
        var count = 0
        for entry in schedule.templates[0].chips[0].allocations where entry.isImage {
            let value = program.templates[0].values[entry.value.index]
            guard value.name.contains("eys") || value.name.contains("alues") else { continue }
            let bytes = run.interpreter.bytes(of: entry.value, in: 0)
            for r in 0..<Int(entry.rows) {
                let row = simulator.row(
                    Int(entry.base.row) + r, bank: Int(entry.base.bank), slice: Int(entry.slice),
                    entry.hemisphere, of: ChipID(0))
                let vector = entry.vector(ofRow: r) * value.type.byteCount + Int(entry.plane)
                let start = vector * program.lanes
                if row.map({ $0[...] }) != bytes[start..<start + program.lanes] { count += 1 }
            }
        }
        return count
    }
}
