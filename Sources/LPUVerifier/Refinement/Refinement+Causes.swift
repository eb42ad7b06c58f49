import LPUDataflow
import LPUModel
import LPUSchedule
import LPUSupport

/// Which op is to blame for a wrong token: the first tensor of the residual stream, in the order of
/// the graph, that the program does not make.
extension Refinement {
    func firstMissing(_ origins: Origins) -> [Violation] {
        let first = [(embedding, candidates(nil))]
        if let found = missing(first, "the \(embedding.block.name)", origins) { return found }
        for (layer, shape) in graph.layers.enumerated() {
            let ahead = next.isEmpty ? [] : [(next[shape], candidates(layer - 1))]
            let made = [(layers[shape], candidates(layer))] + ahead
            if let found = missing(made, "layer \(layer)", origins) { return found }
        }
        return missingLogits(origins)
    }

    /// The runs that could make a block's tensors, each once.
    private func candidates(_ layer: Int?) -> [(instance: Int, run: TemplateRun)] {
        var seen: Set<Int> = []
        return runs.enumerated().compactMap { i, placed in
            let template = program.templates[program.instances[i].template]
            let isOfLayer =
                layer == nil
                ? !template.namesLayer : template.namesLayer && placed.base == layer
            guard isOfLayer, seen.insert(placed.run.number).inserted else { return nil }
            return (i, placed.run)
        }
    }

    /// Violations of the first tensor of which an element is not made; nil if there is none. A
    /// block is written as each of the runs that may make it counts layers.
    private func missing(
        _ blocks: [(block: GraphExpansion, candidates: [(instance: Int, run: TemplateRun)])],
        _ text: String, _ origins: Origins
    ) -> [Violation]? {
        guard blocks.contains(where: { !$0.candidates.isEmpty }) else {
            return [Violation(.refinement, "nothing computes \(text)")]
        }
        let made = blocks.map { block, candidates in
            candidates.reduce(into: Set<Int32>()) { $0.formUnion($1.run.named) }
        }
        for (t, tensor) in blocks[0].block.named.enumerated() {
            let absent = tensor.names.indices.filter { i in
                !zip(blocks, made).contains { $1.contains($0.block.named[t].names[i]) }
            }
            guard !absent.isEmpty else { continue }
            let name = blocks[0].block.block[tensor.tensor].name
            let found = blocks.flatMap { block, candidates in
                explained(
                    absent.map { (block.named[t].written[$0], "\(name)[\($0)]") }, candidates,
                    origins)
            }
            return found.isEmpty
                ? [
                    Violation(
                        .refinement,
                        "\(text): \(name)[\(absent[0])] and \(absent.count - 1) more are not made")
                ] : found
        }
        return nil
    }

    private func missingLogits(_ origins: Origins) -> [Violation] {
        guard let node = head.block.nodes.last,
            case .numbers(let logits)? = head.elements[node.inputs[0].index]
        else { return [] }
        var made: Set<Int32> = []
        let candidates = candidates(headLayer)
        for (_, run) in candidates { forEachLane(of: run) { _, lane in made.insert(lane) } }
        let absent = logits.indices.filter { !made.contains(logits[$0]) }
        let found = explained(
            absent.map { (logits[$0], "logits[\($0)]") }, candidates, origins)
        if found.isEmpty, let first = absent.first {
            return [
                Violation(.refinement, "logits[\(first)] and \(absent.count - 1) more are not made")
            ]
        }
        return found
    }

    func forEachLane(of run: TemplateRun, _ body: (OpID, Int32) -> Void) {
        var seen: Set<Int32> = []
        for (number, op) in run.template.ops.enumerated() {
            guard case .vectors(let list)? = run.contents[op.result.index] else { continue }
            for vector in state.algebra.lists[list] where seen.insert(vector).inserted {
                for lane in state.numbers.vectors[vector] where lane.raw > 0 {
                    body(OpID(number), lane.raw)
                }
            }
        }
    }

    /// For each number the last one that was made of the same rows of weights, but not times a
    /// factor, and where it first differs; one violation an op.
    private func explained(
        _ wanted: [(written: Int32, name: String)],
        _ candidates: [(instance: Int, run: TemplateRun)], _ origins: Origins
    ) -> [Violation] {
        var targets: [Int64: Int] = [:]
        for (i, target) in wanted.enumerated() {
            for term in state.algebra.polynomials[target.written] {
                let key = state.algebra.key(term)
                if key >= 1 << 32 { targets[key] = i }
            }
        }
        var closest: [Int: (run: Int, op: OpID, lane: Int32, number: Int32)] = [:]
        for (_, run) in candidates {
            forEachLane(of: run) { op, lane in
                let number = state.algebra.primitive(lane).polynomial
                for term in state.algebra.polynomials[lane] {
                    guard let target = targets[state.algebra.key(term)],
                        closest[target]?.number != number
                    else { continue }
                    closest[target] = (run.number, op, lane, number)
                }
            }
        }
        var found: [Violation] = []
        var seen: Set<[Int]> = []
        for i in closest.keys.sorted() {
            guard let near = closest[i], near.lane != wanted[i].written else { continue }
            let difference = state.numbers.difference(
                expected: wanted[i].written, actual: near.lane)
            let origin = origins.of(difference) ?? (near.run, near.op)
            guard seen.insert([origin.run, origin.op.index]).inserted else { continue }
            found.append(
                violation(origin.run, origin.op, "\(wanted[i].name): \(difference.message)"))
        }
        return found
    }
}

/// For numbers, but for factors that may leave a sum, the op that first made them.
struct Origins {
    private var places: [Int32: (run: Int, op: OpID)] = [:]
    private let algebra: Algebra

    init(_ refinement: Refinement) {
        algebra = refinement.state.algebra
        var seen: Set<Int> = []
        for placed in refinement.runs where seen.insert(placed.run.number).inserted {
            refinement.forEachLane(of: placed.run) { op, lane in
                let number = algebra.primitive(lane).polynomial
                if places[number] == nil { places[number] = (placed.run.number, op) }
            }
        }
    }

    /// The op that made the smallest part of a difference that an op made.
    func of(_ difference: Difference) -> (run: Int, op: OpID)? {
        difference.actual.reversed().lazy.compactMap { part in
            places[algebra.primitive(part).polynomial]
        }.first
    }
}
