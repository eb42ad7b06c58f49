import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Places the bundles of one template, one after another, each iteration at the first cycle at
/// which every queue, port, bank, stream register and buffer it needs is free: list scheduling
/// with backfilling on reservation tables (Rau, MICRO-27 1994, without the modulo).
final class Placer {
    let machine: Machine
    let chip: Chip
    let template: ProgramTemplate
    var choice: Choice
    var tables: [Reservations]
    /// Rows taken so far, by the number in `mapOf`.
    var srams: [SRAM]
    /// Of each place the first one that some chip has as well, in another instance: they share its
    /// rows.
    let mapOf: [Int]
    /// Planes a chip: `hemisphere * planes + plane`.
    var planes: [[PlaneState]]
    /// Chips of the machine that the template's places stand for.
    let chips: [ChipID]
    /// What the parameters are bound to in the first instance.
    let bindings: [Binding?]
    /// `true` iff the template's images have rows of each placement's own.
    let movesImages: Bool
    /// `true` iff images rest where another program has them.
    var isGuest = false
    /// By value: an instance takes it, or what is packed of it, as an argument.
    private(set) var isTaken: [Bool]
    /// `true` iff rows of what no instance takes are free behind this template.
    var lendsRows = false
    /// `true` iff what ends here rests where that of other templates does: rows are few.
    var sharesRows = false
    /// Of each vector, how many of its copies an earlier template made.
    var given: [Int]
    /// `true` iff most ops of the template are for more vectors than a load takes.
    let isBatched: Bool
    /// Of each of many vectors, where and when it passes an edge as an activation.
    var passing: [[Delivery]]
    /// Rows that results must be written to, where the next instance expects them.
    var pins: [[Location]?]

    /// `vectorBase[value] + vector` indexes `copies`.
    let vectorBase: [Int]
    var copies: [[Copy]]
    var tilePlaces: [[TilePlace]]
    var blockPlaces: [BlockPlace?]
    let consumers: [[(op: Int, operand: Int)]]
    /// By value: more sums take it than there are planes.
    private(set) lazy var isTakenByMany = consumers.map { consumers in
        consumers.count { isMatmul($0.op) } > 2 * chip.planesPerHemisphere
    }
    /// The bundle of each op and its place in it.
    var bundleOf: [(bundle: Int, place: Int)]
    var bundles: [Bundle]
    /// The base of the last iteration of a pattern.
    var lastBase = 0
    /// Rows of each bank near the VXM that no table takes: for what passes between ops.
    let scratchRows: Int
    /// Round-robin over scratch slices, so that neighbours in time rest in different slices.
    var rotor = 0
    /// `place * links + link`.
    var linkHistory: [LinkHistory]
    var laneMaps: [[Int16]] = []
    /// The plane of each matmul op, its first accumulator row there, and the tiles of its terms.
    var planeOf: [PlaneChoice?]
    var rowOf: [Int]
    var tileUseOf: [[Int]]
    /// The last bundle whose planes are prepared.
    var lastPrepared = -1
    var tileUses: [TileUse] = []
    /// Tiles that activations take longer to pass than loads.
    var lastingTiles: Set<Tile> = []
    /// By value: those that the template makes and tiles are loaded from.
    var madeSources: [Int: MadeSource] = [:]
    /// By place and plane, the bank and slices that its last image tile rests in.
    var tileHomes: [[(bank: Int, slices: [QueueID])?]]
    /// By place and plane, rows of image tiles of the template's own that are to be placed.
    var columnsLeft: [[Int]]
    /// Parts that all chips of an orbit send each other, and where their slots rest.
    let exchanges: [Exchange]
    var exchangeHomes: [ExchangeHome] = []
    var isExchanged: [Bool]
    /// The chips that each representative stands for, itself first.
    let orbitChips: [[ChipID]]
    private(set) var exchangeOf: [Int?]
    /// For a scattered version of a region, from when on its rows may be read.
    var regionReady: [Int]
    /// Of a region, the last cycle at which its rows were read.
    var lastRead: [Int]
    /// Of an address vector, the cycle of the last gather by it.
    var lastAddressed: [Int: Int] = [:]
    let registers: [Int]
    let allStreams: [[Stream]]
    let rankedALUs: [[Int]]
    let largeALUs: [[Int]]
    /// Cycles of the host port's instructions, by chip.
    var hostHistory: [[Int]]
    /// Of each value, the gather into tiles that makes it.
    let tileGathers: [TileGather?]
    /// Where regions rest: those that one tile is loaded from in 16 slices of a side.
    let blockHomes: [BlockHome?]

