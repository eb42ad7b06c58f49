import LPUDataflow
import LPUNumerics

/// Ops that make the same vectors.
extension SymbolicProgramBuilder {
    /// Hash-consing: ops of one description make one list of vectors.
    mutating func share(_ record: inout OpRecord, _ number: Int) {
        let result = Int(record.result)
        var key: [Int] = []
        swap(&key, &scratch)
        defer { swap(&key, &scratch) }
        key.removeAll(keepingCapacity: true)
        describe(record, in: &key)
        let found = find(key, chip: -1, firstEqual)
        if record.isMove {
            if record.kind == .elementwise {
                aliasCopy(result, to: record.a)
            } else {
                alias(
                    result, to: Int(record.a.value), start: Int(record.a.start),
                    step: Int(record.a.step))
            }
        } else if let first = found.op {
            alias(result, to: Int(ops[first].result))
        } else if record.isConstant {
            aliasConstant(result)
        }
        guard let first = found.op else { return firstEqual.insert(number, at: found.slot) }
        let ofFirst = find(key, chip: ops[first].chip, firstEqualOnChip)
        if ofFirst.op == nil { firstEqualOnChip.insert(first, at: ofFirst.slot) }
        let onChip = find(key, chip: record.chip, firstEqualOnChip)
        if let other = onChip.op {
            record.nextEqual = ops[other].nextEqual
            ops[other].nextEqual = Int32(number)
        } else {
            firstEqualOnChip.insert(number, at: onChip.slot)
        }
    }

    /// The op with a description, on `chip` unless that is negative; or where it belongs. Found by
    /// a hash and compared in full: a description may be long, so none is kept.
    private func find(
        _ description: [Int], chip: Int32, _ table: NumberTable
    ) -> (op: Int?, slot: UInt64) {
        var slot = UInt64(truncatingIfNeeded: chip) &* 0x9e37_79b9_7f4a_7c15
        for word in description {
            slot = (slot ^ UInt64(truncatingIfNeeded: word)) &* 0x9e37_79b9_7f4a_7c15
            slot ^= slot >> 29
        }
        var other: [Int] = []
        while case let op = table[slot], op >= 0 {
            if chip < 0 || ops[op].chip == chip {
                other.removeAll(keepingCapacity: true)
                describe(ops[op], in: &other)
                if other == description { return (op, slot) }
            }
            slot &+= 1
        }
        return (nil, slot)
    }

    /// Equal for ops that make equal vectors, iteration by iteration.
    private func describe(_ record: OpRecord, in key: inout [Int]) {
        let isWord = record.kind == .elementwise
        key.append(Int(record.kind.rawValue))
        key.append(Int(record.code))
        key.append(Int(record.count))
        key.append(types[Int(record.result)].byteCount)
        key.append(isWord ? 1 : 0)
        describe(record.a, isWord, in: &key)
        describe(record.b, isWord, in: &key)
        describe(record.c, isWord, in: &key)
        guard record.kind == .matmul else { return }
        for term in terms[Int(record.firstTerm)..<Int(record.firstTerm + record.code)] {
            key.append(Int(term.tileCount))
            key.append(Int(term.sourceCount))
            describe(term.activation, isWord, in: &key)
            key.append(Int(View.code(types[Int(term.activation.value)])))
            let first = Int(term.firstSource)
            for source in first..<first + Int(term.sourceCount) {
                describe(sources[source], isWord, in: &key)
            }
        }
    }

    private func describe(_ operand: Operand, _ isWord: Bool, in key: inout [Int]) {
        guard operand.isUse else {
            key.append(Int(operand.value))
            return key.append(Int(operand.start))
        }
        let slots = isWord ? 4..<5 : 0..<types[Int(operand.value)].byteCount
        for slot in slots {
            let e = entry(operand, slot)
            key.append(Int(e.root))
            key.append(Int(e.start))
            key.append(Int(e.step))
            key.append(Int(e.view.raw))
        }
    }
}
