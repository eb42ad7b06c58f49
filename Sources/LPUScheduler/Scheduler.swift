public import LPUDataflow
public import LPUMachine
public import LPUSchedule
public import LPUSupport

/// How a program is turned into a schedule.
public enum Strategy: Hashable, Sendable {
    /// List scheduling with backfilling, in the program's order; chains stay on streams.
    case list
    /// Random but sound: slices, banks, rows, streams, planes and delays are drawn, and every
    /// value rests in SRAM. It shows the judges raising no false alarm (as XLS's does).
    case random(seed: UInt64)
}

/// Schedules a legal program for the machine.
/// - Throws: `Infeasibility` where SRAM or a unit is too small for it.
public func schedule(
    _ program: Program, digest: String, for machine: Machine, strategy: Strategy = .list
) throws(Infeasibility) -> Schedule {
    let choice: Choice =
        switch strategy {
        case .list: .list
        case .random(let seed): .random(seed: seed)
        }
    var templates: [ScheduleTemplate] = []
    var placements: [Placement] = []
    var laneMaps: [[Int16]] = []
    for instance in program.instances {
        let template = program.templates[instance.template]
        let placer = Placer(
            machine: machine, template: template, chips: instance.chips, choice: choice)
        placer.laneMaps = laneMaps
        let chips = try placer.run()
        laneMaps = placer.laneMaps
        templates.append(ScheduleTemplate(name: template.name, chips: chips))
        placements.append(
            Placement(template: templates.count - 1, start: Cycle(0), chips: instance.chips))
    }
    var result = Schedule(
        machine: machine.name, program: digest, laneMaps: laneMaps, templates: templates,
        placements: placements,
        claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    result.claims = result.recomputedClaims(on: machine)
    return result
}
