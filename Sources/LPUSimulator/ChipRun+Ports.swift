import LPUMachine
import LPUSchedule
import LPUSupport

/// Keeps vectors of one port apart, for an interval of a/b cycles: any b+1 consecutive ones span
/// at least a cycles, any two at least floor(a/b).
struct Spacing {
    private let interval: Rational
    /// The last b cycles, a ring.
    private var recent: [Int] = []
    private var count = 0

    init(_ interval: Rational) { self.interval = interval }

    /// Notes a vector in `cycle`.
    ///
    /// - Returns: why it is too early.
    mutating func note(_ cycle: Int) -> String? {
        let (a, b) = (interval.numerator, interval.denominator)
        var error: String?
        if count > 0, cycle - recent[(count - 1) % b] < a / b {
            let span = cycle - recent[(count - 1) % b]
            error = "2 vectors span \(span) cycles, less than the \(a / b) of interval \(interval)"
        } else if count >= b, cycle - recent[count % b] < a {
            let span = cycle - recent[count % b]
            error = "\(b + 1) vectors span \(span) cycles, less than \(a)"
        }
        if recent.count < b { recent.append(cycle) } else { recent[count % b] = cycle }
        count += 1
        return error
    }
}

/// A vector on its way to another chip.
struct LinkMessage {
    var to: LinkEnd
    var arrival: Int
    /// Of its first byte among the sender's bytes.
    var offset: Int
}

/// What one C2C link sends and has received.
struct LinkPort {
    /// The wire: where it leads and how long it takes; nil where the link is unwired.
    let wire: (peer: LinkEnd, latency: Int)?
    fileprivate var spacing: Spacing?
    private let interval: Rational?
    // The FIFO in the order of arrival; what comes before `first` has been received.
    private(set) var arrivals: [Int] = []
    private var vectors: [Vector] = []
    private var first = 0

    init(end: LinkEnd, topology: Topology) {
        let axis = topology.axis(of: end.link)
        wire = axis.flatMap { axis in
            topology.peer(of: end).map { (peer: $0, latency: axis.latency) }
        }
        interval = axis?.interval
        spacing = interval.map(Spacing.init)
    }

    mutating func reset(_ pool: VectorPool) {
        spacing = interval.map(Spacing.init)
        for vector in vectors[first...] { pool.release(vector) }
        arrivals.removeAll()
        vectors.removeAll()
        first = 0
    }

    /// When the next vector arrives, if one was sent.
    var nextArrival: Int? { first < arrivals.count ? arrivals[first] : nil }

    /// When a vector arrives in a FIFO that holds `depth`, unless one is received up to then.
    func overflow(depth: Int) -> Int? {
        first + depth < arrivals.count ? arrivals[first + depth] : nil
    }

    /// Becomes a holder of a vector that will arrive after all others.
    mutating func append(_ vector: Vector, arrival: Int) {
        arrivals.append(arrival)
        vectors.append(vector)
    }

    /// Gives up the next vector.
    /// - Requires: there is one.
    mutating func removeFirst() -> Vector {
        let vector = vectors[first]
        first += 1
        // Half of the list is history: forget it, in constant time a vector.
        if first > 64 && first * 2 > vectors.count {
            arrivals.removeFirst(first)
            vectors.removeFirst(first)
            first = 0
        }
        return vector
    }
}

/// The host port: what the step was given, and what it has given out.
struct HostPort {
    var ingress: [[UInt8]] = []
    fileprivate(set) var taken = 0
    fileprivate(set) var egress: [Egress] = []
    fileprivate var ingressSpacing: Spacing?
    fileprivate var egressSpacing: Spacing?
}

extension ChipRun {
    func queue(ofLink link: Int) -> Int { chip.queue(of: .link(LinkID(link))).index }

    private func link(_ issue: Issue) -> (index: Int, register: Int) {
        let index = issue.queue - queue(ofLink: 0)
        return (index, chip.hemisphere(of: LinkID(index)).sign * chip.edge)
    }

    private var hostRegister: Int { chip.hostHemisphere.sign * chip.edge }

