import LPUSchedule

/// A law that is decided on each chip by itself.
protocol ChipLaw: SendableMetatype {
    static var law: Law { get }
    /// Adds to `report` what the law looks at on the chip, and every violation there.
    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport)
}

/// Every law that is decided chip by chip, in the contract's order.
let chipLaws: [any ChipLaw.Type] = [
    QueueOrder.self, StreamConflict.self, MemPort.self, SRAMOverlap.self, SRAMCapacity.self,
    MXMWeights.self, VXMRoute.self, LinkConflict.self, AddressRange.self,
]
