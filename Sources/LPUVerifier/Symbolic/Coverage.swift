import LPUDataflow
import LPUSchedule
import LPUSupport

/// Which byte planes of which iterations of which ops have been made: a byte an iteration.
///
/// Chips write disjoint parts, so they may run side by side.
final class Coverage: @unchecked Sendable {
    private let program: SymbolicProgram
    private let made: UnsafeMutablePointer<UInt8>
    /// Where the search for a free iteration of an op whose iterations are all equal goes on.
    private let cursor: UnsafeMutablePointer<Int32>

    init(_ program: SymbolicProgram) {
        self.program = program
        made = .allocate(capacity: max(program.slotCount, 1))
        made.initialize(repeating: 0, count: max(program.slotCount, 1))
        cursor = .allocate(capacity: max(program.ops.count, 1))
        cursor.initialize(repeating: 0, count: max(program.ops.count, 1))
    }

    deinit {
        made.deallocate()
        cursor.deallocate()
    }

    /// Notes that iteration `i` of `op`, or of an equal op of the chip, was done for `planes`; that
    /// op, or -1 iff all of them were done before and the op is no move.
    @inline(__always)
    func mark(_ op: Int, _ i: Int, planes: UInt8) -> Int {
        let record = program.ops[op]
        if !record.isConstant && Int(record.nextEqual) == op {
            let slot = made + (record.slot + i)
            let isFree = slot.pointee & planes == 0
            slot.pointee |= planes
            return isFree || record.isMove ? op : -1
        }
        return markEqual(op, i, planes)
    }

    private func markEqual(_ op: Int, _ i: Int, _ planes: UInt8) -> Int {
        var member = op
        repeat {
            let record = program.ops[member]
            if record.isConstant {
                // One plane after another may go through the iterations: each from the start.
                let first = record.mask == 1 ? Int(cursor[member]) : 0
                for slot in first..<max(first, Int(record.count))
                where made[record.slot + slot] & planes == 0 {
                    made[record.slot + slot] |= planes
                    cursor[member] = Int32(slot)
                    return member
                }
            } else if made[record.slot + i] & planes == 0 {
                made[record.slot + i] |= planes
                return member
            }
            member = Int(record.nextEqual)
        } while member != op
        return program.ops[op].isMove ? op : -1
    }

    /// `true` iff nothing of `ops` was done; moves count only if `movesToo`.
    func isUntouched(_ ops: Range<Int>, movesToo: Bool = false) -> Bool {
        ops.allSatisfy { op in
            let record = program.ops[op]
            return record.kind == .view || record.isMove && !movesToo
                || (0..<Int(record.count)).allSatisfy { made[record.slot + $0] == 0 }
        }
    }

    /// What was done of consecutive ops.
    func made(_ ops: Range<Int>) -> [UInt8] {
        slots(ops).map { made[$0] }
    }

    /// Notes that of `ops` so much was done as of those of another instance of the template.
    func add(_ other: [UInt8], to ops: Range<Int>) {
        for (slot, planes) in zip(slots(ops), other) { made[slot] |= planes }
    }

    private func slots(_ ops: Range<Int>) -> Range<Int> {
        guard !ops.isEmpty else { return 0..<0 }
        let end =
            ops.upperBound < program.ops.count
            ? program.ops[ops.upperBound].slot : program.slotCount
        return program.ops[ops.lowerBound].slot..<end
    }

    /// Vectors and planes of ops that the program asks for and nothing made: one violation an op.
    func violations() -> [Violation] {
        var violations: [Violation] = []
        for (op, record) in program.ops.enumerated() where record.kind != .view {
            var missing = 0
            var first = 0
            for i in stride(from: Int(record.count) - 1, through: 0, by: -1)
            where made[record.slot + i] & record.mask != record.mask {
                missing += 1
                first = i
            }
            guard missing > 0 else { continue }
            let result = ValueID(Int(record.result))
            violations.append(
                Violation(
                    .coverage, chip: ChipID(Int(record.chip)),
                    "\(program.opName(op)) has \(record.count) iterations, \(missing) are not "
                        + "done on their chip: the first makes \(result)[\(first)]"))
        }
        return violations
    }

    /// Iterations that were done in full.
    func doneCount() -> Int {
        program.ops.reduce(0) { sum, record in
            guard record.kind != .view else { return sum }
            return sum
                + (0..<Int(record.count)).count {
                    made[record.slot + $0] & record.mask == record.mask
                }
        }
    }
}
