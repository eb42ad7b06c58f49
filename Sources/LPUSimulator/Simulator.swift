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

/// A result of an ALU to look at: of the operation that fires in a cycle of every step.
public struct Probe: Hashable, Sendable {
    public var chip: ChipID
    public var alu: Int
    public var cycle: Cycle

    public init(chip: ChipID, alu: Int, cycle: Cycle) {
        self.chip = chip
        self.alu = alu
        self.cycle = cycle
    }
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
/// No time, unit or stream depends on bytes, so a schedule is followed once, issue by issue, and
/// what is left for every step is what its issues do to bytes. Same inputs give the same bytes,
/// and the same fault, in any number of threads.
public final class Simulator {
    public let machine: Machine
    private let schedules: [Schedule]
    private let image: MemoryImage
    private let chips: [Datapath]
    private let threads: Int
    private let probes: [Probe]
    /// Of each schedule; `nil` before its first step.
    private var elaborations: [Elaboration?]
    /// The schedule whose traces the chips have.
    private var current: Int?
    /// What decoded tiles of all chips may take.
    private static let tileBytes = 1 << 30

    /// Lays the image into SRAM; nothing runs yet.
    ///
    /// - Parameters:
    ///   - others: further schedules for the same rows; `image` holds what each of them needs.
    ///   - threads: how many run chips side by side, 1 or more.
    ///   - probes: results of ALUs that every step of `schedule` is to keep.
    /// - Throws: what makes the inputs impossible to run at all: a schedule for another machine,
    ///   instructions that a unit does not have, image blocks outside of their bank.
    /// - Complexity: O(n log n) in the bursts of all placements, O(rows) in the image and in what
    ///   is written.
    public init(
        machine: Machine, schedule: Schedule, others: [Schedule] = [],
        image: MemoryImage = MemoryImage(), threads: Int = 1, probes: [Probe] = []
    ) throws(DiagnosticSet) {
        let schedules = [schedule] + others
        for schedule in schedules {
            try InputCheck.diagnostics(machine: machine, schedule: schedule, image: image)
                .throwIfAny()
        }
        self.machine = machine
        self.schedules = schedules
        elaborations = schedules.map { _ in nil }
        self.image = image
        self.probes = probes
        self.threads = max(1, min(threads, machine.chipCount))
        let programs = schedules.map { Self.programs(machine, $0) }
        var memories = (0..<machine.chipCount).map { chip in
            ChipMemory(
                chip: machine.chip,
                programs: zip(programs, schedules).map { ($0[chip], $1) })
        }
        var rows = memories.map { _ in [(slot: Vector, image: Vector)]() }
        for block in image.blocks {
            let chip = block.chip.index
            memories[chip].load(block) { rows[chip].append(($0, $1)) }
        }
        chips = memories.enumerated().map { index, memory in
            Datapath(
                id: ChipID(index), chip: machine.chip, memory: memory,
                tileBytes: Self.tileBytes / machine.chipCount)
        }
        image.bytes.withUnsafeBufferPointer { bytes in
            for (chip, rows) in zip(chips, rows) {
                chip.image = bytes.baseAddress
                for row in rows { chip.setRow(row.slot, to: chip.bytes(row.image)) }
                chip.image = nil
            }
        }
    }

    private static func programs(_ machine: Machine, _ schedule: Schedule) -> [PlacedProgram] {
        schedule.placedPrograms(
            chipCount: machine.chipCount, queueCount: machine.chip.queueCount)
    }

