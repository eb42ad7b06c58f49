import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Finds what makes an input impossible to run at all, so that running needs no such checks.
struct InputCheck {
    let machine: Machine
    let schedule: Schedule
    private(set) var diagnostics = DiagnosticSet()
    private var chip: Chip { machine.chip }

    /// Cycles are kept in 32 bits, with room for latencies.
    private static let lastCycle = 1 << 30

    init(machine: Machine, schedule: Schedule) {
        self.machine = machine
        self.schedule = schedule
    }

    /// Every error of machine, schedule and image.
    static func diagnostics(
        machine: Machine, schedule: Schedule, image: MemoryImage
    ) -> DiagnosticSet {
        var check = InputCheck(machine: machine, schedule: schedule)
        check.checkMachine()
        if !check.diagnostics.isEmpty { return check.diagnostics }
        check.checkTemplates()
        if !check.diagnostics.isEmpty { return check.diagnostics }
        check.checkPlacements()
        check.checkImage(image)
        return check.diagnostics
    }

    private mutating func report(_ place: String, _ id: String, _ message: String) {
        diagnostics.insert(Diagnostic(at: Diagnostic.Place(place), id: id, message))
    }

    private mutating func checkMachine() {
        if schedule.machine != machine.name {
            report(
                "schedule", "schedule-machine",
                "the schedule is for machine '\(schedule.machine)', not for '\(machine.name)'")
        }
        if chip.superlanes > 64 {
            report(machine.name, "machine-superlanes", "superlanes is \(chip.superlanes), above 64")
        }
    }

    private mutating func checkTemplates() {
        let units = chip.units
        let shape = InstructionShape(chip: chip, laneMaps: schedule.laneMaps)
        for template in schedule.templates {
            for (member, program) in template.chips.enumerated() {
                for burst in program.bursts {
                    guard let error = burstError(burst, units, shape) else { continue }
                    let unit =
                        units.indices.contains(burst.queue.index)
                        ? units[burst.queue.index].description : "queue \(burst.queue.index)"
                    report(
                        "template '\(template.name)' chip \(member) \(unit) \(burst.start)",
                        "schedule-burst", error)
                }
            }
        }
    }

    private func burstError(
        _ burst: Burst, _ units: [Unit], _ shape: InstructionShape
    ) -> String? {
        guard units.indices.contains(burst.queue.index) else {
            return "the chip has \(units.count) queues"
        }
        for level in [burst.inner, burst.outer] where level.count < 1 || level.distance < 1 {
            return "repeats \(level.count) times \(level.distance) cycles apart, less than 1"
        }
        guard (0...Self.lastCycle).contains(burst.start.index),
            burst.lastIssue.index <= Self.lastCycle
        else { return "issues outside of cycles 0...\(Self.lastCycle)" }
        return shape.error(burst.instruction, on: units[burst.queue.index])
    }

    private mutating func checkPlacements() {
        // The slots that a template uses and its last cycle, once for all its placements.
        let needs = schedule.templates.map { template in
            let bursts = template.chips.flatMap(\.bursts)
            return (
                slots: bursts.map { $0.instruction.lastSlot }.max() ?? 0,
                last: bursts.map(\.lastIssue.index).max() ?? 0
            )
        }
        for (i, placement) in schedule.placements.enumerated() {
            let place = "placement \(i)"
            guard schedule.templates.indices.contains(placement.template) else {
                let count = schedule.templates.count
                report(
                    place, "schedule-placement",
                    "template \(placement.template) is named, there are \(count)")
                continue
            }
            let template = schedule.templates[placement.template]
            if let error = chipsError(placement, template) {
                report(place, "schedule-placement", error)
            }
            let need = needs[placement.template]
            if need.slots > placement.slots.count {
                report(
                    place, "schedule-placement",
                    "'\(template.name)' uses row slot \(need.slots), "
                        + "the placement gives \(placement.slots.count)")
            }
            let start = placement.start.index
            if start < 0 || start > Self.lastCycle - need.last {
                report(
                    place, "schedule-placement",
                    "start \(start) puts '\(template.name)' outside of cycles "
                        + "0...\(Self.lastCycle)")
            }
        }
    }

    private func chipsError(_ placement: Placement, _ template: ScheduleTemplate) -> String? {
        let chips = placement.chips
        if chips.count != template.chips.count {
            return "'\(template.name)' is for \(template.chips.count) chips, "
                + "the placement names \(chips.count)"
        }
        if let chip = chips.first(where: { !(0..<machine.chipCount).contains($0.index) }) {
            return "\(chip) is named, '\(machine.name)' has \(machine.chipCount) chips"
        }
        let sorted = chips.sorted()
        for (a, b) in zip(sorted, sorted.dropFirst()) where a == b { return "\(a) is named twice" }
        return nil
    }

    private mutating func checkImage(_ image: MemoryImage) {
        for (i, block) in image.blocks.enumerated() {
            let place = "memory image block \(i)"
            if !(0..<machine.chipCount).contains(block.chip.index)
                || !(0..<chip.memSlicesPerHemisphere).contains(block.slice)
                || !(0..<chip.banksPerSlice).contains(block.bank)
            {
                report(place, "image-place", "'\(machine.name)' has no such chip, slice or bank")
            }
            if block.row < 0 || block.rows < 0 || block.rows > chip.rowsPerBank
                || block.row > chip.rowsPerBank - block.rows
            {
                report(
                    place, "image-rows",
                    "\(block.rows) rows from row \(block.row) on, a bank has \(chip.rowsPerBank)")
            } else if block.offset < 0 || block.offset % chip.lanes != 0
                || block.offset > image.bytes.count - block.rows * chip.lanes
            {
                report(
                    place, "image-bytes",
                    "\(block.rows) rows of \(chip.lanes) bytes from byte \(block.offset) on, the "
                        + "image has \(image.bytes.count); rows begin at multiples of \(chip.lanes)"
                )
            }
        }
    }
}

extension Instruction {
    /// The highest row slot that it names.
    fileprivate var lastSlot: Int {
        guard case .memory(let read, let write) = self else { return 0 }
        let readSlot =
            switch read {
            case .none: 0
            case .read(let address, _), .gather(let address, _, _, _): Int(address.slot)
            }
        let writeSlot =
            switch write {
            case .none: 0
            case .write(let address, _), .scatter(let address, _, _, _): Int(address.slot)
            }
        return max(readSlot, writeSlot)
    }
}
