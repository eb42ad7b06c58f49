import LPUModel
import LPUSupport

/// The tensors of a block of the graph, element by element, in the algebra that the program is
/// written in. Sums over a tensor's columns stay contractions: a matrix is never written out.
final class GraphExpansion {
    /// What a tensor's elements are.
    enum Elements {
        /// In row-major order.
        case numbers([Int32])
        /// A cache after this step: its name, and the elements of the row that the step adds.
        case cache(tensor: Int32, update: [Int32])
        /// For each query, what the positions before this one give, and this one.
        case context(Context)
        case token(Int32)
        case position
    }

    struct ContextRow {
        /// For each position of the cache; seen only where it is before this one.
        var past: [Int32]
        var current: Int32
        var isMasked = false
    }

    /// The rows of all heads; where heads are alike, that of the first and what makes of it each.
    struct Context {
        var rows: [ContextRow] = []
        var renamings: [Renaming] = []

        func map(_ change: (ContextRow) -> ContextRow) -> Context {
            Context(rows: rows.map(change), renamings: renamings)
        }
    }

    let block: Block
    let state: RefinementState
    /// The block is of the layer after the one that is looked at: `$next` stands for it.
    private let isNext: Bool
    private(set) var elements: [Elements?]
    /// Elements of the tensors that are named instead of written out where they are used.
    private(set) var named: [(tensor: TensorID, written: [Int32], names: [Int32])] = []

    var algebra: Algebra { state.algebra }
    var positions: Int { state.numbers.words.positions }

    /// - Parameters:
    ///   - isNext: the block is that of the layer after the one that is looked at.
    ///   - input: the name of the residual stream that comes in, by element.
    ///   - output: the name of the one that goes out.
    init(
        _ block: Block, _ state: RefinementState, isNext: Bool = false,
        input: (Int) -> Int32, output: (Int) -> Int32
    ) {
        self.block = block
        self.state = state
        self.isNext = isNext
        elements = Array(repeating: nil, count: block.tensors.count)
        for id in block.inputs {
            switch block[id].role {
            case .token: elements[id.index] = .token(Algebra.zero)
            case .position: elements[id.index] = .position
            case .activation:
                elements[id.index] = .numbers((0..<count(id)).map(input))
            case .cache, .tokenType, .mask: break
            }
        }
        for node in block.nodes {
            let result = expand(node)
            elements[node.output.index] = result
            guard case .numbers(let written) = result, isNamed(node) else { continue }
            let tensor = algebra.name(block[node.output].name)
            let names = written.indices.map { i in
                node.output == block.output
                    ? output(i)
                    : algebra.polynomial(.named, tensor, isNext ? 1 : 0, Int32(i))
            }
            named.append((node.output, written, names))
            elements[node.output.index] = .numbers(names)
        }
    }

    /// The name of a tensor that the program has too.
    func name(_ tensor: String) -> Int32 {
        algebra.name(isNext ? tensor.replacing("$layer", with: "$next") : tensor)
    }

    /// The residual stream and the outputs of heads, which every program holds exactly.
    private func isNamed(_ node: Block.Node) -> Bool {
        switch node.operation {
        case .add, .gather, .weightsTimesValues: true
        case .linear, .rmsNormalization, .rotaryEmbedding, .tensorScatter, .queryTimesKeys, .scale,
            .causalMask, .softmax, .multiply, .swish, .argMax, .layerNormalization, .activation,
            .rows, .paddingMask, .maskedMean:
            false
        }
    }

    private func count(_ id: TensorID) -> Int { block[id].elementCount(context: positions) }

    /// The extent of the last axis.
    private func width(_ id: TensorID) -> Int {
        block[id].shape(context: positions).last ?? 1
    }

    func numbers(_ id: TensorID) -> [Int32] {
        guard case .numbers(let numbers)? = elements[id.index] else {
            return (0..<count(id)).map { _ in
                algebra.unknown("'\(block[id].name)' is no tensor of single numbers")
            }
        }
        return numbers
    }

    func context(_ id: TensorID) -> Context {
        guard case .context(let context)? = elements[id.index] else { return Context() }
        return context
    }

    private func weight(_ tensor: WeightTensor, _ coordinates: Int...) -> Int32 {
        algebra.polynomial(
            .weight,
            algebra.lists.intern([name(tensor.name)] + coordinates.map { Int32($0) }))
    }

    // MARK: Operations

