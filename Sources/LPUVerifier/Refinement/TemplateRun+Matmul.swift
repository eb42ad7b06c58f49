import LPUDataflow
import LPUNumerics
import LPUSupport

/// Sums of products.
extension TemplateRun {
    /// A term's weight vectors, and what they are multiplied by.
    private struct Operand {
        var activation: Int32
        var runs: [TileRun]
    }

    /// Products of one row of a tensor that add up to one.
    private struct Group {
        var segment: Segment
        /// Of the run's first row, in the value it comes from.
        var vector: Int
        var covector: ScaledCovector
    }

    /// Iteration `i` of a matmul: a lane a row of the tiles.
    func multiply(_ terms: [MatmulTerm], _ i: Int) -> Int32 {
        multiply(
            terms.map { term in
                Operand(activation: vector(term.activation, i), runs: runs(of: term.tile))
            })
    }

    /// The same of int8, whose sums are integers that cannot leave int32.
    func multiplyIntegers(_ terms: [MatmulTerm], _ i: Int, _ op: Int) -> Int32 {
        guard terms.count * numbers.lanes << 14 < 1 << 31 else {
            return unknown("a sum of products of integers that may leave int32")
        }
        var operands: [Operand] = []
        for term in terms {
            guard let activation = numbers.numbers(ofIntegers: vector(term.activation, i)),
                let runs = numbers(ofIntegers: runs(of: term.tile))
            else { return unknown("a sum of products of what are no rounded numbers") }
            operands.append(Operand(activation: activation, runs: runs))
        }
        let sums = multiply(operands)
        hasNamedSum = hasNamedSum || numbers.hasName(sums)
        return numbers.vectors.intern(
            numbers.vectors[sums].map { numbers.integer(numbers.polynomial($0)) })
    }

    /// The rows of a tile of int8; nil where they are no rounded numbers.
    private func numbers(ofIntegers runs: [TileRun]) -> [TileRun]? {
        var result = runs
        for (r, run) in runs.enumerated() {
            switch run.row {
            case .segments(let segments):
                guard segments.allSatisfy({ $0.quantum != nil }) else { return nil }
            case .recent: return nil
            case .vector(let vector):
                guard let numbers = numbers.numbers(ofIntegers: vector) else { return nil }
                result[r].row = .vector(numbers)
            }
        }
        return result
    }

    private func multiply(_ operands: [Operand]) -> Int32 {
        var lanes = [Lane](repeating: .zero, count: numbers.lanes)
        var cursors = [Int](repeating: 0, count: operands.count)
        var row = 0
        while row < lanes.count {
            var end = lanes.count
            var here: [(run: TileRun, activation: Int32)] = []
            for (t, operand) in operands.enumerated() {
                while cursors[t] < operand.runs.count,
                    operand.runs[cursors[t]].rows.upperBound <= row
                {
                    cursors[t] += 1
                }
                guard cursors[t] < operand.runs.count else { continue }
                let run = operand.runs[cursors[t]]
                if run.rows.lowerBound > row {
                    end = min(end, run.rows.lowerBound)
                } else {
                    end = min(end, run.rows.upperBound)
                    here.append((run, operand.activation))
                }
            }
            if !here.isEmpty { fill(&lanes, row..<end, here) }
            row = end
        }
        return numbers.vectors.intern(lanes)
    }

    /// A sum of magnitudes as one number by itself: so a bound that scales what a sum is made of,
    /// and is taken out of it again, is the same on all chips.
    func magnitude(_ vector: Int32, _ op: Int, _ iteration: Int) -> Int32 {
        let lanes = numbers.vectors[vector]
        guard let first = lanes.first, first.raw > 0, lanes.allSatisfy({ $0 == first }) else {
            return vector
        }
        let terms = algebra.polynomials[first.raw]
        guard terms.count > 1, terms.allSatisfy({ algebra.isMagnitude($0) }) else { return vector }
        // Its twins' are other numbers.
        naming[op] = true
        return numbers.uniform(
            Lane(
                polynomial: algebra.polynomial(
                    .magnitude, Int32(op), Int32(iteration), Int32(number))))
    }

    private func runs(of tile: Tile) -> [TileRun] {
        if tile.sources.count == 1, tile.sources[0].step == 1 {
            let start = tile.sources[0].vector(0)
            return joined(
                state.tileRuns(content(tile.sources[0].value), start..<start + tile.count, first: 0)
            )
        }
        return joined(
            (0..<tile.count).map { n in
                let (value, index) = tile.vector(n)
                return state.tileRuns(content(value), index..<index + 1, first: n)[0]
            })
    }

