import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 2: no two producers put a vector on one stream at one register in one cycle. To overwrite a
/// passing vector further on is legal.
enum StreamConflict: ChipLaw {
    static let law = Law.streamConflict

    /// A burst's production on some streams of a register.
    private struct Entry {
        /// The first and the last cycle in which it puts a vector there.
        var first: Int
        var last: Int
        var burst: Int32
        /// From an issue to its vector.
        var delay: Int32
        /// The first stream's place among the register's streams, westward ones first.
        var line: Int32
        var count: Int32

        func firstCommon(with other: Entry, _ bursts: [Burst]) -> Int? {
            if first == last && other.first == other.last {
                return first == other.first ? first : nil
            }
            return Progression(bursts[Int(burst)], delay: Int(delay)).firstCommon(
                with: Progression(bursts[Int(other.burst)], delay: Int(other.delay)))
        }
    }

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        let edge = timeline.chip.edge
        var entries: [[Entry]] = Array(repeating: [], count: 2 * edge + 1)
        for i in timeline.bursts.indices where timeline.isSound[i] {
            let burst = timeline.bursts[i]
            let register = timeline.table.registers[burst.queue.index]
            var produces = false
            Production.forEach(of: burst.instruction, on: timeline.chip) { production in
                produces = true
                let stream = production.stream
                let side = Int(stream.direction.rawValue) * timeline.chip.streamsPerDirection
                entries[register + edge].append(
                    Entry(
                        first: burst.start.index + production.latency,
                        last: burst.lastIssue.index + production.latency, burst: Int32(i),
                        delay: Int32(production.latency), line: Int32(side + stream.id),
                        count: Int32(production.count)))
            }
            if produces { report.count(burst) }
        }
        for (index, group) in entries.enumerated() {
            sweep(group, register: index - edge, timeline, &report)
        }
    }

    /// Compares each entry with those on its streams that may still produce when it begins.
    private static func sweep(
        _ entries: [Entry], register: Int, _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        let order = entries.indices.map { (entries[$0].first, Int32($0)) }.sorted { $0 < $1 }
        var active: [[Entry]] = Array(
            repeating: [], count: 2 * timeline.chip.streamsPerDirection)
        for (_, i) in order {
            let entry = entries[Int(i)]
            for line in Int(entry.line)..<Int(entry.line + entry.count) {
                var kept = 0
                for k in active[line].indices {
                    let other = active[line][k]
                    guard other.last >= entry.first else { continue }
                    active[line][kept] = other
                    kept += 1
                    if let cycle = other.firstCommon(with: entry, timeline.bursts) {
                        conflict(other, entry, line, cycle, register, timeline, &report)
                    }
                }
                active[line].removeLast(active[line].count - kept)
                active[line].append(entry)
            }
        }
    }

    private static func conflict(
        _ a: Entry, _ b: Entry, _ line: Int, _ cycle: Int, _ register: Int,
        _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        let width = timeline.chip.streamsPerDirection
        let stream = Stream(line < width ? .west : .east, line % width)
        let (first, second) = (timeline.bursts[Int(a.burst)], timeline.bursts[Int(b.burst)])
        report.add(
            chip: timeline.id, unit: timeline.unit(second), cycle: second.start.index,
            "\(stream) at register \(register) takes a vector in cycle \(cycle) from this burst "
                + "and from \(timeline.unit(first)) \(first.start)")
    }
}
