import LPUMachine
import LPUSchedule

/// Where a queue is in its current burst.
struct QueueCursor {
    /// Of the burst among those of its chip.
    private(set) var position: Int
    /// Moved to where the placement has its rows.
    private(set) var instruction = Instruction.memory(.none, .none)
    private(set) var inner = Repeat.once
    private(set) var outer = Repeat.once
    private var start = 0
    private var i: Int32 = 0
    private var j: Int32 = 0
    /// What the Repeats add to the instruction's address in this issue.
    private(set) var step = 0
    /// Address vectors that were sampled at the first issue; the cursor is a holder.
    var readAddress = Vector.none
    var writeAddress = Vector.none

    init(position: Int = 0) { self.position = position }

    var isFirstIssue: Bool { i == 0 && j == 0 }

    mutating func begin(_ burst: Burst, at start: Int, of placement: Placement) {
        instruction = burst.instruction.moved(by: placement)
        (inner, outer) = (burst.inner, burst.outer)
        let nested = Int(outer.count - 1) * Int(outer.distance)
        // Loops whose outer one fits between two rounds of the inner one are inside out.
        if inner.count > 1 && outer.count > 1 && nested < Int(inner.distance) {
            swap(&inner, &outer)
        }
        self.start = start
        (i, j, step) = (0, 0, 0)
    }

    /// Goes to the next issue and returns its cycle; after the last one to the next burst.
    mutating func advance() -> Int? {
        i += 1
        if i == inner.count {
            (i, j) = (0, j + 1)
            if j == outer.count {
                position += 1
                return nil
            }
        }
        step = Int(i) * Int(inner.step) + Int(j) * Int(outer.step)
        return start + Int(i) * Int(inner.distance) + Int(j) * Int(outer.distance)
    }

    /// Gives up the address vectors.
    mutating func release(_ pool: VectorPool) {
        pool.release(readAddress)
        pool.release(writeAddress)
        (readAddress, writeAddress) = (.none, .none)
    }
}

extension Instruction {
    /// With its rows where `placement` has them, so that no slot is left to look up.
    /// - Requires: the placement gives its slots.
    func moved(by placement: Placement) -> Instruction { resolved(in: placement.slots) ?? self }
}
