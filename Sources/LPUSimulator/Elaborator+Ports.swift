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
}

/// What one C2C link sends and has received.
struct LinkPort {
    /// The wire: where it leads and how long it takes; nil where the link is unwired.
    let wire: (peer: LinkEnd, latency: Int)?
    fileprivate var spacing: Spacing?
    // The FIFO in the order of arrival; what comes before `first` has been received.
    private(set) var arrivals: [Int] = []
    private var vectors: [Vector] = []
    private var first = 0

    init(end: LinkEnd, topology: Topology) {
        let axis = topology.axis(of: end.link)
        wire = axis.flatMap { axis in
            topology.peer(of: end).map { (peer: $0, latency: axis.latency) }
        }
        spacing = axis.map { Spacing($0.interval) }
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

/// The host port, whose vectors keep their interval in each direction.
struct HostPort {
    fileprivate var ingressSpacing: Spacing
    fileprivate var egressSpacing: Spacing

    init(chip: Chip) {
        ingressSpacing = Spacing(chip.hostInterval)
        egressSpacing = Spacing(chip.hostInterval)
    }
}

extension Elaborator {
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
        outbox.append(LinkMessage(to: wire.peer, arrival: issue.cycle + wire.latency))
        trace.append(.send(vector), issue)
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

    /// Takes a vector that another chip has sent, and says where its bytes are to be.
    func deliver(link: LinkID, arrival: Int) -> Vector {
        let vector = pool.allocate()
        links[link.index].append(vector, arrival: arrival)
        let overflow = links[link.index].overflow(depth: chip.receiveDepth)
        setDeadline(.fifo(link: link.index), at: overflow)
        return vector
    }

    func issueIngress(_ stream: Stream, _ issue: Issue) throws(Fault) {
        if let error = host.ingressSpacing.note(issue.cycle) {
            throw fault(.linkConflict, issue, error)
        }
        let vector = pool.allocate()
        trace.append(.ingress(to: vector), issue)
        try produce(vector, on: stream, at: hostRegister, after: chip.ingressLatency, issue)
    }

    func issueEgress(_ stream: Stream, _ issue: Issue) throws(Fault) {
        if let error = host.egressSpacing.note(issue.cycle) {
            throw fault(.linkConflict, issue, error)
        }
        trace.append(.egress(try sample(stream, at: hostRegister, issue)), issue)
    }

    /// What is wrong when nothing is left to issue: the earliest vector that nobody received.
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
        return found
    }
}
