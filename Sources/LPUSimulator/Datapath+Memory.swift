import LPUMachine
import LPUSchedule
import LPUSupport

/// Rows that were written but may not be read yet, on machines where that takes several cycles.
struct RecentWrites {
    private var writes: [(cycle: Int, row: Vector)] = []

    mutating func note(cycle: Int, _ row: Vector, writeToRead: Int) {
        if writeToRead == 1 { return }
        writes.removeAll { $0.cycle + writeToRead <= cycle }
        writes.append((cycle, row))
    }

    /// When the row was last written, if a read in `cycle` is too early for it.
    func conflict(cycle: Int, _ row: Vector, writeToRead: Int) -> Int? {
        writes.last { $0.row == row && $0.cycle + writeToRead > cycle }?.cycle
    }
}

// MEM: rows that something writes.
extension Datapath {
    func load(_ row: Vector, _ to: Vector, _ issue: Issue) throws(Fault) {
        try checkSettled(row, issue)
        if written[Int(row.raw)] != whole { throw neverWritten(row, issue) }
        bytes(of: to).update(from: bytes(row), count: chip.lanes)
        versions[Int(to.raw)] = versions[Int(row.raw)]
    }

    func store(_ vector: Vector, _ row: Vector, _ issue: Issue) {
        setRow(row, to: bytes(vector))
        recentWrites.note(cycle: issue.cycle, row, writeToRead: chip.writeToRead)
    }

    func gather(
        _ window: RowWindow, _ address: Vector, _ step: Int, _ to: Vector, _ issue: Issue
    ) throws(Fault) {
        let (offsets, result) = (bytes(address), bytes(of: to))
        let lanes = chip.lanesPerSuperlane
        for superlane in 0..<chip.superlanes {
            let row = try row(window, offsets, step, superlane, issue)
            let vector = memory.row(row, ofBank: Int(window.bank))
            if vector == .none { throw neverWritten(row, Int(window.bank), issue) }
            if vector.isSlot {
                try checkSettled(vector, issue)
                if written[Int(vector.raw)] & 1 << UInt64(superlane) == 0 {
                    throw neverWritten(row, Int(window.bank), issue)
                }
            }
            (result + superlane * lanes)
                .update(from: bytes(vector) + superlane * lanes, count: lanes)
        }
    }

    func scatter(
        _ window: RowWindow, _ address: Vector, _ step: Int, _ vector: Vector, _ issue: Issue
    ) throws(Fault) {
        let (offsets, source) = (bytes(address), bytes(vector))
        let lanes = chip.lanesPerSuperlane
        for superlane in 0..<chip.superlanes {
            let row = try row(window, offsets, step, superlane, issue)
            let slot = memory.row(row, ofBank: Int(window.bank))
            (bytes(of: slot) + superlane * lanes)
                .update(from: source + superlane * lanes, count: lanes)
            note(write: 1 << UInt64(superlane), to: slot)
            recentWrites.note(cycle: issue.cycle, slot, writeToRead: chip.writeToRead)
        }
    }

    /// The row of the bank that a superlane addresses.
    @inline(__always)
    private func row(
        _ window: RowWindow, _ address: UnsafePointer<UInt8>, _ step: Int, _ superlane: Int,
        _ issue: Issue
    ) throws(Fault) -> Int {
        let lane = superlane * chip.lanesPerSuperlane
        let offset = (Int(address[lane]) | Int(address[lane + 1]) << 8) + step
        if (0..<Int(window.rows)).contains(offset) { return Int(window.first) + offset }
        throw fault(
            .addressRange, issue,
            "superlane \(superlane) addresses row \(offset) of a window of \(window.rows)")
    }

    @inline(__always)
    private func checkSettled(_ row: Vector, _ issue: Issue) throws(Fault) {
        if chip.writeToRead == 1 { return }
        let written = recentWrites.conflict(
            cycle: issue.cycle, row, writeToRead: chip.writeToRead)
        guard let written else { return }
        throw fault(
            .memPort, issue,
            "row \(memory.place(of: row).row) is written in \(Cycle(written)), a read sees it from "
                + "\(Cycle(written + chip.writeToRead)) on")
    }

    private func neverWritten(_ slot: Vector, _ issue: Issue) -> Fault {
        let place = memory.place(of: slot)
        return neverWritten(place.row, place.bank, issue)
    }

    private func neverWritten(_ row: Int, _ bank: Int, _ issue: Issue) -> Fault {
        fault(
            .addressRange, issue,
            "row \(row) of bank \(bank % chip.banksPerSlice) was never written")
    }
}
