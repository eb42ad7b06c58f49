import LPUDataflow
import LPUModel
import LPUSchedule
import LPUSupport

/// Law 16 of an encoder: its program computes what the graph says.
///
/// Both are evaluated at one point of a prime field (`PrimeField`), for one text that fills three
/// quarters of the context: weights are numbers drawn by their names and coordinates, no weight is
/// read. Every element that leaves must be the graph's. The program's digest is the seed of the
/// draws: who writes a program cannot have chosen it for the point.
///
/// A layer whose operands are to the states that it takes what those are that it makes of the ones
/// that it hands on is evaluated once: the next one is the same with other names.
struct EncoderRefinement {
    private let program: Program
    private let graph: ModelGraph
    private let context: Int
    private let threads: Int
    private let text: PointText
    private let seed: UInt64
    private var runs: [PlacedRun] = []
    private var found: [Violation] = []

    /// What stands for an instance's run.
    private struct PlacedRun {
        var run: PointRun
        /// The graph's states before and behind the block that was evaluated.
        var input: [UInt32]
        var output: [UInt32]
        /// What the arguments are to the states that come in; nil where that cannot be told.
        var arguments: [PointRelation?]
        /// The run of an earlier instance stands for this one's.
        var isRepeated = false
    }

    /// - Requires: the program is legal, and the graph that of an encoder.
    init(_ program: Program, _ graph: ModelGraph, context: Int, threads: Int) {
        self.program = program
        self.graph = graph
        self.context = context
        self.threads = threads
        text = PointText(graph.configuration, context: context)
        seed = PrimeField.hash(program.digest)
    }

    /// Every violation; empty iff what leaves is the graph's.
    mutating func violations() -> [Violation] {
        let blocks = graph.instances
        guard program.instances.count == blocks.count else {
            return [
                Violation(
                    .refinement,
                    "the program has \(program.instances.count) instances, the graph "
                        + "\(blocks.count) blocks")
            ]
        }
        let entered = program.instances.map { instance in
            program.templates[instance.template].ops.reduce(0) {
                $1.kind == .ingress ? $0 + $1.count : $0
            }
        }
        guard entered[0] == context, entered.dropFirst().allSatisfy({ $0 == 0 }) else {
            return [
                Violation(
                    .refinement,
                    "the first block takes \(entered[0]) vectors in and the others "
                        + "\(entered.dropFirst().reduce(0, +)), a text has \(context) tokens: give "
                        + "the context that the program was made for")
            ]
        }
        for i in program.instances.indices { place(i, blocks[i]) }
        return found + departures()
    }

    private mutating func place(_ i: Int, _ block: ModelGraph.Instance) {
        if program.instances[i].layer == block.layer, var same = sameAsBefore(i) {
            same.isRepeated = true
            runs.append(same)
            return
        }
        let instance = program.instances[i]
        let input = runs.last?.output ?? []
        let arguments = instance.arguments.map {
            runs[$0.instance].run.vectors(of: $0.value)
        }
        let layer = block.layer
        let ingress = text.ingress(
            lanes: program.lanes, superlane: program.lanesPerSuperlane)
        let (program, text, seed, threads) = (program, text, seed, threads)
        let (run, expansion) = concurrently(threads: threads) {
            PointRun(
                program.templates[instance.template], of: program,
                layer: instance.layer ?? layer, arguments: arguments,
                ingress: ingress, seed: seed, threads: max(1, threads - 1))
        } _: {
            PointExpansion(
                block.block, layer: layer, input: input, text, seed: seed,
                threads: max(1, threads / 2))
        }
        let relations = PointRelations(states: input)
        runs.append(
            PlacedRun(
                run: run, input: input, output: expansion.output,
                arguments: arguments.map { relations.relation(of: $0) }))
        for value in run.strays {
            report(i, "\(value) is of a row that is not told, or out of its window")
        }
        check(i)
    }

    /// The run before, if this instance is the same layer again.
    private func sameAsBefore(_ i: Int) -> PlacedRun? {
        guard i > 1, let last = runs.last, program.instances[i].layer != nil,
            program.instances[i].template == program.instances[i - 1].template,
            program.instances[i].chips == program.instances[i - 1].chips
        else { return nil }
        let relations = PointRelations(states: last.output)
        let pairs = zip(program.instances[i].arguments, program.instances[i - 1].arguments)
        for (k, (now, before)) in pairs.enumerated() {
            if now == before { continue }
            guard now.instance == i - 1 else { return nil }
            // As the one before was handed it by the same run.
            if last.isRepeated, before.instance == i - 2, now.value == before.value { continue }
            guard let relation = last.arguments[k],
                relations.relation(of: last.run.vectors(of: now.value)) == relation
            else { return nil }
        }
        return last
    }

    /// Whether every state that the next block takes is handed on.
    private mutating func check(_ i: Int) {
        guard found.isEmpty, i < program.instances.count - 1, let last = runs.last else { return }
        var held: Set<UInt32> = []
        for argument in program.instances[i + 1].arguments where argument.instance == i {
            for vector in last.run.vectors(of: argument.value) { held.formUnion(vector.numbers) }
        }
        guard let missing = last.output.firstIndex(where: { !held.contains($0) }) else { return }
        let width = last.output.count / context
        report(
            i, "element \(missing % width) of token \(missing / width) is not the graph's")
    }

    private mutating func report(_ i: Int, _ message: String) {
        let instance = program.instances[i]
        found.append(
            Violation(
                .refinement, chip: instance.chips[0],
                "i\(i) \(program.templates[instance.template].name): \(message)"))
    }

    // MARK: What leaves

    /// The elements of the embedding leave tile by tile, as many in each but the last, of each tile
    /// the four bytes one after another.
    private func departures() -> [Violation] {
        guard let last = runs.last, let instance = program.instances.last else { return [] }
        let (left, elements) = (last.run.egress, last.output)
        let others = runs.dropLast().reduce(0) { $0 + $1.run.egress.count }
        let tiles = (elements.count + program.lanes - 1) / program.lanes
        guard left.count == 4 * tiles, others == 0 else {
            return [
                Violation(
                    .refinement,
                    "\(left.count + others) vectors leave, an embedding is \(4 * tiles)")
            ]
        }
        let width = (elements.count + tiles - 1) / tiles
        for tile in 0..<tiles {
            let range = tile * width..<min((tile + 1) * width, elements.count)
            for plane in 0..<4 {
                let vector = left[4 * tile + plane].numbers
                for (lane, element) in range.enumerated()
                where vector[lane] != PointRun.byte(plane, of: elements[element]) {
                    return [
                        Violation(
                            .refinement, chip: instance.chips[0],
                            "i\(runs.count - 1) \(last.run.template.name): byte \(plane) of "
                                + "element \(element) that leaves is not the graph's")
                    ]
                }
            }
        }
        return []
    }
}
