public import LPUDataflow
import LPUNumerics
public import LPUSchedule
import LPUSupport

extension Verifier {
    /// Judges law 16 of a program that reads several tokens at once, by the step that reads one: it
    /// does to the caches what as many steps do, one after another.
    ///
    /// Both programs are run on terms. Each vector of the chunk is of one token or of none, and is
    /// what the step makes of that token: the same operations on the same operands. The chunk
    /// scatters for each token what the step scatters, once, and what is of no token once, at the
    /// first one's address. It reads each region when all tokens are in it, where a step reads
    /// those before its own: the rows that differ are of the token's own position and later ones,
    /// on which a step that keeps law 16 does not depend.
    ///
    /// - Returns: violations, the first ones.
    /// - Requires: both programs are legal; the step keeps law 16. Tokens of a chunk stand at
    ///   positions that follow one another in one block of the cache.
    /// - Complexity: O(vectors of all ops and their operands).
    public func violationsOfChunk(
        _ chunk: Program, of step: Program, tokens: Int
    ) -> [Violation] {
        var names = ImageNames()
        var terms = StepTerms()
        let one = TokenRun(step, names.values(of: step), &terms, isChunk: false)
        let all = TokenRun(chunk, names.values(of: chunk), &terms, isChunk: true)
        var violations = one.violations + all.violations
        func report(_ message: String) {
            violations.append(Violation(.refinement, message))
        }
        if one.ingressCount != 1 || all.ingressCount != tokens {
            report(
                "a step takes \(one.ingressCount) vectors in, a chunk of \(tokens) tokens "
                    + "\(all.ingressCount)")
        }
        if all.hasEgress { report("a chunk gives a vector to the host") }
        var left: [TokenRun.Effect: Int] = [:]
        for effect in all.effects { left[effect, default: 0] += 1 }
        for effect in one.effects {
            for token in 0..<(effect.data.token == nil ? 1 : tokens) {
                let wanted = effect.moved(to: token)
                guard let count = left[wanted], count > 0 else {
                    report(
                        "what a step scatters into image \(effect.region) at row \(effect.row), no "
                            + "op of the chunk does for token \(token)")
                    continue
                }
                left[wanted] = count - 1
            }
        }
        for effect in all.effects where left[effect] ?? 0 > 0 {
            report(
                "what the chunk scatters into image \(effect.region) at row \(effect.row)"
                    + (effect.data.token.map { " for token \($0)" } ?? "") + ", no step does")
        }
        return Array(violations.prefix(violationsPerLaw))
    }
}

/// Terms of both programs; equal ones have one number.
struct StepTerms {
    /// An operation without its operands: its name, and what its text says beside them.
    struct Shape: Hashable {
        var name: String
        var type: ElementType?
        var numbers: [Int] = []
    }
    private struct Node: Hashable {
        var shape: Shape
        var operands: [Int32]
    }
    private var numbers: [Node: Int32] = [:]

    mutating func number(_ shape: Shape, _ operands: [Int32] = []) -> Int32 {
        let node = Node(shape: shape, operands: operands)
        let number = numbers[node] ?? Int32(numbers.count)
        numbers[node] = number
        return number
    }
}

/// What a vector is: a term, of one token or of none.
struct TokenLabel: Hashable {
    var token: Int?
    var term: Int32
}

/// A program run on terms; of a step all that depends on what enters is of token 0.
private struct TokenRun {
    /// One vector that is scattered into a region.
    struct Effect: Hashable {
        var region: Int32
        var row: Int
        var rows: Int
        var address: TokenLabel
        var data: TokenLabel

        /// The same for another token; what is of no token goes where the first one says.
        func moved(to token: Int) -> Effect {
            var other = self
            if address.token != nil { other.address.token = token }
            if data.token != nil { other.data.token = token }
            return other
        }
    }
    private(set) var effects: [Effect] = []
    private(set) var violations: [Violation] = []
    private(set) var ingressCount = 0
    private(set) var hasEgress = false

    private let program: Program
    private let numbering: Numbering
    private let images: [Int32]
    private let isChunk: Bool
    /// By value: its vectors, once it is made.
    private var labels: [[TokenLabel]]
    /// By value that is a version of a region: the image; else -1.
    private var roots: [Int]
    /// By image, its last version.
    private var last: [Int]

