public import LPUMachine
public import LPUSchedule
public import LPUSupport

/// Where a schedule cannot be executed: the simulator stops with it.
///
/// Of all faults the one with the least (cycle, chip) is reported, in the order of the queues
/// within a cycle, whatever the number of threads.
public struct Fault: Error, Hashable, Sendable {
    /// The law of the contract that does not hold.
    public var law: Law
    public var chip: ChipID
    public var unit: Unit
    /// Of the issue that cannot be executed, or by which another one should have come.
    public var cycle: Cycle
    /// Lower case, both sides of what does not hold.
    public var message: String

    public init(_ law: Law, chip: ChipID, unit: Unit, cycle: Cycle, _ message: String) {
        self.law = law
        self.chip = chip
        self.unit = unit
        self.cycle = cycle
        self.message = message
    }
}

extension Fault: CustomStringConvertible {
    /// `chip17.mem.e12 @8100: fault: … [address-range]`
    public var description: String {
        "\(chip).\(unit) \(cycle): fault: \(message) [\(law.rawValue)]"
    }
}
