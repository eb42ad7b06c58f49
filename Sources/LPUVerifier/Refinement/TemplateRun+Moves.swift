import LPUDataflow
import LPUNumerics
import LPUSupport

/// Ops that move lanes and look rows up.
extension TemplateRun {
    private func type(_ value: ValueID) -> ElementType { template.values[value.index].type }

    /// Iteration `i` of an op that makes `result`.
    func move(_ kind: OpKind, _ result: ValueID, _ i: Int) -> Int32 {
        let (lanes, superlane) = (numbers.lanes, numbers.superlane)
        switch kind {
        case .distribute(let map, let use):
            return numbers.map(vector(use, i)) {
                let from = Int(map[$0 % superlane])
                return from < 0 ? -1 : $0 - $0 % superlane + from
            }
        case .permute(let map, let use): return numbers.map(vector(use, i)) { Int(map[$0]) }
        case .shift(let by, let use):
            return numbers.map(vector(use, i)) {
                (0..<lanes).contains($0 - by) ? $0 - by : -1
            }
        case .rotate(let by, let use):
            return numbers.map(vector(use, i)) {
                let lane = $0 % superlane
                return $0 - lane + (lane - by + superlane) % superlane
            }
        case .select(let low, let high, let boundary):
            let (a, b) = (numbers.vectors[vector(low, i)], numbers.vectors[vector(high, i)])
            return numbers.vectors.intern((0..<lanes).map { $0 < boundary ? a[$0] : b[$0] })
        case .transfer(let use): return vector(use, i)
        case .pack(let uses):
            if uses.count == 1, type(uses[0].value) == type(result) {
                return vector(uses[0], i)
            }
            guard uses.count == 4, uses.allSatisfy({ type($0.value) == .int8 }) else {
                return unknown("bytes that are no int8 together")
            }
            let bytes = uses.map { numbers.vectors[vector($0, i)] }
            return numbers.vectors.intern(
                (0..<lanes).map { lane in numbers.pack(bytes.map { $0[lane] }) })
        case .byte(let plane, let use):
            guard type(use.value).byteCount == 4, type(result) == .int8 else {
                return unknown("a byte of a narrow number, or one that is no int8")
            }
            return numbers.vectors.intern(
                numbers.vectors[vector(use, i)].map { numbers.byte(plane, of: $0) })
        case .matmul, .elementwise, .transpose, .gather, .scatter, .ingress, .egress:
            preconditionFailure("it does more than move lanes")
        }
    }

    func transpose(_ use: Use, _ inputs: Int, _ count: Int) -> [Int32] {
        let superlane = numbers.superlane
        let rows = (0..<inputs).map { numbers.vectors[vector(use, $0)] }
        return (0..<count).map { j in
            numbers.vectors.intern(
                (0..<numbers.lanes).map { lane in
                    let i = lane % superlane
                    return i < inputs ? rows[i][lane - i + j] : .zero
                })
        }
    }

    // MARK: Look-ups

    /// The rows of a region from where an address says that is the same at all positions; nil for
    /// other gathers.
    func rowsOfUser(_ table: Use, _ rows: Int, _ address: Use, _ op: OpID) -> Content? {
        guard case .region(let region, let version, 0) = content(table.value), table.step == 1,
            address.step == 0
        else { return nil }
        var starts: [Int] = []
        for user in 0..<state.users {
            let offsets = state.addresses(ofSuperlanesOf: self.address(address, 0), user: user)
            guard let offset = offsets?.only else { return nil }
            if offset >= rows {
                problems.append((op, "row \(offset) is looked up in a window of \(rows)"))
            }
            starts.append(table.vector(0) + offset)
        }
        return .region(region, version: version, view: state.regions[region].view(starts))
    }

    func look(
        up table: Use, _ rows: Int, _ address: Use, _ i: Int, _ op: OpID
    ) -> Int32 {
        let address = self.address(address, i)
        guard let offsets = state.addresses(ofSuperlanesOf: address),
            (1..<state.users).allSatisfy({
                state.addresses(ofSuperlanesOf: address, user: $0) == offsets
            })
        else {
            problems.append((op, "neither the token nor the position names the row"))
            return unknown("a row that neither the token nor the position names")
        }
        if offsets.maximum >= rows {
            problems.append(
                (op, "row \(offsets.maximum) is looked up in a window of \(rows)"))
        }
        guard case .image(let number) = content(table.value) else {
            return unknown("a row of what is no table")
        }
        let (image, start) = (state.images[number], table.vector(i))
        switch image.formula {
        case .rotary(let rotary): return angles(rotary, offsets, start)
        case .weights(_, let factor, nil) where offsets.variable == .token:
            let divisor = image.quantum.map {
                Factor(atom: algebra.atom(.quantum, $0, Quantum.ofToken), halves: -2)
            }
            let (tensor, cofactor) = (
                algebra.name(image.tensor), algebra.monomial(divisor.map { [$0] } ?? [])
            )
            return tokenRows(of: image, offsets, start) { piece in
                let row = TokenRow(
                    tensor: tensor, factor: factor, cofactor: cofactor, lanes: piece.lanes,
                    base: piece.base.dropFirst(), digits: piece.lane.dropFirst())
                return state.elements(of: row)
            }
        case .scales(_, let factor, _) where offsets.variable == .token:
            let scale = image.quantum.map { algebra.polynomial(.quantum, $0, Quantum.ofToken) }
            let number = algebra.scaled(scale ?? Algebra.one, by: Double(factor))
            return tokenRows(of: image, offsets, start) { $0.lanes.map { _ in number } }
        case .weights, .scales, .greatestScale, .constant, .diagonal, .table, .zero:
            return unknown("a row of this table")
        }
    }

