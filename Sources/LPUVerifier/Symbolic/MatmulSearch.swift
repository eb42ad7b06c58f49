import LPUNumerics
import LPUSupport

/// Which sums of products of the program an accumulator row may be on the way to.
extension SymbolicProgram {
    /// The op and iteration whose first products are those of `before` and then this one; if
    /// `exact`, and no more. Ops with a common beginning are told apart when they part.
    func matmul(
        _ product: PlaneState.Product, _ tile: InstalledTile, _ before: PlaneState.Sum,
        exact: Bool, chip: Int, hint: Int, instance: Int32
    ) -> Match? {
        let n = before.terms
        func accept(_ op: Int) -> Int? {
            let record = ops[op]
            guard record.kind == .matmul, Int(record.chip) == chip,
                exact ? Int(record.code) == n + 1 : Int(record.code) > n
            else { return nil }
            let term = Int(record.firstTerm) + n
            guard let i = activation(term, product, count: Int(record.count)),
                matches(tile, term, type: product.type)
            else { return nil }
            if n == 0 { return max(i, 0) }
            // Equal activations may be of several iterations: then the row says which it is.
            return [before.iteration, i].first { iteration in
                (0..<Int(record.count)).contains(iteration)
                    && isActivation(term, product, iteration)
                    && haveEqual(n, before, op, iteration)
            }
        }
        if before.op >= 0, hint < 0 || ops[hint].kind != .matmul, let i = accept(before.op) {
            return Match(op: before.op, iteration: i)
        }
        return search(
            candidates(.matmul), hint: hint, instance: instance,
            key: SymbolicProgram.searchKey(
                .matmul, 0, family(n == 0 ? product.low : firstActivation(before)), 0, chip: chip),
            accept: accept)
    }

    private func firstActivation(_ sum: PlaneState.Sum) -> Term {
        term(terms[Int(ops[sum.op].firstTerm)].activation, sum.iteration, 0)
    }

    /// The iteration in which the activation of product `index` is this one's; -1 if in all.
    private func activation(_ index: Int, _ product: PlaneState.Product, count: Int) -> Int? {
        let operand = terms[index].activation
        guard types[Int(operand.value)] == product.type,
            let i = iteration(operand, product.low, 0, count: count)
        else { return nil }
        if product.type.byteCount == 2 {
            guard term(operand, max(i, 0), 1) == product.high else { return nil }
        }
        return i
    }

    /// `true` iff the activation of product `index` in an iteration is this one's.
    private func isActivation(_ index: Int, _ product: PlaneState.Product, _ i: Int) -> Bool {
        let operand = terms[index].activation
        return term(operand, i, 0) == product.low
            && (product.type.byteCount == 1 || term(operand, i, 1) == product.high)
    }

    /// `true` iff the tile is that of product `index`: vectors below its count equal, the others
    /// absent or zero by the program's formula. O(rows) once an install.
    private func matches(_ tile: InstalledTile, _ index: Int, type: ElementType) -> Bool {
        if tile.matched == index { return true }
        guard tile.tandem == (type.byteCount == 2), mismatch(tile, index) == nil
        else { return false }
        tile.matched = index
        return true
    }

    /// The first weight vector of `tile` that is not that of product `index`, and what it wants.
    func mismatch(_ tile: InstalledTile, _ index: Int) -> (row: Int, wanted: Term, found: Term)? {
        let product = terms[index]
        let count = Int(product.tileCount)
        for plane in 0..<(tile.tandem ? 2 : 1) {
            let rows = plane == 0 ? tile.low : tile.high
            if count <= rows.count, areSources(rows, product, plane) { continue }
            for n in rows.indices {
                var wanted = Term.none
                if n < count {
                    let (k, source) = n.quotientAndRemainder(dividingBy: Int(product.sourceCount))
                    wanted = term(sources[Int(product.firstSource) + source], k, plane)
                }
                let found = rows[n]
                if wanted == found { continue }
                let bothZero =
                    (wanted == .none || isZero(wanted))
                    && (found == .none || isZero(found))
                if !bothZero { return (n, wanted, found) }
            }
            if count > rows.count {
                return (rows.count, term(sources[Int(product.firstSource)], 0, plane), .none)
            }
        }
        return nil
    }

