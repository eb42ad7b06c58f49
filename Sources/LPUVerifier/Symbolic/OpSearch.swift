import LPUNumerics
import LPUSupport

/// An op and the iteration of it that an instruction is.
struct Match {
    var op: Int
    var iteration: Int
}

/// Finds the op whose kind, parameters and operand terms are those of an instruction.
///
/// The op that a burst names and the iteration after its last are tried first, then the ops with
/// the same search key; each is compared in full, so a name decides nothing but the order.
extension SymbolicProgram {
    static let operationNumbers: [ALUOperation: Int32] = Dictionary(
        uniqueKeysWithValues: ALUOperation.allCases.enumerated().map { ($1, Int32($0)) })

    /// Equal for an instruction and every op that it may be; collisions cost time only.
    static func searchKey(
        _ kind: OpRecord.Kind, _ code: Int, _ first: UInt64, _ second: UInt64, chip: Int
    ) -> UInt64 {
        var hash = NearHash(UInt64(kind.rawValue) &+ UInt64(truncatingIfNeeded: code) << 8)
        hash.add(first)
        hash.add(second)
        hash.add(UInt64(truncatingIfNeeded: chip))
        return hash.value
    }

    /// Of a sampled term: the family of its root, or what it is instead.
    func family(_ term: Term) -> UInt64 {
        term.isOfProgram ? UInt64(families[term.root]) : term.raw << 32
    }

    /// The first of the hinted op and those with `key` that `accept` finds an iteration of; ops of
    /// `instance` come first, so that what is found there does not rest on other instances.
    @inline(__always)
    func search(
        _ candidates: @autoclosure () -> CandidateIndex, hint: Int, instance: Int32,
        key: @autoclosure () -> UInt64, accept: (Int) -> Int?
    ) -> Match? {
        if hint >= 0, let i = accept(hint) { return Match(op: hint, iteration: i) }
        let (key, candidates) = (key(), candidates())
        for isOwn in [true, false] {
            var node = candidates.first(key)
            while let candidate = node {
                let op = Int(candidate.op)
                if self.op(op, isOf: instance) == isOwn, let i = accept(op) {
                    return Match(op: op, iteration: i)
                }
                node = candidates.after(candidate)
            }
        }
        return nil
    }

    /// `true` iff the value is one of the instance's.
    @inline(__always)
    func value(_ value: Int, isOf instance: Int32) -> Bool {
        instance >= 0 && value >= valueBases[Int(instance)]
            && value < valueBases[Int(instance) + 1]
    }

    /// `true` iff the op is one of the instance's.
    @inline(__always)
    func op(_ op: Int, isOf instance: Int32) -> Bool {
        instance >= 0 && op >= opBases[Int(instance)] && op < opBases[Int(instance) + 1]
    }

    /// The iteration in which `operand` is `term`; -1 if it is the same in all, nil if in none.
    func iteration(_ operand: Operand, _ term: Term, _ slot: Int, count: Int) -> Int? {
        guard operand.isUse, term.isOfProgram,
            let k = index(of: term, in: Int(operand.value), slot)
        else { return operand.isUse || self.term(operand, 0, slot) != term ? nil : -1 }
        let (offset, step) = (k - Int(operand.start), Int(operand.step))
        if step == 0 { return self.term(operand, 0, slot) == term ? -1 : nil }
        let i = offset / step
        guard offset % step == 0, (0..<count).contains(i), self.term(operand, i, slot) == term
        else {
            // Of equal vectors only the first is found, wherever the operand starts.
            return self.term(operand, 0, slot) == term ? -1 : nil
        }
        // Vectors ascend, descend or are one.
        return i == 0 && count > 1 && self.term(operand, 1, slot) == term ? -1 : i
    }

    /// The iteration in which both operands are the given terms.
    func iteration(
        _ record: OpRecord, _ first: Term, _ second: Term, _ slotA: Int, _ slotB: Int
    ) -> Int? {
        let count = Int(record.count)
        guard let i = iteration(record.a, first, slotA, count: count),
            let j = iteration(record.b, second, slotB, count: count)
        else { return nil }
        if i >= 0 && j >= 0 && i != j {
            // An aliased operand may hold one term twice: the other operand decides.
            if term(record.a, j, slotA) == first { return j }
            return term(record.b, i, slotB) == second ? i : nil
        }
        return max(i, j, 0)
    }