    init(
        machine: Machine, template: ProgramTemplate, chips: [ChipID], choice: Choice,
        srams: [SRAM], mapOf: [Int], bindings: [Binding?], movesImages: Bool, scratchRows: Int,
        exchanges: [Exchange] = [],
        orbitChips: [[ChipID]] = []
    ) {
        self.machine = machine
        self.srams = srams
        self.mapOf = mapOf
        self.bindings = bindings
        self.movesImages = movesImages
        self.scratchRows = scratchRows
        chip = machine.chip
        registers = chip.registersOfSlices
        (largeALUs, rankedALUs) = (chip.largeALUsByRow, chip.rankedALUs)
        allStreams = chip.streamsByDirection
        self.template = template
        let batched = template.ops.count { $0.count > machine.chip.weightStreamsPerPlane }
        isBatched = 2 * batched > template.ops.count
        self.chips = chips
        self.choice = choice
        tables = chips.map { _ in Reservations(chip: machine.chip) }
        planes = chips.map { _ in
            Array(
                repeating: PlaneState(rows: machine.chip.accumulatorRows),
                count: 2 * machine.chip.planesPerHemisphere)
        }
        linkHistory = Array(
            repeating: LinkHistory(), count: chips.count * machine.chip.linkCount)
        var base = 0
        vectorBase = template.values.map { value in
            defer { base += value.count }
            return base
        }
        copies = Array(repeating: [], count: base)
        isTaken = template.values.map { _ in false }
        pins = Array(repeating: nil, count: base)
        given = Array(repeating: 0, count: base)
        passing = Array(repeating: [], count: base)
        tilePlaces = Array(repeating: [], count: template.values.count)
        blockPlaces = Array(repeating: nil, count: template.values.count)
        planeOf = Array(repeating: nil, count: template.ops.count)
        rowOf = Array(repeating: 0, count: template.ops.count)
        tileUseOf = Array(repeating: [], count: template.ops.count)
        tileHomes = planes.map { $0.map { _ in nil } }
        columnsLeft = planes.map { $0.map { _ in 0 } }
        self.exchanges = exchanges
        isExchanged = exchanges.map { _ in false }
        self.orbitChips = orbitChips
        exchangeOf = template.exchangeOfValues(exchanges)
        regionReady = Array(repeating: 0, count: template.values.count)
        tileGathers = template.tileGathers(streams: machine.chip.weightStreamsPerPlane)
        blockHomes = template.blockHomes(
            stripes: machine.chip.weightStreamsPerPlane, tileGathers)
        lastRead = Array(repeating: -1, count: template.values.count)
        hostHistory = chips.map { _ in [] }
        consumers = template.consumers
        bundles =
            BundleBuilder(
                chip: machine.chip, template: template, followsChains: choice.followsChains,
                gathers: tileGathers
            ).bundles()
        bundleOf = Array(repeating: (-1, -1), count: template.ops.count)
        for (b, bundle) in bundles.enumerated() {
            for (k, op) in bundle.ops.enumerated() { bundleOf[op] = (b, k) }
        }
    }

    /// Places every op of the template.
    func run() throws(Infeasibility) {
        try choosePlanes()
        try placeMadeTiles()
        try placeRegions()
        try placeTables()
        try placeExchangeSlots()
        for b in bundles.indices {
            try place(bundle: b)
            tables[bundles[b].chip].commit()
        }
    }

    /// Cycles that one placement takes each place: until the last issue.
    /// - Complexity: O(issues); keep the result.
    func lengths() -> [Int] {
        tables.map { ($0.issues.lazy.map(\.last).max() ?? -1) + 1 }
    }

    /// The first issue of each place.
    func firstIssues() -> [Int] {
        tables.map { $0.issues.lazy.map(\.cycle).min() ?? 0 }
    }

    private func place(bundle b: Int) throws(Infeasibility) {
        let bundle = bundles[b]
        let op = template.ops[bundle.ops[0]]
        for i in 0..<(isWhole(op.kind) ? 1 : bundle.count) {
            switch op.kind {
            case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select:
                if i == 0 { try preparePlanes(b) }
                try placePattern(b, iteration: i)
            case .transpose: try placeTranspose(bundle)
            case .gather: try placeGather(bundle, iteration: i)
            case .scatter(_, _, let address, let data):
                let mark = tables[bundle.chip].mark
                do throws(Infeasibility) {
                    try placeScatter(bundle, iteration: i)
                } catch {
                    // Address and data in one slice cannot be read together.
                    tables[bundle.chip].rollBack(to: mark)
                    try copyAcross(address, i, op: bundle.ops[0])
                    try copyAcross(data, i, op: bundle.ops[0])
                    try placeScatter(bundle, iteration: i)
                }
            case .transfer:
                if exchange(bringing: op.result) != nil {
                    // They are placed together, as the first of their transfers is reached.
                    for e in exchanges(from: b) { try placeExchange(e) }
                } else {
                    try placeTransfer(bundle, iteration: i)
                }
            case .ingress: try placeIngress(bundle, iteration: i)
            case .egress: try placeEgress(bundle, iteration: i)
            case .pack, .byte: break
            }
        }
    }

