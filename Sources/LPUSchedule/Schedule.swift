public import LPUMachine
public import LPUSupport

/// What one chip of a template does, and which rows it needs for it.
public struct ChipProgram: Hashable, Sendable {
    /// Sorted by queue, then start.
    public var bursts: [Burst]
    /// Sorted by slice, bank, row, then first cycle.
    public var allocations: [Allocation]
    public init(bursts: [Burst] = [], allocations: [Allocation] = []) {
        self.bursts = bursts
        self.allocations = allocations
    }
}

/// Instructions and rows of a few chips, timed from 0 and placed as often as the model repeats.
public struct ScheduleTemplate: Hashable, Sendable {
    public var name: String
    public var chips: [ChipProgram]
    public init(name: String, chips: [ChipProgram]) {
        self.name = name
        self.chips = chips
    }
}

/// Where the rows of a slot go in one placement.
@frozen public struct SlotOffset: Hashable, Sendable {
    /// Added to every row of the slot.
    public var rows: Int32
    /// `true` iff banks 0 and 1 change places.
    public var flipsBank: Bool
    public init(rows: Int, flipsBank: Bool = false) {
        self.rows = Int32(rows)
        self.flipsBank = flipsBank
    }
}

/// One use of a template: on which chips, from which cycle on, in which rows.
public struct Placement: Hashable, Sendable {
    /// Index into the schedule's templates.
    public var template: Int
    public var start: Cycle
    /// As many as the template has chips, all different.
    public var chips: [ChipID]
    /// Offsets of slots 1, 2, ...; slot 0 stays.
    public var slots: [SlotOffset]
    /// Added to the template's op and value numbers.
    public var opBase: Int
    public var valueBase: Int

    public init(
        template: Int, start: Cycle, chips: [ChipID], slots: [SlotOffset] = [], opBase: Int = 0,
        valueBase: Int = 0
    ) {
        self.template = template
        self.start = start
        self.chips = chips
        self.slots = slots
        self.opBase = opBase
        self.valueBase = valueBase
    }

    /// Where `address` of the template is; nil where the placement does not give its slot.
    @inlinable public func resolve(_ address: RowAddress) -> RowAddress? {
        address.resolved(in: slots)
    }
}

/// What the producer says of its schedule; the verifier recomputes each.
public struct Claims: Hashable, Sendable {
    /// Cycles of one step: from cycle 0 to one past the last issue of any burst.
    public var length: CycleCount
    /// Instructions as stored: bursts of all placements.
    public var burstCount: Int
    /// Single issues of all bursts of all placements.
    public var issueCount: Int
    /// `Schedule.digest`, where it is claimed.
    public var digest: String?
    public init(length: CycleCount, burstCount: Int, issueCount: Int, digest: String? = nil) {
        self.length = length
        self.burstCount = burstCount
        self.issueCount = issueCount
        self.digest = digest
    }
}

/// A schedule: every instruction of every queue of every chip with its cycle. Plain values; it
/// holds op and value numbers of the dataflow program as opaque integers.
public struct Schedule: Hashable, Sendable {
    /// Name of the machine it is for.
    public var machine: String
    /// Digest of the dataflow program's text.
    public var program: String
    /// Lane maps that distribute and permute instructions name.
    public var laneMaps: [[Int16]]
    public var templates: [ScheduleTemplate]
    public var placements: [Placement]
    /// Cycles between steps, for a schedule that is to be folded; nil if steps do not overlap.
    public var interval: CycleCount?
    public var claims: Claims

    public init(
        machine: String, program: String, laneMaps: [[Int16]] = [],
        templates: [ScheduleTemplate], placements: [Placement], interval: CycleCount? = nil,
        claims: Claims
    ) {
        self.machine = machine
        self.program = program
        self.laneMaps = laneMaps
        self.templates = templates
        self.placements = placements
        self.interval = interval
        self.claims = claims
    }
}
