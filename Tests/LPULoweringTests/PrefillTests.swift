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

@testable import LPULowering

/// Several tokens of a prompt at once leave the caches that as many steps leave, byte for byte.
@Suite struct PrefillTests {
    private struct Family {
        var name: String
        var keys: [String: any Sendable]
        var context = 40
        var types: [ElementType] = [.fp16, .fp16]
        var start = 0
    }

    private static let families = [
        Family(name: "llama, three layers", keys: ["num_hidden_layers": 3]),
        Family(
            name: "llama with biases",
            keys: ["attention_bias": true, "mlp_bias": true, "num_hidden_layers": 2]),
        Family(
            name: "qwen3",
            keys: [
                "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
                "tie_word_embeddings": true, "num_hidden_layers": 3,
            ]),
        Family(
            name: "llama, all fp8, several blocks", keys: ["num_hidden_layers": 2], context: 1300,
            types: [.fp8, .fp8]),
    ]

    private static let tokens = [3, 17, 39, 2, 8, 8, 0, 31, 25, 11]

    private func plan(_ family: Family) -> Plan {
        Plan(context: family.context, weightType: family.types[0], kvType: family.types[1])
    }

    private func ingress(_ tokens: ArraySlice<Int>, from position: Int) -> [[UInt8]] {
        tokens.enumerated().map {
            DecoderRun.ingress($1, at: position + $0, lanes: 320)
        }
    }

