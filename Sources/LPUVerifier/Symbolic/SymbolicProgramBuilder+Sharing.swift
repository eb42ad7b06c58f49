import LPUDataflow
import LPUNumerics

/// Ops that make the same vectors.
extension SymbolicProgramBuilder {
    /// Hash-consing: ops of one description make one list of vectors.
    mutating func share(_ record: inout OpRecord, _ number: Int) {
        let result = Int(record.result)
        let hash = hash(record)
        let (first, slot) = firstEqual.find(hash.value) { areEqual(ops[Int($0)], record) }
        if record.isMove {
            if record.kind == .elementwise {
                aliasCopy(result, to: record.a)
            } else {
                alias(
                    result, to: Int(record.a.value), start: Int(record.a.start),
                    step: Int(record.a.step))
            }
        } else if let first {
            alias(result, to: Int(ops[Int(first)].result))
        } else if record.isConstant {
            aliasConstant(result)
        }
        guard let first else { return firstEqual.insert(Int32(number), hash.value, at: slot) }
        let ofFirst = find(record, hash, chip: ops[Int(first)].chip)
        if ofFirst.op == nil { firstEqualOnChip.insert(first, ofFirst.hash, at: ofFirst.slot) }
        let onChip = find(record, hash, chip: record.chip)
        if let other = onChip.op {
            record.nextEqual = ops[Int(other)].nextEqual
            ops[Int(other)].nextEqual = Int32(number)
        } else {
            firstEqualOnChip.insert(Int32(number), onChip.hash, at: onChip.slot)
        }
    }

    /// The first op on a chip that is described like `record`; or where it belongs.
    private func find(
        _ record: OpRecord, _ hash: NearHash, chip: Int32
    ) -> (op: Int32?, slot: Int, hash: UInt64) {
        var hash = hash
        hash.add(chip, 0)
        let (op, slot) = firstEqualOnChip.find(hash.value) {
            ops[Int($0)].chip == chip && areEqual(ops[Int($0)], record)
        }
        return (op, slot, hash.value)
    }

    // MARK: Descriptions

    /// Equal for ops that make equal vectors, iteration by iteration.
    private func hash(_ record: OpRecord) -> NearHash {
        let isWord = record.kind == .elementwise
        var hash = NearHash(UInt64(record.kind.rawValue))
        hash.add(record.code, record.count)
        for operand in [record.a, record.b, record.c] { add(operand, isWord, to: &hash) }
        guard record.kind == .matmul else { return hash }
        for term in terms[Int(record.firstTerm)..<Int(record.firstTerm + record.code)] {
            hash.add(term.tileCount, term.sourceCount)
            add(term.activation, isWord, to: &hash)
            let first = Int(term.firstSource)
            for source in first..<first + Int(term.sourceCount) {
                add(sources[source], isWord, to: &hash)
            }
        }
        return hash
    }

    @inline(__always)
    private func add(_ operand: Operand, _ isWord: Bool, to hash: inout NearHash) {
        guard operand.isUse else { return hash.add(operand.value, operand.start) }
        // The other bytes mostly follow from the first.
        let e = entry(operand, isWord ? SymbolicProgram.word : 0)
        hash.add(e.root, e.start)
        hash.add(e.step << 8 ^ Int32(e.view.raw), 0)
    }

    /// `true` iff they make equal vectors, iteration by iteration.
    private func areEqual(_ x: OpRecord, _ y: OpRecord) -> Bool {
        let isWord = x.kind == .elementwise
        guard x.kind == y.kind, x.code == y.code, x.count == y.count,
            types[Int(x.result)].byteCount == types[Int(y.result)].byteCount,
            areEqual(x.a, y.a, isWord), areEqual(x.b, y.b, isWord), areEqual(x.c, y.c, isWord)
        else { return false }
        guard x.kind == .matmul else { return true }
        for n in 0..<x.code
        where !areEqual(terms[Int(x.firstTerm + n)], terms[Int(y.firstTerm + n)]) { return false }
        return true
    }

    private func areEqual(_ x: SymbolicTerm, _ y: SymbolicTerm) -> Bool {
        guard x.tileCount == y.tileCount, x.sourceCount == y.sourceCount,
            View.code(types[Int(x.activation.value)]) == View.code(types[Int(y.activation.value)]),
            areEqual(x.activation, y.activation, false)
        else { return false }
        for n in 0..<x.sourceCount
        where !areEqual(sources[Int(x.firstSource + n)], sources[Int(y.firstSource + n)], false) {
            return false
        }
        return true
    }

    @inline(__always)
    private func areEqual(_ x: Operand, _ y: Operand, _ isWord: Bool) -> Bool {
        guard x.isUse, y.isUse else { return x.value == y.value && x.start == y.start }
        if isWord { return areEqual(x, y, in: SymbolicProgram.word) }
        let count = types[Int(x.value)].byteCount
        if count != types[Int(y.value)].byteCount { return false }
        for slot in 0..<count where !areEqual(x, y, in: slot) { return false }
        return true
    }

    @inline(__always)
    private func areEqual(_ x: Operand, _ y: Operand, in slot: Int) -> Bool {
        let (a, b) = (entry(x, slot), entry(y, slot))
        return a.root == b.root && a.start == b.start && a.step == b.step && a.view == b.view
    }
}

extension NearHash {
    @inline(__always)
    fileprivate mutating func add(_ low: Int32, _ high: Int32) {
        add(UInt64(UInt32(bitPattern: low)) | UInt64(UInt32(bitPattern: high)) << 32)
    }
}
