import Dispatch
public import LPUMachine
public import LPUSchedule
public import LPUSupport

/// A vector that left a chip at its host port.
public struct Egress: Hashable, Sendable {
    public var chip: ChipID
    /// Of the `egress` that took it.
    public var cycle: Cycle
    /// One a lane.
    public var bytes: [UInt8]
}

/// What a step did, counted; it does not depend on the bytes.
public struct Statistics: Hashable, Sendable {
    /// Bursts that began.
    public var bursts = 0
    /// Single issues of all queues of all chips.
    public var issues = 0
    /// Multiplications of the MXM planes, one a lane a weight vector, whether loaded or not.
    public var multiplyAccumulates = 0
    /// From cycle 0 to the last issue's, inclusive.
    public var cycles = 0

    public init() {}
}

/// Runs a schedule on bytes, as the execution contract says and nothing else: it knows no
/// program, no plan and no model.
///
/// Same inputs give the same bytes, and the same fault, in any number of threads. Each chip runs
/// alone for as many cycles as the fastest link takes: what it sends meanwhile arrives later
/// (conservative lookahead; Chandy and Misra, 1979).
public final class Simulator {
    public let machine: Machine
    private let image: MemoryImage
    private let chips: [ChipRun]
    private let threads: Int
    private let window: Int

    /// Lays the image into SRAM; nothing runs yet.
    ///
    /// - Parameter threads: how many run chips side by side, 1 or more.
    /// - Throws: what makes the inputs impossible to run at all: a schedule for another machine,
    ///   instructions that a unit does not have, image blocks outside of their bank.
    /// - Complexity: O(n log n) in the bursts of all placements, O(rows) in the image.
    public init(
        machine: Machine, schedule: Schedule, image: MemoryImage = MemoryImage(), threads: Int = 1
    ) throws(DiagnosticSet) {
        try InputCheck.diagnostics(machine: machine, schedule: schedule, image: image)
            .throwOnError()
        self.machine = machine
        self.image = image
        self.threads = max(1, min(threads, machine.chipCount))
        window = machine.topology.axes.filter { $0.size > 1 }.map(\.latency).min() ?? .max
        let programs = schedule.placedPrograms(
            chipCount: machine.chipCount, queueCount: machine.chip.queueCount)
        chips = programs.enumerated().map { index, program in
            ChipRun(id: ChipID(index), machine: machine, schedule: schedule, program: program)
        }
        for block in image.blocks { chips[block.chip.index].memory.load(block) }
    }

    /// Runs the schedule once from cycle 0. SRAM is as the step before left it; streams, planes,
    /// accumulators and FIFOs are empty.
    ///
    /// - Parameter ingress: for each chip the vectors that its `ingress` instructions take in turn.
    /// - Returns: the vectors that left, by chip and cycle, and counts.
    /// - Throws: the first fault; SRAM is then as it was left.
    public func step(
        ingress: [ChipID: [[UInt8]]] = [:]
    ) throws(Fault) -> (egress: [Egress], statistics: Statistics) {
        let fault = image.bytes.withUnsafeBufferPointer { bytes in
            for chip in chips {
                chip.pool.image = bytes.baseAddress
                chip.reset()
                chip.openHost(ingress[chip.id] ?? [])
            }
            defer { for chip in chips { chip.pool.image = nil } }
            return runToEnd()
        }
        if let fault { throw fault }
        var statistics = Statistics()
        for chip in chips {
            statistics.bursts += chip.statistics.bursts
            statistics.issues += chip.statistics.issues
            statistics.multiplyAccumulates += chip.statistics.multiplyAccumulates
            statistics.cycles = max(statistics.cycles, chip.statistics.cycles)
        }
        return (chips.flatMap(\.host.egress), statistics)
    }

    /// The bytes of an SRAM row between steps; nil if it was never written as a whole.
    ///
    /// - Requires: the machine has the row.
    public func row(
        _ row: Int, bank: Int, slice: Int, _ hemisphere: Hemisphere, of chip: ChipID
    ) -> [UInt8]? {
        let run = chips[chip.index]
        let queue = machine.chip.queue(of: .memory(hemisphere, slice: slice)).index
        let vector = run.memory.row(row, ofBank: run.memory.bank(bank, ofSlice: queue))
        if vector == .none { return nil }
        let lanes = machine.chip.lanes
        if vector.isPooled {
            return Array(UnsafeBufferPointer(start: run.pool.bytes(vector), count: lanes))
        }
        return Array(image.bytes[vector.imageRow * lanes..<(vector.imageRow + 1) * lanes])
    }

    private func runToEnd() -> Fault? {
        while let start = chips.compactMap(\.nextCycle).min() {
            let end = window == .max ? Int.max : start + window
            if let fault = runChips(before: end) { return fault }
            exchange()
        }
        return chips.compactMap(\.leftover).min(by: Fault.isEarlier)
    }

    /// Runs every chip up to `end`, and returns the earliest of their faults.
    private func runChips(before end: Int) -> Fault? {
        if threads == 1 {
            for chip in chips { chip.tryRun(before: end) }
        } else {
            let share = ChipShare(chips: chips, threads: threads)
            DispatchQueue.concurrentPerform(iterations: threads) { share.run($0, before: end) }
        }
        return chips.compactMap(\.fault).min(by: Fault.isEarlier)
    }

    /// Brings what was sent to where it goes, in the order of senders and cycles.
    private func exchange() {
        for sender in chips where !sender.outbox.isEmpty {
            sender.outboxBytes.withUnsafeBufferPointer { bytes in
                for message in sender.outbox {
                    let end = message.offset + machine.chip.lanes
                    chips[message.to.chip.index].deliver(
                        UnsafeBufferPointer(rebasing: bytes[message.offset..<end]),
                        link: message.to.link, arrival: message.arrival)
                }
            }
            sender.outbox.removeAll(keepingCapacity: true)
            sender.outboxBytes.removeAll(keepingCapacity: true)
        }
    }
}

/// Chips dealt out to threads. Unchecked: no two threads have a chip in common, chips share only
/// constants, and the caller waits for all threads before it looks at any chip.
private struct ChipShare: @unchecked Sendable {
    let chips: [ChipRun]
    let threads: Int

    func run(_ thread: Int, before end: Int) {
        for i in stride(from: thread, to: chips.count, by: threads) {
            chips[i].tryRun(before: end)
        }
    }
}

extension Fault {
    fileprivate static func isEarlier(_ a: Fault, _ b: Fault) -> Bool {
        (a.cycle, a.chip) < (b.cycle, b.chip)
    }
}