    /// Neighbours that are one vector again and again are one run.
    private func joined(_ runs: [TileRun]) -> [TileRun] {
        var result: [TileRun] = []
        for run in runs {
            if case .vector(let vector) = run.row, let last = result.last,
                case .vector(vector) = last.row, last.rows.upperBound == run.rows.lowerBound
            {
                result[result.count - 1].rows = last.rows.lowerBound..<run.rows.upperBound
            } else {
                result.append(run)
            }
        }
        return result
    }

    private func fill(
        _ lanes: inout [Lane], _ rows: Range<Int>, _ here: [(run: TileRun, activation: Int32)]
    ) {
        var rest = Algebra.zero
        var groups: [Group] = []
        for (run, activation) in together(here) {
            switch run.row {
            case .vector, .recent: rest = algebra.add(rest, state.dot(run.row, activation))
            case .segments(let segments):
                let vector = run.vector + rows.lowerBound - run.rows.lowerBound
                for segment in segments {
                    var product = state.product(segment.pattern, activation)
                    guard product.covector != Algebra.empty else { continue }
                    product.coefficient *= segment.factor
                    add(Group(segment: segment, vector: vector, covector: product), to: &groups)
                }
            }
        }
        for row in rows {
            var sum = rest
            for group in groups where group.covector.covector != Algebra.empty {
                sum = algebra.add(sum, polynomial(group, row - rows.lowerBound))
            }
            lanes[row] = Lane(polynomial: algebra.named(sum))
        }
    }

    /// Activations of one weight vector are added first: what one rounded off may be in the other.
    private func together(
        _ operands: [(run: TileRun, activation: Int32)]
    ) -> [(run: TileRun, activation: Int32)] {
        var result: [(run: TileRun, activation: Int32)] = []
        var places: [Int32: Int] = [:]
        for (run, activation) in operands {
            guard case .vector(let vector) = run.row else {
                result.append((run, activation))
                continue
            }
            if let place = places[vector] {
                result[place].activation = numbers.apply(
                    .add, result[place].activation, activation)
                hasNamedSum = hasNamedSum || numbers.hasName(result[place].activation)
            } else {
                places[vector] = result.count
                result.append((run, activation))
            }
        }
        return result
    }

    private func add(_ group: Group, to groups: inout [Group]) {
        guard let same = groups.firstIndex(where: { isOneRow(group, $0) }) else {
            groups.append(group)
            return
        }
        groups[same].covector = algebra.merge(groups[same].covector, group.covector)
    }

    /// `true` iff two groups are of one row of one tensor, in every row of the run.
    private func isOneRow(_ a: Group, _ b: Group) -> Bool {
        let (s, t) = (a.segment, b.segment)
        guard s.tensor == t.tensor, s.axis == t.axis, s.quantum == t.quantum else { return false }
        for (x, y) in zip(s.rows, t.rows) {
            guard x(a.vector) == y(b.vector), x.digits == y.digits else { return false }
            let isAligned = a.vector - x.origin == b.vector - y.origin
            guard isAligned || x.digits == .zero else { return false }
        }
        return true
    }

    /// Row `offset` of a run.
    private func polynomial(_ group: Group, _ offset: Int) -> Int32 {
        let (segment, vector) = (group.segment, group.vector + offset)
        let count = 2 + segment.rows.count
        let slot = withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { slot in
            (slot[0], slot[1]) = (segment.tensor, segment.axis)
            for (i, row) in segment.rows.enumerated() { slot[2 + i] = row(vector) }
            return algebra.lists.intern(UnsafeBufferPointer(slot))
        }
        guard var term = algebra.term(group.covector, slot: slot) else { return Algebra.zero }
        if let quantum = segment.quantum {
            let channel = segment.rows[0](vector)
            let divisor = Factor(atom: algebra.atom(.quantum, quantum, channel), halves: -2)
            term.monomial =
                algebra.product(term.monomial, algebra.monomial([divisor]))
                ?? term.monomial
        }
        return algebra.polynomial(term)
    }
}

extension Algebra {
    /// `true` iff a term is a magnitude times a positive constant.
    fileprivate func isMagnitude(_ term: Summand) -> Bool {
        let factors = monomials[term.monomial]
        return factors.count == 1 && factors[0].halves == 2 && reals[term.coefficient] > 0
            && atoms[factors[0].atom].kind == .absolute
    }
}
