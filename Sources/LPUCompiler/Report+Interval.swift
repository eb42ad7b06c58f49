import LPUDataflow
import LPUMachine
import LPUSchedule
import LPUSupport

extension Report {
    /// Steps of several users under way at once.
    public struct Interval: Hashable, Sendable, Codable {
        public var users: Int
        /// Cycles from step to step, each of another user.
        public var cycles: Int
        /// Below which no interval is: the cycles in which the busiest queue or link issues in a
        /// step (ResMII), and the length shared by the users (RecMII).
        public var resourceMinimum: Int
        public var recurrenceMinimum: Int
        /// Of all users together, rounded down.
        public var tokensPerSecond: Int
        /// Of each user, where all are in flight.
        public var tokensPerSecondPerUser: Int
    }
}

extension Report.Interval {
    init(_ compilation: Compilation) {
        let (schedule, machine) = (compilation.schedule, compilation.machine)
        let length = schedule.claims.length.count
        let hertz = machine.chip.clockMegahertz * 1_000_000
        users = compilation.program.users
        cycles = schedule.interval?.count ?? length
        resourceMinimum = schedule.busiestCycles(on: machine)
        recurrenceMinimum = (length + users - 1) / users
        tokensPerSecond = cycles > 0 ? hertz / cycles : 0
        tokensPerSecondPerUser = cycles > 0 ? hertz / (cycles * users) : 0
    }
}

extension Schedule {
    /// Cycles of a step in which the busiest queue of any chip issues, or the busiest link carries.
    /// - Complexity: O(bursts + placements x queues).
    fileprivate func busiestCycles(on machine: Machine) -> Int {
        let units = machine.chip.units
        let programs = templates.map { template in
            template.chips.map { program in
                var cycles = Array(repeating: 0, count: units.count)
                for burst in program.bursts {
                    let isReceive = if case .receive = burst.instruction { true } else { false }
                    // A link's directions do not share it.
                    if !isReceive { cycles[burst.queue.index] += burst.issueCount }
                }
                return cycles
            }
        }
        var sums = Array(
            repeating: Array(repeating: 0, count: units.count), count: machine.chipCount)
        for placement in placements {
            for (place, chip) in placement.chips.enumerated() {
                for (queue, cycles) in programs[placement.template][place].enumerated() {
                    sums[chip.index][queue] += cycles
                }
            }
        }
        return sums.lazy.flatMap { $0.enumerated() }.map { queue, issues in
            guard case .link(let link) = units[queue],
                let interval = machine.topology.axis(of: link)?.interval
            else { return issues }
            return issues * interval.numerator / interval.denominator
        }.max() ?? 0
    }
}
