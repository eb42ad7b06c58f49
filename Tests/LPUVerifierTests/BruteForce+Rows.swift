import LPUMachine
import LPUSchedule
import LPUSupport

/// What a read finds in its row: laws 3 and 4 on queues that have an order.
extension BruteForce {
    private struct Row: Hashable {
        var bank: Int
        var row: Int
    }

    /// Rows that an issue reads, of a scatter those that it keeps, and those that it writes.
    private func rows(_ issue: Issue) -> (read: [Row], kept: [Row], written: [Row]) {
        guard case .memory(let read, let write) = issue.instruction else { return ([], [], []) }
        func window(_ first: RowAddress, _ count: Int32) -> [Row] {
            (0..<Int(count)).map { Row(bank: Int(first.bank), row: Int(first.row) + $0) }
        }
        func row(_ address: RowAddress) -> [Row] {
            [Row(bank: Int(address.bank), row: Int(address.row) + issue.step)]
        }
        var rows: (read: [Row], kept: [Row], written: [Row]) = ([], [], [])
        if case .read(let address, _) = read { rows.read = row(address) }
        if case .gather(let first, let count, _, _) = read { rows.read = window(first, count) }
        if case .write(let address, _) = write { rows.written = row(address) }
        if case .scatter(let first, let count, _, _) = write { rows.kept = window(first, count) }
        return rows
    }

    func readsUnsettled(_ c: Int) -> Bool {
        issues[c].filter(isOrdered).contains { queue in
            queue.contains { read in
                queue.contains { write in
                    write.cycle < read.cycle && read.cycle < write.cycle + chip.writeToRead
                        && !Set(rows(read).read)
                            .isDisjoint(with: rows(write).written + rows(write).kept)
                }
            }
        }
    }

    func readsUnwritten(_ c: Int) -> Bool {
        zip(chip.units, issues[c]).contains { unit, queue in
            let own = allocations[c].filter {
                unit == .memory($0.hemisphere, slice: Int($0.slice))
            }
            func holds(_ allocation: Allocation, _ row: Row) -> Bool {
                Int(allocation.base.bank) == row.bank
                    && (allocation.base.row..<allocation.base.row + allocation.rows)
                        .contains(Int32(row.row))
            }
            return isOrdered(queue)
                && queue.contains { issue in
                    (rows(issue).read + rows(issue).kept).contains { row in
                        let all = own.filter { holds($0, row) }
                        if all.contains(where: \.isImage) { return false }
                        // Back to when the row was taken, over lives that adjoin.
                        var since = issue.cycle
                        while all.contains(where: { $0.live.contains(Cycle(since - 1)) }) {
                            since -= 1
                        }
                        return !queue.contains {
                            (since..<issue.cycle).contains($0.cycle)
                                && rows($0).written.contains(row)
                        }
                    }
                }
        }
    }
}
