import LPUMachine
import LPUSchedule
import LPUSupport

/// What one chip does at its links: bursts by link, and whether they come one after another.
struct LinkTraffic: Sendable {
    var bursts: [[Burst]]
    var isOrdered: [Bool]

    init(_ timeline: ChipTimeline) {
        let links = (0..<timeline.chip.linkCount).map {
            timeline.chip.queue(of: .link(LinkID($0))).index
        }
        bursts = links.map { queue in
            timeline.bursts[timeline.queues[queue]].filter { $0.port != nil }
        }
        isOrdered = links.map { timeline.isOrdered[$0] }
    }

    /// All of it so many cycles later.
    mutating func delay(_ delay: Int) {
        for link in bursts.indices {
            for i in bursts[link].indices {
                bursts[link][i].start = Cycle(bursts[link][i].start.index + delay)
            }
        }
    }
}

/// Law 10: links that carry vectors are wired; vectors are received in the order they were sent,
/// none before it arrives, each once; a FIFO is never fuller than deep.
enum LinkPath {
    /// Judges every link as the receiver that `chip` is.
    static func judge(
        _ chip: ChipID, _ traffic: [LinkTraffic], _ machine: Machine, _ report: inout LawReport
    ) {
        report.countChip()
        for (index, bursts) in traffic[chip.index].bursts.enumerated() {
            for burst in bursts { report.count(burst) }
            let end = LinkEnd(chip, LinkID(index))
            guard let axis = machine.topology.axis(of: end.link),
                let peer = machine.topology.peer(of: end)
            else {
                for burst in bursts {
                    report.add(
                        chip: chip, unit: .link(end.link), cycle: burst.start.index,
                        "\(burst.port?.rawValue ?? "use") on a link that is not wired")
                }
                continue
            }
            guard traffic[chip.index].isOrdered[index],
                traffic[peer.chip.index].isOrdered[peer.link.index]
            else { continue }
            let sends = traffic[peer.chip.index].bursts[peer.link.index]
            LinkJudge(
                receiver: end, sender: peer, latency: axis.latency, depth: machine.chip.receiveDepth
            ).judge(
                sends.filter { $0.port == .send }, bursts.filter { $0.port == .receive }, &report)
        }
    }
}

/// One direction of one wire.
private struct LinkJudge {
    let receiver: LinkEnd
    let sender: LinkEnd
    let latency: Int
    let depth: Int

    func judge(_ sends: [Burst], _ receives: [Burst], _ report: inout LawReport) {
        var sendIssues = IssueCursor(sends[...])
        var receiveIssues = IssueCursor(receives[...])
        // The last `depth` receives, as a ring: vector k needs the place of vector k - depth.
        var recent: [Int] = []
        var count = 0
        while let send = sendIssues.next() {
            guard let receive = receiveIssues.next() else {
                addLost(send.cycle, &report)
                while let lost = sendIssues.next() { addLost(lost.cycle, &report) }
                return
            }
            let arrival = send.cycle + latency
            if receive.cycle < arrival {
                add(
                    receive.cycle,
                    "receives what \(sender) sends @\(send.cycle), which arrives "
                        + "@\(arrival)", &report)
            } else if count >= depth, recent[count % depth] > arrival {
                add(
                    receive.cycle,
                    "the FIFO holds \(depth) vectors until "
                        + "@\(recent[count % depth]), what \(sender) sends @\(send.cycle) arrives "
                        + "@\(arrival)", &report)
            }
            if count < depth {
                recent.append(receive.cycle)
            } else {
                recent[count % depth] = receive.cycle
            }
            count += 1
        }
        while let receive = receiveIssues.next() {
            add(
                receive.cycle, "\(sender) sends \(count) in all, this receive is one more",
                &report)
        }
    }

    private func add(_ cycle: Int, _ message: String, _ report: inout LawReport) {
        report.add(chip: receiver.chip, unit: .link(receiver.link), cycle: cycle, message)
    }

    private func addLost(_ cycle: Int, _ report: inout LawReport) {
        report.add(
            chip: sender.chip, unit: .link(sender.link), cycle: cycle,
            "\(receiver) never receives what is sent")
    }
}