    func elementwise(
        _ code: Int32, _ first: Term, _ second: Term, chip: Int, hint: Match, instance: Int32
    ) -> Match? {
        if hint.op >= 0 {
            let record = ops[hint.op]
            let i = hint.iteration
            if record.kind == .elementwise, record.code == code, Int(record.chip) == chip,
                i < Int(record.count), term(record.a, i, SymbolicProgram.word) == first,
                term(record.b, i, SymbolicProgram.word) == second
            {
                return hint
            }
        }
        guard code >= 0 else { return nil }
        return search(
            candidates(ofOperation: code), hint: hint.op, instance: instance,
            key: SymbolicProgram.searchKey(
                .elementwise, Int(code), family(first), family(second), chip: chip)
        ) { op in
            let record = ops[op]
            guard record.kind == .elementwise, record.code == code, Int(record.chip) == chip
            else { return nil }
            return iteration(
                record, first, second, SymbolicProgram.word, SymbolicProgram.word)
        }
    }

    /// An op that acts plane by plane, `transfer` included: each plane of the result is made of the
    /// same one of the operands.
    func planewise(
        _ kind: OpRecord.Kind, _ code: Int32, _ first: Term, _ second: Term, chip: Int, hint: Int,
        instance: Int32
    ) -> (match: Match, plane: Int)? {
        var plane = 0
        let listed = kind == .lanes ? Int(code) : 0
        let match = search(
            candidates(kind), hint: hint, instance: instance,
            key: SymbolicProgram.searchKey(kind, listed, family(first), 0, chip: chip)
        ) { op in
            let record = ops[op]
            guard record.kind == kind, record.code == code, Int(record.chip) == chip
            else { return nil }
            for b in 0..<types[Int(record.a.value)].byteCount {
                if let i = iteration(record, first, second, b, b) {
                    plane = b
                    return i
                }
            }
            return nil
        }
        return match.map { ($0, plane) }
    }

    /// Every input in order; the iteration is of no meaning.
    func transpose(
        _ inputs: [Term], chip: Int, hint: Int, instance: Int32
    ) -> (op: Int, plane: Int)? {
        guard let first = inputs.first else { return nil }
        var plane = 0
        let match = search(
            candidates(.transpose), hint: hint, instance: instance,
            key: SymbolicProgram.searchKey(.transpose, 0, family(first), 0, chip: chip)
        ) { op in
            let record = ops[op]
            guard record.kind == .transpose, Int(record.code) == inputs.count,
                Int(record.chip) == chip
            else { return nil }
            for b in 0..<types[Int(record.a.value)].byteCount
            where inputs.indices.allSatisfy({ term(record.a, $0, b) == inputs[$0] }) {
                plane = b
                return 0
            }
            return nil
        }
        return match.map { ($0.op, plane) }
    }

    /// A gather from rows that hold table vectors from `rows.first` on; all are compared.
    func gather(
        _ rows: UnsafeBufferPointer<Term>, _ address: Term, chip: Int, hint: Int, instance: Int32
    ) -> (match: Match, plane: Int)? {
        guard let first = rows.first else { return nil }
        var plane = 0
        let match = search(
            candidates(.gather), hint: hint, instance: instance,
            key: SymbolicProgram.searchKey(.gather, 0, family(first), 0, chip: chip)
        ) { op in
            let record = ops[op]
            guard record.kind == .gather, Int(record.code) == rows.count,
                Int(record.chip) == chip
            else { return nil }
            let table = Int(record.a.value)
            for b in 0..<types[table].byteCount {
                guard let i = iteration(record, first, address, b, 0) else { continue }
                let start = record.a.vector(i)
                if isRun(rows, of: table, from: start, b) {
                    plane = b
                    return i
                }
            }
            return nil
        }
        return match.map { ($0, plane) }
    }

    /// A scatter onto rows that hold the version before its iteration; all are compared.
    func scatter(
        _ rows: UnsafeBufferPointer<Term>, _ address: Term, _ data: Term, chip: Int, hint: Int,
        instance: Int32
    ) -> (match: Match, plane: Int)? {
        guard let first = rows.first else { return nil }
        var plane = 0
        let match = search(
            candidates(.scatter), hint: hint, instance: instance,
            key: SymbolicProgram.searchKey(.scatter, 0, family(first), 0, chip: chip)
        ) { op in
            let record = ops[op]
            guard record.kind == .scatter, Int(record.code) == rows.count,
                Int(record.chip) == chip
            else { return nil }
            for b in 0..<types[Int(record.a.value)].byteCount {
                for i in 0..<Int(record.count)
                where term(record.c, i, b) == data && term(record.b, i, 0) == address
                    && isWindow(rows, record, before: i, b)
                {
                    plane = b
                    return i
                }
            }
            return nil
        }
        return match.map { ($0, plane) }
    }

