import LPUDataflow
import LPUNumerics
import LPUSupport

/// A template run on expressions: what every value of it holds.
final class TemplateRun {
    let state: RefinementState
    let template: ProgramTemplate
    /// Among the runs.
    let number: Int
    /// nil for what is renamed as long as nothing asks for it.
    private(set) var contents: [Content?]
    let twins: Twins
    /// Values that hold what their twins hold, renamed.
    private(set) var isPending: [Bool]
    /// The scatters into each region.
    private(set) var writers: [Int: [Int]] = [:]
    var renamedRegions: [Int: Bool] = [:]
    /// A sum of activations has a name in the graph.
    var hasNamedSum = false
    /// Ops that made a number that has a name, or not.
    var naming: [Int: Bool] = [:]
    /// Values under comparisons, and whether one of them holds what another one does.
    var compared: Set<ValueID> = []
    private var isAmbiguous = false
    /// Regions of its own.
    private(set) var regions: Range<Int>
    /// What its egress ops sent out, by op.
    private(set) var egress: [(op: OpID, content: Content)] = []
    /// Numbers that were named as an element of a graph's tensor.
    private(set) var named: Set<Int32> = []
    private var seen: Set<Int32> = []
    /// Problems that are wrong in themselves.
    var problems: [(op: OpID, message: String)] = []

    var numbers: LaneAlgebra { state.numbers }
    var algebra: Algebra { state.algebra }

    /// - Parameter arguments: one for each parameter in the order of the values.
    init(_ template: ProgramTemplate, arguments: [Content], _ state: RefinementState) {
        self.state = state
        self.template = template
        number = state.runCount
        state.runCount += 1
        contents = Array(repeating: nil, count: template.values.count)
        isPending = Array(repeating: false, count: template.values.count)
        twins = Twins(template, state)
        var arguments = arguments.makeIterator()
        for (v, value) in template.values.enumerated() {
            switch value.origin {
            case .parameter: contents[v] = arguments.next()
            case .image(let formula):
                state.images.append(Image(value, formula, of: template, state.numbers))
                contents[v] = .image(state.images.count - 1)
            case .op: break
            }
        }
        regions = state.regions.count..<state.regions.count
        makeRegions()
        regions = regions.lowerBound..<state.regions.count
        for op in order() {
            if isRenamed(op) {
                isPending[template.ops[op].result.index] = !isScatter(op)
            } else {
                hasNamedSum = false
                run(op)
                if hasNamedSum { naming[op] = true }
            }
        }
    }

    // MARK: Regions

    /// An image that is scattered into is a region; its versions share it.
    private func makeRegions() {
        for (number, op) in template.ops.enumerated() {
            guard case .scatter(let region, let rows, let address, let data) = op.kind else {
                continue
            }
            let value = template.values[region.value.index]
            if case .image(.zero) = value.origin, case .image? = contents[region.value.index] {
                state.regions.append(Region(value.count, state))
                contents[region.value.index] = .region(state.regions.count - 1, version: 0)
            }
            guard case .region(let index, let version, _)? = contents[region.value.index] else {
                continue
            }
            for i in 0..<op.count {
                state.regions[index].add(
                    Region.Write(
                        op: OpID(number), start: region.vector(i), rows: rows,
                        address: { [unowned self] in self.address(address, i) },
                        data: { [unowned self] in vector(data, i) }))
            }
            contents[op.result.index] = .region(index, version: version + op.count)
        }
    }

    /// The ops in an order in which what a region is written comes before its reads: what an
    /// earlier step wrote is told by the same op.
    private func order() -> [Int] {
        for (number, op) in template.ops.enumerated() {
            if case .scatter = op.kind, case .region(let region, _, _)? = contents[op.result.index]
            {
                writers[region, default: []].append(number)
            }
        }
        var state = [UInt8](repeating: 0, count: template.ops.count)
        var order: [Int] = []
        for start in template.ops.indices {
            var stack = [start]
            while let number = stack.last {
                guard state[number] == 0 else {
                    stack.removeLast()
                    if state[number] == 1 {
                        state[number] = 2
                        order.append(number)
                    }
                    continue
                }
                state[number] = 1
                let op = template.ops[number]
                op.kind.forEachUse(count: op.count) { use, _ in
                    var needed: [Int] = []
                    if case .region(let region, _, _)? = contents[use.value.index] {
                        if case .scatter(let own, _, _, _) = op.kind, own.value == use.value {
                            return
                        }
                        needed = writers[region] ?? []
                    } else if case .op(let maker) = template.values[use.value.index].origin {
                        needed = [maker.index]
                    }
                    stack += needed.filter { state[$0] == 0 }
                }
            }
        }
        return order
    }

    // MARK: Ops

