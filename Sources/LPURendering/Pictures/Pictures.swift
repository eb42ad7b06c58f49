public import LPUDataflow
public import LPUMachine
public import LPUSchedule
public import LPUSupport

/// What can be drawn of a schedule; every number in a picture is counted from its instructions.
///
/// - `layer`: the dataflow of a part of the program, folded into kernels, with cycles and bytes.
/// - `timing`: how busy each kind of unit of a chip is, cycle by cycle.
/// - `pipeline`: which chips do what, when, and what they send each other.
public struct Pictures: Sendable {
    /// What the titles call the model.
    public let model: String
    public let program: Program
    public let schedule: Schedule
    public let machine: Machine
    /// Cycles of one step, counted.
    public let length: CycleCount
    let units: [Unit]
    /// Number of each instance's first op, and of all.
    let opBases: [Int]

    /// O(size of program and schedule).
    /// - Throws: what `Program.problems()` finds, and `drawing-schedule` where the schedule is of
    ///   another program or names what the machine does not have.
    public init(
        of model: String, _ program: Program, _ schedule: Schedule, on machine: Machine
    ) throws(DiagnosticSet) {
        try program.problems().throwIfAny()
        try checkDrawable(schedule, of: program, on: machine)
        self.model = model
        self.program = program
        self.schedule = schedule
        self.machine = machine
        var unclaimed = schedule
        unclaimed.claims.digest = nil
        length = unclaimed.recomputedClaims(on: machine).length
        units = machine.chip.units
        opBases = Numbering(program).opBases
    }
}

extension Pictures {
    /// Title, what the picture counts, and the colours that its nodes have.
    func heading(
        _ subject: String, _ notes: [String], of nodes: [Drawing.Node]
    ) -> Drawing.Table {
        let title = Drawing.Cell("\(model) on \(schedule.machine): \(subject)", .title)
        let colours = Set(nodes.flatMap(\.colours))
        let legend = UnitClass.allCases.filter { colours.contains($0.colour) }.map {
            Drawing.Cell("\($0.name): \($0.meaning)", fill: $0.colour)
        }
        return Drawing.Table([[title]] + notes.map { [Drawing.Cell($0)] } + [legend])
    }

    /// `12,345 cycles, 13.7 µs at 900 MHz`.
    var lengthText: String {
        let megahertz = machine.chip.clockMegahertz
        return "\(grouped(length.count)) cycles, \(microseconds(length.count)) at \(megahertz) MHz"
    }

    /// `13.7 µs`. - Requires: a decimal at least.
    func microseconds(_ cycles: Int, decimals: Int = 1) -> String {
        let unit = (0..<decimals).reduce(1) { unit, _ in unit * 10 }
        let time = Double(cycles) / Double(machine.chip.clockMegahertz)
        let parts = Int((time * Double(unit)).rounded())
        // A leading 1 keeps the zeros behind the point.
        return "\(grouped(parts / unit)).\(String(unit + parts % unit).dropFirst()) µs"
    }

    func bytes(vectors: Int) -> String { formatted(bytes: vectors * machine.chip.lanes) }
}

extension Drawing.Node {
    fileprivate var colours: [Colour] {
        let cells = table?.rows.joined().compactMap(\.fill) ?? []
        return cells + (fill.map { [$0] } ?? [])
    }
}

/// Everything by which a picture indexes, multiplies or divides.
private func checkDrawable(
    _ schedule: Schedule, of program: Program, on machine: Machine
) throws(DiagnosticSet) {
    var errors = DiagnosticSet()
    func refuse(_ place: String, _ message: String) {
        errors.insert(Diagnostic(at: Diagnostic.Place(place), id: "drawing-schedule", message))
    }
    let digest = program.digest
    if schedule.program != digest {
        refuse(
            "schedule",
            "it is of the program '\(schedule.program)', the given one is '\(digest)': "
                + "draw them together, or schedule the program again")
    }
    if schedule.machine != machine.name {
        refuse("schedule", "it is for '\(schedule.machine)', the machine is '\(machine.name)'")
    }
    if machine.chip.clockMegahertz < 1 {
        refuse("machine", "its clock is \(machine.chip.clockMegahertz) MHz, at least 1 is needed")
    }
    for template in schedule.templates {
        for (i, chip) in template.chips.enumerated() {
            let queues = machine.chip.queueCount
            if let burst = chip.bursts.first(where: { !isDrawable($0, queues: queues) }) {
                refuse(
                    "\(template.name).place\(i)",
                    "a burst of queue \(burst.queue.index) at \(burst.start) leaves the "
                        + "\(queues) queues, the cycles below \(limit), or one issue a cycle")
            }
        }
    }
    for (i, placement) in schedule.placements.enumerated() {
        let isKnown = schedule.templates.indices.contains(placement.template)
        if !isKnown || schedule.templates[placement.template].chips.count != placement.chips.count {
            refuse("placement \(i)", "there is no template \(placement.template) of so many chips")
        }
        let chips = 0..<machine.chipCount
        if let chip = placement.chips.first(where: { !chips.contains($0.index) }) {
            refuse("placement \(i)", "it is on \(chip), the machine has chips \(chips)")
        }
        for (what, number) in [("start", placement.start.index), ("op base", placement.opBase)]
        where !(0..<limit).contains(number) {
            refuse("placement \(i)", "its \(what) is \(number), not in 0..<\(limit)")
        }
    }
    try errors.throwIfAny()
}

/// Beyond any step: sums and products of cycles and ops below it do not overflow.
private let limit = 1 << 31

private func isDrawable(_ burst: Burst, queues: Int) -> Bool {
    let levels = [burst.inner, burst.outer]
    guard burst.queue.index < queues, (0..<limit).contains(burst.start.index),
        levels.allSatisfy({ $0.count >= 1 && ($0.distance >= 1 || $0.count == 1) })
    else { return false }
    let last = burst.lastIssue.index
    return last < limit && burst.issueCount <= last - burst.start.index + 1
}
