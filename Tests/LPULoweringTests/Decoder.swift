import Foundation
import LPUDataflow
import LPULoading
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUReference
import LPUSupport

@testable import LPULowering

/// A model small enough to run in a test, with hashed weights, and its reference.
struct Decoder {
    let configuration: ModelConfiguration
    let reference: ReferenceModel
    let weights: HashedTensors

    /// - Parameter isWide: queries and keys large enough that a softmax needs its maximum.
    init(json: [UInt8], file: String, isWide: Bool = false) throws {
        configuration = try ModelConfiguration(huggingFace: json, file: file)
        let weights = HashedTensors(ModelGraph(configuration).weights, isWide: isWide)
        self.weights = weights
        reference = try ReferenceModel(try ReferenceConfig(json: json, file: file)) { name, _ in
            weights.rows(of: name).map(Double.init)
        }
    }

    /// A model of a few thousand operations a token, with some keys replaced.
    init(_ replaced: [String: Any] = [:], isWide: Bool = false) throws {
        var keys: [String: Any] = [
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 40,
            "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 1,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
            "hidden_act": "silu", "max_position_embeddings": 70_000, "rms_norm_eps": 1e-2,
            "rope_theta": 100.0, "attention_bias": false, "mlp_bias": false,
            "tie_word_embeddings": false,
        ]
        keys.merge(replaced) { $1 }
        let json = try JSONSerialization.data(withJSONObject: keys, options: .sortedKeys)
        try self.init(json: [UInt8](json), file: "small", isWide: isWide)
    }

    func program(context: Int, on machine: Machine = .groqchip1) throws -> Program {
        try program(Plan(context: context), on: machine)
    }

    func program(_ plan: Plan, on machine: Machine = .groqchip1) throws -> Program {
        try lower(configuration, plan: plan, for: machine)
    }

    /// The program's interpreter; `prefilled` gives the bytes of a cache's region by its name.
    func run(
        _ program: Program, prefilled: (Value) -> [UInt8]? = { _ in nil }
    ) throws -> DecoderRun {
        var images = ImageBytes(program, weights: weights)
        let interpreter = try Interpreter(program) { instance, value throws(DiagnosticSet) in
            let declared = program.templates[program.instances[instance].template]
                .values[value.index]
            if let bytes = prefilled(declared) { return bytes }
            return try images.bytes(of: value, in: instance)
        }
        return DecoderRun(interpreter: interpreter, vocabulary: configuration.vocabularySize)
    }
}

extension Machine {
    static var groqchip1: Machine { preset(named: "groqchip1")! }
    /// Tables of more rows than that must be split.
    static func groqchip1(rowsPerBank: Int) -> Machine {
        var machine = groqchip1
        machine.chip.rowsPerBank = rowsPerBank
        return machine
    }
}

/// The reference's hashed weights as a source.
struct HashedTensors: WeightSource {
    private let tensors: [String: (shape: [Int], elements: [Float])]

    init(_ tensors: [WeightTensor], isWide: Bool) {
        self.tensors = Dictionary(
            uniqueKeysWithValues: tensors.map { tensor in
                let elements = ReferenceWeights.tensor(
                    tensor.name, shape: tensor.shape, wide: isWide)
                return (tensor.name, (tensor.shape, elements.map { Float($0) }))
            })
    }

    func shape(of tensor: String) -> [Int]? { tensors[tensor]?.shape }
    func rows(of tensor: String) -> [Float] { tensors[tensor]?.elements ?? [] }
    func readRow(_ index: Int, of tensor: String, into row: inout [Float]) {
        let length = tensors[tensor]?.shape.last ?? 0
        row = Array(rows(of: tensor)[index * length..<(index + 1) * length])
    }
}

/// A program at work in the interpreter.
struct DecoderRun {
    private(set) var interpreter: Interpreter
    let vocabulary: Int

    /// Feeds a token and gives what left at the port, and its logits where one chip makes them all.
    mutating func step(
        _ token: Int, at position: Int, user: Int = 0
    ) throws -> (logits: [Double], egress: [UInt8]) {
        let egress = try interpreter.step(
            ingress: Self.ingress(
                token, at: position, user: user, lanes: interpreter.program.lanes))
        let tiling = Tiling(0..<vocabulary, lanes: interpreter.program.lanes)
        let logits = tiling.ranges.flatMap {
            vectors("logits.\($0.lowerBound)").first?.prefix($0.count) ?? []
        }
        return (logits, egress)
    }

    /// The numbers that a value holds, vector by vector, in the first instance that has it, or in
    /// that which has the attention of a layer: `layer` has that of the next.
    func vectors(_ name: String, layer: Int? = nil) -> [[Double]] {
        let (program, lanes) = (interpreter.program, interpreter.program.lanes)
        for (i, instance) in program.instances.enumerated() {
            let isNext = program.templates[instance.template].name == "layer"
            guard layer == nil || instance.layer.map({ isNext ? $0 + 1 : $0 }) == layer else {
                continue
            }
            let values = program.templates[instance.template].values
            guard let index = values.firstIndex(where: { $0.name == name }) else { continue }
            return vectors(of: values[index], interpreter.bytes(of: ValueID(index), in: i), lanes)
        }
        return []
    }

    private func vectors(
        of value: Value, _ bytes: [UInt8], _ lanes: Int
    ) -> [[Double]] {
        let type = value.type
        return (0..<value.count).map { v in
            let planes = (0..<type.byteCount).map { plane in
                let start = (v * type.byteCount + plane) * lanes
                return Array(bytes[start..<start + lanes])
            }
            return type.widen(planes).map { Double(Float(bitPattern: $0)) }
        }
    }

    static func ingress(
        _ token: Int, at position: Int, user: Int = 0, lanes: Int
    ) -> [UInt8] {
        (0..<lanes).map { lane in
            switch lane % 16 / 4 {
            case 0: UInt8(truncatingIfNeeded: token >> (8 * (lane % 4)))
            case 1: UInt8(truncatingIfNeeded: position >> (8 * (lane % 4)))
            case 2: UInt8(truncatingIfNeeded: user >> (8 * (lane % 4)))
            case _: 0
            }
        }
    }
}

/// The token in an egress vector.
func token(_ egress: [UInt8]) -> Int { (0..<4).reduce(0) { $0 | Int(egress[$1]) << (8 * $1) } }

/// The first place of the greatest.
func argmax(_ logits: [Double]) -> Int? {
    logits.indices.max { (logits[$0], $1) < (logits[$1], $0) }
}

/// The greatest error, in standard deviations of what is expected; infinite where one is no number.
func deviation(_ logits: [Double], from expected: [Double]) -> Double {
    guard logits.count == expected.count else { return .infinity }
    let errors = zip(logits, expected).map { abs($0 - $1) }
    if errors.contains(where: \.isNaN) { return .infinity }
    return (errors.max() ?? .infinity) / standardDeviation(expected)
}

func standardDeviation(_ numbers: [Double]) -> Double {
    let mean = numbers.reduce(0, +) / Double(numbers.count)
    let squares = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(numbers.count)).squareRoot()
}
