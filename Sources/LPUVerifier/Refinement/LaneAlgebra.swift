import LPUNumerics

/// What a lane holds: a polynomial of the algebra or, where it depends on nothing but the token
/// and its position, a word. Zero is the polynomial, never a word.
struct Lane: PoolElement, Hashable {
    let raw: Int32
    static let zero = Lane(polynomial: Algebra.zero)

    init(polynomial: Int32) { raw = polynomial }
    init(wordNumber: Int32) { raw = -1 - wordNumber }
    init(raw: Int32) { self.raw = raw }

    var polynomial: Int32? { raw >= 0 ? raw : nil }
    var wordNumber: Int32? { raw < 0 ? -1 - raw : nil }
    var word: UInt64 { raw.word }
}

/// The operations of the machine on lanes that hold expressions instead of bits.
final class LaneAlgebra {
    let algebra: Algebra
    let words: Words
    /// Vectors of lanes, each once.
    let vectors = Pool<Lane>()
    let lanes: Int
    let superlane: Int
    private var elementwiseMemory: [ElementwiseKey: Int32] = [:]
    private var laneMemory: [UInt64: Lane] = [:]
    private var laneOperation: ALUOperation?
    /// Of two numbers, whether the one is the greatest of some of those that the other is.
    var parts: [UInt64: Bool] = [:]

    private struct ElementwiseKey: Hashable {
        var operation: ALUOperation
        var a: Int32
        var b: Int32
    }

    init(lanes: Int, superlane: Int, tokens: Int, positions: Int) {
        self.lanes = lanes
        self.superlane = superlane
        algebra = Algebra(tokens: tokens)
        words = Words(tokens: tokens, positions: positions)
    }

    // MARK: Lanes

    func lane(word: Int32) -> Lane {
        words.bits(word) == 0 ? .zero : Lane(wordNumber: word)
    }

    func lane(bits: UInt32) -> Lane { lane(word: words.constant(bits)) }

    /// The bits of a lane that is constant.
    func bits(_ lane: Lane) -> UInt32? {
        lane == .zero ? 0 : lane.wordNumber.flatMap(words.bits)
    }

    /// The word of a lane; of zero too.
    func wordNumber(_ lane: Lane) -> Int32? {
        lane == .zero ? words.constant(0) : lane.wordNumber
    }

    /// The lane as a real number.
    func polynomial(_ lane: Lane) -> Int32 {
        guard let word = lane.wordNumber else { return lane.raw }
        if let bits = words.bits(word) {
            return algebra.constant(Double(Float(bitPattern: bits)))
        }
        if let steps = words.steps(word), let level = level(steps) {
            return algebra.scaled(indicator(level.set), by: level.value)
        }
        return algebra.polynomial(.word, word)
    }

    /// 1 at the positions of a set, 0 at the others.
    func indicator(_ set: PositionSet) -> Int32 {
        if set.ranges.isEmpty { return Algebra.zero }
        if set.ranges == [0..<Int32(words.positions)] { return Algebra.one }
        return algebra.polynomial(.indicator, algebra.lists.intern(set.list))
    }

    /// Steps that are some number at the positions of a set and 0 at the others.
    private func level(_ steps: [Words.Step]) -> (value: Double, set: PositionSet)? {
        let values = Set(steps.map(\.bits).filter { $0 << 1 != 0 })
        guard values.count == 1, let bits = values.first else { return nil }
        return (Double(Float(bitPattern: bits)), set(steps) { $0 == bits })
    }

    /// The positions at which a step function's bits are as told.
    func set(_ steps: [Words.Step], where isIn: (UInt32) -> Bool) -> PositionSet {
        var set = PositionSet()
        for (i, step) in steps.enumerated() where isIn(step.bits) {
            let end = i + 1 < steps.count ? steps[i + 1].start : Int32(words.positions)
            set.append(step.start..<end)
        }
        return set
    }

    // MARK: Vectors

    func uniform(_ lane: Lane) -> Int32 {
        vectors.intern(Array(repeating: lane, count: lanes))
    }

    func map(_ vector: Int32, _ source: (Int) -> Int) -> Int32 {
        let old = vectors[vector]
        return vectors.intern(
            (0..<lanes).map { lane in
                let from = source(lane)
                return from < 0 ? .zero : old[from]
            })
    }

    /// An ALU operation on vectors; equal operands of equal chips are looked at once.
    func apply(_ operation: ALUOperation, _ a: Int32, _ b: Int32?) -> Int32 {
        let key = ElementwiseKey(operation: operation, a: a, b: b ?? -1)
        if let known = elementwiseMemory[key] { return known }
        if laneOperation != operation {
            laneOperation = operation
            laneMemory.removeAll(keepingCapacity: true)
        }
        let x = vectors[a]
        let y = b.map { vectors[$0] }
        var result: [Lane] = []
        result.reserveCapacity(lanes)
        for i in 0..<lanes {
            let (p, q) = (x[i], y?[i])
            if i > 0, p == x[i - 1], q == y?[i - 1] {
                result.append(result[i - 1])
            } else if isCostly(operation) {
                let pair = p.word | (q ?? .zero).word << 32
                let lane = laneMemory[pair] ?? named(apply(operation, p, q))
                laneMemory[pair] = lane
                result.append(lane)
            } else {
                result.append(named(apply(operation, p, q)))
            }
        }
        let vector = vectors.intern(result)
        elementwiseMemory[key] = vector
        return vector
    }

    /// Operations on which lanes that are no neighbours often meet again.
    private func isCostly(_ operation: ALUOperation) -> Bool {
        operation == .max || operation == .minInt
    }

    /// The lane under the name that the graph has for what it holds.
    func named(_ lane: Lane) -> Lane {
        lane.raw > 0 ? Lane(polynomial: algebra.named(lane.raw)) : lane
    }

    func named(vector: Int32) -> Int32 { vectors.intern(vectors[vector].map(named)) }

    /// `true` iff a lane is a number that has a name.
    func hasName(_ vector: Int32) -> Bool {
        vectors[vector].contains { $0.raw > 0 && algebra.onlyAtom($0.raw)?.kind == .named }
    }

    func forgetNames() { elementwiseMemory.removeAll(keepingCapacity: true) }
}
