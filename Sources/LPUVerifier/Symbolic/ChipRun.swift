import CNumerics
import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// A vector on its way over a link.
struct Arrival {
    var cycle: Int
    var term: Term
}

/// One chip of the symbolic run: its streams, rows, planes and ALUs, cycle by cycle.
///
/// An eastward value lives on diagonal t - r, a westward one on t + r; a ring of rows, one a
/// diagonal, holds for every stream the value that its last producer put there. Events come in
/// cycle order, so a slot is always what a consumer downstream of that producer sees.
final class ChipRun: @unchecked Sendable {
    let id: ChipID
    let chip: Chip
    let places: [QueuePlace]
    let program: SymbolicProgram
    let coverage: Coverage

    // Streams.
    let ringMask: Int
    /// Streams of both directions: slots of a diagonal.
    let width: Int
    let ring: UnsafeMutablePointer<Term>
    /// Of plain reads, nearly all that is under way; they appear before all else of their cycle.
    let reads: DelayWheel
    let readers = RowReaders()
    /// Rows may be looked at when what they hold appears: no later write is there by then.
    let readsLate: Bool
    let productions: DelayWheel
    /// What arrived at register 0, for the operands of the VXM.
    let historyMask: Int
    let history: UnsafeMutablePointer<Term>
    // SRAM.
    let memory: ChipMemory
    let rows: UnsafeMutablePointer<Term>
    /// Notes what rows are read and written, for a run of one placement.
    let access: RowAccess?
    /// By queue: when its last write so far is in its row.
    let landings: UnsafeMutablePointer<Int>
    /// `true` iff an instruction was an op of another instance than its placement's.
    var leavesInstance = false
    let writes: DelayWheel
    // Units.
    let aluMask: Int
    let aluTerms: UnsafeMutablePointer<Term>
    let aluCycles: UnsafeMutablePointer<Int>
    let planes: UnsafeMutablePointer<PlaneState>
    let planeCount: Int
    var hostIn: HostCursor
    var hostOut: HostCursor
    // Links.
    var sent: [(link: Int, arrival: Arrival)] = []
    var received: [Int]
    /// Kept here: chips in other threads ask the program for it as often.
    private(set) lazy var transfers = program.candidates(.transfer)
    // Bursts.
    let expansion: BurstExpansion
    private var waiting: BurstQueue
    /// Those that run, and what is left of others: room for the next ones.
    private var bursts: UnsafeMutableBufferPointer<RunningBurst>
    private var free: [Int32] = []
    private let heads: UnsafeMutablePointer<Int32>
    private var runningCount = 0
    private var lastBusy = 0
    /// Cycles after which nothing is left of what was on streams.
    private let idleLimit: Int
    private var cycle: Int
    private(set) var issueCount = 0
    private(set) var violations: [Violation] = []
    private(set) var droppedViolations = 0

    static let wheelSize = 1024
    /// A plain read takes the rows of as many cycles at once, where no write can come between.
    static var cyclesAhead: Int { 15 }
    /// The first row of a burst is fetched when the one so many before it starts.
    private var burstsAhead: Int { 6 }
    /// Violations that are kept in words; the rest is counted.
    static let maximumViolations = 1000

    /// - Requires: the bursts' queues are the chip's.
    init(
        _ id: ChipID, _ expansion: BurstExpansion, _ places: [QueuePlace], _ bursts: BurstQueue,
        memory: ChipMemory, access: RowAccess? = nil, program: SymbolicProgram,
        coverage: Coverage
    ) {
        self.id = id
        self.expansion = expansion
        chip = expansion.machine.chip
        self.places = places
        self.program = program
        self.coverage = coverage
        waiting = bursts
        self.bursts = .allocate(capacity: 0)
        let size = powerOfTwo(above: 2 * chip.edge + 1)
        ringMask = size - 1
        width = 2 * chip.streamsPerDirection
        ring = .allocate(capacity: size * width)
        ring.initialize(repeating: .none, count: size * width)
        reads = DelayWheel(delay: chip.readLatency + ChipRun.cyclesAhead)
        readsLate = (1...chip.writeToRead + 1).contains(chip.readLatency)
        productions = DelayWheel(delay: chip.longestLatency)
        historyMask = powerOfTwo(above: chip.vxmEntryLatency) - 1
        history = .allocate(capacity: (historyMask + 1) * width)
        history.initialize(repeating: .none, count: (historyMask + 1) * width)
        idleLimit = 2 * size + historyMask + 1
        self.memory = memory
        rows = memory.rows
        self.access = access
        landings = .allocate(capacity: places.count)
        landings.initialize(repeating: .min, count: places.count)
        writes = DelayWheel(delay: chip.writeToRead)
        aluMask = powerOfTwo(above: chip.aluLatency) - 1
        let aluSlots = chip.aluCount * (aluMask + 1)
        aluTerms = .allocate(capacity: aluSlots)
        aluTerms.initialize(repeating: .none, count: aluSlots)
        aluCycles = .allocate(capacity: aluSlots)
        aluCycles.initialize(repeating: .min, count: aluSlots)
        planeCount = 2 * chip.planesPerHemisphere
        planes = .allocate(capacity: planeCount)
        for plane in 0..<planeCount { (planes + plane).initialize(to: PlaneState(chip)) }
        hostIn = HostCursor(program.hostOps(.ingress, id))
        hostOut = HostCursor(program.hostOps(.egress, id))
        received = Array(repeating: 0, count: chip.linkCount)
        heads = .allocate(capacity: ChipRun.wheelSize)
        heads.initialize(repeating: -1, count: ChipRun.wheelSize)
        cycle = bursts.nextStart == .max ? 0 : bursts.nextStart
        lastBusy = cycle
    }