    /// The bytes of all regions, by layer and name.
    private func caches(_ interpreter: Interpreter) -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for (i, instance) in interpreter.program.instances.enumerated() {
            let template = interpreter.program.templates[instance.template]
            for (v, value) in template.values.enumerated() where value.origin == .image(.zero) {
                let name = "\(template.name) \(instance.layer ?? -1) \(value.name)"
                result[name] = interpreter.bytes(of: ValueID(v), in: i)
            }
        }
        return result
    }

    @Test(arguments: 0..<4)
    func programLeavesTheStepsCaches(_ number: Int) throws {
        let family = Self.families[number]
        let decoder = try Decoder(family.keys)
        let step = try decoder.program(plan(family))
        let prefill = try lowerPrefill(of: step, tokens: 4)
        try prefill.validate()
        var steps = try decoder.run(step)
        var chunks = try decoder.run(prefill).interpreter
        for (position, token) in Self.tokens.prefix(8).enumerated() {
            _ = try steps.step(token, at: position)
        }
        for start in [0, 4] {
            let vectors = ingress(Self.tokens[start..<start + 4], from: start)
            #expect(try chunks.step(ingress: vectors.flatMap { $0 }) == [])
        }
        let (expected, found) = (caches(steps.interpreter), caches(chunks))
        #expect(Set(expected.keys) == Set(found.keys) && !expected.isEmpty)
        for name in expected.keys.sorted() {
            #expect(found[name] == expected[name], "\(family.name): \(name)")
        }
    }

    /// A chunk may begin anywhere in a block, and stand behind steps: the cache is one.
    @Test func chunksMayBeginAnywhere() throws {
        let decoder = try Decoder(["num_hidden_layers": 2])
        let step = try decoder.program(context: 40)
        let prefill = try lowerPrefill(of: step, tokens: 3)
        var steps = try decoder.run(step)
        for position in 0..<2 { _ = try steps.step(Self.tokens[position], at: position) }
        let before = caches(steps.interpreter)
        var images = ImageBytes(prefill, weights: decoder.weights)
        var chunk = try Interpreter(prefill) { instance, value throws(DiagnosticSet) in
            let own = prefill.instances[instance]
            let template = prefill.templates[own.template]
            let declared = template.values[value.index]
            let name = "\(template.name) \(own.layer ?? -1) \(declared.name)"
            if let bytes = before[name] { return bytes }
            return try images.bytes(of: value, in: instance)
        }
        _ = try chunk.step(ingress: ingress(Self.tokens[2..<5], from: 2).flatMap { $0 })
        for position in 2..<5 { _ = try steps.step(Self.tokens[position], at: position) }
        #expect(caches(chunk) == caches(steps.interpreter))
    }

    // MARK: Law 16 by the step

    @Test(arguments: 0..<4)
    func chunkIsStepsByTerms(_ number: Int) throws {
        let family = Self.families[number]
        let step = try Decoder(family.keys).program(plan(family))
        let prefill = try lowerPrefill(of: step, tokens: 4)
        #expect(Verifier().violationsOfChunk(prefill, of: step, tokens: 4) == [])
        #expect(!Verifier().violationsOfChunk(prefill, of: step, tokens: 5).isEmpty)
    }

    /// Of every op each operand that steps from token to token is made to stand still, each tile of
    /// a region to read what was there before, each number to be another one, and each append is
    /// dropped: all are found but what only later tokens' rows of a block are made of, which are
    /// the first one's.
    @Test func changedChunksAreFound() throws {
        let step = try Decoder(["num_hidden_layers": 2]).program(context: 40)
        let prefill = try lowerPrefill(of: step, tokens: 2)
        var tried: [String: Int] = [:]
        for (t, template) in prefill.templates.enumerated() {
            for (o, op) in template.ops.enumerated() {
                for (what, kind, count) in changes(op, template) {
                    var other = prefill
                    other.templates[t].ops[o].kind = kind
                    other.templates[t].ops[o].count = count
                    tried[what, default: 0] += 1
                    let name = template.values[op.result.index].name
                    let isUsed = what != "still" || !name.hasPrefix("blockRow")
                    #expect(
                        Verifier().violationsOfChunk(other, of: step, tokens: 2).isEmpty != isUsed,
                        "\(template.name).op\(o) \(op.kind.name): \(what)")
                }
            }
        }
        #expect(["still", "old rows", "immediate", "dropped"].allSatisfy { tried[$0] ?? 0 > 5 })
        print("changes of a chunk that were found: \(tried)")
    }

    private func changes(
        _ op: Op, _ template: ProgramTemplate
    ) -> [(what: String, kind: OpKind, count: Int)] {
        var result: [(String, OpKind, Int)] = []
        func still(_ use: Use) -> Use { Use(use.value, start: Int(use.start), step: 0) }
        func isMade(_ use: Use) -> Bool {
            if case .image = template.values[use.value.index].origin { false } else { true }
        }
        switch op.kind {
        case .elementwise(let operation, .use(let a), let b) where isMade(a) && a.step == 1:
            result.append(("still", .elementwise(operation, .use(still(a)), b), op.count))
            if case .immediate(let bits) = b {
                result.append(
                    ("immediate", .elementwise(operation, .use(a), .immediate(bits ^ 1)), op.count))
            }
        case .distribute(let map, let use):
            result.append(("still", .distribute(map, still(use)), op.count))
        case .scatter(let region, let rows, let address, let data):
            result.append(
                ("dropped", .scatter(region: region, rows: rows, address: address, data: data), 0))
            if data.step == 1, data.start == 0, address.step == 1 {
                result.append(
                    (
                        "still",
                        .scatter(region: region, rows: rows, address: address, data: still(data)),
                        op.count
                    ))
            }
        case .matmul(let terms):
            for (k, term) in terms.enumerated() {
                let old = term.tile.sources.map { use in
                    Use(before(use.value, template), start: Int(use.start), step: Int(use.step))
                }
                guard old != term.tile.sources else { continue }
                var other = terms
                other[k].tile.sources = old
                result.append(("old rows", .matmul(other), op.count))
            }
        case _: break
        }
        return result
    }

    /// The version of a region before the last.
    private func before(_ value: ValueID, _ template: ProgramTemplate) -> ValueID {
        guard case .op(let op) = template.values[value.index].origin,
            case .scatter(let region, _, _, _) = template.ops[op.index].kind
        else { return value }
        return region.value
    }

    // MARK: Schedules

    private struct Pair {
        var machine: Machine
        var step: (schedule: Schedule, program: Program)
        var prefill: (schedule: Schedule, program: Program)

        var problems: [Violation] {
            Verifier().violationsOfSharing(on: machine, step, prefill)
        }
    }

    private func pair(
        _ decoder: Decoder, _ plan: Plan, tokens: Int, _ strategy: Strategy = .list
    ) throws -> Pair {
        let machine = Machine.groqchip1
        let step = try decoder.program(plan, on: machine)
        let prefill = try lowerPrefill(of: step, tokens: tokens)
        let schedules = try schedule(
            step, with: prefill, digests: (step.digest, prefill.digest), for: machine,
            strategy: strategy)
        return Pair(
            machine: machine, step: (schedules.0, step), prefill: (schedules.1, prefill))
    }

    /// Both schedules are lawful, alone and together; the step's is the one it has alone, and on
    /// one memory chunks and steps leave the interpreter's caches and give its token.
    @Test(arguments: 0..<4)
    func schedulesShareTheMemory(_ number: Int) throws {
        let family = Self.families[number]
        let decoder = try Decoder(family.keys)
        let pair = try pair(decoder, plan(family), tokens: 4)
        let machine = pair.machine
        #expect(
            try pair.step.schedule
                == schedule(pair.step.program, digest: pair.step.program.digest, for: machine))
        for (schedule, program) in [pair.step, pair.prefill] {
            let verdict = Verifier(threads: 2).verify(
                machine: machine, schedule: schedule, program: program)
            #expect(verdict.isAccepted, "\(family.name): \(verdict)")
        }
        #expect(pair.problems.isEmpty, "\(family.name): \(pair.problems)")
        var image = try MemoryImage(
            pair.step.program, pair.step.schedule, on: machine, weights: decoder.weights)
        try image.add(
            pair.prefill.program, pair.prefill.schedule, on: machine, weights: decoder.weights)
        let simulator = try Simulator(
            machine: machine, schedule: pair.step.schedule, others: [pair.prefill.schedule],
            image: image)
        var run = try decoder.run(pair.step.program)
        var position = 0
        var cycles: Set<Int> = []
        // A chunk, a step, a chunk, a step.
        for _ in 0..<2 {
            let chunk = ingress(Self.tokens[position..<position + 4], from: position)
            let (left, statistics) = try simulator.step(of: 1, ingress: [ChipID(0): chunk])
            #expect(left.isEmpty)
            cycles.insert(statistics.cycles)
            for _ in 0..<4 {
                _ = try run.step(Self.tokens[position], at: position)
                position += 1
            }
            #expect(differingRows(simulator, run, pair.step.schedule) == 0, "\(family.name)")
            let vectors = ingress(Self.tokens[position...position], from: position)
            let (egress, _) = try simulator.step(ingress: [ChipID(0): vectors])
            let (_, expected) = try run.step(Self.tokens[position], at: position)
            #expect(egress.map(\.bytes) == [expected], "\(family.name) at \(position)")
            position += 1
        }
        #expect(differingRows(simulator, run, pair.step.schedule) == 0, "\(family.name)")
        #expect(cycles == [pair.prefill.schedule.claims.length.count])
        print(
            "\(family.name): 4 tokens in \(cycles) cycles, a step "
                + "\(pair.step.schedule.claims.length.count)")
    }

    /// What two schedules must not do to each other is found.
    @Test func rowsThatAreNotSharedAreFound() throws {
        let decoder = try Decoder(["num_hidden_layers": 3])
        let pair = try pair(decoder, Plan(context: 40), tokens: 2)
        #expect(pair.problems.isEmpty)
        /// The prefill with one entry of its map changed, of those that `isMeant`.
        func changed(
            _ isMeant: (Value) -> Bool, isImage: Bool, _ change: (inout Allocation) -> Void
        ) -> Pair {
            var other = pair
            for placement in other.prefill.schedule.placements {
                let t = placement.template
                let values = pair.prefill.program.templates[t].values
                let entries = other.prefill.schedule.templates[t].chips[0].allocations
                let found = entries.firstIndex {
                    $0.isImage == isImage && isMeant(values[$0.value.index])
                }
                guard let found else { continue }
                change(&other.prefill.schedule.templates[t].chips[0].allocations[found])
                return other
            }
            Issue.record("there is no such entry")
            return other
        }
        func isRegion(_ value: Value) -> Bool { value.origin == .image(.zero) }
        func isWeights(_ value: Value) -> Bool {
            if case .image(.weights) = value.origin { true } else { false }
        }
        let moved = changed(isRegion, isImage: true) { $0.base.row += 1 }
        let elsewhere = changed(isRegion, isImage: true) { $0.base.row = 4000 }
        let wrongBytes = changed(isWeights, isImage: true) { $0.plane ^= 1 }
        let overwritten = changed({ _ in true }, isImage: false) { entry in
            let image = pair.step.schedule.templates.flatMap { $0.chips[0].allocations }
                .first { $0.isImage && $0.base.slot == 0 }
            if let image {
                (entry.hemisphere, entry.slice) = (image.hemisphere, image.slice)
                entry.base = image.base
            }
        }
        for (n, other) in [moved, elsewhere, wrongBytes, overwritten].enumerated() {
            #expect(other.problems.contains { $0.law == .sramOverlap }, "change \(n)")
        }
        // Rows of an image that the step alone has, and takes for a working value later.
        var covered = overwritten
        for t in covered.step.schedule.templates.indices {
            let entries = covered.step.schedule.templates[t].chips[0].allocations
            guard let working = entries.first(where: { !$0.isImage }) else { continue }
            for image in entries where image.isImage && image.base.slot == 0 {
                var later = image
                (later.isImage, later.value) = (false, working.value)
                covered.step.schedule.templates[t].chips[0].allocations.append(later)
            }
        }
        for t in covered.prefill.schedule.templates.indices {
            covered.prefill.schedule.templates[t].chips[0].allocations.removeAll(where: \.isImage)
        }
        #expect(covered.problems.contains { $0.law == .sramOverlap })
        // One schedule writes where the other one takes for granted what was there at first.
        for other in [\Pair.step.program, \Pair.prefill.program] {
            var alone = pair
            for t in alone[keyPath: other].templates.indices {
                for op in alone[keyPath: other].templates[t].ops.indices {
                    guard
                        case .scatter(let region, _, _, _) = alone[keyPath: other].templates[t]
                            .ops[op].kind
                    else { continue }
                    alone[keyPath: other].templates[t].ops[op].kind = .transfer(region)
                }
            }
            #expect(alone.problems.contains { $0.law == .sramOverlap })
        }
        // Keys of one layer in the place of another one's.
        var swapped = pair
        let layers = swapped.prefill.schedule.placements.indices.filter {
            pair.prefill.program.instances[$0].layer != nil
                && pair.prefill.program.templates[pair.prefill.program.instances[$0].template].name
                    == "layer"
        }
        let slots = layers.map { swapped.prefill.schedule.placements[$0].slots }
        for (i, own) in zip(layers, slots.reversed()) {
            swapped.prefill.schedule.placements[i].slots = own
        }
        #expect(layers.count == 2 && swapped.problems.contains { $0.law == .sramOverlap })
    }

    @Test func whatIsNotLoweredIsNamed() throws {
        let decoder = try Decoder()
        let step = try decoder.program(context: 40)
        for (program, tokens, words) in [
            (step, 0, "0 tokens"), (step, 321, "321 tokens"),
            (try decoder.program(Plan(context: 40, users: 2)), 4, "one user"),
        ] {
            do throws(DiagnosticSet) {
                _ = try lowerPrefill(of: program, tokens: tokens)
                Issue.record("\(words) are lowered")
            } catch {
                #expect(error.description.contains(words), "\(error)")
            }
        }
    }
}
