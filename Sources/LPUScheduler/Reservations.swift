import LPUMachine
import LPUSupport

/// Who uses which queue, port and stream register of one chip in which cycle.
///
/// Every change is logged, so that a bundle that does not fit is taken back in O(changes).
final class Reservations {
    let chip: Chip
    let edge: Int
    let queueCount: Int
    private let streamCount: Int
    /// Behind a pointer: asked for every vector in every cycle that is tried.
    private let cells: UnsafeMutablePointer<Cells>

    private struct Cells {
        var horizon: Int
        /// `cycle * queueCount + queue`: 0 is free; MEM: read bank + 1 in bits 0-3, write bank + 1
        /// in bits 4-7; any other queue: 1.
        var slots: [UInt8]
        /// `diagonal * streams + stream`: a bit a register that the diagonal's value must survive.
        var registers: [UInt64]
        var issues: [Issue] = []
        var log: [Change] = []
    }

    private struct Change {
        var isSlot: Bool
        var index: Int
        var old: UInt64
    }

    /// An instruction in its cycle, or `count` of them in as many cycles, the address one further
    /// in each.
    struct Issue {
        var cycle: Int
        var queue: QueueID
        var instruction: Instruction
        var op: OpID
        var count: Int32 = 1
        /// The exchange whose slot it reads or writes by the chip's own number; -1 for none.
        var exchange: Int32 = -1

        var last: Int { cycle + Int(count) - 1 }
    }

    /// A point to roll back to.
    struct Mark {
        var changes: Int
        var issues: Int
    }

    init(chip: Chip) {
        self.chip = chip
        edge = chip.edge
        queueCount = chip.queueCount
        streamCount = 2 * chip.streamsPerDirection
        let horizon = 4096
        cells = .allocate(capacity: 1)
        cells.initialize(
            to: Cells(
                horizon: horizon, slots: Array(repeating: 0, count: horizon * queueCount),
                registers: Array(repeating: 0, count: (horizon + 2 * edge) * streamCount)))
    }

    deinit {
        cells.deinitialize(count: 1)
        cells.deallocate()
    }

    var horizon: Int { cells.pointee.horizon }
    var issues: [Issue] { cells.pointee.issues }

    var mark: Mark {
        Mark(changes: cells.pointee.log.count, issues: cells.pointee.issues.count)
    }

    func rollBack(to mark: Mark) {
        while cells.pointee.log.count > mark.changes {
            let change = cells.pointee.log.removeLast()
            if change.isSlot {
                cells.pointee.slots[change.index] = UInt8(change.old)
            } else {
                cells.pointee.registers[change.index] = change.old
            }
        }
        cells.pointee.issues.removeLast(cells.pointee.issues.count - mark.issues)
    }

    /// Forgets how to roll back: what is reserved stays.
    func commit() { cells.pointee.log.removeAll(keepingCapacity: true) }

    private func reach(_ cycle: Int) {
        guard cycle >= horizon else { return }
        let grown = max(horizon * 2, cycle + 1)
        cells.pointee.slots += Array(repeating: 0, count: (grown - horizon) * queueCount)
        cells.pointee.registers += Array(repeating: 0, count: (grown - horizon) * streamCount)
        cells.pointee.horizon = grown
    }

    // MARK: Queues and ports

