import LPUNumerics

/// One 32-bit word that depends on nothing but the token, its position and its user.
struct WordNode: PoolElement {
    enum Kind: Int32 {
        /// The bits `a`.
        case constant
        case token, position
        /// Byte `a` of word b, its sign extended.
        case byte
        /// ALU operation `a` (of all) on the words b and c; c is b where it takes one.
        case operation
        case user
    }
    var kind: Kind
    var a: Int32 = 0
    var b: Int32 = 0
    var c: Int32 = 0
    var word: UInt64 {
        (a.word | b.word << 32) &* 0xd6e8_feb8_6659_fd93 ^ (c.word << 8 | kind.rawValue.word)
    }
}

/// What a word depends on.
enum WordVariable: Hashable {
    case token, position
}

/// Words as expressions of the token and the position, worked out for every token or position by
/// the machine's own operations.
final class Words {
    /// Tokens and positions there are.
    let tokens: Int
    let positions: Int
    /// For whom addresses are worked out; whatever else depends on the user is not known.
    var user = 0
    private let nodes = ElementPool<WordNode>()
    private var stepMemory: [Int32: [Step]?] = [:]
    private static let operations = ALUOperation.allCases

    /// From `start` on the word has these bits.
    struct Step: Equatable {
        var start: Int32
        var bits: UInt32
    }

    init(tokens: Int, positions: Int) {
        self.tokens = tokens
        self.positions = positions
    }

    subscript(id: Int32) -> WordNode { nodes[id] }

    func constant(_ bits: UInt32) -> Int32 {
        nodes.intern(WordNode(kind: .constant, a: Int32(bitPattern: bits)))
    }

    func variable(_ variable: WordVariable) -> Int32 {
        switch variable {
        case .token: nodes.intern(WordNode(kind: .token))
        case .position: nodes.intern(WordNode(kind: .position))
        }
    }

    var userVariable: Int32 { nodes.intern(WordNode(kind: .user)) }

    func bits(_ id: Int32) -> UInt32? {
        let node = self[id]
        return node.kind == .constant ? UInt32(bitPattern: node.a) : nil
    }

    /// Byte `k`, its sign extended.
    func byte(_ k: Int, of id: Int32) -> Int32 {
        if let bits = bits(id) { return constant(Self.byte(k, of: bits)) }
        return nodes.intern(WordNode(kind: .byte, a: Int32(k), b: id))
    }

    private static func byte(_ k: Int, of bits: UInt32) -> UInt32 {
        UInt32(bitPattern: Int32(Int8(truncatingIfNeeded: bits >> UInt32(8 * k))))
    }

    /// The word whose bytes are the low bytes of these, lowest first; nil if they are not all of
    /// one word or all constants.
    func pack(_ bytes: [Int32]) -> Int32? {
        let constants = bytes.compactMap(bits)
        if constants.count == bytes.count {
            return constant(
                constants.enumerated().reduce(0) { $0 | ($1.1 & 255) << UInt32(8 * $1.0) })
        }
        let first = self[bytes[0]]
        for (k, byte) in bytes.enumerated() {
            let node = self[byte]
            guard node.kind == .byte, node.b == first.b, node.a == Int32(k) else { return nil }
        }
        return bytes.count == 4 ? first.b : nil
    }

    func apply(_ operation: ALUOperation, _ a: Int32, _ b: Int32?) -> Int32 {
        if let x = bits(a) {
            guard let b else { return constant(operation.apply(x)) }
            if let y = bits(b) { return constant(operation.apply(x, y)) }
        }
        if operation == .copy { return a }
        guard let index = Self.operations.firstIndex(of: operation) else { return a }
        return nodes.intern(
            WordNode(kind: .operation, a: Int32(index), b: a, c: b ?? a))
    }

    // MARK: Evaluation

    /// What the word depends on; nil if on nothing, on both, or on the user.
    func variable(of id: Int32) -> WordVariable? {
        let found = variables(of: id)
        return found.count == 1 && !depends(id, on: .user) ? found[0] : nil
    }

    /// What the word of any one user depends on.
    func variables(of id: Int32) -> [WordVariable] {
        (depends(id, on: .token) ? [.token] : []) + (depends(id, on: .position) ? [.position] : [])
    }

    func dependsOnUser(_ id: Int32) -> Bool { depends(id, on: .user) }

    private func depends(_ id: Int32, on kind: WordNode.Kind) -> Bool {
        let node = self[id]
        return switch node.kind {
        case .constant: false
        case .token, .position, .user: node.kind == kind
        case .byte: depends(node.b, on: kind)
        case .operation: depends(node.b, on: kind) || depends(node.c, on: kind)
        }
    }

