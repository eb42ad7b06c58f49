import LPUMachine
import LPUSchedule
import LPUSupport

/// One chip while its schedule is followed, issue by issue, without bytes: its queues, and which
/// vectors its units and streams hold. What cannot be is a fault; what a step has to do to bytes
/// becomes the chip's trace.
///
/// A queue has at most one burst at a time, so the chip's future is one cycle a queue: the least
/// of them is the next cycle in which anything happens, and the cycles between cost nothing.
final class Elaborator {
    let id: ChipID
    let chip: Chip
    let schedule: Schedule
    let units: [Unit]
    let pool: VectorPool
    let streams: StreamRegisters
    let memory: ChipMemory
    // Units never enter each other: no access to them overlaps another one.
    @exclusivity(unchecked) var trace: Trace
    @exclusivity(unchecked) var mxm: [Plane]
    @exclusivity(unchecked) var vxm: VectorUnit
    var links: [LinkPort]
    var host: HostPort
    @exclusivity(unchecked) var statistics = Statistics()
    var probes: Set<ProbePlace> = []
    /// What was sent since the chips last exchanged vectors.
    var outbox: [LinkMessage] = []
    /// Why the chip stopped.
    private(set) var fault: Fault?

    private let program: PlacedProgram
    @exclusivity(unchecked) var cursors: [QueueCursor]
    /// The next issue of each queue, then the deadlines; `idle` where there is none.
    private let next: UnsafeMutableBufferPointer<Int32>
    private static let idle = Int32.max

    /// Stands before cycle 0.
    init(
        id: ChipID, machine: Machine, schedule: Schedule, program: PlacedProgram,
        memory: ChipMemory
    ) {
        self.id = id
        chip = machine.chip
        self.schedule = schedule
        self.program = program
        units = chip.units
        self.memory = memory
        pool = VectorPool(rows: memory.slotCount)
        streams = StreamRegisters(chip: chip, span: chip.streamSpan, pool: pool)
        let chip = self.chip
        trace = Trace(planes: 2 * chip.planesPerHemisphere)
        mxm = (0..<2 * chip.planesPerHemisphere).map { _ in Plane(chip: chip) }
        vxm = VectorUnit(chip: chip)
        links = (0..<chip.linkCount).map { link in
            LinkPort(end: LinkEnd(id, LinkID(link)), topology: machine.topology)
        }
        host = HostPort(chip: chip)
        cursors = program.queues.map { QueueCursor(position: $0.lowerBound) }
        next = .allocate(capacity: units.count + Deadline.count(chip))
        next.initialize(repeating: Self.idle)
        for queue in cursors.indices { begin(queue) }
        if let overlap = program.overlap { setDeadline(.queue, at: overlap.cycle) }
    }

    deinit { next.deallocate() }

    /// The next cycle in which anything happens on this chip; nil if nothing will.
    var nextCycle: Int? {
        var least = Self.idle
        for i in 0..<next.count { least = min(least, next[i]) }
        return least == Self.idle ? nil : Int(least)
    }

    /// Runs every cycle before `end`, or up to a fault, which it keeps.
    func tryRun(before end: Int) {
        do { try run(before: end) } catch { fault = error }
    }

    private func run(before end: Int) throws(Fault) {
        while let cycle = nextCycle, cycle < end {
            for queue in 0..<units.count where next[queue] == cycle {
                try issue(Issue(queue: queue, cycle: cycle))
                statistics.issues += 1
                advance(queue)
            }
            statistics.cycles = max(statistics.cycles, cycle + 1)
            try checkDeadlines(in: cycle)
        }
    }

    private func issue(_ issue: Issue) throws(Fault) {
        if cursors[issue.queue].isFirstIssue {
            try checkNesting(issue)
            statistics.bursts += 1
        }
        switch cursors[issue.queue].instruction {
        case .memory(let read, let write): try issueMemory(read, write, issue)
        case .loadWeights(let column, let tandem):
            try issueLoadWeights(Int(column), tandem: tandem, issue)
        case .install(let tandem): try issueInstall(tandem: tandem, issue)
        case .matmul(let stream, let type): try issueMatmul(stream, type, issue)
        case .accumulate(let row, let add, let emit):
            try issueAccumulate(Int(row), add: add, emit: emit, issue)
        case .alu(let operation, let a, let b, let east, let west):
            try issueALU(operation, a, b, east, west, issue)
        case .distribute(let from, let to, let count, let map):
            try issueDistribute(from, to, Int(count), map, issue)
        case .transpose(let from, let inputs, let to, let outputs):
            try issueTranspose(from, Int(inputs), to, Int(outputs), issue)
        case .permute(let from, let to, let count, let map):
            try issuePermute(from, to, Int(count), map, issue)
        case .shift(let from, let to, let count, let by):
            try issueShift(from, to, Int(count), Int(by), issue)
        case .rotate(let from, let to, let count, let by):
            try issueRotate(from, to, Int(count), Int(by), issue)
        case .select(let low, let high, let to, let count, let boundary):
            try issueSelect(low, high, to, Int(count), Int(boundary), issue)
        case .send(let stream): try issueSend(stream, issue)
        case .receive(let stream): try issueReceive(stream, issue)
        case .ingress(let stream): try issueIngress(stream, issue)
        case .egress(let stream): try issueEgress(stream, issue)
        }
    }
}

