import LPUDataflow
import LPUModel
import LPUSchedule
import LPUSupport

/// What the law says of a program that was run.
extension Refinement {
    /// Every violation, each at the op that is to blame as far as can be told; empty iff every
    /// vector that leaves holds the graph's next token and every declaration is true.
    func violations() -> [Violation] {
        var found = windows()
        let left = departures()
        found += declarations()
        if !left.isEmpty {
            let origins = Origins(self)
            let causes = storage(origins) + firstMissing(origins)
            found += causes.isEmpty ? left : causes
        }
        return found
    }

    // MARK: Places

    /// A violation at an op of a run, in the first instance that has it.
    func violation(_ run: Int, _ op: OpID, _ message: String) -> Violation {
        guard let i = runs.firstIndex(where: { $0.run.number == run }) else {
            return Violation(.refinement, message)
        }
        return violation(instance: i, op, message)
    }

    func violation(instance i: Int, _ op: OpID, _ message: String) -> Violation {
        let instance = program.instances[i]
        let template = program.templates[instance.template]
        let value = template.values[template.ops[op.index].result.index]
        return Violation(
            .refinement, chip: instance.chips[value.chip],
            "i\(i) \(template.name).\(op) '\(value.name)': \(message)")
    }

    // MARK: What leaves

    /// The egress vectors that do not begin with the bytes of the graph's next token.
    private func departures() -> [Violation] {
        var found: [Violation] = []
        var count = 0
        for (i, placed) in runs.enumerated() {
            for (op, content) in placed.run.egress {
                count += 1
                let vector = state.numbers.vectors[state.vector(content, 0)]
                for k in 0..<4 {
                    guard let token = nextToken else { continue }
                    let wanted = state.numbers.byte(k, of: Lane(polynomial: token))
                    if vector[k] == wanted { continue }
                    let text = state.numbers.describe(vector[k])
                    found.append(
                        violation(
                            instance: i, op, "lane \(k) is \(text), not byte \(k) of the token"))
                    break
                }
            }
        }
        if count != 1 {
            found.append(
                Violation(.refinement, "\(count) vectors leave, a step has one next token"))
        }
        return found
    }

    /// Rows outside of their windows, whatever the lanes hold then, and rows of other users.
    private func windows() -> [Violation] {
        var seen: Set<Int> = []
        return runs.flatMap { placed -> [Violation] in
            guard seen.insert(placed.run.number).inserted else { return [] }
            let problems =
                placed.run.problems
                + placed.run.regions.flatMap {
                    state.regions[$0].windowProblems() + state.regions[$0].userProblems()
                }
            return problems.map { violation(placed.run.number, $0.op, $0.message) }
        }
    }

    /// What is stored and is no key or value of the graph.
    private func storage(_ origins: Origins) -> [Violation] {
        var seen: Set<Int> = []
        return runs.flatMap { placed -> [Violation] in
            guard seen.insert(placed.run.number).inserted else { return [] }
            return placed.run.regions.flatMap { region in
                state.regions[region].problems.map { problem in
                    stored(placed.run, problem.op, problem.message, problem.lane, origins)
                }
            }
        }
    }

    private func stored(
        _ run: TemplateRun, _ op: OpID, _ message: String, _ lane: Int32, _ origins: Origins
    ) -> Violation {
        guard let near = nearest(lane) else { return violation(run.number, op, message) }
        let difference = state.numbers.difference(expected: near.written, actual: lane)
        let origin = origins.of(difference) ?? (run.number, op)
        return violation(origin.run, origin.op, "\(near.name): \(difference.message)")
    }

    /// The element of a cache that a number is most likely meant to be: of the same weights.
    private func nearest(_ polynomial: Int32) -> (written: Int32, name: String)? {
        let keys = Set(state.algebra.polynomials[polynomial].map { state.algebra.key($0) })
        var best: (written: Int32, name: String, common: Int)?
        for block in layers {
            for cache in block.block.caches {
                guard case .cache(_, let update)? = block.elements[cache.present.index] else {
                    continue
                }
                for (i, written) in update.enumerated() {
                    let common = state.algebra.polynomials[written].count {
                        keys.contains(state.algebra.key($0))
                    }
                    if common > best?.common ?? 0 {
                        best = (written, "\(block.block[cache.present].name)[\(i)]", common)
                    }
                }
            }
        }
        return best.map { ($0.written, $0.name) }
    }

    // MARK: Declarations

    /// Values that do not hold what they are declared to mean.
    private func declarations() -> [Violation] {
        var seen: Set<Int> = []
        return runs.flatMap { placed -> [Violation] in
            guard seen.insert(placed.run.number).inserted else { return [] }
            return placed.run.template.values.enumerated().compactMap { v, value in
                value.meaning.flatMap { meaning in
                    declaration(meaning, ValueID(v), placed).map {
                        Violation(
                            .refinement, "\(placed.run.template.name).v\(v) '\(value.name)': \($0)")
                    }
                }
            }
        }
    }

    private func declaration(_ meaning: Layout, _ value: ValueID, _ placed: PlacedRun) -> String? {
        guard let (elements, shape) = tensor(meaning.tensor, placed) else {
            return "'\(meaning.tensor)' is no tensor of numbers of the graph"
        }
        for piece in meaning.pieces {
            for v in piece.vectors {
                let lanes = state.numbers.vectors[
                    state.vector(placed.run.content(value), v)]
                for l in piece.lanes {
                    let element = piece.element(vector: v, lane: l)
                    guard element.count == shape.count,
                        zip(element, shape).allSatisfy({ 0 <= $0 && $0 < $1 })
                    else { return "\(element) is no element of '\(meaning.tensor)'" }
                    let index = zip(element, shape).reduce(0) { $0 * $1.1 + $1.0 }
                    if state.numbers.polynomial(lanes[l]) != elements[index] {
                        let text = state.numbers.describe(lanes[l])
                        return "vector \(v) lane \(l) is \(text), not \(meaning.tensor)\(element)"
                    }
                }
            }
        }
        return nil
    }

    /// The elements of a tensor by its name in the block of a run's layer.
    private func tensor(
        _ name: String, _ placed: PlacedRun
    ) -> (elements: [Int32], shape: [Int])? {
        let shape = graph.layers.indices.contains(placed.base) ? graph.layers[placed.base] : 0
        for block in [embedding, layers[shape], head] {
            for (id, tensor) in block.block.tensors.enumerated() where tensor.name == name {
                guard case .numbers(let elements)? = block.elements[id] else { return nil }
                return (elements, tensor.shape(context: state.numbers.words.positions))
            }
        }
        return nil
    }
}