    func count(_ variable: WordVariable) -> Int {
        switch variable {
        case .token: tokens
        case .position: positions
        }
    }

    /// The word for every token or position, of the one user.
    func table(_ id: Int32, over variable: WordVariable) -> [UInt32] {
        let node = self[id]
        let count = count(variable)
        switch node.kind {
        case .constant: return Array(repeating: UInt32(bitPattern: node.a), count: count)
        case .user: return Array(repeating: UInt32(user), count: count)
        case .token, .position: return (0..<count).map { UInt32($0) }
        case .byte:
            return table(node.b, over: variable).map { Self.byte(Int(node.a), of: $0) }
        case .operation:
            let operation = Self.operations[Int(node.a)]
            let a = table(node.b, over: variable)
            if operation.operandCount == 1 { return operation.apply(a) }
            return operation.apply(a, table(node.c, over: variable))
        }
    }

    /// The word as a step function of the position; nil where it depends on the token or has as
    /// many values as positions.
    func steps(_ id: Int32) -> [Step]? {
        if let known = stepMemory[id] { return known }
        let steps = findSteps(id)
        stepMemory[id] = steps
        return steps
    }

    private func findSteps(_ id: Int32) -> [Step]? {
        let node = self[id]
        switch node.kind {
        case .constant: return [Step(start: 0, bits: UInt32(bitPattern: node.a))]
        case .token, .position, .user, .byte: return nil
        case .operation:
            let operation = Self.operations[Int(node.a)]
            if operation.operandCount == 1 {
                return steps(node.b).map { steps in
                    steps.map { Step(start: $0.start, bits: operation.apply($0.bits)) }
                }
            }
            switch (steps(node.b), steps(node.c)) {
            case (let a?, let b?): return combined(operation, a, b)
            case (nil, nil), (_?, nil), (nil, _?):
                return threshold(operation, node) ?? enumerated(id)
            }
        }
    }

    private func combined(_ operation: ALUOperation, _ a: [Step], _ b: [Step]) -> [Step] {
        var result: [Step] = []
        var (i, j) = (0, 0)
        while true {
            let bits = operation.apply(a[i].bits, b[j].bits)
            let start = max(a[i].start, b[j].start)
            if result.last?.bits != bits { result.append(Step(start: start, bits: bits)) }
            let nextA = i + 1 < a.count ? a[i + 1].start : .max
            let nextB = j + 1 < b.count ? b[j + 1].start : .max
            if nextA == .max, nextB == .max { return result }
            if nextA <= nextB { i += 1 }
            if nextB <= nextA { j += 1 }
        }
    }

    /// A constant compared with the position: one step, found by halving.
    private func threshold(_ operation: ALUOperation, _ node: WordNode) -> [Step]? {
        switch operation {
        case .less, .lessEqual, .lessInt, .lessEqualInt: break
        case .copy, .negate, .absolute, .not, .exp, .tanh, .rsqrt, .add, .subtract, .multiply, .max,
            .min, .addInt, .subtractInt, .multiplyInt, .maxInt, .minInt, .and, .or, .xor,
            .shiftLeft, .shiftRight, .equal, .notEqual, .equalInt, .notEqualInt, .mask, .maskNot,
            .toFP16, .toFP8, .toInt8, .toInt32, .toFP32, .intToInt8:
            return nil
        }
        func at(_ id: Int32, _ position: Int) -> UInt32? {
            if let bits = bits(id) { return bits }
            let word = self[id]
            if word.kind == .position { return UInt32(position) }
            guard word.kind == .operation, Self.operations[Int(word.a)] == .toFP32,
                self[word.b].kind == .position
            else { return nil }
            return ALUOperation.toFP32.apply(UInt32(position))
        }
        func value(_ position: Int) -> UInt32? {
            guard let a = at(node.b, position), let b = at(node.c, position) else { return nil }
            return operation.apply(a, b)
        }
        guard let first = value(0), let last = value(positions - 1) else { return nil }
        if first == last { return [Step(start: 0, bits: first)] }
        var (low, high) = (0, positions - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if value(middle) == first { low = middle } else { high = middle }
        }
        return [Step(start: 0, bits: first), Step(start: Int32(high), bits: last)]
    }

    private func enumerated(_ id: Int32) -> [Step]? {
        guard variable(of: id) == .position else { return nil }
        var steps: [Step] = []
        for (position, bits) in table(id, over: .position).enumerated()
        where steps.last?.bits != bits {
            steps.append(Step(start: Int32(position), bits: bits))
            if steps.count > 4096 { return nil }
        }
        return steps
    }
}
