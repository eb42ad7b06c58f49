import LPUDataflow
import LPUNumerics
import LPUSchedule
public import LPUSupport

extension Pictures {
    /// The dataflow of an instance of the program: kernels as boxes with their ops by unit, their
    /// cycles and what they read of the memory image; arrows with the bytes that are handed over,
    /// counted as often as they are used.
    ///
    /// - Parameters:
    ///   - instance: index into the program's instances.
    ///   - focus: a name of the dataflow, such as `layer0` or, as a box has it, `layer*.h*`, of
    ///     which only the parts and what they take from and give to are drawn; nil for all.
    ///   - limit: how many kernels are drawn at most, with a focus beside its neighbours.
    /// - Throws: `drawing-instance`, `drawing-focus` where there is none of that name or number.
    /// - Complexity: O(ops, values and bursts + limit²).
    public func layer(
        instance: Int = 0, focus: String? = nil, limit: Int = 28
    ) throws(DiagnosticSet) -> Drawing {
        guard program.instances.indices.contains(instance) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("instance"), id: "drawing-instance",
                    "instance \(instance) is asked for, the program has "
                        + "\(program.instances.count)"))
        }
        let template = program.templates[program.instances[instance].template]
        let kernels = Kernels(of: template, in: focus, limit: limit)
        if let focus, kernels.inside.isEmpty {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(template.name), id: "drawing-focus",
                    "no part of the dataflow is called '\(focus)'",
                    notes: ["try: " + kernels.parts.joined(separator: ", ")]))
        }
        let spans = opSpans(of: instance)
        let graph = KernelGraph(template, kernels.inside, kernels.outside)
        let nodes = graph.shown.map { node(graph, $0, in: template, spans) }
        let subject = focus.map { "dataflow of \($0)" } ?? "dataflow of \(template.name)"
        let dashed = nodes.contains { $0.outline == .dashed } ? "; dashed: outside" : ""
        let notes = [
            "step of \(lengthText); boxes: ops a unit, first–last cycle of issue, bytes read from "
                + "the memory image; arrows: bytes consumed" + dashed
        ]
        return Drawing(
            subject, layout: .layered, heading: heading(subject, notes, of: nodes), nodes: nodes,
            edges: graph.edges(label: bytes))
    }

    /// First to last issue of each op of the instance, on one chip or, for nil, on all; nil where
    /// there is no instruction. O(bursts).
    func opSpans(of instance: Int, on chip: ChipID? = nil) -> [ClosedRange<Int>?] {
        var spans = [ClosedRange<Int>?](
            repeating: nil, count: opBases[instance + 1] - opBases[instance])
        for placement in schedule.placements {
            let programs = schedule.templates[placement.template].chips
            for (place, program) in programs.enumerated() {
                if let chip, placement.chips[place] != chip { continue }
                for burst in program.bursts {
                    guard let op = burst.op else { continue }
                    let k = placement.opBase + op.index - opBases[instance]
                    guard spans.indices.contains(k) else { continue }
                    let first = placement.start.index + burst.start.index
                    let last = placement.start.index + burst.lastIssue.index
                    let known = spans[k] ?? first...last
                    spans[k] = min(known.lowerBound, first)...max(known.upperBound, last)
                }
            }
        }
        return spans
    }

    private func node(
        _ graph: KernelGraph, _ k: Int, in template: ProgramTemplate, _ spans: [ClosedRange<Int>?]
    ) -> Drawing.Node {
        let kernel = graph.kernels[k]
        let copies = kernel.copies == 1 ? "" : " × \(grouped(kernel.copies))"
        var rows = [[Drawing.Cell(kernel.name + copies, .strong)]]
        let counts = UnitClass.allCases.map { unit in
            (unit, kernel.ops.count { UnitClass(template.ops[$0].kind) == unit })
        }
        let cells = counts.filter { $0.1 > 0 }.map {
            Drawing.Cell("\($0.0.name) \(grouped($0.1))", fill: $0.0.colour)
        }
        if !cells.isEmpty { rows.append(cells) }
        let known = kernel.ops.compactMap { spans[$0] }
        if let first = known.map(\.lowerBound).min(), let last = known.map(\.upperBound).max() {
            rows.append([Drawing.Cell("cycles \(grouped(first))–\(grouped(last))")])
        }
        if graph.imageVectors[k] > 0 {
            rows.append([Drawing.Cell("reads \(bytes(vectors: graph.imageVectors[k]))")])
        }
        return Drawing.Node(
            kernel.name, table: Drawing.Table(rows), outline: graph.isInside(k) ? .solid : .dashed)
    }
}

/// What kernels hand each other, in bytes a lane: vectors of one byte.
private struct KernelGraph {
    /// The ones inside, the ones outside, and the inputs of the template.
    let kernels: [Kernel]
    private let insideCount: Int
    /// What kernel a hands to kernel b: at a * count + b.
    private var vectors: [Int]
    /// What each reads from the memory image.
    private(set) var imageVectors: [Int]

    init(_ template: ProgramTemplate, _ inside: [Kernel], _ outside: [Kernel]) {
        let inputs = Kernel(name: "earlier instances", ops: [])
        kernels = inside + outside + [inputs]
        insideCount = inside.count
        let count = kernels.count
        vectors = Array(repeating: 0, count: count * count)
        imageVectors = Array(repeating: 0, count: count)
        var owner = [Int](repeating: count - 1, count: template.ops.count)
        for (k, kernel) in kernels.enumerated() {
            for op in kernel.ops { owner[op] = k }
        }
        for (i, op) in template.ops.enumerated() {
            let user = owner[i]
            op.kind.forEachUse(count: op.count) { use, iterations in
                let value = template.values[use.value.index]
                let taken = (use.step == 0 ? 1 : iterations) * value.type.byteCount
                switch value.origin {
                case .op(let producer): vectors[owner[producer.index] * count + user] += taken
                case .parameter: vectors[(count - 1) * count + user] += taken
                case .image: imageVectors[user] += taken
                }
            }
        }
    }

    func isInside(_ k: Int) -> Bool { k < insideCount }

    private func flow(_ a: Int, _ b: Int) -> Int {
        let isDrawn = a != b && (isInside(a) || isInside(b))
        return isDrawn ? vectors[a * kernels.count + b] : 0
    }

    /// All that are inside, and those that give them something or take something from them.
    var shown: [Int] {
        kernels.indices.filter { k in
            isInside(k) || kernels.indices.contains { flow(k, $0) > 0 || flow($0, k) > 0 }
        }
    }

    func edges(label: (Int) -> String) -> [Drawing.Edge] {
        var edges: [Drawing.Edge] = []
        for a in kernels.indices {
            for b in kernels.indices where flow(a, b) > 0 {
                edges.append(
                    Drawing.Edge(from: kernels[a].name, to: kernels[b].name, label(flow(a, b))))
            }
        }
        return edges
    }
}