/// One issue of a queue: what every unit needs to know of where it is.
struct Issue {
    var queue: Int
    var cycle: Int
}

// MARK: Queues

extension Elaborator {
    /// Takes the queue's next burst, if there is one.
    private func begin(_ queue: Int) {
        let position = cursors[queue].position
        guard position < program.queues[queue].upperBound else {
            next[queue] = Self.idle
            return
        }
        let placed = program.bursts[position]
        let (burst, placement) = schedule.burst(placed)
        cursors[queue].begin(burst, at: Int(placed.start), of: placement)
        next[queue] = placed.start
    }

    private func advance(_ queue: Int) {
        if let cycle = cursors[queue].advance() {
            next[queue] = Int32(cycle)
        } else {
            cursors[queue].release(pool)
            begin(queue)
        }
    }

    private func checkNesting(_ issue: Issue) throws(Fault) {
        let (inner, outer) = (cursors[issue.queue].inner, cursors[issue.queue].outer)
        let length = (Int(inner.count) - 1) * Int(inner.distance)
        guard outer.count > 1, Int(outer.distance) <= length else { return }
        throw fault(
            .queueOrder, issue,
            "an outer repeat comes after \(outer.distance) cycles, the inner one holds the queue "
                + "for \(length + 1)")
    }
}

// MARK: Faults and deadlines

/// Something that must have happened by a cycle; it is looked at when the cycle's issues are done.
enum Deadline {
    /// The first burst that starts while its queue is held.
    case queue
    /// A matmul's sum is taken.
    case sum(plane: Int)
    /// A weight row that was loaded twice is installed.
    case weights(plane: Int)
    /// A vector leaves a link's full FIFO.
    case fifo(link: Int)

    static func count(_ chip: Chip) -> Int {
        1 + 4 * chip.planesPerHemisphere + chip.linkCount
    }

    func index(_ chip: Chip) -> Int {
        switch self {
        case .queue: 0
        case .sum(let plane): 1 + 2 * plane
        case .weights(let plane): 2 + 2 * plane
        case .fifo(let link): 1 + 4 * chip.planesPerHemisphere + link
        }
    }
}

extension Elaborator {
    func setDeadline(_ deadline: Deadline, at cycle: Int?) {
        next[units.count + deadline.index(chip)] = cycle.map { Int32($0) } ?? Self.idle
    }

    private func isMissed(_ deadline: Deadline, in cycle: Int) -> Bool {
        next[units.count + deadline.index(chip)] == cycle
    }

    private func checkDeadlines(in cycle: Int) throws(Fault) {
        if let overlap = program.overlap, isMissed(.queue, in: cycle) {
            throw fault(
                .queueOrder, Issue(queue: overlap.queue, cycle: cycle),
                "a burst starts while another one holds the queue")
        }
        for plane in mxm.indices {
            if isMissed(.sum(plane: plane), in: cycle) { throw sumFault(plane, cycle) }
            if isMissed(.weights(plane: plane), in: cycle) { throw bufferFault(plane, cycle) }
        }
        for link in links.indices where isMissed(.fifo(link: link), in: cycle) {
            throw fault(
                .linkPath, Issue(queue: queue(ofLink: link), cycle: cycle),
                "a vector arrives in a FIFO of \(chip.receiveDepth) that holds as many")
        }
    }

    func fault(_ law: Law, _ issue: Issue, _ message: String) -> Fault {
        Fault(
            law, chip: id, unit: units[issue.queue], cycle: Cycle(issue.cycle), message)
    }

    /// What is on a stream at a register, for a unit that cannot do without.
    @inline(__always)
    func sample(_ stream: Stream, at register: Int, _ issue: Issue) throws(Fault) -> Vector {
        let vector = streams.sample(stream, at: register, in: issue.cycle)
        if vector == .none { throw emptyRegister(stream, register, issue.cycle, issue) }
        return vector
    }

    func emptyRegister(
        _ stream: Stream, _ register: Int, _ cycle: Int, _ issue: Issue
    ) -> Fault {
        fault(
            .operandTiming, issue,
            "\(stream) at register \(register) holds nothing in \(Cycle(cycle))")
    }

    /// Puts a vector on a stream, which becomes a holder of it.
    @inline(__always)
    func produce(
        _ vector: Vector, on stream: Stream, at register: Int, after latency: Int, _ issue: Issue
    ) throws(Fault) {
        let cycle = issue.cycle + latency
        if streams.produce(vector, on: stream, at: register, in: cycle) { return }
        throw fault(
            .streamConflict, issue,
            "two producers meet on \(stream) at register \(register) in \(Cycle(cycle))")
    }
}

extension Chip {
    /// Cycles between the oldest diagonal that may be sampled and the newest one produced on.
    var streamSpan: Int { 2 * edge + longestLatency + vxmEntryLatency + 1 }
}
