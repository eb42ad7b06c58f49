public import LPUMachine
public import LPUSchedule
import LPUSupport

/// How much of a chip's SRAM a schedule uses at any time of the step.
public struct SRAMUse: Hashable, Sendable, Codable {
    public var chip: Int
    /// Bytes of rows that some entry of the SRAM map names.
    public var bytes: Int
    /// Bytes of those that the memory image fills: weights, tables and caches.
    public var imageBytes: Int

    /// One a chip of the machine, in order.
    /// - Requires: placements name templates of the schedule and chips of the machine, as in a
    ///   schedule that was read or made here.
    /// - Complexity: O(n log n) in the entries of all placements.
    public static func perChip(_ schedule: Schedule, on machine: Machine) -> [SRAMUse] {
        var all = [[Range<Int>]](repeating: [], count: machine.chipCount)
        var image = all
        for placement in schedule.placements {
            let programs = schedule.templates[placement.template].chips
            for (chip, program) in zip(placement.chips, programs) {
                for allocation in program.allocations {
                    let rows = allocation.rows(in: placement, on: machine.chip)
                    all[chip.index].append(rows)
                    if allocation.isImage { image[chip.index].append(rows) }
                }
            }
        }
        let lanes = machine.chip.lanes
        return (0..<machine.chipCount).map { chip in
            SRAMUse(
                chip: chip, bytes: unionCount(all[chip]) * lanes,
                imageBytes: unionCount(image[chip]) * lanes)
        }
    }

    /// How many numbers are in at least one of the ranges.
    private static func unionCount(_ ranges: [Range<Int>]) -> Int {
        var count = 0
        var end = Int.min
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            count += max(0, range.upperBound - max(end, range.lowerBound))
            end = max(end, range.upperBound)
        }
        return count
    }
}
