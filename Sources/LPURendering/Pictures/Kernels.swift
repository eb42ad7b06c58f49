import LPUDataflow
import LPUSupport

/// Ops of a template under one name, such as `layer0.gate`, or `keyRow*` for `keyRow0...15`.
struct Kernel {
    var name: String
    /// Ascending.
    var ops: [Int]
}

/// The ops of a template as a tree of their names: `layer0.h3.scores` is in `layer0.h3`, that in
/// `layer0.h*`, in `layer0`, in `layer*`, in the whole.
///
/// An op without a name of its own belongs to the first op that uses its result.
struct KernelTree {
    private struct Node {
        var name: String
        var children: [Int] = []
        /// Of the whole subtree, ascending.
        var ops: [Int] = []
        /// Those that belong to no child.
        var own: [Int] = []
    }
    private var nodes = [Node(name: "")]

    /// O(ops and their uses).
    init(_ template: ProgramTemplate) {
        struct Key: Hashable {
            var parent: Int
            var name: String
        }
        var known: [Key: Int] = [:]
        for (op, name) in names(template).enumerated() {
            var place = 0
            nodes[0].ops.append(op)
            for step in steps(name) {
                let key = Key(parent: place, name: step)
                if let child = known[key] {
                    place = child
                } else {
                    nodes[place].children.append(nodes.count)
                    place = nodes.count
                    known[key] = place
                    nodes.append(Node(name: step))
                }
                nodes[place].ops.append(op)
            }
            nodes[place].own.append(op)
        }
    }

    /// The kernels of the part that is called `focus` (all without one), the largest unfolded as
    /// long as there are no more than `limit`, in the order of their first ops; and the kernels
    /// beside it, as far folded as possible. `nil` if nothing is called so.
    func kernels(in focus: String?, limit: Int) -> (inside: [Kernel], outside: [Kernel])? {
        var place = 0
        var outside: [Kernel] = []
        while let focus, nodes[place].name != focus {
            let parts = nodes[place].children
            guard let next = parts.first(where: { leads($0, to: focus) }) else { return nil }
            outside += parts.filter { $0 != next }.map { Kernel(name: shown($0), ops: nodes[$0].ops) }
            place = next
        }
        return (unfolded(place, limit: limit), outside)
    }

    /// The names into which the whole unfolds first.
    var parts: [String] { nodes[0].children.map(shown) }

    private func leads(_ place: Int, to focus: String) -> Bool {
        nodes[place].name == focus || nodes[place].children.contains { leads($0, to: focus) }
    }

    /// The name of the lowest node that has the same ops.
    private func shown(_ place: Int) -> String {
        let node = nodes[place]
        guard node.own.isEmpty, node.children.count == 1 else { return node.name }
        return shown(node.children[0])
    }

    private func unfolded(_ root: Int, limit: Int) -> [Kernel] {
        var open = [root]
        var kernels: [Kernel] = []
        while true {
            // Largest first; of equal ones the one that begins first.
            let order = open.indices.sorted {
                let (a, b) = (nodes[open[$0]], nodes[open[$1]])
                return (-a.ops.count, a.ops.first ?? 0) < (-b.ops.count, b.ops.first ?? 0)
            }
            let next = order.first {
                let node = nodes[open[$0]]
                let added = node.children.count + (node.own.isEmpty ? 0 : 1) - 1
                return !node.children.isEmpty && open.count + kernels.count + added <= limit
            }
            guard let next else { break }
            let node = nodes[open.remove(at: next)]
            open += node.children
            if !node.own.isEmpty { kernels.append(Kernel(name: node.name, ops: node.own)) }
        }
        kernels += open.map { Kernel(name: shown($0), ops: nodes[$0].ops) }
        return kernels.sorted { ($0.ops.first ?? 0, $0.name) < ($1.ops.first ?? 0, $1.name) }
    }
}

/// The name of each op: its result's, unless that only repeats the kind of op.
private func names(_ template: ProgramTemplate) -> [String] {
    var names = [String](repeating: "", count: template.ops.count)
    var user = [String?](repeating: nil, count: template.values.count)
    for (i, op) in template.ops.enumerated().reversed() {
        let (own, kind) = (template.values[op.result.index].name, op.kind.name)
        let isNamed = own != kind && !own.hasPrefix(kind + ".")
        names[i] = isNamed ? own : user[op.result.index] ?? kind
        op.kind.forEachUse(count: op.count) { use, _ in user[use.value.index] = names[i] }
    }
    return names
}

/// `layer0.h3.scores.17` -> `layer*`, `layer0`, `layer0.h*`, `layer0.h3`, `layer0.h3.scores`: a
/// number alone only tells equal names apart.
private func steps(_ name: String) -> [String] {
    var steps: [String] = []
    var path = ""
    for word in name.split(separator: ".") {
        let stem = word.reversed().drop { $0.isNumber }.reversed()
        if stem.isEmpty { continue }
        if !path.isEmpty { path += "." }
        if stem.count < word.count { steps.append(path + String(stem) + "*") }
        path += word
        steps.append(path)
    }
    return steps.isEmpty ? [name] : steps
}
