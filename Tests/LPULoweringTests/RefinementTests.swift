import LPUDataflow
import LPULowering
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

/// Law 16 accepts what the lowering makes, and finds what is planted in it.
@Suite struct RefinementTests {
    struct Case: Sendable, CustomStringConvertible {
        var name: String
        var keys: @Sendable () -> [String: Any]
        var machine = "groqchip1"
        var degree = 1
        var stages = 1
        var context = 40
        var weights = ElementType.fp16
        var cache = ElementType.fp16
        var users = 1
        var description: String {
            "\(name) on \(degree) x \(stages), context \(context), "
                + "\(weights.rawValue) weights, \(cache.rawValue) cache, \(users) users"
        }
    }

    static let qwen: @Sendable () -> [String: Any] = {
        ["architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 8]
    }
    static let accepted = [
        Case(name: "llama", keys: { [:] }),
        Case(name: "two layers", keys: { ["num_hidden_layers": 2] }, context: 700),
        Case(name: "long context", keys: { [:] }, context: 5000),
        Case(name: "wide", keys: { ["hidden_size": 328, "intermediate_size": 700] }),
        Case(name: "qwen3", keys: qwen),
        Case(name: "biases", keys: { ["attention_bias": true, "mlp_bias": true] }),
        Case(name: "tied", keys: { ["tie_word_embeddings": true, "vocab_size": 700] }),
        Case(
            name: "many heads",
            keys: {
                [
                    "num_attention_heads": 48, "num_key_value_heads": 24, "head_dim": 16,
                    "hidden_size": 96,
                ]
            }),
        Case(name: "llama", keys: { ["num_hidden_layers": 2] }, machine: "node8", degree: 2),
        Case(name: "qwen3", keys: qwen, machine: "node8", degree: 3),
        Case(
            name: "biases", keys: { ["attention_bias": true, "mlp_bias": true] }, machine: "node8",
            degree: 8),
        Case(
            name: "stages", keys: { ["num_hidden_layers": 3] }, machine: "node8", degree: 2,
            stages: 3),
        Case(name: "fp8", keys: { ["hidden_size": 328] }, weights: .fp8),
        Case(name: "fp8 cache", keys: { [:] }, context: 700, cache: .fp8),
        Case(
            name: "fp8 qwen3", keys: qwen, machine: "node8", degree: 4, weights: .fp8, cache: .fp8),
        Case(
            name: "users", keys: { ["num_hidden_layers": 2] }, context: 700, cache: .fp8, users: 3),
        Case(
            name: "users", keys: { ["num_hidden_layers": 3] }, machine: "node8", degree: 2,
            stages: 2, users: 2),
        Case(
            name: "fp8 qwen3, blocks side by side", keys: qwen, machine: "node8", degree: 2,
            context: 2600, weights: .fp8, cache: .fp8),
        Case(
            name: "biases, blocks side by side", keys: { ["attention_bias": true] },
            context: 1300, weights: .fp8, users: 2),
        Case(
            name: "fp8 biases", keys: { ["attention_bias": true, "mlp_bias": true] }, weights: .fp8,
            cache: .fp8),
        Case(
            name: "int8", keys: { ["hidden_size": 328, "intermediate_size": 700] }, weights: .int8),
        Case(
            name: "int8 qwen3", keys: qwen, machine: "node8", degree: 4, weights: .int8,
            cache: .fp8),
        Case(
            name: "int8 biases", keys: { ["attention_bias": true, "mlp_bias": true] },
            weights: .int8),
        Case(
            name: "int8 stages", keys: { ["num_hidden_layers": 3, "tie_word_embeddings": true] },
            machine: "node8", degree: 2, stages: 3, weights: .int8),
    ]

    private func lowered(_ test: Case) throws -> (graph: ModelGraph, program: Program) {
        let decoder = try Decoder(test.keys())
        let machine = try #require(Machine.preset(named: test.machine))
        let plan = Plan(
            context: test.context, users: test.users, weightType: test.weights, kvType: test.cache,
            tensorParallel: test.degree, pipelineStages: test.stages)
        return (
            ModelGraph(decoder.configuration),
            try lower(decoder.configuration, plan: plan, for: machine)
        )
    }

    @Test(arguments: accepted)
    func accepts(_ test: Case) throws {
        let (graph, program) = try lowered(test)
        let found = Verifier().refinement(program, graph, context: test.context)
        #expect(found.isEmpty, "\(test): \(found.prefix(3))")
    }

    /// A token's bytes take four lanes.
    @Test func refusesThreeLanes() throws {
        var (graph, program) = try lowered(Self.accepted[0])
        (program.lanes, program.lanesPerSuperlane) = (3, 3)
        let found = Verifier().refinement(program, graph, context: 40)
        #expect(found.count == 1 && found[0].message.contains("has 3 lanes"), "\(found)")
    }

    /// A program that is right for fewer positions is not right for more.
    @Test func refusesPositionsBeyondTheCache() throws {
        let (graph, program) = try lowered(Self.accepted[0])
        #expect(!Verifier().refinement(program, graph, context: 41).isEmpty)
        #expect(Verifier().refinement(program, graph, context: 39).isEmpty)
    }

    /// A user's rows are told apart by every address, and nothing else depends on the user.
    @Test(arguments: UsersTests.faults + ["position"])
    func findsMixedUsers(_ name: String) throws {
        let decoder = try Decoder()
        var program = try decoder.program(Plan(context: 40, users: 3))
        let graph = ModelGraph(decoder.configuration)
        #expect(Verifier().refinement(program, graph, context: 40).isEmpty)
        let places = program.templates.indices.reduce(0) {
            $0 + UsersTests.plant(name, in: &program.templates[$1])
        }
        #expect(places > 0, "\(name) is found")
        try program.validate()
        #expect(!Verifier().refinement(program, graph, context: 40).isEmpty, "\(name)")
    }

    /// Another model's graph: each number of the configuration is looked at.
    @Test func refusesAnotherGraph() throws {
        let (graph, program) = try lowered(Self.accepted[0])
        var others: [ModelConfiguration] = []
        func other(_ change: (inout ModelConfiguration) -> Void) {
            var configuration = graph.configuration
            change(&configuration)
            others.append(configuration)
        }
        other { $0.normEpsilon *= 1.01 }
        other { $0.layerCount += 1 }
        other { $0.vocabularySize -= 1 }
        other { $0.rotary?.theta *= 1.000001 }
        other { $0.intermediateSize -= 1 }
        other { $0.hasAttentionBias = true }
        other { $0.hasQueryKeyNorm = true }
        other { $0.tiesEmbeddings = true }
        for configuration in others {
            let found = Verifier().refinement(program, ModelGraph(configuration), context: 40)
            #expect(!found.isEmpty, "\(configuration)")
        }
    }

    @Test(arguments: RefinementFault.allCases)
    func finds(_ fault: RefinementFault) throws {
        var (graph, program) = try lowered(fault.place)
        #expect(Verifier().refinement(program, graph, context: fault.place.context).isEmpty)
        #expect(fault.plant(in: &program) > 0, "\(fault) finds no place")
        try program.validate()
        let found = Verifier().refinement(program, graph, context: fault.place.context)
        #expect(!found.isEmpty, "\(fault)")
        #expect(
            found.contains { violation in
                fault.culprits.contains { violation.message.contains($0) }
            }, "\(fault): \(found.prefix(3).map(\.message))")
    }