    private func expand(_ node: Block.Node) -> Elements {
        let inputs = node.inputs
        switch node.operation {
        case .gather(let table): return .numbers(gather(table))
        case .linear(let weight, let bias):
            return .numbers(linear(numbers(inputs[0]), weight, bias))
        case .rmsNormalization(let weight, let epsilon):
            return .numbers(normalised(numbers(inputs[0]), weight, epsilon))
        case .rotaryEmbedding(let rotary): return .numbers(turned(numbers(inputs[0]), rotary))
        case .tensorScatter:
            return cache(past: inputs[0], update: numbers(inputs[1]))
        case .queryTimesKeys: return .context(scores(inputs[0], inputs[1]))
        case .weightsTimesValues: return .numbers(mixed(inputs[0], inputs[1]))
        case .scale(let factor):
            return .context(
                context(inputs[0]).map { row in
                    ContextRow(
                        past: row.past.map { algebra.scaled($0, by: factor) },
                        current: algebra.scaled(row.current, by: factor))
                })
        case .causalMask:
            return .context(
                context(inputs[0]).map { row in
                    var row = row
                    row.isMasked = true
                    return row
                })
        case .softmax: return .context(context(inputs[0]).map(softmax))
        case .add: return .numbers(zip(numbers(inputs[0]), numbers(inputs[1])).map(algebra.add))
        case .multiply:
            return .numbers(zip(numbers(inputs[0]), numbers(inputs[1])).map(algebra.multiply))
        case .swish: return .numbers(numbers(inputs[0]).map(swish))
        case .argMax:
            return .token(argument(numbers(inputs[0])))
        case .layerNormalization, .activation, .rows, .paddingMask, .maskedMean:
            preconditionFailure("encoders are not judged by this law")
        }
    }

    private func argument(_ logits: [Int32]) -> Int32 {
        state.numbers.argument(logits.enumerated().flatMap { [$1, Int32($0)] })
    }

    private func gather(_ table: WeightTensor) -> [Int32] {
        let tensor = name(table.name)
        return (0..<table.shape[1]).map {
            algebra.polynomial(.chosen, algebra.lists.intern([tensor, Int32($0)]))
        }
    }

    func covector(_ numbers: [Int32]) -> ScaledCovector {
        algebra.covector(
            numbers.enumerated().map {
                Run(start: Int32($0), end: Int32($0 + 1), polynomial: $1)
            })
    }

    /// A row of a tensor times a covector.
    func row(
        _ tensor: Int32, axis: Int32, _ others: [Int32], _ covector: ScaledCovector
    ) -> Int32 {
        let slot = algebra.lists.intern([tensor, axis] + others)
        return algebra.polynomial(algebra.term(covector, slot: slot).map { [$0] } ?? [])
    }

    private func linear(
        _ x: [Int32], _ tensor: WeightTensor, _ bias: WeightTensor?
    ) -> [Int32] {
        let (columns, name) = (covector(x), name(tensor.name))
        return (0..<tensor.shape[0]).map { o in
            let sum = row(name, axis: 1, [Int32(o)], columns)
            return bias.map { algebra.add(sum, weight($0, o)) } ?? sum
        }
    }

    private func normalised(
        _ x: [Int32], _ scale: WeightTensor, _ epsilon: Double
    ) -> [Int32] {
        let width = scale.shape[0]
        return stride(from: 0, to: x.count, by: width).flatMap { start -> [Int32] in
            let part = x[start..<start + width]
            let squares = algebra.sum(part.map { algebra.multiply($0, $0) })
            let mean = algebra.scaled(squares, by: 1 / Double(width))
            let root = algebra.inverseRoot(algebra.add(mean, algebra.constant(epsilon)))
            return part.enumerated().map {
                algebra.multiply(algebra.multiply($1, root), weight(scale, $0))
            }
        }
    }

    private func turned(_ x: [Int32], _ rotary: RotaryEmbedding) -> [Int32] {
        let (width, half) = (rotary.headDimension, rotary.headDimension / 2)
        let position = algebra.lists.intern((0..<Int32(positions)).map { $0 })
        let frequencies = rotary.inverseFrequencies()
        let cosines = frequencies.map { algebra.angle(isSine: false, $0, position) }
        let sines = frequencies.map { algebra.angle(isSine: true, $0, position) }
        return x.indices.map { i in
            let (start, lane) = (i - i % width, i % width)
            let pair = lane % half
            let own = algebra.multiply(x[i], cosines[pair])
            let other = algebra.multiply(x[start + (lane + half) % width], sines[pair])
            return lane < half ? algebra.subtract(own, other) : algebra.add(own, other)
        }
    }

    private func swish(_ gate: Int32) -> Int32 {
        let half = algebra.scaled(gate, by: 0.5)
        return algebra.multiply(half, algebra.add(Algebra.one, algebra.tanh(half)))
    }
}
