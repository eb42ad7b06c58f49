import Foundation
import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSchedule
import LPUScheduler
import LPUSimulator
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// An encoder small enough to run in a test, with hashed weights, and its reference.
struct SmallEncoder {
    let configuration: ModelConfiguration
    let reference: ReferenceEncoder
    let weights: HashedTensors

    /// - Parameters:
    ///   - replaced: keys of its configuration.
    ///   - type: what the reference's weights of linear layers are rounded to.
    init(_ replaced: [String: any Sendable] = [:], _ type: ElementType = .fp16) throws {
        var keys: [String: any Sendable] = [
            "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 90,
            "hidden_size": 96, "intermediate_size": 112, "num_hidden_layers": 2,
            "num_attention_heads": 6, "hidden_act": "gelu", "max_position_embeddings": 128,
            "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        ]
        keys.merge(replaced) { $1 }
        let json = [UInt8](try JSONSerialization.data(withJSONObject: keys))
        configuration = try ModelConfiguration(huggingFace: json, file: "small")
        let weights = HashedTensors(ModelGraph(configuration).weights, isWide: false)
        self.weights = weights
        reference = try ReferenceEncoder(ReferenceEncoderConfig(json: json, file: "small")) {
            name, _ throws(DiagnosticSet) in
            let isLinear = ["dense", "query", "key", "value"].contains {
                name.hasSuffix(".\($0).weight")
            }
            return isLinear && type.byteCount == 1
                ? try weights.quantised(name, type, norm: nil)
                : weights.rows(of: name).map(Double.init)
        }
    }

    func program(_ plan: Plan) throws -> Program {
        try lower(configuration, plan: plan, for: .groqchip1)
    }

    /// A text of so many tokens in two segments, filled up to the context.
    func text(_ count: Int, context: Int) -> [ReferenceEncoder.Token] {
        (0..<context).map { i in
            i < count
                ? ReferenceEncoder.Token(
                    (37 * i + 11 * count) % configuration.vocabularySize, type: 3 * i / (2 * count))
                : ReferenceEncoder.Token(i % 7, isReal: false)
        }
    }

    func interpreter(_ program: Program) throws -> Interpreter {
        var images = ImageBytes(program, weights: weights)
        return try Interpreter(program) { instance, value throws(DiagnosticSet) in
            try images.bytes(of: value, in: instance)
        }
    }

    func embedding(_ bytes: [UInt8], on chip: Chip) -> [Double] {
        let vectors = stride(from: 0, to: bytes.count, by: chip.lanes).map {
            Array(bytes[$0..<$0 + chip.lanes])
        }
        return HostVector.embedding(
            egress: vectors, size: configuration.hiddenSize, on: chip
        ).map(Double.init)
    }
}

private func ingress(_ text: [ReferenceEncoder.Token], on chip: Chip) -> [[UInt8]] {
    text.map {
        HostVector.ingress(token: $0.id, type: $0.type, isReal: $0.isReal, on: chip)
    }
}

/// The length of a - b in that of b.
private func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    func length(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    let distance = length(zip(a, b).map { $0 - $1 }) / length(b)
    return distance.isNaN ? .infinity : distance
}

@Suite struct EncoderTests {
    private struct Family {
        var keys: [String: any Sendable]
        var plan: Plan
        /// How far embeddings may be off: roundings of fp16, or those of two fp8 terms.
        var limit = 2e-3
    }

    private static let families = [
        Family(keys: [:], plan: Plan(context: 48)),
        Family(
            keys: ["hidden_act": "gelu_new", "num_attention_heads": 3], plan: Plan(context: 16)),
        Family(
            keys: ["hidden_act": "relu", "hidden_size": 352, "num_attention_heads": 11],
            plan: Plan(context: 32)),
        Family(
            keys: ["hidden_size": 448, "num_attention_heads": 7, "num_hidden_layers": 1],
            plan: Plan(context: 128)),
        Family(
            keys: ["hidden_size": 352, "num_attention_heads": 11, "intermediate_size": 400],
            plan: Plan(context: 48, weightType: .fp8), limit: 1e-2),
        Family(
            keys: ["hidden_size": 128, "num_attention_heads": 4],
            plan: Plan(context: 128, weightType: .fp8), limit: 1e-2),
        Family(
            keys: ["hidden_size": 352, "num_attention_heads": 11, "intermediate_size": 400],
            plan: Plan(context: 48, weightType: .int8), limit: 1e-2),
        // Three tiles of states: both sides share the last.
        Family(
            keys: ["hidden_size": 672, "num_attention_heads": 7, "num_hidden_layers": 1],
            plan: Plan(context: 128, weightType: .int8), limit: 1e-2),
    ]