    deinit {
        bursts.deallocate()
        ring.deallocate()
        history.deallocate()
        landings.deallocate()
        aluTerms.deallocate()
        aluCycles.deallocate()
        planes.deinitialize(count: planeCount)
        planes.deallocate()
        heads.deallocate()
    }

    /// The next cycle to run.
    var now: Int { cycle }

    /// `true` iff a plane buffers weights that no install took.
    var holdsLoads: Bool { (0..<planeCount).contains { !planes[$0].loads.isEmpty } }

    var isFinished: Bool { waiting.nextStart == .max && runningCount == 0 }

    // MARK: Time

    /// Runs all cycles before `end`; `inbox` holds what arrived by then, link by link, in order.
    func run(until end: Int, inbox: [[Arrival]]) {
        // Locals: what is read every cycle is not read through the object.
        var (cycle, lastBusy, nextStart) = (self.cycle, self.lastBusy, self.waiting.nextStart)
        var (runningCount, issued) = (self.runningCount, 0)
        var (waiting, free) = (BurstQueue(), [Int32]())
        swap(&waiting, &self.waiting)
        swap(&free, &self.free)
        defer {
            swap(&waiting, &self.waiting)
            swap(&free, &self.free)
        }
        var base = bursts.baseAddress.unsafelyUnwrapped
        while cycle < end && (nextStart < .max || runningCount > 0) {
            if reads.count + readers.count + productions.count + writes.count > 0 {
                lastBusy = cycle
            }
            if runningCount == 0 && cycle > lastBusy + idleLimit {
                // Streams and what arrived at register 0 have run empty, and all rows are written:
                // nothing can be seen before the next start.
                cycle = max(cycle, min(end, nextStart))
                if cycle == end { break }
            }
            enter(cycle)
            if nextStart == cycle {
                let (started, done) = startBursts(cycle, &waiting, &free)
                runningCount += started
                issued += done
                nextStart = waiting.nextStart
                base = bursts.baseAddress.unsafelyUnwrapped
            }
            let bucket = cycle & (ChipRun.wheelSize - 1)
            var index = Int(heads[bucket])
            heads[bucket] = -1
            while index >= 0 {
                let burst = base + index
                let following = Int(burst.pointee.link)
                if burst.pointee.next == cycle {
                    let isPlainRead = burst.pointee.isPlainRead
                    var done: Int32 = 1
                    if isPlainRead {
                        done = read(burst, cycle)
                    } else {
                        issue(burst, inbox)
                    }
                    issued += Int(done)
                    lastBusy = cycle
                    if advance(burst, by: done) {
                        if isPlainRead { fetchRows(burst) }
                        insert(index, burst)
                    } else {
                        free.append(Int32(index))
                        runningCount -= 1
                    }
                } else {
                    insert(index, burst)
                }
                index = following
            }
            cycle += 1
        }
        (self.cycle, self.lastBusy, self.runningCount) = (cycle, lastBusy, runningCount)
        issueCount += issued
    }

