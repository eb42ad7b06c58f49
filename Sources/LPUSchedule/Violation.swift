public import LPUMachine
public import LPUSupport

/// The laws of the execution contract, in the contract's order.
public enum Law: String, Hashable, Sendable, CaseIterable {
    case queueOrder = "queue-order"
    case streamConflict = "stream-conflict"
    case memPort = "mem-port"
    case sramOverlap = "sram-overlap"
    case sramCapacity = "sram-capacity"
    case operandTiming = "operand-timing"
    case mxmWeights = "mxm-weights"
    case vxmRoute = "vxm-route"
    case linkConflict = "link-conflict"
    case linkPath = "link-path"
    case addressRange = "address-range"
    case provenance
    case coverage
    case claims
    case intervalFolded = "interval-folded"
    case refinement
}

/// One way in which a schedule breaks a law.
public struct Violation: Hashable, Sendable {
    public var law: Law
    public var chip: ChipID?
    public var unit: Unit?
    public var cycle: Cycle?
    /// Both sides of what does not hold, lower case.
    public var message: String

    public init(
        _ law: Law, chip: ChipID? = nil, unit: Unit? = nil, cycle: Cycle? = nil, _ message: String
    ) {
        self.law = law
        self.chip = chip
        self.unit = unit
        self.cycle = cycle
        self.message = message
    }
}

extension Violation: Comparable, CustomStringConvertible {
    /// `chip17.mem.e12 @8100: error: … [sram-overlap]`
    public var description: String {
        let place = [chip?.description, unit?.description].compactMap(\.self).joined(separator: ".")
        let words = [place, cycle?.description ?? ""].filter { !$0.isEmpty }
        let head = words.isEmpty ? "schedule" : words.joined(separator: " ")
        return "\(head): error: \(message) [\(law.rawValue)]"
    }

    /// By chip, cycle, unit's name, law and message: a total order, so that reports are stable.
    public static func < (a: Violation, b: Violation) -> Bool {
        let ka = (a.chip?.index ?? -1, a.cycle?.index ?? -1, a.unit?.description ?? "")
        let kb = (b.chip?.index ?? -1, b.cycle?.index ?? -1, b.unit?.description ?? "")
        if ka != kb { return ka < kb }
        return (a.law.rawValue, a.message) < (b.law.rawValue, b.message)
    }
}