    /// The faults that the comparison of numbers finds, this law finds without a number.
    @Test(arguments: PlantedFault.allCases)
    func findsWithoutNumbers(_ fault: PlantedFault) throws {
        let decoder = try Decoder(["hidden_size": 328])
        var program = try decoder.program(context: 32)
        let graph = ModelGraph(decoder.configuration)
        let places = program.templates.indices.reduce(0) {
            $0 + fault.plant(in: &program.templates[$1])
        }
        #expect(places > 0)
        #expect(!Verifier().refinement(program, graph, context: 32).isEmpty)
    }

    /// Chips that are alike are judged once, but each must hold its own part: one that holds what
    /// its neighbour holds, of one tensor or of all, is found.
    @Test func findsAPartThatTwoChipsHold() throws {
        let (graph, program) = try lowered(
            Case(name: "llama", keys: { ["hidden_size": 328] }, machine: "node8", degree: 4))
        let names = Set(
            program.templates.flatMap(\.values).compactMap { value -> String? in
                guard case .image(.weights(let layout, _, _)) = value.origin else { return nil }
                return layout.tensor
            })
        var tried = 0
        for name in names.sorted().map({ Optional($0) }) + [nil] {
            var faulty = program
            for t in faulty.templates.indices {
                let ofChip = (0..<4).map { chip in
                    faulty.templates[t].values.indices.filter {
                        faulty.templates[t].values[$0].chip == chip
                    }
                }
                for (v, w) in zip(ofChip[2], ofChip[1]) {
                    guard case .image(let formula) = faulty.templates[t].values[w].origin,
                        let layout = formula.layout, name == nil || layout.tensor == name
                    else { continue }
                    faulty.templates[t].values[v].origin = .image(formula)
                }
            }
            guard faulty != program else { continue }
            tried += 1
            try faulty.validate()
            let found = Verifier().refinement(faulty, graph, context: 40)
            #expect(!found.isEmpty, "\(name ?? "all tensors")")
        }
        #expect(tried >= 8)
    }
}