    /// The row of a table of cosines or sines: for each lane its frequency times an angle function.
    private func angles(_ rotary: Rotary, _ offsets: AddressFunction, _ start: Int) -> Int32 {
        let positions = offsets.variable == .position ? offsets.values : []
        guard !positions.isEmpty else { return unknown("angles of the token") }
        let angle = algebra.lists.intern(
            positions.map { Int32(($0 + start) * rotary.positionStep) })
        var lanes = [Lane](repeating: .zero, count: numbers.lanes)
        let pairs = rotary.inverseFrequencies.count
        for (pair, bits) in rotary.inverseFrequencies.enumerated() {
            let atom = algebra.angle(isSine: rotary.isSine, Double(bitPattern: bits), angle)
            for head in 0..<rotary.heads {
                let lane = 2 * (head * pairs + pair)
                lanes[lane] = Lane(
                    polynomial: rotary.isSine ? algebra.scaled(atom, by: -1) : atom)
                lanes[lane + 1] = Lane(polynomial: atom)
            }
        }
        return numbers.vectors.intern(lanes)
    }

    /// The row of a table that is the token's: what `elements` says of the lanes of each piece, for
    /// the tokens whose row is there.
    private func tokenRows(
        of image: Image, _ offsets: AddressFunction, _ start: Int, elements: (Piece) -> [Int32]
    ) -> Int32 {
        var lanes = [Lane](repeating: .zero, count: numbers.lanes)
        for piece in image.pieces(in: start..<start + offsets.maximum + 1) {
            guard piece.lane[0].digits.allSatisfy({ $0.stride == 0 }),
                piece.vector.dropFirst().allSatisfy({ $0.digits.allSatisfy { $0.stride == 0 } })
            else { return unknown("a table that does not hold rows") }
            guard let found = foundTokens(offsets, piece, start) else {
                return unknown("the row of another token")
            }
            if found.ranges.isEmpty { continue }
            let isAll = found.ranges == [0..<Int32(numbers.words.tokens)]
            let chosen =
                isAll
                ? Algebra.one
                : algebra.polynomial(.tokens, algebra.lists.intern(found.list))
            var last: (element: Int32, product: Int32) = (Algebra.zero, Algebra.zero)
            for (lane, here) in zip(piece.lanes, elements(piece)) {
                if here != last.element { last = (here, algebra.multiply(here, chosen)) }
                lanes[lane] = Lane(polynomial: algebra.add(lanes[lane].raw, last.product))
            }
        }
        return numbers.vectors.intern(
            lanes.map {
                image.value.type == .int8
                    ? numbers.integer(numbers.polynomial($0)) : numbers.named($0)
            })
    }

    /// The tokens whose row is in a piece of a table; nil where one finds another's.
    private func foundTokens(
        _ offsets: AddressFunction, _ piece: Piece, _ start: Int
    ) -> PositionSet? {
        let key = TokenKey(
            offsets: offsets, vectors: piece.vectors, base: piece.base[0],
            digits: piece.vector[0], start: start)
        if let known = state.tokenMemory[key] { return known }
        var found = PositionSet()
        for run in offsets.pieces {
            for token in tokens(of: run, in: piece, start) {
                let vector = start + run.value(at: token)
                let row = piece.base[0] + piece.vector[0](vector - piece.vectors.lowerBound)
                guard row == token else { return nil }
                found.append(Int32(token)..<Int32(token + 1))
            }
        }
        state.tokenMemory[key] = found
        return found
    }

    /// The tokens of a piece of the addresses whose rows a piece of the table holds.
    private func tokens(
        of run: AddressFunction.Piece, in piece: Piece, _ start: Int
    ) -> Range<Int> {
        func isIn(_ token: Int) -> Bool { piece.vectors.contains(start + run.value(at: token)) }
        let all = run.start..<run.start + run.count
        if run.step == 0 { return isIn(run.start) ? all : all.lowerBound..<all.lowerBound }
        guard run.step == 1 else {
            // Rows that go down: token by token.
            let inside = all.filter(isIn)
            let first = inside.first ?? all.lowerBound
            return first..<(inside.last ?? first - 1) + 1
        }
        let low = max(all.lowerBound, run.start + piece.vectors.lowerBound - start - run.value)
        let high = min(all.upperBound, run.start + piece.vectors.upperBound - start - run.value)
        return low..<max(low, high)
    }
}

/// The part of the token's row of a table that lanes hold.
struct TokenRow: Hashable {
    var tensor: Int32
    var factor: Float
    var cofactor: Int32
    var lanes: Range<Int>
    /// Of the coordinates but the row.
    var base: ArraySlice<Int>
    var digits: ArraySlice<DigitSum>
}

/// A part of a table, and how it is addressed.
struct TokenKey: Hashable {
    var offsets: AddressFunction
    var vectors: Range<Int>
    var base: Int
    var digits: DigitSum
    var start: Int
}