    func content(_ value: ValueID) -> Content {
        if isPending[value.index] { makeRenamed(value) }
        if let content = contents[value.index] { return content }
        let lane = Lane(
            polynomial: algebra.unknown("a region that is read before it is told what it holds"))
        let count = template.values[value.index].count
        return .vectors(
            algebra.lists.intern(Array(repeating: numbers.uniform(lane), count: count)))
    }

    func vector(_ use: Use, _ iteration: Int) -> Int32 {
        state.vector(content(use.value), use.vector(iteration))
    }

    /// An address vector; its lanes are bytes as int8 holds them.
    func address(_ use: Use, _ iteration: Int) -> Int32 {
        template.values[use.value.index].type == .int8
            ? vector(use, iteration) : unknown("an address that is no int8")
    }

    private func isScatter(_ number: Int) -> Bool {
        if case .scatter = template.ops[number].kind { true } else { false }
    }

    /// Renames what the value's twin holds, or runs its op after all.
    private func makeRenamed(_ value: ValueID) {
        isPending[value.index] = false
        if let renaming = twins.renamings[template.values[value.index].chip],
            case .vectors(let list)? = contents[twins.values[value.index].index]
        {
            let vectors = algebra.lists[list].compactMap { renaming.vector($0, numbers) }
            if vectors.count == algebra.lists[list].count {
                contents[value.index] = .vectors(
                    algebra.lists.intern(vectors.map(numbers.named(vector:))))
                return
            }
        }
        if case .op(let op) = template.values[value.index].origin { run(op.index) }
    }

    private func run(_ number: Int) {
        let op = template.ops[number]
        let result = template.values[op.result.index]
        let vectors: [Int32]
        switch op.kind {
        case .matmul(let terms):
            let isInteger = result.type == .int32
            vectors = (0..<op.count).map { i in
                isInteger
                    ? multiplyIntegers(terms, i, number)
                    : magnitude(multiply(terms, i), number, i)
            }
        case .elementwise(let operation, let a, let b):
            let isComparison = operation == .equal || operation == .less
            if isComparison, !isExact([a, b]) { isAmbiguous = true }
            vectors = (0..<op.count).map { i in
                isComparison && isAmbiguous
                    ? unknown("a comparison of numbers of which one was made twice")
                    : numbers.apply(operation, operand(a, i), b.map { operand($0, i) })
            }
        case .transpose(let use, let inputs):
            vectors = transpose(use, inputs, result.count)
        case .gather(let table, let rows, let address):
            if let content = rowsOfUser(table, rows, address, OpID(number)) {
                contents[op.result.index] = content
                return
            }
            vectors = (0..<op.count).map { look(up: table, rows, address, $0, OpID(number)) }
        case .scatter: return
        case .ingress:
            vectors = (0..<op.count).map { _ in
                result.type == .int8 ? ingress() : unknown("what enters, as no int8")
            }
        case .egress(let use):
            vectors = (0..<op.count).map {
                result.type == .int8 ? vector(use, $0) : unknown("what leaves, as no int8")
            }
            egress.append((OpID(number), .vectors(algebra.lists.intern(vectors))))
        case .distribute, .permute, .shift, .rotate, .select, .transfer, .pack, .byte:
            vectors = (0..<op.count).map { move(op.kind, op.result, $0) }
        }
        contents[op.result.index] = .vectors(algebra.lists.intern(vectors))
        noteNames(vectors)
    }

    private func noteNames(_ vectors: [Int32]) {
        for vector in vectors where seen.insert(vector).inserted {
            for lane in numbers.vectors[vector] where lane.raw > 0 {
                if let atom = algebra.onlyAtom(lane.raw), atom.kind == .named {
                    named.insert(lane.raw)
                }
            }
        }
    }

    func unknown(_ reason: String) -> Int32 {
        numbers.uniform(Lane(polynomial: algebra.unknown(reason)))
    }

    private func operand(_ operand: ElementwiseOperand, _ i: Int) -> Int32 {
        switch operand {
        case .use(let use): vector(use, i)
        case .immediate(let bits): numbers.uniform(numbers.lane(bits: bits))
        }
    }

    /// The vector that comes in: in every superlane four bytes of the token, then four of the
    /// position, and four of the user where there are several.
    private func ingress() -> Int32 {
        let words = numbers.words
        let variables =
            [words.variable(.token), words.variable(.position)]
            + (state.users > 1 ? [words.userVariable] : [])
        return numbers.vectors.intern(
            (0..<numbers.lanes).map { lane in
                let byte = lane % numbers.superlane
                return byte < 4 * variables.count
                    ? numbers.lane(word: words.byte(byte % 4, of: variables[byte / 4])) : .zero
            })
    }
}
