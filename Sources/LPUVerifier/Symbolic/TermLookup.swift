import LPUDataflow
import LPUNumerics

/// The value side of the flattened program that both the builder and the run read.
protocol TermLookup: ~Copyable {
    var types: [ElementType] { get }
    var aliases: [Int32] { get }
    var aliased: [SymbolicProgram.Alias] { get }
    var mixed: [SymbolicProgram.Entry] { get }
    var scatters: [ScatterVersions] { get }
}

extension SymbolicProgram: TermLookup {}

extension TermLookup where Self: ~Copyable {
    /// Slot `slot` of vector `k` of `value`: a byte plane, or the word. O(depth of versions).
    @inline(__always)
    func term(_ value: Int, _ k: Int, _ slot: Int) -> Term {
        let alias = aliases[value]
        if alias == 0 {
            return Term(root: value, vector: k, view: ownView(value, slot))
        }
        return aliasedTerm(value, k, slot)
    }

    func aliasedTerm(_ value: Int, _ k: Int, _ slot: Int) -> Term {
        let alias = aliases[value]
        if alias < 0 { return versionTerm(value, k, ownView(value, slot)) }
        let entry = entry(ofAlias: alias, slot)
        let root = Int(entry.root)
        let vector = Int(entry.start) + k * Int(entry.step)
        if aliases[root] < 0 { return versionTerm(root, vector, entry.view) }
        return Term(root: root, vector: vector, view: entry.view)
    }

    /// - Requires: the number of an alias is positive.
    @inline(__always)
    func entry(ofAlias number: Int32, _ slot: Int) -> SymbolicProgram.Entry {
        let alias = aliased[Int(number) - 1]
        guard !alias.isMixed else { return mixed[Int(alias.start) + slot] }
        return SymbolicProgram.Entry(
            root: alias.root, start: alias.start, step: alias.step,
            view: View(raw: alias.views[slot]))
    }

    @inline(__always)
    func ownView(_ value: Int, _ slot: Int) -> View {
        slot == SymbolicProgram.word
            ? View(word: types[value], plane: 0) : View(byte: slot)
    }

    /// Row `k` of a scatter's result: its own where a window touched it, else the region's.
    private func versionTerm(_ value: Int, _ k: Int, _ view: View) -> Term {
        let versions = scatters[Int(-aliases[value]) - 1]
        if versions.iterations(touching: k) != nil {
            return Term(root: value, vector: k, view: view)
        }
        let region = Int(versions.region)
        if view.isByte { return term(region, k, view.byte) }
        if view == ownView(value, SymbolicProgram.word) {
            return term(region, k, SymbolicProgram.word)
        }
        // Some planes of the region seen as another type, or a byte of its widened word.
        let low =
            view.code > 4
            ? term(region, k, SymbolicProgram.word) : term(region, k, view.plane)
        guard low.isOfProgram else { return .foreign }
        if view.code > 4 {
            return Term(raw: low.raw & ~0xff | UInt64(low.view.widenedByte(view.byte).raw))
        }
        let seen = View(raw: view.raw & 0xf0 | UInt8(low.view.byte) << 2)
        return low.view.isByte ? Term(raw: low.raw & ~0xff | UInt64(seen.raw)) : .foreign
    }

    /// The vector of `value` that may be `term`: exact if it is one at all; the caller compares.
    func index(of term: Term, in value: Int, _ slot: Int) -> Int? {
        let alias = aliases[value]
        if alias == 0 { return term.root == value ? term.vector : nil }
        if alias < 0 {
            let versions = scatters[Int(-alias) - 1]
            return term.root == value
                ? term.vector : index(of: term, in: Int(versions.region), slot)
        }
        let entry = entry(ofAlias: alias, slot)
        var vector = term.vector
        if term.root != Int(entry.root) {
            guard aliases[Int(entry.root)] < 0,
                let k = index(
                    of: term, in: Int(entry.root),
                    entry.view.isByte ? entry.view.byte : SymbolicProgram.word)
            else { return nil }
            vector = k
        }
        let (start, step) = (Int(entry.start), Int(entry.step))
        if step == 0 { return vector == start ? 0 : nil }
        return (vector - start) % step == 0 ? (vector - start) / step : nil
    }

    /// What an operand is in iteration `i`.
    @inline(__always)
    func term(_ operand: Operand, _ i: Int, _ slot: Int) -> Term {
        if operand.value >= 0 { return term(Int(operand.value), operand.vector(i), slot) }
        return operand.value == -1 ? .none : .immediate(UInt32(bitPattern: operand.start))
    }

    /// The entry of a use of `value`: vector k is `start + k * step` of it.
    func entry(_ value: Int, _ slot: Int, start: Int, step: Int) -> SymbolicProgram.Entry {
        let alias = aliases[value]
        guard alias > 0 else {
            return SymbolicProgram.Entry(
                root: Int32(value), start: Int32(truncatingIfNeeded: start),
                step: Int32(truncatingIfNeeded: step), view: ownView(value, slot))
        }
        var entry = entry(ofAlias: alias, slot)
        entry.start &+= Int32(truncatingIfNeeded: start) &* entry.step
        entry.step &*= Int32(truncatingIfNeeded: step)
        return entry
    }
}