    /// Bursts whose first issue is in this cycle begin to run; returns how many, and how many that
    /// are one issue were done at once.
    private func startBursts(
        _ cycle: Int, _ waiting: inout BurstQueue, _ free: inout [Int32]
    ) -> (started: Int, issued: Int) {
        var (count, issued) = (0, 0)
        while waiting.nextStart == cycle {
            if free.isEmpty { grow(&free) }
            let index = Int(free[free.count - 1])
            let place = bursts.baseAddress.unsafelyUnwrapped + index
            let hasStarted = waiting.pop { burst, code, placement in
                if expansion.isLawful, readOnce(burst, placement, cycle) {
                    issued += 1
                    return false
                }
                if expansion.start(burst, code, placement, at: place) { return true }
                report(
                    .provenance, burst.queue.index, burst.start.index,
                    "a row address names slot or bank that the placement has not")
                return false
            }
            waiting.ahead(burstsAhead) { burst, placement in
                guard case .memory(.read(let address, _), _) = burst.instruction,
                    let place = expansion.resolve(address, placement.slots)
                else { return }
                fetchAhead(rows + expansion.row(burst.queue.index, place))
            }
            guard hasStarted else { continue }
            free.removeLast()
            prepare(place)
            insert(index, place)
            count += 1
        }
        return (count, issued)
    }

    /// Room for as many bursts again.
    private func grow(_ free: inout [Int32]) {
        let old = bursts
        bursts = .allocate(capacity: max(64, 2 * old.count))
        _ = bursts.moveInitialize(fromContentsOf: old)
        old.deallocate()
        free += (old.count..<bursts.count).reversed().map { Int32($0) }
    }

    /// Streams move on, and what was under way appears.
    @inline(__always)
    private func enter(_ t: Int) {
        (ring + ((t + chip.edge) & ringMask) * width).update(repeating: .none, count: width)
        (history + (t & historyMask) * width).update(
            from: ring + (t & ringMask) * width, count: width)
        reads.settle(t, in: ring)
        readers.settle(t, in: ring, width: width, mask: ringMask)
        productions.settle(t, in: ring)
        settleWrites(t)
    }

    @inline(__always)
    private func settleWrites(_ t: Int) {
        if let access {
            writes.forEach(t) {
                for row in Int($0.place)..<Int($0.place + $0.count) {
                    access.noteWrite(row, rows[row])
                }
            }
        }
        writes.settleRuns(t, in: rows)
    }

    /// Lets all writes that are under way reach their rows.
    func settleAllWrites() {
        for t in cycle...cycle + chip.writeToRead { settleWrites(t) }
    }

    @inline(__always)
    private func insert(_ index: Int, _ burst: UnsafeMutablePointer<RunningBurst>) {
        let bucket = burst.pointee.next & (ChipRun.wheelSize - 1)
        burst.pointee.link = heads[bucket]
        heads[bucket] = Int32(index)
    }

    /// To the issue so many after this one, all of one round; `false` after the last.
    @inline(__always)
    private func advance(_ burst: UnsafeMutablePointer<RunningBurst>, by count: Int32) -> Bool {
        burst.pointee.i += count
        burst.pointee.next += Int(count) * Int(burst.pointee.inner.distance)
        burst.pointee.offset += Int(count) * Int(burst.pointee.inner.step)
        guard burst.pointee.i == burst.pointee.inner.count else { return true }
        burst.pointee.i = 0
        burst.pointee.j += 1
        let round = Int(burst.pointee.j)
        burst.pointee.next = burst.pointee.start + round * Int(burst.pointee.outer.distance)
        burst.pointee.offset = round * Int(burst.pointee.outer.step)
        return burst.pointee.j < burst.pointee.outer.count
    }

    // MARK: Violations

    @inline(never)
    func report(_ law: Law, _ queue: Int, _ t: Int, _ message: @autoclosure () -> String) {
        guard violations.count < ChipRun.maximumViolations else {
            droppedViolations += 1
            return
        }
        violations.append(
            Violation(law, chip: id, unit: places[queue].unit, cycle: Cycle(t), message()))
    }

    /// Notes that `match` was done for `planes`, or reports that it was done before.
    @inline(__always)
    func mark(
        _ match: Match, planes: UInt8, _ burst: UnsafeMutablePointer<RunningBurst>, _ t: Int
    ) {
        let op = coverage.mark(match.op, match.iteration, planes: planes)
        if !program.op(op, isOf: burst.pointee.instance) { leavesInstance = true }
        if op >= 0 { return }
        let result = program.ops[match.op].result
        report(
            .coverage, burst.pointee.queue, t,
            "\(program.opName(match.op)) makes \(ValueID(Int(result)))[\(match.iteration)] once, "
                + "this is a further time")
    }
}
