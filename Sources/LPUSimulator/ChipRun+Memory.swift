import LPUMachine
import LPUSchedule
import LPUSupport

/// Rows that were written but may not be read yet, on machines where that takes several cycles.
struct RecentWrites {
    private var writes: [(cycle: Int, bank: Int, row: Int)] = []

    mutating func note(cycle: Int, bank: Int, row: Int, writeToRead: Int) {
        if writeToRead == 1 { return }
        writes.removeAll { $0.cycle + writeToRead <= cycle }
        writes.append((cycle, bank, row))
    }

    /// When the row was last written, if a read in `cycle` is too early for it.
    func conflict(cycle: Int, bank: Int, row: Int, writeToRead: Int) -> Int? {
        writes.last { $0.bank == bank && $0.row == row && $0.cycle + writeToRead > cycle }?.cycle
    }
}

// MEM: the queue's number is the slice's.
extension ChipRun {
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
        try checkSettled(bank, row, issue)
        let vector = memory.row(row, ofBank: bank)
        if vector == .none { throw neverWritten(address, row, issue) }
        pool.retain(vector)
        try produce(
            vector, on: to, at: register(ofSlice: issue.queue), after: chip.readLatency, issue)
    }

    private func issueWrite(
        _ address: RowAddress, _ from: Stream, _ issue: Issue
    ) throws(Fault) {
        let row = Int(address.row) + cursors[issue.queue].step
        let bank = try bank(address, row..<row + 1, issue)
        let vector = try sample(from, at: register(ofSlice: issue.queue), issue)
        memory.write(vector, toRow: row, ofBank: bank)
        recentWrites.note(
            cycle: issue.cycle, bank: bank, row: row, writeToRead: chip.writeToRead)
    }

    private func issueGather(
        _ window: RowAddress, _ rows: Int, _ address: Stream, _ to: Stream, _ issue: Issue
    ) throws(Fault) {
        let register = register(ofSlice: issue.queue)
        let first = Int(window.row)
        let bank = try bank(window, first..<first + rows, issue)
        if cursors[issue.queue].isFirstIssue {
            let vector = try sample(address, at: register, issue)
            pool.retain(vector)
            cursors[issue.queue].readAddress = vector
        }
        let offsets = pool.bytes(cursors[issue.queue].readAddress)
        let result = pool.allocate()
        let lanes = chip.lanesPerSuperlane
        for superlane in 0..<chip.superlanes {
            let row = first + (try offset(offsets, superlane, rows, issue))
            try checkSettled(bank, row, issue)
            let vector = memory.row(row, ofBank: bank, superlane: superlane)
            if vector == .none { throw neverWritten(window, row, issue) }
            (pool.mutableBytes(result) + superlane * lanes)
                .update(from: pool.bytes(vector) + superlane * lanes, count: lanes)
        }
        try produce(result, on: to, at: register, after: chip.gatherLatency, issue)
    }

    private func issueScatter(
        _ window: RowAddress, _ rows: Int, _ address: Stream, _ from: Stream, _ issue: Issue
    ) throws(Fault) {
        let register = register(ofSlice: issue.queue)
        let first = Int(window.row)
        let bank = try bank(window, first..<first + rows, issue)
        if cursors[issue.queue].isFirstIssue {
            let vector = try sample(address, at: register, issue)
            pool.retain(vector)
            cursors[issue.queue].writeAddress = vector
        }
        let offsets = pool.bytes(cursors[issue.queue].writeAddress)
        let vector = try sample(from, at: register, issue)
        for superlane in 0..<chip.superlanes {
            let row = first + (try offset(offsets, superlane, rows, issue))
            memory.write(superlane: superlane, of: vector, toRow: row, ofBank: bank)
            recentWrites.note(
                cycle: issue.cycle, bank: bank, row: row, writeToRead: chip.writeToRead)
        }
    }

    /// The offset of a superlane into the window, in this issue.
    private func offset(
        _ address: UnsafePointer<UInt8>, _ superlane: Int, _ rows: Int, _ issue: Issue
    ) throws(Fault) -> Int {
        let lane = superlane * chip.lanesPerSuperlane
        let sampled = Int(address[lane]) | Int(address[lane + 1]) << 8
        let offset = sampled + cursors[issue.queue].step
        if (0..<rows).contains(offset) { return offset }
        throw fault(
            .addressRange, issue,
            "superlane \(superlane) addresses row \(offset) of a window of \(rows)")
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

    private func checkSettled(_ bank: Int, _ row: Int, _ issue: Issue) throws(Fault) {
        let written = recentWrites.conflict(
            cycle: issue.cycle, bank: bank, row: row, writeToRead: chip.writeToRead)
        guard let written else { return }
        throw fault(
            .memPort, issue,
            "row \(row) is written in \(Cycle(written)), a read sees it from "
                + "\(Cycle(written + chip.writeToRead)) on")
    }

    private func neverWritten(_ address: RowAddress, _ row: Int, _ issue: Issue) -> Fault {
        fault(.addressRange, issue, "row \(row) of bank \(address.bank) was never written")
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