    private func isWhole(_ kind: OpKind) -> Bool {
        switch kind {
        case .transpose: true
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .gather,
            .scatter, .transfer, .ingress, .egress, .pack, .byte:
            false
        }
    }

    /// The first cycle from `start` on for which `attempt` succeeds; what failed attempts reserved
    /// is taken back.
    func firstCycle(
        from start: Int, on place: Int, op: Int, _ attempt: (Int) throws(Infeasibility) -> Bool
    ) throws(Infeasibility) -> Int {
        let table = tables[place]
        var cycle = max(start, opening(of: place))
        let limit = cycle + choice.searchWindow
        while cycle < limit {
            let mark = table.mark
            let undo = scratchMark
            if try attempt(cycle) { return cycle }
            table.rollBack(to: mark)
            rollBackScratch(to: undo)
            cycle += 1
        }
        throw Infeasibility(
            at: "\(chips[place]), '\(template.values[template.ops[op].result.index].name)' of "
                + "'\(template.name)'", id: "schedule-window",
            unit: "cycles without a conflict", demand: 1, capacity: 0, terms: [],
            remedies: ["a program with fewer operands in one chain"])
    }

    /// The first cycle at which something arrives at a place that another one hands over to: until
    /// then its chip works on what else it has.
    private func opening(of place: Int) -> Int {
        guard mapOf[place] != place else { return 0 }
        let links = place * chip.linkCount..<(place + 1) * chip.linkCount
        return linkHistory[links].compactMap(\.receives.first).min() ?? 0
    }

    // MARK: Scratch rows taken by an attempt

    /// Rows written and copies noted since the last commit, so that an attempt can be undone.
    var scratchLog: [(location: [Location], slot: Int, isPinned: Bool)] = []
    var scratchMark: Int { scratchLog.count }

    func rollBackScratch(to mark: Int) {
        while scratchLog.count > mark {
            let entry = scratchLog.removeLast()
            let last = copies[entry.slot].count - 1
            copies[entry.slot][last].planes.removeLast(entry.location.count)
            if copies[entry.slot][last].planes.isEmpty { copies[entry.slot].removeLast() }
            if entry.isPinned { continue }
            let place = chipOfSlot(entry.slot)
            for location in entry.location.reversed() { srams[mapOf[place]].giveBack(location) }
        }
    }

    private func chipOfSlot(_ slot: Int) -> Int {
        // The last value whose vectors start at or before the slot and that is not empty.
        var low = 0
        var high = vectorBase.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if vectorBase[middle] <= slot { low = middle } else { high = middle }
        }
        return template.values[low].chip
    }

    // MARK: Views

    /// The byte plane that really rests somewhere: `pack` and `byte` are names for others' bytes.
    func resolve(_ value: ValueID, _ vector: Int, _ plane: Int) -> (ValueID, Int, Int) {
        guard case .op(let op) = template.values[value.index].origin else {
            return (value, vector, plane)
        }
        switch template.ops[op.index].kind {
        case .pack(let uses): return resolve(uses[plane].value, uses[plane].vector(vector), 0)
        case .byte(let k, let use): return resolve(use.value, use.vector(vector), k)
        case .matmul, .elementwise, .distribute, .permute, .shift, .rotate, .select, .transpose,
            .gather, .scatter, .transfer, .ingress, .egress:
            return (value, vector, plane)
        }
    }

    /// Where a vector rests for templates that come later: views through the bytes they name.
    func restingCopies(_ value: ValueID, _ vector: Int) -> [Copy] {
        let planes = (0..<template.values[value.index].type.byteCount).map {
            resolve(value, vector, $0)
        }
        if planes.allSatisfy({ $0.0 == value }) {
            return copies[vectorBase[value.index] + vector].map {
                Copy(planes: $0.planes, ready: 0)
            }
        }
        let rows = planes.compactMap { v, i, p in
            copies[vectorBase[v.index] + i].first?.planes[p]
        }
        return rows.count == planes.count ? [Copy(planes: rows, ready: 0)] : []
    }

    /// The values whose rows hold the bytes of `value`.
    func restingValues(of value: ValueID) -> [ValueID] {
        (0..<template.values[value.index].type.byteCount).map { resolve(value, 0, $0).0 }
    }

    /// Notes that an instance takes the value as an argument.
    func noteTaken(_ value: ValueID) {
        for taken in [value] + restingValues(of: value) { isTaken[taken.index] = true }
    }

    func laneMap(_ map: [Int16]) -> LaneMapID {
        if let i = laneMaps.firstIndex(of: map) { return LaneMapID(i) }
        laneMaps.append(map)
        return LaneMapID(laneMaps.count - 1)
    }
}
