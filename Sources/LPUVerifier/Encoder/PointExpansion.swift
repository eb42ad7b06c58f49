import LPUModel
import LPUSupport

/// A block of an encoder's graph, evaluated at the point: every tensor's elements, row-major.
struct PointExpansion {
    private let block: Block
    private let layer: Int
    private let text: PointText
    private let seed: UInt64
    private let threads: Int
    private var tensors: [[UInt32]]

    /// The elements of the block's last tensor.
    var output: [UInt32] { block.output.map { tensors[$0.index] } ?? [] }

    /// - Parameters:
    ///   - input: the states that come in.
    ///   - seed: of the draws of all weights.
    init(
        _ block: Block, layer: Int, input: [UInt32], _ text: PointText, seed: UInt64, threads: Int
    ) {
        self.block = block
        self.layer = layer
        self.text = text
        self.seed = seed
        self.threads = threads
        tensors = block.tensors.map { _ in [] }
        for id in block.inputs {
            switch block[id].role {
            case .token: tensors[id.index] = text.tokens.map { UInt32($0) }
            case .tokenType: tensors[id.index] = text.types.map { UInt32($0) }
            case .activation: tensors[id.index] = input
            case .position, .mask, .cache: break
            }
        }
        for node in block.nodes { tensors[node.output.index] = expand(node) }
    }

    private var count: Int { text.tokens.count }

    private func hash(_ tensor: WeightTensor) -> UInt64 {
        PrimeField.hash(PointImage.name(tensor.name, layer: layer), seed: seed)
    }

    private func expand(_ node: Block.Node) -> [UInt32] {
        let inputs = node.inputs.map { tensors[$0.index] }
        switch node.operation {
        case .gather(let table): return rows(inputs[0].map { Int($0) }, of: table)
        case .rows(let table): return rows(Array(0..<count), of: table)
        case .add: return zip(inputs[0], inputs[1]).map(PrimeField.add)
        case .scale(let factor):
            let factor = PrimeField.number(Float(factor))
            return inputs[0].map { PrimeField.multiply($0, factor) }
        case .linear(let weight, let bias): return linear(inputs[0], weight, bias)
        case .layerNormalization(let weight, let bias, let epsilon):
            return normalised(inputs[0], weight, bias, epsilon)
        case .activation(let activation): return inputs[0].map { Self.activated($0, activation) }
        case .queryTimesKeys:
            return scores(inputs[0], inputs[1], heads: extents(node.output)[0])
        // Told by `softmax`: what is masked is counted in nothing.
        case .paddingMask: return inputs[0]
        case .softmax: return softmax(inputs[0])
        case .weightsTimesValues:
            return mixed(inputs[0], inputs[1], heads: extents(node.inputs[0])[0])
        case .maskedMean: return mean(inputs[0])
        case .rmsNormalization, .rotaryEmbedding, .tensorScatter, .causalMask, .multiply, .swish,
            .argMax:
            preconditionFailure("no encoder has it")
        }
    }

    private func extents(_ tensor: TensorID) -> [Int] { block[tensor].shape(context: count) }

    // MARK: Rows

    private func rows(_ numbers: [Int], of table: WeightTensor) -> [UInt32] {
        let tensor = hash(table)
        return numbers.flatMap { row in
            (0..<table.shape[1]).map { PointImage.weight(tensor, row, $0) }
        }
    }

    private func linear(
        _ x: [UInt32], _ weight: WeightTensor, _ bias: WeightTensor?
    ) -> [UInt32] {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        let tensor = hash(weight)
        let columns = concurrentMap(count: outputs, threads: threads) { o -> [UInt32] in
            let row = (0..<inputs).map { PointImage.weight(tensor, o, $0) }
            let offset = bias.map { PointImage.weight(hash($0), o, 0) } ?? 0
            return products(of: row, with: x, width: inputs).map { PrimeField.add($0, offset) }
        }
        return (0..<count).flatMap { t in (0..<outputs).map { columns[$0][t] } }
    }

    /// A row times every row of x.
    private func products(of row: [UInt32], with x: [UInt32], width: Int) -> [UInt32] {
        row.withUnsafeBufferPointer { row in
            x.withUnsafeBufferPointer { x in
                guard let row = row.baseAddress, let x = x.baseAddress else { return [] }
                return (0..<count).map { PrimeField.dot(row, x + $0 * width, count: width) }
            }
        }
    }

