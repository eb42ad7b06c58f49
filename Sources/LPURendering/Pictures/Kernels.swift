import LPUDataflow
import LPUSupport

/// Ops of a template under one name, such as `layer0.gate`.
struct Kernel {
    /// With `*` for a number where it stands for several names: `layer0.q*.h*.scores`.
    var name: String
    /// How many names it stands for.
    var copies = 1
    /// Ascending.
    var ops: [Int]
}

/// What a template does, folded for people.
struct Kernels {
    /// In the order of their first ops.
    var inside: [Kernel]
    /// Those beside the focus, as far folded as possible.
    var outside: [Kernel] = []
    /// The names into which the whole unfolds first.
    var parts: [String] = []

    /// The part of a template that is called `focus`, all of it for nil: the largest kernel is
    /// unfolded, as long as there are no more than `limit`, and the whole in any case. Nothing is
    /// inside if nothing is called so.
    ///
    /// A number may stand in `focus`, be left out or be `*`: `layer0.q1`, `layer.q`, `layer*.q*`.
    /// An op without a name of its own belongs to the first op that uses its result.
    /// O(ops and their uses + limit²).
    init(of template: ProgramTemplate, in focus: String?, limit: Int) {
        let names = opNames(template).map(words)
        guard let focus else {
            inside = KernelTree(names, names.indices.map(\.self), depth: 0).unfolded(limit)
            return
        }
        let sought = words(focus)
        func isInside(_ op: Int) -> Bool {
            !sought.isEmpty && names[op].count >= sought.count
                && zip(sought, names[op]).allSatisfy { calls($0, $1) }
        }
        let rest = names.indices.filter { !isInside($0) }
        outside = KernelTree(names, rest, depth: 0).parts
        let within = names.indices.filter(isInside)
        inside = KernelTree(names, within, depth: sought.count).unfolded(limit)
        parts = KernelTree(names, names.indices.map(\.self), depth: 0).parts.map(\.name)
    }
}

/// Ops as a tree of their names with `*` for numbers, so that the heads of an attention are one:
/// `layer0.q1.h3.scores` is in `layer*.q*.h*`, that in `layer*.q*`.
private struct KernelTree {
    private struct Node {
        var pattern: String
        var children: [Int] = []
        /// Of the whole subtree, ascending.
        var ops: [Int] = []
        /// Those that belong to no child.
        var own: [Int] = []
        /// The names that the pattern stands for: only counted, or taken if there is one.
        var names: Set<String> = []
    }
    private var nodes: [Node]

    /// The given ops by the words of their names, of which the first `depth` name the whole.
    init(_ names: [[Substring]], _ ops: [Int], depth: Int) {
        func stem(_ op: Int) -> String { names[op].prefix(depth).joined(separator: ".") }
        let first = ops.first.map { names[$0].prefix(depth) } ?? []
        let pattern = first.enumerated().map { k, word in
            ops.allSatisfy { names[$0][k] == word } ? String(word) : starred(word)
        }
        nodes = [
            Node(pattern: pattern.joined(separator: "."), ops: ops, names: Set(ops.map(stem)))
        ]
        struct Key: Hashable {
            var parent: Int
            var pattern: String
        }
        var known: [Key: Int] = [:]
        for op in ops {
            var place = 0
            var path = stem(op)
            for word in names[op].dropFirst(depth) {
                let key = Key(parent: place, pattern: starred(word))
                let parent = nodes[place].pattern
                if let child = known[key] {
                    place = child
                } else {
                    nodes[place].children.append(nodes.count)
                    place = nodes.count
                    known[key] = place
                    nodes.append(Node(pattern: joined(parent, key.pattern)))
                }
                path = joined(path, String(word))
                nodes[place].names.insert(path)
                nodes[place].ops.append(op)
            }
            nodes[place].own.append(op)
        }
    }

    /// What the whole unfolds into first.
    var parts: [Kernel] { nodes[0].children.map { kernel($0, nodes[$0].ops) } }

    func unfolded(_ limit: Int) -> [Kernel] {
        var open = [0]
        var kernels: [Kernel] = []
        while true {
            // Largest first; of equal ones the one that begins first.
            let order = open.indices.sorted {
                let (a, b) = (nodes[open[$0]], nodes[open[$1]])
                return (-a.ops.count, a.ops.first ?? 0) < (-b.ops.count, b.ops.first ?? 0)
            }
            guard let next = order.first(where: { !nodes[open[$0]].children.isEmpty }) else {
                break
            }
            let place = open[next]
            let node = nodes[place]
            let parts = node.children.count + (node.own.isEmpty ? 0 : 1)
            // The whole unfolds in any case.
            guard place == 0 || open.count + kernels.count + parts - 1 <= limit else { break }
            open.remove(at: next)
            open += node.children
            if !node.own.isEmpty { kernels.append(kernel(place, node.own)) }
        }
        kernels += open.map { kernel($0, nodes[$0].ops) }
        return kernels.filter { !$0.ops.isEmpty }.sorted {
            ($0.ops[0], $0.name) < ($1.ops[0], $1.name)
        }
    }

    private func kernel(_ place: Int, _ ops: [Int]) -> Kernel {
        let (pattern, names) = (nodes[place].pattern, nodes[place].names)
        let name = names.count == 1 ? names.first ?? pattern : pattern
        return Kernel(name: name, copies: names.count, ops: ops)
    }
}

/// The name of each op: its result's, unless that only repeats the kind of op; `next layer.q` of
/// what makes something of the weights of the layer after the instance's.
private func opNames(_ template: ProgramTemplate) -> [String] {
    var names = [String](repeating: "", count: template.ops.count)
    var user = [String?](repeating: nil, count: template.values.count)
    let isNext = ofNextLayer(template)
    for (i, op) in template.ops.enumerated().reversed() {
        let (own, kind) = (template.values[op.result.index].name, op.kind.name)
        let isNamed = own != kind && !own.hasPrefix(kind + ".")
        if !isNamed, let user = user[op.result.index] {
            names[i] = user
        } else {
            let name = isNamed ? own : kind
            let isNext = isNext[op.result.index]
            names[i] = isNext ? "next layer.\(name.trimmingPrefix("layer."))" : name
        }
        op.kind.forEachUse(count: op.count) { use, _ in user[use.value.index] = names[i] }
    }
    return names
}

/// For each value: it is of weights of the layer after the instance's, or made of such.
private func ofNextLayer(_ template: ProgramTemplate) -> [Bool] {
    var isNext = template.values.map { value in
        guard case .image(let formula) = value.origin else { return false }
        return formula.layout?.tensor.contains("$next") == true
    }
    for op in template.ops {
        op.kind.forEachUse(count: op.count) { use, _ in
            if isNext[use.value.index] { isNext[op.result.index] = true }
        }
    }
    return isNext
}

/// The words between points; a number alone only tells equal names apart.
private func words(_ name: String) -> [Substring] {
    name.split(separator: ".").filter { !$0.allSatisfy(\.isNumber) }
}

/// `h3` -> `h*`.
private func starred(_ word: Substring) -> String {
    let stem = String(word.reversed().drop(while: \.isNumber).reversed())
    return stem.count < word.count ? stem + "*" : stem
}

/// `true` iff a name with the word `word` is one of those that are asked for with `sought`.
private func calls(_ sought: Substring, _ word: Substring) -> Bool {
    let pattern = starred(word)
    return sought == word || sought == pattern || "\(sought)*" == pattern
}

private func joined(_ path: String, _ word: String) -> String {
    path.isEmpty ? word : "\(path).\(word)"
}