    func isFree(_ queue: QueueID, at cycle: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle)
        return cells.pointee.slots[cycle * queueCount + queue.index] == 0
    }

    /// `true` iff both slices can, where there is another one: that in which some chips read.
    func canRead(_ slice: QueueID, or other: QueueID?, bank: Int, at cycle: Int) -> Bool {
        canRead(slice, bank: bank, at: cycle)
            && other.map { canRead($0, bank: bank, at: cycle) } ?? true
    }

    /// `true` iff both slices can, where there is another one: that in which some chips write.
    func canWrite(_ slice: QueueID, or other: QueueID?, bank: Int, at cycle: Int) -> Bool {
        canWrite(slice, bank: bank, at: cycle)
            && other.map { canWrite($0, bank: bank, at: cycle) } ?? true
    }

    func canRead(_ slice: QueueID, bank: Int, at cycle: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle)
        let state = cells.pointee.slots[cycle * queueCount + slice.index]
        return state & 0x0f == 0 && Int(state >> 4) != bank + 1
    }

    func canWrite(_ slice: QueueID, bank: Int, at cycle: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle)
        let state = cells.pointee.slots[cycle * queueCount + slice.index]
        return state & 0xf0 == 0 && Int(state & 0x0f) != bank + 1
    }

    /// The queue that some chips issue it on instead, if there is one, is taken as well.
    /// - Requires: the queues are free then (MEM: the half that is used).
    func issue(
        _ instruction: Instruction, on queue: QueueID, or other: QueueID? = nil, at cycle: Int,
        op: OpID, exchange: Int = -1
    ) {
        reach(cycle)
        take(queue, at: cycle, for: instruction)
        if let other { take(other, at: cycle, for: instruction) }
        cells.pointee.issues.append(
            Issue(
                cycle: cycle, queue: queue, instruction: instruction, op: op,
                exchange: Int32(exchange)))
    }

    private func take(_ queue: QueueID, at cycle: Int, for instruction: Instruction) {
        let index = cycle * queueCount + queue.index
        cells.pointee.log.append(
            Change(isSlot: true, index: index, old: UInt64(cells.pointee.slots[index])))
        switch instruction {
        case .memory(let read, let write):
            cells.pointee.slots[index] |= Self.bank(of: read) | Self.bank(of: write) << 4
        case .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose, .permute,
            .shift, .rotate, .select, .send, .receive, .ingress, .egress:
            cells.pointee.slots[index] = 1
        }
    }

    // MARK: Runs

    /// `true` iff the queue is free for `count` cycles.
    func isFree(_ queue: QueueID, at cycle: Int, count: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle + count)
        return (0..<count).allSatisfy {
            cells.pointee.slots[(cycle + $0) * queueCount + queue.index] == 0
        }
    }

    /// `true` iff the slice can read the bank for `count` cycles.
    func canRead(_ slice: QueueID, bank: Int, at cycle: Int, count: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle + count)
        var index = cycle * queueCount + slice.index
        for _ in 0..<count {
            let state = cells.pointee.slots[index]
            if state & 0x0f != 0 || Int(state >> 4) == bank + 1 { return false }
            index += queueCount
        }
        return true
    }

    /// `true` iff values put on `stream` at `register` in `count` cycles survive up to `last`.
    func isFree(
        _ stream: Stream, from register: Int, at cycle: Int, to last: Int, count: Int
    ) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle + count + 2 * edge)
        let mask = bits(register, last)
        var i = index(stream, register, cycle)
        for _ in 0..<count {
            if cells.pointee.registers[i] & mask != 0 { return false }
            i += streamCount
        }
        return true
    }

    /// Issues `instruction` in `count` cycles, for good: it is not rolled back.
    /// - Requires: the queue is free then (MEM: the half that is used).
    func issueRun(
        _ instruction: Instruction, on queue: QueueID, at cycle: Int, count: Int, op: OpID
    ) {
        reach(cycle + count)
        let state: UInt8
        switch instruction {
        // Its address is sampled once: no write may come between.
        case .memory(.gather(let window, _, _, _), _): state = window.bank + 1 | 0xf0
        case .memory(let read, let write):
            state = Self.bank(of: read) | Self.bank(of: write) << 4
        case .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose, .permute,
            .shift, .rotate, .select, .send, .receive, .ingress, .egress:
            state = 1
        }
        for k in 0..<count { cells.pointee.slots[(cycle + k) * queueCount + queue.index] |= state }
        cells.pointee.issues.append(
            Issue(
                cycle: cycle, queue: queue, instruction: instruction, op: op, count: Int32(count)))
    }

    /// Occupies the registers in `count` cycles, for good.
    func occupyRun(
        _ stream: Stream, from register: Int, at cycle: Int, to last: Int, count: Int
    ) {
        reach(cycle + count + 2 * edge)
        let mask = bits(register, last)
        let first = index(stream, register, cycle)
        for k in 0..<count { cells.pointee.registers[first + k * streamCount] |= mask }
    }

    private static func bank(of read: MemoryRead) -> UInt8 {
        switch read {
        case .none: 0
        case .read(let row, _), .gather(let row, _, _, _): row.bank + 1
        }
    }

    private static func bank(of write: MemoryWrite) -> UInt8 {
        switch write {
        case .none: 0
        case .write(let row, _), .scatter(let row, _, _, _): row.bank + 1
        }
    }

    // MARK: Streams

    /// Registers from `first` to `last`, in flow order, as bits.
    private func bits(_ first: Int, _ last: Int) -> UInt64 {
        let low = min(first, last) + edge
        let high = max(first, last) + edge
        return (UInt64.max >> UInt64(63 - (high - low))) << UInt64(low)
    }

    private func index(_ stream: Stream, _ register: Int, _ cycle: Int) -> Int {
        let diagonal = cycle - stream.direction.sign * register + edge
        let number =
            stream.id + (stream.direction == .east ? chip.streamsPerDirection : 0)
        return diagonal * streamCount + number
    }

    /// `true` iff a value put on `stream` at `register` in `cycle` survives up to `last`.
    func isFree(_ stream: Stream, from register: Int, at cycle: Int, to last: Int) -> Bool {
        guard cycle >= 0 else { return false }
        reach(cycle + 2 * edge)
        return cells.pointee.registers[index(stream, register, cycle)] & bits(register, last) == 0
    }

    /// Occupies the registers; those before `register` stay as they are.
    func occupy(_ stream: Stream, from register: Int, at cycle: Int, to last: Int) {
        reach(cycle + 2 * edge)
        let i = index(stream, register, cycle)
        cells.pointee.log.append(Change(isSlot: false, index: i, old: cells.pointee.registers[i]))
        cells.pointee.registers[i] |= bits(register, last)
    }
}
