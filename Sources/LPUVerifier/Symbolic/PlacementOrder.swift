import LPUMachine
import LPUSchedule
import LPUSupport

/// The placements in an order in which each may be run by itself: on every chip one after another,
/// and each begins when nothing that an earlier one makes is still to appear.
struct PlacementOrder {
    /// Of one chip of a template: its first issue, and when the last thing it makes is there.
    private struct Extent {
        var first: Int
        var settled: Int
    }
    private(set) var placements: [Int] = []

    /// nil if there is no such order.
    /// - Requires: all laws that need no program hold.
    init?(_ machine: Machine, _ schedule: Schedule) {
        let extents = schedule.templates.map { template in
            template.chips.map { Self.extent($0, machine.chip) }
        }
        var parts: [[(first: Int, settled: Int, placement: Int)]] = Array(
            repeating: [], count: machine.chipCount)
        var starts: [Int] = []
        for (index, placement) in schedule.placements.enumerated() {
            let start = placement.start.index
            for (place, chip) in placement.chips.enumerated() {
                guard let extent = extents[placement.template][place] else { continue }
                parts[chip.index].append((start + extent.first, start + extent.settled, index))
            }
            starts.append(start + (extents[placement.template].compactMap { $0?.first }.min() ?? 0))
        }
        // Of each placement those that must come later, and how many it waits for.
        var later: [[Int]] = starts.map { _ in [] }
        var waits = starts.map { _ in 0 }
        for chip in parts.indices {
            let inOrder = parts[chip].sorted { $0 < $1 }
            for (before, after) in zip(inOrder, inOrder.dropFirst()) {
                guard before.settled <= after.first else { return nil }
                later[before.placement].append(after.placement)
                waits[after.placement] += 1
            }
        }
        var ready = starts.indices.filter { waits[$0] == 0 }
        while let next = ready.min(by: { (starts[$0], $0) < (starts[$1], $1) }) {
            ready.removeAll { $0 == next }
            placements.append(next)
            for other in later[next] {
                waits[other] -= 1
                if waits[other] == 0 { ready.append(other) }
            }
        }
        guard placements.count == starts.count else { return nil }
    }

    private static func extent(_ program: ChipProgram, _ chip: Chip) -> Extent? {
        var extent: Extent?
        for burst in program.bursts {
            var latency = 0
            Production.forEach(of: burst.instruction, on: chip) {
                latency = max(latency, $0.latency)
            }
            if case .memory = burst.instruction { latency = max(latency, chip.writeToRead) }
            let settled = burst.lastIssue.index + latency
            extent = Extent(
                first: min(extent?.first ?? Int.max, burst.start.index),
                settled: max(extent?.settled ?? settled, settled))
        }
        return extent
    }
}
