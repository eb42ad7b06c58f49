import LPUDataflow
import LPUSupport

/// What a timed parameter stands for: a timed value of an earlier instance's template, and whether
/// it is an image there.
struct Binding: Hashable {
    var instance: Int
    var value: ValueID
    var isImage: Bool
}

/// Where values rest that pass from instance to instance.
///
/// A parameter and all values that instances bind to it rest in the same rows, and so do the values
/// that one timed place stands for: then every instance of a template is the same instructions.
struct Homes {
    private let program: Program
    private let symmetries: [Symmetry?]
    /// The first class number of each template; a class a timed value.
    private let bases: [Int]
    /// A forest of classes that are one.
    private var parents: [Int]
    /// By class: an instance of some template takes it as an argument.
    private var isTaken: [Bool]
    private var homes: [Int: Home] = [:]
    /// Of each parameter of a template its number among them, else -1.
    private let ordinals: [[Int]]
    /// What each parameter of each instance is bound to in the end, in order.
    private let origins: [[Binding]]

    private struct Home {
        var copies: [[Copy]]
        var tiles: [TilePlace]
        var block: BlockPlace?
    }

    init(_ program: Program, _ symmetries: [Symmetry?]) {
        self.program = program
        self.symmetries = symmetries
        var base = 0
        bases = program.templates.indices.map { t in
            defer { base += (symmetries[t]?.template ?? program.templates[t]).values.count }
            return base
        }
        parents = Array(0..<base)
        isTaken = Array(repeating: false, count: base)
        ordinals = program.templates.map { template in
            var next = 0
            return template.values.map { value in
                guard value.origin == .parameter else { return -1 }
                defer { next += 1 }
                return next
            }
        }
        origins = Self.origins(program, symmetries, ordinals)
        for instance in program.instances {
            let t = instance.template
            var next = 0
            for (v, value) in program.templates[t].values.enumerated()
            where value.origin == .parameter {
                let argument = instance.arguments[next]
                next += 1
                let source = number(
                    argument.value, program.instances[argument.instance].template)
                isTaken[source] = true
                unite(number(ValueID(v), t), source)
            }
        }
    }

    private static func origins(
        _ program: Program, _ symmetries: [Symmetry?], _ ordinals: [[Int]]
    ) -> [[Binding]] {
        var result: [[Binding]] = []
        for instance in program.instances {
            result.append(
                instance.arguments.map { argument in
                    let t = program.instances[argument.instance].template
                    let value = program.templates[t].values[argument.value.index]
                    let timed =
                        symmetries[t]?.representative[argument.value.index] ?? argument.value
                    switch value.origin {
                    case .parameter:
                        return result[argument.instance][ordinals[t][argument.value.index]]
                    case .image:
                        return Binding(instance: argument.instance, value: timed, isImage: true)
                    case .op:
                        return Binding(instance: argument.instance, value: timed, isImage: false)
                    }
                })
        }
        return result
    }

    // MARK: Classes

    private func number(_ value: ValueID, _ t: Int) -> Int {
        bases[t] + (symmetries[t]?.representative[value.index] ?? value).index
    }

    private func root(_ number: Int) -> Int {
        var root = number
        while parents[root] != root { root = parents[root] }
        return root
    }

    private mutating func unite(_ a: Int, _ b: Int) {
        let (a, b) = (root(a), root(b))
        parents[max(a, b)] = min(a, b)
    }

    // MARK: Bindings

    /// What the timed parameters are bound to in instance `i`; nil for other values.
    func bindings(of i: Int) -> [Binding?] {
        let t = program.instances[i].template
        guard let symmetry = symmetries[t] else {
            return ordinals[t].map { $0 < 0 ? nil : origins[i][$0] }
        }
        return symmetry.values[0].map { whole in
            let ordinal = ordinals[t][whole.index]
            return ordinal < 0 ? nil : origins[i][ordinal]
        }
    }

    /// Calls `body` with every parameter of instance `i`, as a timed value, and its origin.
    func forEachOrigin(of i: Int, _ body: (ValueID, Binding) -> Void) {
        let t = program.instances[i].template
        for (v, ordinal) in ordinals[t].enumerated() where ordinal >= 0 {
            body(symmetries[t]?.representative[v] ?? ValueID(v), origins[i][ordinal])
        }
    }

    // MARK: Rows

    /// Tells a template that is to be placed where its parameters rest, and where its results have
    /// to because a placed template takes them there.
    func settle(_ placer: Placer, template t: Int) {
        for (v, value) in placer.template.values.enumerated() {
            if isTaken[bases[t] + v] { placer.noteTaken(ValueID(v)) }
            guard let home = homes[root(bases[t] + v)] else { continue }
            switch value.origin {
            case .parameter:
                for i in 0..<value.count {
                    let slot = placer.vectorBase[v] + i
                    placer.copies[slot] = home.copies[i]
                    placer.given[slot] = home.copies[i].count
                }
                placer.tilePlaces[v] = home.tiles
                placer.blockPlaces[v] = home.block
            case .op:
                for i in 0..<value.count {
                    placer.pins[placer.vectorBase[v] + i] = home.copies[i].first?.planes
                }
            case .image: break
            }
        }
    }

    /// Notes where a placed template's values rest.
    mutating func note(_ placer: Placer, template t: Int) {
        for (v, value) in placer.template.values.enumerated() {
            let isImage = placer.isImage(ValueID(v))
            let root = root(bases[t] + v)
            guard isImage || homes[root] == nil else { continue }
            let copies = (0..<value.count).map { placer.restingCopies(ValueID(v), $0) }
            let home = Home(
                copies: copies, tiles: placer.tilePlaces[v], block: placer.blockPlaces[v])
            // A parameter that no instruction has touched yet has no home to speak of.
            guard
                copies.contains(where: { !$0.isEmpty }) || !home.tiles.isEmpty || home.block != nil
            else { continue }
            homes[root] = home
        }
    }
}