    /// Runs the schedule once from cycle 0. SRAM is as the step before left it; streams, planes,
    /// accumulators and FIFOs are empty.
    ///
    /// - Parameters:
    ///   - number: 0 for the schedule, n for the nth of the others.
    ///   - ingress: for each chip the vectors that its `ingress` instructions take in turn.
    /// - Returns: the vectors that left, by chip and cycle, and counts.
    /// - Throws: the first fault; SRAM is then as it was left.
    /// - Complexity: the first step of a schedule is O(issues), later ones O(what their issues
    ///   compute); one after a step of another schedule decodes its weights anew.
    public func step(
        of number: Int = 0, ingress: [ChipID: [[UInt8]]] = [:]
    ) throws(Fault) -> (egress: [Egress], statistics: Statistics) {
        let elaboration = open(number)
        let fault = image.bytes.withUnsafeBufferPointer { bytes in
            for chip in chips {
                chip.image = bytes.baseAddress
                chip.reset(ingress: ingress[chip.id] ?? [])
            }
            defer { for chip in chips { chip.image = nil } }
            return run(elaboration)
        }
        if let fault { throw fault }
        var sum = Statistics()
        for statistics in elaboration.statistics {
            sum.bursts += statistics.bursts
            sum.issues += statistics.issues
            sum.multiplyAccumulates += statistics.multiplyAccumulates
            sum.cycles = max(sum.cycles, statistics.cycles)
        }
        return (chips.flatMap(\.egress), sum)
    }

    /// The bytes of an SRAM row between steps; nil if it was never written as a whole.
    ///
    /// - Requires: the machine has the row.
    public func row(
        _ row: Int, bank: Int, slice: Int, _ hemisphere: Hemisphere, of chip: ChipID
    ) -> [UInt8]? {
        let data = chips[chip.index]
        let queue = machine.chip.queue(of: .memory(hemisphere, slice: slice)).index
        let vector = data.memory.row(row, ofBank: data.memory.bank(bank, ofSlice: queue))
        if vector == .none { return nil }
        let lanes = machine.chip.lanes
        if !vector.isSlot {
            return Array(image.bytes[vector.imageRow * lanes..<(vector.imageRow + 1) * lanes])
        }
        if data.written[Int(vector.raw)] != data.whole { return nil }
        return Array(UnsafeBufferPointer(start: data.bytes(vector), count: lanes))
    }

    /// The words, one a lane, of a probe in the last step; nil if its ALU fired nothing then.
    ///
    /// - Requires: the probe is one of those of `init`.
    public func words(of probe: Probe) -> [UInt32]? {
        chips[probe.chip.index].observed[ProbePlace(probe, machine.chip)]
    }

    /// What a step of the schedule is; the chips have its traces then.
    private func open(_ number: Int) -> Elaboration {
        let schedule = schedules[number]
        let elaboration =
            elaborations[number]
            ?? Elaboration(
                machine: machine, schedule: schedule, programs: Self.programs(machine, schedule),
                memories: chips.map(\.memory), probes: number == 0 ? probes : [],
                threads: threads)
        elaborations[number] = elaboration
        if current != number {
            for (chip, trace) in zip(chips, elaboration.traces) {
                chip.open(trace, laneMaps: schedule.laneMaps)
            }
            current = number
        }
        return elaboration
    }

    /// Runs all windows, and returns the first fault.
    private func run(_ elaboration: Elaboration) -> Fault? {
        var starts = chips.map { _ in 0 }
        for (number, window) in elaboration.windows.enumerated() {
            inThreads(threads, chips) { chip in
                let index = chip.id.index
                chip.tryRun(starts[index]..<window.ends[index])
            }
            // On one chip and cycle the operations came before the issue that has no trace.
            let isLast = number == elaboration.windows.count - 1
            let faults =
                chips.compactMap(\.fault)
                + (isLast ? [elaboration.fault] : [])
                .compactMap(\.self)
            if let fault = faults.min(by: Fault.isEarlier) { return fault }
            exchange(window.messages)
            starts = window.ends
        }
        let surplus = zip(chips, elaboration.statistics).map { $0.surplus(in: $1.cycles) }
        return zip(elaboration.leftovers, surplus).compactMap { $0 ?? $1 }
            .min(by: Fault.isEarlier)
    }

    private func exchange(_ messages: [Elaboration.Message]) {
        let lanes = machine.chip.lanes
        for message in messages {
            let (sender, to) = (chips[message.from], chips[message.to].bytes(of: message.slot))
            for lane in 0..<lanes { to[lane] = sender.outbox[message.number * lanes + lane] }
        }
        if messages.isEmpty { return }
        for chip in chips { chip.outbox.removeAll(keepingCapacity: true) }
    }
}