    /// `true` if `rows` are exactly the vectors of the product's sources, one of each in turn.
    private func areSources(
        _ rows: UnsafeMutableBufferPointer<Term>, _ product: SymbolicTerm, _ plane: Int
    ) -> Bool {
        let (count, sourceCount) = (Int(product.tileCount), Int(product.sourceCount))
        for s in 0..<min(count, sourceCount) {
            let source = sources[Int(product.firstSource) + s]
            let last = (count - 1 - s) / sourceCount
            if isOfOneRoot(source, last: last) {
                // The most frequent case by far, decided without a look-up a row.
                let step = UInt64(bitPattern: Int64(source.step)) << 8
                let first = rows.baseAddress.unsafelyUnwrapped + s
                guard
                    Self.isProgression(
                        first, last + 1, by: sourceCount, term(source, 0, plane).raw, step)
                else { return false }
            } else {
                for k in 0...last where rows[s + k * sourceCount] != term(source, k, plane) {
                    return false
                }
            }
        }
        return rows[count...].allSatisfy { $0 == .none }
    }

    /// `true` iff every `stride`-th term from `terms` on is `first`, and then `step` more each.
    private static func isProgression(
        _ terms: UnsafeMutablePointer<Term>, _ count: Int, by stride: Int, _ first: UInt64,
        _ step: UInt64
    ) -> Bool {
        // Nearly always it is, so that looking at all of them at once is fastest.
        var (difference, wanted): (UInt64, UInt64) = (0, first)
        if stride == 1 {
            for n in 0..<count {
                difference |= terms[n].raw ^ wanted
                wanted &+= step
            }
        } else {
            for n in 0..<count {
                difference |= terms[n * stride].raw ^ wanted
                wanted &+= step
            }
        }
        return difference == 0
    }

    /// `true` if vectors 0 to `last` of an operand are a root's own, one after another.
    private func isOfOneRoot(_ operand: Operand, last: Int) -> Bool {
        let alias = aliases[Int(operand.value)]
        if alias >= 0 { return alias == 0 }
        // Those of a scatter that its one window touched.
        let versions = scatters[Int(-alias) - 1]
        let window = versions.start..<versions.start + versions.rows
        return versions.count == 1 && window.contains(operand.vector(0))
            && window.contains(operand.vector(last))
    }

    /// `true` iff the first `n` products of an iteration of `op` are those of the sum.
    private func haveEqual(_ n: Int, _ sum: PlaneState.Sum, _ op: Int, _ i: Int) -> Bool {
        if op == sum.op && i == sum.iteration { return true }
        return (0..<n).allSatisfy { j in
            let a = terms[Int(ops[sum.op].firstTerm) + j]
            let b = terms[Int(ops[op].firstTerm) + j]
            let type = types[Int(a.activation.value)]
            guard type == types[Int(b.activation.value)], a.tileCount == b.tileCount
            else { return false }
            return (0..<type.byteCount).allSatisfy { plane in
                term(a.activation, sum.iteration, plane) == term(b.activation, i, plane)
                    && (0..<Int(a.tileCount)).allSatisfy {
                        weight(a, $0, plane) == weight(b, $0, plane)
                    }
            }
        }
    }

    private func weight(_ product: SymbolicTerm, _ n: Int, _ plane: Int) -> Term {
        let (k, source) = n.quotientAndRemainder(dividingBy: Int(product.sourceCount))
        return term(sources[Int(product.firstSource) + source], k, plane)
    }

    /// Why the named op cannot take this product, in words.
    func sumComplaint(
        _ hint: Int, _ before: PlaneState.Sum, _ product: PlaneState.Product,
        _ tile: InstalledTile, exact: Bool
    ) -> String {
        let n = before.terms
        let op = hint >= 0 && ops[hint].kind == .matmul ? hint : before.op
        guard op >= 0 else {
            return "no matmul of the program on this chip has a product of \(text(product.low)) "
                + "and these weights at place \(n)"
        }
        let record = ops[op]
        guard n < Int(record.code) else {
            return "\(opName(op)) has \(record.code) products, finds a further one"
        }
        if exact && n + 1 < Int(record.code) {
            return "\(opName(op)) has \(record.code) products, a sum of \(n + 1) leaves the plane"
        }
        let index = Int(record.firstTerm) + n
        guard activation(index, product, count: Int(record.count)) != nil else {
            let wanted = term(terms[index].activation, min(before.iteration, Int(record.count)), 0)
            return "product \(n) of \(opName(op)) wants activation \(text(wanted)), "
                + "finds \(text(product.low))"
        }
        if let (row, wanted, found) = mismatch(tile, index) {
            let want = wanted == .none ? "no weight vector" : "weight vector"
            let name = wanted == .none ? "" : " \(text(wanted))"
            return "product \(n) of \(opName(op)) wants \(want) \(row)\(name), "
                + "finds \(text(found))"
        }
        return "product \(n) of \(opName(op)) is added to another iteration's or op's sum"
    }
}
