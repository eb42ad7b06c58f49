import LPUMachine
import LPUSchedule
import LPUSupport

// MEM: the queue's number is the slice's.
extension Elaborator {
    private func register(ofSlice queue: Int) -> Int {
        let slices = chip.memSlicesPerHemisphere
        return queue < slices
            ? chip.register(ofSlice: queue, in: .west)
            : chip.register(ofSlice: queue - slices, in: .east)
    }

    func issueMemory(_ read: MemoryRead, _ write: MemoryWrite, _ issue: Issue) throws(Fault) {
        if let bank = read.bank, bank == write.bank {
            throw fault(.memPort, issue, "read and write use bank \(bank) in one cycle")
        }
        switch read {
        case .none: break
        case .read(let address, let to): try issueRead(address, to, issue)
        case .gather(let window, let rows, let address, let to):
            try issueGather(window, Int(rows), address, to, issue)
        }
        switch write {
        case .none: break
        case .write(let address, let from): try issueWrite(address, from, issue)
        case .scatter(let window, let rows, let address, let from):
            try issueScatter(window, Int(rows), address, from, issue)
        }
    }

    private func issueRead(
        _ address: RowAddress, _ to: Stream, _ issue: Issue
    ) throws(Fault) {
        let row = Int(address.row) + cursors[issue.queue].step
        let bank = try bank(address, row..<row + 1, issue)
        var vector = memory.row(row, ofBank: bank)
        if vector == .none {
            throw fault(
                .addressRange, issue, "row \(row) of bank \(address.bank) was never written")
        }
        if vector.isSlot {
            let copy = pool.allocate(origin: vector)
            trace.append(.load(row: vector, to: copy), issue)
            vector = copy
        }
        try produce(
            vector, on: to, at: register(ofSlice: issue.queue), after: chip.readLatency, issue)
    }

    private func issueWrite(
        _ address: RowAddress, _ from: Stream, _ issue: Issue
    ) throws(Fault) {
        let row = Int(address.row) + cursors[issue.queue].step
        let bank = try bank(address, row..<row + 1, issue)
        let vector = try sample(from, at: register(ofSlice: issue.queue), issue)
        trace.append(.store(vector, row: memory.row(row, ofBank: bank)), issue)
    }

    private func issueGather(
        _ window: RowAddress, _ rows: Int, _ address: Stream, _ to: Stream, _ issue: Issue
    ) throws(Fault) {
        let register = register(ofSlice: issue.queue)
        let rows = try self.window(window, rows, issue)
        try keepAddress(address, in: \.readAddress, at: register, issue)
        let result = pool.allocate()
        let cursor = cursors[issue.queue]
        trace.append(
            .gather(rows, address: cursor.readAddress, step: Int32(cursor.step), to: result), issue)
        try produce(result, on: to, at: register, after: chip.gatherLatency, issue)
    }

    private func issueScatter(
        _ window: RowAddress, _ rows: Int, _ address: Stream, _ from: Stream, _ issue: Issue
    ) throws(Fault) {
        let register = register(ofSlice: issue.queue)
        let rows = try self.window(window, rows, issue)
        try keepAddress(address, in: \.writeAddress, at: register, issue)
        let vector = try sample(from, at: register, issue)
        let cursor = cursors[issue.queue]
        trace.append(
            .scatter(rows, address: cursor.writeAddress, step: Int32(cursor.step), vector), issue)
    }

    /// A burst's address vector, which its first issue samples for all.
    private func keepAddress(
        _ address: Stream, in place: WritableKeyPath<QueueCursor, Vector>, at register: Int,
        _ issue: Issue
    ) throws(Fault) {
        guard cursors[issue.queue].isFirstIssue else { return }
        let vector = try sample(address, at: register, issue)
        pool.retain(vector)
        cursors[issue.queue][keyPath: place] = vector
    }

    private func window(
        _ window: RowAddress, _ rows: Int, _ issue: Issue
    ) throws(Fault) -> RowWindow {
        let first = Int(window.row)
        let bank = try bank(window, first..<first + rows, issue)
        return RowWindow(bank: Int32(bank), first: Int32(first), rows: Int32(rows))
    }

    /// The number of the bank, if it has all of `rows`.
    private func bank(
        _ address: RowAddress, _ rows: Range<Int>, _ issue: Issue
    ) throws(Fault) -> Int {
        let bank = Int(address.bank)
        guard bank < chip.banksPerSlice else {
            throw fault(
                .addressRange, issue, "bank \(bank) is named, a slice has \(chip.banksPerSlice)")
        }
        guard rows.lowerBound >= 0, rows.upperBound <= chip.rowsPerBank else {
            throw fault(
                .addressRange, issue,
                "rows \(rows.lowerBound)..<\(rows.upperBound) are named, a bank has "
                    + "\(chip.rowsPerBank)")
        }
        return memory.bank(bank, ofSlice: issue.queue)
    }
}

extension MemoryRead {
    fileprivate var bank: UInt8? {
        switch self {
        case .none: nil
        case .read(let address, _), .gather(let address, _, _, _): address.bank
        }
    }
}

extension MemoryWrite {
    fileprivate var bank: UInt8? {
        switch self {
        case .none: nil
        case .write(let address, _), .scatter(let address, _, _, _): address.bank
        }
    }
}
