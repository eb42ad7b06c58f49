import LPUMachine
import LPUSchedule
import LPUSupport

/// Law 1: a burst holds its queue from its first issue to its last, one issue a cycle, none before
/// cycle 0; its Repeats are within the machine's limits.
enum QueueOrder: ChipLaw {
    static let law = Law.queueOrder

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for burst in timeline.strays { judge(stray: burst, timeline, &report) }
        report.count(timeline, queues: timeline.queues.indices)
        for (queue, range) in timeline.queues.enumerated() where !timeline.isOrdered[queue] {
            var holder: Burst?
            for i in range {
                let burst = timeline.bursts[i]
                if let holder, burst.start <= holder.lastIssue {
                    report.add(
                        chip: timeline.id, unit: timeline.unit(burst), cycle: burst.start.index,
                        "a burst starts \(burst.start), the burst of \(holder.start) holds the "
                            + "queue until \(holder.lastIssue)")
                }
                if holder.map({ burst.lastIssue > $0.lastIssue }) ?? true { holder = burst }
            }
        }
    }

    private static func judge(
        stray burst: Burst, _ timeline: ChipTimeline, _ report: inout LawReport
    ) {
        let units = timeline.table.units
        let queue = burst.queue.index
        guard units.indices.contains(queue) else {
            report.add(
                chip: timeline.id, cycle: burst.start.index,
                "queue \(queue) is named, a chip has \(units.count)")
            return
        }
        guard let problem = timeline.timingProblem(burst) else { return }
        report.add(chip: timeline.id, unit: units[queue], cycle: burst.start.index, problem)
    }
}

extension ChipTimeline {
    /// Why the issues of `burst` are in no possible cycles; nil if they are.
    func timingProblem(_ burst: Burst) -> String? { timingProblem(burst, from: burst.start) }

    /// `true` only where that is so, as of most bursts: of those with one Repeat at most.
    @inline(__always)
    func isPlain(_ burst: Burst, from start: Cycle) -> Bool {
        let (inner, cycles) = (burst.inner, 0..<PlacementIndex.horizon)
        guard cycles.contains(start.index), burst.outer.count == 1 else { return false }
        return inner.count == 1
            || chip.repeatDepth > 0 && (1...chip.maxRepeatCount).contains(Int(inner.count))
                && (1...chip.maxRepeatDistance).contains(Int(inner.distance))
    }

    /// The same if it starts then.
    func timingProblem(_ burst: Burst, from start: Cycle) -> String? {
        if start.index < 0 { return "the first issue is \(start), before @0" }
        if start.index >= PlacementIndex.horizon {
            return "the first issue is not before @\(PlacementIndex.horizon)"
        }
        let levels = (burst.inner.count != 1 ? 1 : 0) + (burst.outer.count != 1 ? 1 : 0)
        if levels > chip.repeatDepth {
            return "Repeats nest \(levels) deep, the machine allows \(chip.repeatDepth)"
        }
        if let problem = timingProblem(burst.inner) ?? timingProblem(burst.outer) {
            return problem
        }
        let round = (Int(burst.inner.count) - 1) * Int(burst.inner.distance)
        if levels == 2 && Int(burst.outer.distance) <= round {
            return "a round of the inner Repeat takes \(round + 1) cycles, the next begins after "
                + "\(burst.outer.distance); exchange the Repeats or split the burst"
        }
        return nil
    }

    private func timingProblem(_ level: Repeat) -> String? {
        if level.count == 1 { return nil }
        if !(1...chip.maxRepeatCount).contains(Int(level.count)) {
            return "repeats \(level.count) times, outside of 1...\(chip.maxRepeatCount)"
        }
        return (1...chip.maxRepeatDistance).contains(Int(level.distance))
            ? nil
            : "repeats every \(level.distance) cycles, outside of 1...\(chip.maxRepeatDistance)"
    }
}