    func issueSend(_ stream: Stream, _ issue: Issue) throws(Fault) {
        let (index, register) = link(issue)
        guard let wire = links[index].wire else {
            throw fault(.linkPath, issue, "the link is not wired")
        }
        if let error = links[index].spacing?.note(issue.cycle) {
            throw fault(.linkConflict, issue, error)
        }
        let vector = try sample(stream, at: register, issue)
        outbox.append(
            LinkMessage(
                to: wire.peer, arrival: issue.cycle + wire.latency, offset: outboxBytes.count))
        outboxBytes += UnsafeBufferPointer(start: pool.bytes(vector), count: chip.lanes)
    }

    func issueReceive(_ stream: Stream, _ issue: Issue) throws(Fault) {
        let (index, register) = link(issue)
        guard links[index].wire != nil else {
            throw fault(.linkPath, issue, "the link is not wired")
        }
        guard let arrival = links[index].nextArrival, arrival <= issue.cycle else {
            let next = links[index].nextArrival.map { "the next one arrives in \(Cycle($0))" }
            throw fault(
                .linkPath, issue, "receive finds no vector, \(next ?? "none is under way")")
        }
        let vector = links[index].removeFirst()
        setDeadline(.fifo(link: index), at: links[index].overflow(depth: chip.receiveDepth))
        try produce(vector, on: stream, at: register, after: chip.receiveLatency, issue)
    }

    /// Takes a vector that another chip has sent.
    func deliver(_ bytes: UnsafeBufferPointer<UInt8>, link: LinkID, arrival: Int) {
        let vector = pool.allocate()
        if let source = bytes.baseAddress {
            pool.mutableBytes(vector).update(from: source, count: chip.lanes)
        }
        links[link.index].append(vector, arrival: arrival)
        let overflow = links[link.index].overflow(depth: chip.receiveDepth)
        setDeadline(.fifo(link: link.index), at: overflow)
    }

    func issueIngress(_ stream: Stream, _ issue: Issue) throws(Fault) {
        if let error = host.ingressSpacing?.note(issue.cycle) {
            throw fault(.linkConflict, issue, error)
        }
        guard host.taken < host.ingress.count else {
            throw fault(
                .operandTiming, issue, "ingress finds no vector, \(host.taken) were given")
        }
        let bytes = host.ingress[host.taken]
        guard bytes.count == chip.lanes else {
            throw fault(
                .operandTiming, issue,
                "ingress is given \(bytes.count) bytes, a vector has \(chip.lanes)")
        }
        host.taken += 1
        let vector = pool.allocate()
        for (lane, byte) in bytes.enumerated() { pool.mutableBytes(vector)[lane] = byte }
        try produce(vector, on: stream, at: hostRegister, after: chip.ingressLatency, issue)
    }

    func issueEgress(_ stream: Stream, _ issue: Issue) throws(Fault) {
        if let error = host.egressSpacing?.note(issue.cycle) {
            throw fault(.linkConflict, issue, error)
        }
        let vector = try sample(stream, at: hostRegister, issue)
        let bytes = UnsafeBufferPointer(start: pool.bytes(vector), count: chip.lanes)
        host.egress.append(Egress(chip: id, cycle: Cycle(issue.cycle), bytes: Array(bytes)))
    }

    /// Opens the host port for a step that is given `ingress`.
    func openHost(_ ingress: [[UInt8]]) {
        host = HostPort()
        host.ingress = ingress
        host.ingressSpacing = Spacing(chip.hostInterval)
        host.egressSpacing = Spacing(chip.hostInterval)
    }

    /// What is wrong when nothing is left to issue: the earliest of what nobody took.
    var leftover: Fault? {
        var found: Fault?
        for (index, link) in links.enumerated() {
            guard let arrival = link.nextArrival, arrival < found?.cycle.index ?? .max else {
                continue
            }
            found = fault(
                .linkPath, Issue(queue: queue(ofLink: index), cycle: arrival),
                "no receive takes the vector that arrives")
        }
        if found == nil && host.taken < host.ingress.count {
            found = fault(
                .operandTiming,
                Issue(queue: chip.queue(of: .host).index, cycle: statistics.cycles),
                "\(host.ingress.count) ingress vectors are given, \(host.taken) are taken")
        }
        return found
    }
}