    /// Activations are fp16, some 2^-11 a rounding, or two terms of fp8 or int8.
    @Test(arguments: 0..<8)
    func programIsTheReference(_ number: Int) throws {
        let family = Self.families[number]
        let context = family.plan.context
        let encoder = try SmallEncoder(family.keys, family.plan.weightType)
        let program = try encoder.program(family.plan)
        try program.validate()
        var interpreter = try encoder.interpreter(program)
        let chip = Machine.groqchip1.chip
        for count in [context, context - 5, 1] {
            let text = encoder.text(count, context: context)
            let bytes = try interpreter.step(ingress: ingress(text, on: chip).flatMap { $0 })
            let found = encoder.embedding(bytes, on: chip)
            let distance = relativeDistance(found, encoder.reference.embedding(of: text))
            #expect(distance < family.limit, "\(number), \(count) tokens")
            print("encoder \(number), \(count) of \(context) tokens: \(distance)")
        }
    }

    @Test(arguments: [
        (0, Strategy.list), (1, .random(seed: 1)), (2, .list), (3, .list), (4, .list), (5, .list),
        (6, .list), (6, .random(seed: 2)), (7, .list),
    ])
    func simulatorEqualsInterpreter(_ number: Int, _ strategy: Strategy) throws {
        let family = Self.families[number]
        let context = family.plan.context
        let encoder = try SmallEncoder(family.keys)
        let machine = Machine.groqchip1
        let program = try encoder.program(family.plan)
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine, strategy: strategy)
        let verdict = Verifier(threads: 2).verify(
            machine: machine, schedule: schedule, program: program)
        #expect(verdict.isAccepted, "\(verdict)")
        let image = try MemoryImage(program, schedule, on: machine, weights: encoder.weights)
        let simulator = try Simulator(machine: machine, schedule: schedule, image: image)
        var interpreter = try encoder.interpreter(program)
        var cycles: Set<Int> = []
        for count in [context - 3, 2] {
            let text = encoder.text(count, context: context)
            let vectors = ingress(text, on: machine.chip)
            let expected = try interpreter.step(ingress: vectors.flatMap { $0 })
            let (egress, statistics) = try simulator.step(ingress: [ChipID(0): vectors])
            #expect(egress.flatMap(\.bytes) == expected, "\(count) tokens")
            cycles.insert(statistics.cycles)
        }
        #expect(cycles.count == 1, "every text takes the same cycles")
        print("encoder \(number), \(strategy): \(cycles) cycles")
    }

    @Test func whatIsNotLoweredIsNamed() throws {
        let encoder = try SmallEncoder()
        for (plan, part) in [
            (Plan(context: 40), "a multiple of 16"), (Plan(context: 256), "up to 128"),
            (Plan(context: 16, tensorParallel: 2), "one chip"),
            (Plan(context: 16, users: 2), "one user"),
            (Plan(context: 16, weightType: .fp32), "weights in fp32"),
            (Plan(context: 16, kvType: .fp8), "keys in fp8"),
        ] {
            do throws(DiagnosticSet) {
                _ = try lower(encoder.configuration, plan: plan, for: .groqchip1)
                Issue.record("\(plan) was lowered")
            } catch {
                #expect(error.description.contains(part), "\(error)")
            }
        }
        let narrow = try SmallEncoder(["hidden_size": 48])
        #expect(throws: DiagnosticSet.self) { try narrow.program(Plan(context: 16)) }
        // As many tokens and elements of a head as a vector has lanes, whatever the accumulators.
        var machine = Machine.groqchip1
        machine.chip.accumulatorRows = 1024
        let long = try SmallEncoder([
            "hidden_size": 672, "num_attention_heads": 2, "max_position_embeddings": 1024,
        ]).configuration
        let error = #expect(throws: DiagnosticSet.self) {
            try lower(long, plan: Plan(context: 336), for: machine)
        }
        #expect(error?.diagnostics.count { $0.message.contains("up to 320 is lowered") } == 2)
    }

    /// The stated error of the approximation, in binary64 and over all that fp16 holds of it.
    @Test func geluIsNear() {
        let c = EncoderLowering.GELU.coefficients.map(Double.init)
        let most = Double(EncoderLowering.GELU.greatestSquare)
        var worst = 0.0
        for i in -400_000...400_000 {
            let x = Double(i) / 40_000
            let square = min(x * x, most)
            let angle = x * (c[0] + square * (c[1] + square * c[2]))
            let found = x / 2 * (1 + tanh(angle))
            worst = max(worst, abs(found - x / 2 * (1 + erf(x / 2.0.squareRoot()))))
        }
        #expect(worst < 2.6e-5)
        #expect(worst > 2.4e-5, "the stated error is that of these numbers")
    }
}
