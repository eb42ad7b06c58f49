import LPUNumerics
import LPUSupport

/// The bytes of a value that an op consumes.
struct Operand {
    let bytes: [UInt8]
    let type: ElementType
    let use: Use
    let lanes: Int

    /// Where the vector of iteration `i` begins.
    func offset(_ i: Int) -> Int { use.vector(i) * type.byteCount * lanes }

    /// Calls `body` with a pointer to each plane of iteration `i`'s vector.
    func withPlanes<Result>(
        _ i: Int, _ body: (UnsafeBufferPointer<UnsafePointer<UInt8>>) -> Result
    ) -> Result {
        let (first, planes) = (offset(i), type.byteCount)
        return bytes.withUnsafeBufferPointer { buffer in
            let vector = UnsafeBufferPointer(rebasing: buffer[first..<first + planes * lanes])
            guard let base = vector.baseAddress else { preconditionFailure("a vector has lanes") }
            return (0..<planes).map { base + $0 * lanes }.withUnsafeBufferPointer(body)
        }
    }

    /// Widens iteration `i`'s vector.
    func widen(_ i: Int, into words: inout [UInt32]) {
        withPlanes(i) { planes in
            words.withUnsafeMutableBufferPointer { type.widen(planes, into: $0) }
        }
    }
}

/// One op of one instance.
struct OpStep {
    let op: Op
    let result: Value
    let lanes: Int
    /// Lanes of a superlane.
    let superlane: Int
    let instance: Int
    /// In the whole program.
    let number: OpID

    /// Bytes of a vector of the result.
    private var vectorBytes: Int { result.type.byteCount * lanes }

    /// The bytes of the result. - Requires: the op is legal and not `ingress`.
    func run(
        on tile: inout WeightTile, _ operand: (Use) -> Operand
    ) throws(DiagnosticSet) -> [UInt8] {
        switch op.kind {
        case .matmul(let terms): return multiply(terms, on: &tile, operand)
        case .elementwise(let operation, let a, let b): return apply(operation, a, b, operand)
        case .distribute(let map, let use):
            return move(operand(use)) {
                let source = Int(map[$0 % superlane])
                return source < 0 ? -1 : $0 - $0 % superlane + source
            }
        case .permute(let map, let use): return move(operand(use)) { Int(map[$0]) }
        case .shift(let by, let use):
            return move(operand(use)) { (0..<lanes).contains($0 - by) ? $0 - by : -1 }
        case .rotate(let by, let use):
            return move(operand(use)) {
                let lane = $0 % superlane
                return $0 - lane + (lane - by + superlane) % superlane
            }
        case .select(let low, let high, let boundary):
            return select(operand(low), operand(high), boundary)
        case .transpose(let use, let inputs): return transpose(operand(use), inputs)
        case .gather(let table, let rows, let address):
            return try gather(operand(table), rows, operand(address))
        case .scatter(let region, let rows, let address, let data):
            return try scatter(operand(region), rows, operand(address), operand(data))
        case .transfer(let use), .egress(let use): return move(operand(use)) { $0 }
        case .ingress: preconditionFailure("ingress has no operand to run on")
        case .pack(let uses): return pack(uses.map(operand))
        case .byte(let plane, let use): return byte(plane, operand(use))
        }
    }

    /// Each term is rounded by itself; the terms are added in their order.
    private func multiply(
        _ terms: [MatmulTerm], on plane: inout WeightTile, _ operand: (Use) -> Operand
    ) -> [UInt8] {
        var sums = [UInt32](repeating: 0, count: op.count * lanes)
        var product = [UInt32](repeating: 0, count: lanes)
        for (t, term) in terms.enumerated() {
            let activation = operand(term.activation)
            if t == 0 || term.tile != terms[t - 1].tile {
                let sources = term.tile.sources.map(operand)
                plane.removeAll(type: activation.type)
                for n in 0..<term.tile.count {
                    sources[n % sources.count].withPlanes(n / sources.count) { plane.setRow(n, $0) }
                }
            }
            for i in 0..<op.count {
                product.withUnsafeMutableBufferPointer { product in
                    activation.withPlanes(i) { plane.multiply($0, into: product) }
                }
                add(product, to: &sums, at: i * lanes, t == 0 ? nil : plane.type.accumulation)
            }
        }
        return narrow(sums)
    }

    /// Adds by `addition`, or puts the words there if it is `nil`.
    private func add(
        _ words: [UInt32], to sums: inout [UInt32], at start: Int, _ addition: ALUOperation?
    ) {
        sums.withUnsafeMutableBufferPointer { sums in
            let sum = UnsafeMutableBufferPointer(rebasing: sums[start..<start + lanes])
            words.withUnsafeBufferPointer { words in
                if let addition {
                    addition.apply(UnsafeBufferPointer(sum), words, into: sum)
                } else {
                    _ = sum.update(from: words)
                }
            }
        }
    }

    private func apply(
        _ operation: ALUOperation, _ a: ElementwiseOperand, _ b: ElementwiseOperand?,
        _ operand: (Use) -> Operand
    ) -> [UInt8] {
        var (aWords, aUse) = source(a, operand)
        var (bWords, bUse) = b.map { source($0, operand) } ?? ([], nil)
        var words = [UInt32](repeating: 0, count: op.count * lanes)
        for i in 0..<op.count {
            aUse?.widen(i, into: &aWords)
            bUse?.widen(i, into: &bWords)
            words.withUnsafeMutableBufferPointer { words in
                let vector = UnsafeMutableBufferPointer(
                    rebasing: words[i * lanes..<(i + 1) * lanes])
                aWords.withUnsafeBufferPointer { a in
                    bWords.withUnsafeBufferPointer { operation.apply(a, $0, into: vector) }
                }
            }
        }
        return narrow(words)
    }

    /// Room for a vector's words, filled with the immediate if it is one.
    private func source(
        _ source: ElementwiseOperand, _ operand: (Use) -> Operand
    ) -> ([UInt32], Operand?) {
        switch source {
        case .use(let use): (Array(repeating: 0, count: lanes), operand(use))
        case .immediate(let word): (Array(repeating: word, count: lanes), nil)
        }
    }

    /// The result's bytes of its words.
    private func narrow(_ words: [UInt32]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: op.count * vectorBytes)
        bytes.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a value has vectors") }
            words.withUnsafeBufferPointer { words in
                for i in 0..<op.count {
                    let planes = (0..<result.type.byteCount).map {
                        base + i * vectorBytes + $0 * lanes
                    }
                    let vector = words[i * lanes..<(i + 1) * lanes]
                    planes.withUnsafeBufferPointer {
                        result.type.narrow(UnsafeBufferPointer(rebasing: vector), into: $0)
                    }
                }
            }
        }
        return bytes
    }
}
