import LPUDataflow
import LPUModel
import LPUSchedule
import LPUSupport

/// Law 16: the program computes what the graph says.
///
/// The program is run once on expressions instead of bytes: every lane of every vector holds an
/// expression of the graph's weights, the token, its position and what earlier steps stored, taken
/// from the ops and from the formulas of the images alone. The graph is written out in the same
/// algebra, and the token that leaves must be the graph's. Layers that are given equal operands,
/// counted from their own number, are run once.
struct Refinement {
    let graph: ModelGraph
    let program: Program
    let state: RefinementState
    /// The blocks of the graph, written out.
    let embedding: GraphExpansion
    let layers: [GraphExpansion]
    /// The layers again, as those after the one that is looked at.
    let next: [GraphExpansion]
    let head: GraphExpansion
    /// The last layer where its template makes the token as well; from it the head counts layers.
    let headLayer: Int?
    private(set) var runs: [PlacedRun] = []
    private var memory: [RunKey: TemplateRun] = [:]
    private var activeShapes = Shapes(own: 0, next: 0)

    /// A template's run in the place of an instance.
    struct PlacedRun {
        var run: TemplateRun
        /// The layer from which the run's layers are counted.
        var base: Int
    }

    /// Those of a layer and the one after it.
    private struct Shapes: Hashable {
        var own: Int
        var next: Int
    }

    private struct RunKey: Hashable {
        var template: Int
        var shapes: Shapes
        var arguments: [Content]
    }

    /// - Requires: the program is legal.
    init(_ program: Program, _ graph: ModelGraph, context: Int) {
        self.program = program
        self.graph = graph
        let numbers = LaneAlgebra(
            lanes: program.lanes, superlane: program.lanesPerSuperlane,
            tokens: graph.configuration.vocabularySize, positions: context)
        let state = RefinementState(numbers, users: program.users)
        self.state = state
        let stream = state.algebra.name("residual stream")
        func residual(_ layer: Int) -> (Int) -> Int32 {
            { state.algebra.polynomial(.named, stream, Int32(layer), Int32($0)) }
        }
        embedding = GraphExpansion(
            graph.embedding, state, input: residual(0), output: residual(0))
        layers = graph.layerShapes.map {
            GraphExpansion($0, state, input: residual(0), output: residual(1))
        }
        let isCut = program.templates.contains { $0.names("$next") }
        next = (isCut ? graph.layerShapes : []).map {
            GraphExpansion($0, state, isNext: true, input: residual(1), output: residual(2))
        }
        headLayer = Self.headLayer(of: program, layers: graph.layers.count)
        let last = residual(graph.layers.count - (headLayer ?? 0))
        head = GraphExpansion(graph.head, state, input: last, output: last)
        if let headLayer, headLayer > 0, let token = nextToken {
            let name = state.algebra.polynomial(.named, state.algebra.name("token"))
            state.token = (token, headLayer, name)
        }
        activate(activeShapes)
        for i in program.instances.indices { place(i) }
    }

    /// What the lanes hold is called by the names of one shape of layers.
    private func activate(_ shapes: Shapes) {
        state.numbers.forgetNames()
        state.algebra.clearAliases()
        for block in [embedding, layers[shapes.own]] + next.dropFirst(shapes.next).prefix(1) {
            for tensor in block.named {
                for (written, name) in zip(tensor.written, tensor.names) {
                    state.algebra.alias(written, as: name)
                }
            }
        }
    }

    private mutating func place(_ i: Int) {
        let instance = program.instances[i]
        let template = program.templates[instance.template]
        let base = template.namesLayer ? instance.layer ?? 0 : 0
        func shape(_ layer: Int) -> Int {
            graph.layers.indices.contains(layer) ? graph.layers[layer] : 0
        }
        let shapes = Shapes(own: shape(base), next: shape(base + 1))
        let arguments = instance.arguments.map { argument in
            let source = runs[argument.instance]
            return state.shifted(source.run.content(argument.value), by: source.base - base)
        }
        let key = RunKey(template: instance.template, shapes: shapes, arguments: arguments)
        if let run = memory[key] {
            runs.append(PlacedRun(run: run, base: base))
            return
        }
        if shapes != activeShapes {
            activate(shapes)
            activeShapes = shapes
        }
        let run = TemplateRun(template, arguments: arguments, state)
        memory[key] = run
        runs.append(PlacedRun(run: run, base: base))
    }

    private static func headLayer(of program: Program, layers: Int) -> Int? {
        let last = program.instances.last { instance in
            program.templates[instance.template].ops.contains {
                if case .matmul = $0.kind { true } else { false }
            }
        }
        guard let last, last.layer == layers - 1 else { return nil }
        return program.templates[last.template].namesLayer ? last.layer : nil
    }

    /// The graph's next token, as what is not of a layer calls it once that is known.
    var nextToken: Int32? {
        if let token = state.token { return token.name }
        guard let output = graph.head.output,
            case .token(let token)? = head.elements[output.index]
        else { return nil }
        return token
    }
}

extension ProgramTemplate {
    /// `true` iff a tensor's name depends on the instance's layer.
    var namesLayer: Bool { names("$layer") || names("$next") }

    /// `true` iff `word` is in a tensor's name.
    fileprivate func names(_ word: String) -> Bool {
        values.contains { value in
            if let meaning = value.meaning, meaning.tensor.contains(word) { return true }
            guard case .image(let formula) = value.origin else { return false }
            return formula.layout?.tensor.contains(word) ?? false
        }
    }
}
