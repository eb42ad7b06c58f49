import Dispatch
import LPUMachine
import LPUSchedule
import LPUSupport

/// What every step of a schedule is: the chips' traces in windows, in which no chip depends on what
/// another one does, and the vectors that they exchange between them.
struct Elaboration {
    /// A vector from a chip's outbox to a slot of another one.
    struct Message {
        var from: Int
        /// Among those that the chip sent in this window.
        var number: Int
        var to: Int
        var slot: Vector
    }
    struct Window {
        /// How far each chip gets in its trace.
        var ends: [Int]
        var messages: [Message] = []
    }

    private(set) var windows: [Window] = []
    private(set) var traces: [Trace] = []
    /// Of each chip, the first vector that nobody receives.
    private(set) var leftovers: [Fault?] = []
    /// Of each chip.
    private(set) var statistics: [Statistics] = []
    /// Why the last window does not end.
    private(set) var fault: Fault?

    /// Follows the schedule to its end, or up to a fault.
    ///
    /// Each chip goes alone for as many cycles as the fastest link takes: what it sends meanwhile
    /// arrives later (conservative lookahead; Chandy and Misra, 1979).
    init(
        machine: Machine, schedule: Schedule, programs: [PlacedProgram], memories: [ChipMemory],
        probes: [Probe], threads: Int
    ) {
        let length = machine.topology.axes.filter { $0.size > 1 }.map(\.latency).min() ?? .max
        let chips = programs.indices.map { chip in
            Elaborator(
                id: ChipID(chip), machine: machine, schedule: schedule, program: programs[chip],
                memory: memories[chip])
        }
        for probe in probes {
            chips[probe.chip.index].probes.insert(ProbePlace(probe, machine.chip))
        }
        while let start = chips.compactMap(\.nextCycle).min() {
            let end = length == .max ? Int.max : start + length
            inThreads(threads, chips) { $0.tryRun(before: end) }
            windows.append(Window(ends: chips.map(\.trace.operations.count)))
            fault = chips.compactMap(\.fault).min(by: Fault.isEarlier)
            if fault != nil { break }
            exchange(chips)
        }
        for chip in chips {
            chip.trace.seal(slotCount: chip.pool.slotCount)
            traces.append(chip.trace)
            leftovers.append(chip.leftover)
            statistics.append(chip.statistics)
        }
    }

    /// Brings what was sent to where it goes, in the order of senders and cycles.
    private mutating func exchange(_ chips: [Elaborator]) {
        for (from, sender) in chips.enumerated() where !sender.outbox.isEmpty {
            for (number, message) in sender.outbox.enumerated() {
                let to = message.to.chip.index
                let slot = chips[to].deliver(link: message.to.link, arrival: message.arrival)
                windows[windows.count - 1].messages.append(
                    Message(from: from, number: number, to: to, slot: slot))
            }
            sender.outbox.removeAll(keepingCapacity: true)
        }
    }
}

/// Calls `body` with each of `chips`, which are dealt out to threads.
func inThreads<C: AnyObject>(_ threads: Int, _ chips: [C], _ body: (C) -> Void) {
    if threads == 1 {
        chips.forEach(body)
    } else {
        withoutActuallyEscaping(body) { body in
            let share = ChipShare(chips: chips, body: body)
            DispatchQueue.concurrentPerform(iterations: threads) { share.run($0, of: threads) }
        }
    }
}

/// Chips dealt out to threads. Unchecked: no two threads have a chip in common, chips share only
/// constants, and the caller waits for all threads before it looks at any chip.
private struct ChipShare<C: AnyObject>: @unchecked Sendable {
    let chips: [C]
    let body: (C) -> Void

    func run(_ thread: Int, of threads: Int) {
        for i in stride(from: thread, to: chips.count, by: threads) { body(chips[i]) }
    }
}

extension Fault {
    static func isEarlier(_ a: Fault, _ b: Fault) -> Bool {
        (a.cycle, a.chip) < (b.cycle, b.chip)
    }
}