    private func normalised(
        _ x: [UInt32], _ weight: WeightTensor, _ bias: WeightTensor, _ epsilon: Double
    ) -> [UInt32] {
        let width = weight.shape[0]
        let weights = (0..<width).map { PointImage.weight(hash(weight), $0, 0) }
        let biases = (0..<width).map { PointImage.weight(hash(bias), $0, 0) }
        let share = PrimeField.inverse(UInt32(width))
        return stride(from: 0, to: x.count, by: width).flatMap { start -> [UInt32] in
            let row = x[start..<start + width]
            let mean = PrimeField.multiply(row.reduce(0, PrimeField.add), share)
            let centred = row.map { PrimeField.subtract($0, mean) }
            let squares = centred.reduce(0) {
                PrimeField.add($0, PrimeField.multiply($1, $1))
            }
            let variance = PrimeField.add(
                PrimeField.multiply(squares, share), PrimeField.number(Float(epsilon)))
            let root = PrimeField.drawn(.root, UInt64(variance))
            return (0..<width).map { c in
                PrimeField.add(
                    PrimeField.multiply(PrimeField.multiply(centred[c], root), weights[c]),
                    biases[c])
            }
        }
    }

    private func mean(_ x: [UInt32]) -> [UInt32] {
        let width = x.count / count
        let share = PrimeField.inverse(UInt32(text.isReal.count(where: { $0 })))
        return (0..<width).map { c in
            let sum = (0..<count).filter { text.isReal[$0] }.reduce(0) {
                PrimeField.add($0, x[$1 * width + c])
            }
            return PrimeField.multiply(sum, share)
        }
    }

    // MARK: Attention

    /// By head, query, and token that is looked at.
    private func scores(_ query: [UInt32], _ key: [UInt32], heads: Int) -> [UInt32] {
        let width = query.count / count
        let channels = width / heads
        let ofHeads = concurrentMap(count: heads, threads: threads) { head -> [UInt32] in
            query.withUnsafeBufferPointer { query in
                key.withUnsafeBufferPointer { key in
                    guard let query = query.baseAddress, let key = key.baseAddress else {
                        return []
                    }
                    return (0..<count).flatMap { t in
                        (0..<count).map { seen in
                            PrimeField.dot(
                                query + t * width + head * channels,
                                key + seen * width + head * channels, count: channels)
                        }
                    }
                }
            }
        }
        return ofHeads.flatMap { $0 }
    }

    private func softmax(_ scores: [UInt32]) -> [UInt32] {
        stride(from: 0, to: scores.count, by: count).flatMap { start -> [UInt32] in
            let row = scores[start..<start + count]
            let members = zip(row, text.isReal).reduce(0) { sum, next in
                next.1
                    ? PrimeField.add(sum, PrimeField.drawn(.member, UInt64(next.0))) : sum
            }
            let powers = zip(row, text.isReal).map {
                $1 ? PointALU.exponential($0, among: members) : 0
            }
            let share = PrimeField.inverse(powers.reduce(0, PrimeField.add))
            return powers.map { PrimeField.multiply($0, share) }
        }
    }

    private func mixed(_ weights: [UInt32], _ values: [UInt32], heads: Int) -> [UInt32] {
        let width = values.count / count
        let channels = width / heads
        var result = [UInt32](repeating: 0, count: values.count)
        for head in 0..<heads {
            for t in 0..<count {
                for seen in 0..<count {
                    let weight = weights[(head * count + t) * count + seen]
                    guard weight != 0 else { continue }
                    for c in head * channels..<(head + 1) * channels {
                        result[t * width + c] = PrimeField.add(
                            result[t * width + c],
                            PrimeField.multiply(weight, values[seen * width + c]))
                    }
                }
            }
        }
        return result
    }

    // MARK: Activation

    /// gelu is taken for x (1 + tanh(x (a + b s + c s^2))) / 2, s = min(x^2, 36), which is within
    /// 2.6e-5 of it (Documentation/Encoders.md); its other form is what it is defined as.
    private static func activated(_ x: UInt32, _ activation: Activation) -> UInt32 {
        let square = PrimeField.multiply(x, x)
        switch activation {
        case .relu: return PrimeField.drawn(.positivePart, UInt64(x))
        case .gelu:
            return gelu(
                x, PointALU.least(square, 36), [0.797_506_6, 0.037_006_827, -0.000_351_708_64])
        case .geluTanh: return gelu(x, square, [0.797_884_56, 0.035_677_408])
        }
    }

    private static func gelu(_ x: UInt32, _ square: UInt32, _ coefficients: [Float]) -> UInt32 {
        let slope = coefficients.reversed().reduce(0) {
            PrimeField.add(PrimeField.multiply($0, square), PrimeField.number($1))
        }
        let tanh = PrimeField.drawn(.tanh, UInt64(PrimeField.multiply(x, slope)))
        return PrimeField.multiply(
            PrimeField.multiply(x, PrimeField.add(1, tanh)), PrimeField.number(0.5))
    }
}