    init(_ program: Program, _ images: [Int32], _ terms: inout StepTerms, isChunk: Bool) {
        self.program = program
        self.images = images
        self.isChunk = isChunk
        numbering = Numbering(program)
        labels = Array(repeating: [], count: numbering.valueCount)
        roots = Array(repeating: -1, count: numbering.valueCount)
        last = Array(0..<numbering.valueCount)
        findRegions()
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for (v, value) in template.values.enumerated() {
                if case .image = value.origin { label(image: ValueID(v), value, of: i, &terms) }
            }
            for op in template.ops { run(op, template, i, &terms) }
        }
    }

    private mutating func findRegions() {
        for (i, instance) in program.instances.enumerated() {
            for op in program.templates[instance.template].ops {
                guard case .scatter(let region, _, _, _) = op.kind else { continue }
                let old = number(region.value, i)
                let root = roots[old] < 0 ? old : roots[old]
                roots[old] = root
                roots[number(op.result, i)] = root
                last[root] = number(op.result, i)
            }
        }
    }

    private func number(_ value: ValueID, _ instance: Int) -> Int {
        numbering.value(value, of: instance).index
    }

    private mutating func label(
        image v: ValueID, _ value: Value, of i: Int, _ terms: inout StepTerms
    ) {
        let n = number(v, i)
        labels[n] = (0..<value.count).map {
            TokenLabel(
                token: nil,
                term: terms.number(
                    StepTerms.Shape(name: "image", numbers: [Int(images[n]), $0])))
        }
    }

    private mutating func report(_ i: Int, _ op: Op, _ message: String) {
        let template = program.templates[program.instances[i].template]
        let name = template.values[op.result.index].name
        violations.append(
            Violation(.refinement, "i\(i) \(template.name).\(op.kind.name) '\(name)': \(message)"))
    }

    // MARK: Ops

    private mutating func run(
        _ op: Op, _ template: ProgramTemplate, _ i: Int, _ terms: inout StepTerms
    ) {
        let type = template.values[op.result.index].type
        let result = number(op.result, i)
        switch op.kind {
        case .ingress:
            labels[result] = (0..<op.count).map { k in
                defer { ingressCount += 1 }
                return TokenLabel(
                    token: isChunk ? ingressCount : 0,
                    term: terms.number(StepTerms.Shape(name: "ingress", type: type)))
            }
        case .egress: hasEgress = true
        case .scatter(let region, let rows, let address, let data):
            for k in 0..<op.count {
                effects.append(
                    Effect(
                        region: images[roots[result]], row: region.vector(k), rows: rows,
                        address: label(address, k, i), data: label(data, k, i)))
            }
        case .transpose:
            report(i, op, "it is not looked at for several tokens")
            fallthrough
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .gather,
            .transfer, .pack, .byte:
            let count = template.values[op.result.index].count
            labels[result] = (0..<count).map { k in
                var operands: [TokenLabel] = []
                var shape = StepTerms.Shape(name: op.kind.name, type: type)
                describe(op, k, i, &shape, &operands)
                let tokens = Set(operands.compactMap(\.token))
                if tokens.count > 1 {
                    report(i, op, "vector \(k) is of tokens \(tokens.sorted())")
                }
                return TokenLabel(
                    token: tokens.min(), term: terms.number(shape, operands.map(\.term)))
            }
        }
    }

    private func label(_ use: Use, _ k: Int, _ i: Int) -> TokenLabel {
        let vectors = labels[number(use.value, i)]
        let vector = use.vector(k)
        return vectors.indices.contains(vector)
            ? vectors[vector] : TokenLabel(token: nil, term: -1)
    }

    /// What iteration `k` does, beside its operands, and those.
    private mutating func describe(
        _ op: Op, _ k: Int, _ i: Int, _ shape: inout StepTerms.Shape,
        _ operands: inout [TokenLabel]
    ) {
        switch op.kind {
        case .matmul(let terms):
            for term in terms {
                operands.append(label(term.activation, k, i))
                shape.numbers += [term.tile.count, term.tile.sources.count]
                for source in term.tile.sources { read(source, op, i, &shape) }
            }
        case .gather(let table, let rows, let address):
            shape.numbers.append(rows)
            read(Use(table.value, start: table.vector(k), step: 0), op, i, &shape)
            operands.append(label(address, k, i))
        case .elementwise(_, let a, let b):
            for operand in [a, b].compactMap(\.self) {
                switch operand {
                case .use(let use): operands.append(label(use, k, i))
                case .immediate(let bits): shape.numbers += [operands.count, Int(bits)]
                }
            }
        case .distribute(let map, let use), .permute(let map, let use):
            shape.numbers += map.map { Int($0) }
            operands.append(label(use, k, i))
        case .shift(let by, let use), .rotate(let by, let use), .byte(let by, let use):
            shape.numbers.append(by)
            operands.append(label(use, k, i))
        case .select(let low, let high, let boundary):
            shape.numbers.append(boundary)
            operands += [label(low, k, i), label(high, k, i)]
        case .pack(let uses): operands += uses.map { label($0, k, i) }
        case .transfer(let use): operands.append(label(use, k, i))
        case .transpose, .scatter, .ingress, .egress: break
        }
    }

    /// Rows of an image or a region that tiles and tables are; a chunk reads what all its tokens
    /// have left.
    private mutating func read(
        _ use: Use, _ op: Op, _ i: Int, _ shape: inout StepTerms.Shape
    ) {
        let value = number(use.value, i)
        let root = roots[value] < 0 ? value : roots[value]
        if images[root] == 0 { report(i, op, "it reads rows that are no image") }
        if isChunk, roots[value] >= 0, last[root] != value {
            report(i, op, "it reads image \(images[root]) before all tokens are in it")
        }
        shape.numbers += [Int(images[root]), Int(use.start), Int(use.step)]
    }
}