    /// `true` iff the rows hold the value's vectors from `start` on.
    private func isRun(
        _ rows: UnsafeBufferPointer<Term>, of value: Int, from start: Int, _ plane: Int
    ) -> Bool {
        aliases[value] == 0
            ? isProgression(rows, from: term(value, start, plane))
            : rows.indices.allSatisfy { rows[$0] == term(value, start + $0, plane) }
    }

    /// `true` iff the rows hold a root's vectors from that of `first` on.
    private func isProgression(_ rows: UnsafeBufferPointer<Term>, from first: Term) -> Bool {
        var wanted = first
        for row in rows {
            if row != wanted { return false }
            wanted = wanted.next
        }
        return true
    }

    /// `true` iff the rows hold the version that a scatter takes in iteration `i`.
    private func isWindow(
        _ rows: UnsafeBufferPointer<Term>, _ record: OpRecord, before i: Int, _ plane: Int
    ) -> Bool {
        let versions = scatters[Int(-aliases[Int(record.result)]) - 1]
        let window = versions.window(i)
        func part(_ vectors: Range<Int>) -> UnsafeBufferPointer<Term> {
            UnsafeBufferPointer(
                rebasing: rows[
                    vectors.lowerBound - window.lowerBound..<vectors.upperBound
                        - window.lowerBound])
        }
        // The iteration before has left its own version where the windows meet.
        let parts = versions.parts(of: i, sharedWith: i - 1)
        return isProgression(
            part(parts.shared), from: versions.version(i - 1, parts.shared.lowerBound, plane))
            && parts.own.allSatisfy {
                isRun(part($0), of: Int(record.a.value), from: $0.lowerBound, plane)
            }
    }

    /// Calls `body` with what iteration `i` of a scatter leaves: a term, the row of the window that
    /// it is in, and in how many rows from there on the vectors after it are.
    func forEachVersion(
        _ record: OpRecord, after i: Int, _ plane: Int, _ body: (Term, _ row: Int, Int) -> Void
    ) {
        let versions = scatters[Int(-aliases[Int(record.result)]) - 1]
        let first = versions.window(i).lowerBound
        // What the next one does not touch, none after it does.
        let parts = versions.parts(of: i, sharedWith: i + 1)
        let shared = parts.shared
        if !shared.isEmpty {
            let term = versions.version(i, shared.lowerBound, plane)
            body(term, shared.lowerBound - first, shared.count)
        }
        for part in parts.own where !part.isEmpty {
            let term = Term(
                root: Int(versions.result), vector: part.lowerBound, view: View(byte: plane))
            body(term, part.lowerBound - first, part.count)
        }
    }

    /// The word that aligned streams hold, as `type`: planes of one vector, or of a `pack`.
    func word(
        _ type: ElementType, _ bytes: UnsafeBufferPointer<Term>, instance: Int32
    ) -> Term? {
        if let word = Term.word(type, bytes) { return word }
        guard let low = bytes.first, low.isOfProgram,
            let candidates = packs[Int32(low.root)]
        else { return nil }
        for isOwn in [true, false] {
            for value in candidates
            where View.code(types[Int(value)]) == View.code(type)
                && types[Int(value)].byteCount == bytes.count
                && self.value(Int(value), isOf: instance) == isOwn
            {
                guard let k = index(of: low, in: Int(value), 0) else { continue }
                let planes = bytes.enumerated()
                if planes.allSatisfy({ $1 == term(Int(value), k, $0) }) {
                    return Term(root: Int(value), vector: k, view: View(word: type, plane: 0))
                }
            }
        }
        return nil
    }

    /// Byte `b` of an ALU's result that leaves on `width` streams: 4, or fewer after a cast.
    func byte(_ b: Int, ofResult word: Term, width: Int) -> Term {
        guard word.isOfProgram else { return word }
        let view = word.view
        if width == 4 && !view.isWholeWord {
            return Term(raw: word.raw & ~0xff | UInt64(view.widenedByte(b).raw))
        }
        if width < 4 && view.isWholeWord { return .foreign }
        // A pack's word is a root of its own, its bytes are other values'.
        if aliases[word.root] > 0 { return term(word.root, word.vector, b) }
        return Term(root: word.root, vector: word.vector, view: View(byte: view.plane + b))
    }
}
