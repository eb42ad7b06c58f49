import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 2: no two producers put a vector on one stream at one register in one cycle. To overwrite a
/// passing vector further on is legal.
enum StreamConflict: ChipLaw {
    static let law = Law.streamConflict

    /// A burst's production on some streams of a register.
    private struct Entry {
        var cycles: Progression
        var burst: Int
        /// The first stream's place among the register's streams, westward ones first.
        var line: Int
        var count: Int
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
                        cycles: Progression(burst, delay: production.latency), burst: i,
                        line: side + stream.id, count: production.count))
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
        let order = entries.indices.map { (entries[$0].cycles.first, $0) }.sorted { $0 < $1 }
        var active: [[Int]] = Array(
            repeating: [], count: 2 * timeline.chip.streamsPerDirection)
        for (_, i) in order {
            let entry = entries[i]
            for line in entry.line..<entry.line + entry.count {
                var kept = 0
                for k in active[line].indices {
                    let other = active[line][k]
                    guard entries[other].cycles.last >= entry.cycles.first else { continue }
                    active[line][kept] = other
                    kept += 1
                    if let cycle = entries[other].cycles.firstCommon(with: entry.cycles) {
                        conflict(entries[other], entry, line, cycle, register, timeline, &report)
                    }
                }
                active[line].removeSubrange(kept...)
                active[line].append(i)
            }
        }
    }

    private static func conflict(
        _ a: Entry, _ b: Entry, _ line: Int, _ cycle: Int, _ register: Int,
        _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        let width = timeline.chip.streamsPerDirection
        let stream = Stream(line < width ? .west : .east, line % width)
        let (first, second) = (timeline.bursts[a.burst], timeline.bursts[b.burst])
        report.add(
            chip: timeline.id, unit: timeline.unit(second), cycle: second.start.index,
            "\(stream) at register \(register) takes a vector in cycle \(cycle) from this burst "
                + "and from \(timeline.unit(first)) \(first.start)")
    }
}
