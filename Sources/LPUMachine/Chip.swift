public import LPUSupport

/// One chip of the family: floor plan, units, latencies; every number the scheduler, verifier and
/// simulator take. Cycles unless the name says otherwise; sources and grades stand in the machine.
public struct Chip: Hashable, Sendable {
    // Clock and vector.
    public var clockMegahertz = 0
    public var superlanes = 0
    public var lanesPerSuperlane = 0
    // Streams.
    public var streamsPerDirection = 0
    /// Aligned streams that VXM operands come from.
    public var streamsPerGroup = 0
    // SRAM.
    public var memSlicesPerHemisphere = 0
    /// Slices on one stream register.
    public var memSlicesPerGroup = 0
    public var banksPerSlice = 0
    /// Rows of one vector.
    public var rowsPerBank = 0
    public var readLatency = 0
    public var gatherLatency = 0
    /// A read issued so much after a write or scatter sees the row.
    public var writeToRead = 0
    public var gatherOffsetBits = 0
    // MXM.
    public var planesPerHemisphere = 0
    /// Weight vectors of a plane.
    public var planeRows = 0
    public var weightStreamsPerPlane = 0
    /// `install` at t takes what arrived up to t - installLatency.
    public var installLatency = 0
    /// A second load of a row issues no earlier than so much before the install of the first.
    public var loadBeforeInstall = 0
    public var installCadence = 0
    public var matmulCadence = 0
    /// Between two fp16 activations of a tandem pair.
    public var tandemCadence = 0
    /// `accumulate` issues exactly so much after the `matmul` whose sum it takes.
    public var matmulToAccumulate = 0
    public var accumulateLatency = 0
    public var accumulatorRows = 0
    // VXM.
    public var aluCount = 0
    /// A stream operand is what was at register 0 so much before the operation fires.
    public var vxmEntryLatency = 0
    public var aluLatency = 0
    /// From a result to its appearing at register 0, seen beyond it.
    public var vxmExitLatency = 0
    /// ALUs in a row of the mesh; ALU a is in row a / aluColumns.
    public var aluColumns = 0
    /// Stream groups that each row of ALUs takes and gives, row by row.
    public var aluRowGroups: [[Int]] = []
    /// ALUs that have the operations marked large.
    public var largeALUs: [Int] = []
    // SXM, a hemisphere.
    public var distributors = 0
    public var distributorStreams = 0
    public var distributeLatency = 0
    public var transposers = 0
    public var transposerStreams = 0
    public var transposeLatency = 0
    public var permutors = 0
    public var permutorStreams = 0
    public var permuteLatency = 0
    public var shifters = 0
    public var shifterStreams = 0
    public var shiftLatency = 0
    public var rotateLatency = 0
    public var selectLatency = 0
    // C2C and host.
    public var linkCount = 0
    public var receiveLatency = 0
    /// Vectors a link's FIFO holds from arrival to `receive`.
    public var receiveDepth = 0
    public var ingressLatency = 0
    public var hostInterval = Rational(1)
    // Program text.
    public var instructionBytes = 0
    public var repeatDepth = 0
    public var maxRepeatCount = 0
    public var maxRepeatDistance = 0
    public var maxWait = 0

    public init() {}
}

extension Chip {
    /// Bytes of a vector, one a lane.
    @inlinable public var lanes: Int { superlanes * lanesPerSuperlane }
    @inlinable public var memGroupsPerHemisphere: Int { memSlicesPerHemisphere / memSlicesPerGroup }
    /// The outermost register of a side: SXM, MXM, C2C and the host port sit at ±edge.
    @inlinable public var edge: Int { memGroupsPerHemisphere + 1 }
    /// The register of a MEM slice; slice 0 is next to the VXM.
    @inlinable public func register(ofSlice slice: Int, in hemisphere: Hemisphere) -> Int {
        hemisphere.sign * (slice / memSlicesPerGroup + 1)
    }
    /// Bytes of SRAM on the chip.
    public var sramBytes: Int { rowCount * lanes }
    /// Rows of all slices.
    @inlinable public var rowCount: Int {
        2 * memSlicesPerHemisphere * banksPerSlice * rowsPerBank
    }
    /// The number of a row among all of the chip: slice by slice, west first, and bank by bank.
    /// - Requires: `address` has no slot.
    @inlinable public func rowIndex(
        _ hemisphere: Hemisphere, slice: Int, _ address: RowAddress
    ) -> Int {
        let slice = Int(hemisphere.rawValue) * memSlicesPerHemisphere + slice
        return (slice * banksPerSlice + Int(address.bank)) * rowsPerBank + Int(address.row)
    }
    /// Slices of a side next to the VXM that hold what passes between ops, tables and constants;
    /// the others, in whole sets that feed both planes with a byte a weight, hold weights and
    /// caches.
    public var scratchSlices: Int {
        let feeds = 2 * weightStreamsPerPlane
        let spare = memSlicesPerHemisphere % feeds
        return spare >= 8 ? spare : min(spare + feeds / 2, memSlicesPerHemisphere)
    }
    /// From a matmul's issue to its sum at the edge register.
    @inlinable public var matmulLatency: Int { matmulToAccumulate + accumulateLatency }
    /// From an ALU operation's firing to its result at register 0.
    @inlinable public var aluResultLatency: Int { aluLatency + vxmExitLatency }
    /// The longest from an issue to what it makes at its own register.
    public var longestLatency: Int {
        [
            readLatency, gatherLatency, accumulateLatency, aluResultLatency, distributeLatency,
            transposeLatency, permuteLatency, shiftLatency, rotateLatency, selectLatency,
            receiveLatency, ingressLatency,
        ].reduce(0, max)
    }
    /// Load cycles of a full tile.
    @inlinable public var loadCycles: Int { planeRows / weightStreamsPerPlane }
    /// Even links sit west, odd links east.
    @inlinable public func hemisphere(of link: LinkID) -> Hemisphere {
        link.index % 2 == 0 ? .west : .east
    }
    /// The side of the host port.
    @inlinable public var hostHemisphere: Hemisphere { .west }
    /// `true` iff ALU `alu` may take from and give to stream group `group`.
    public func alu(_ alu: Int, reachesGroup group: Int) -> Bool {
        aluRowGroups[alu / aluColumns].contains(group)
    }
}
