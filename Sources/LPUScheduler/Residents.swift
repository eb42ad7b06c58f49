public import LPUDataflow
public import LPUMachine
public import LPUSchedule
public import LPUSupport

/// Schedules two programs that share a memory: the first as if it were alone, and the second so
/// that every image that both have rests where the first has it, and all else of the second in rows
/// that the first never touches. So either may run on what the other one left.
///
/// Images are the same that have one name in templates of one name, and one formula.
/// - Parameter threads: at work at most; the schedules are the same for any number.
/// - Returns: the two schedules, in the order of the programs.
/// - Requires: both are legal. An instance of the second stands on the chips and has the layer of
///   one of the first.
/// - Throws: `Infeasibility` where SRAM or a unit is too small for one of them, and
///   `shared-memory` where the second would need rows of its own in a layer.
public func schedule(
    _ first: Program, with second: Program, digests: (String, String), for machine: Machine,
    strategy: Strategy = .list, threads: Int = 1
) throws(Infeasibility) -> (Schedule, Schedule) {
    var host = Assembly(
        program: first, machine: machine, strategy: strategy, threads: threads)
    try host.placeTemplates { (placer) throws(Infeasibility) in try placer.run() }
    let schedule = try host.schedule(digest: digests.0)
    var guest = Assembly(
        program: second, machine: machine, strategy: strategy, threads: threads)
    guest.residents = try Residents(host)
    guest.srams = try host.settledRows()
    try guest.placeTemplates { (placer) throws(Infeasibility) in try placer.run() }
    return (schedule, try guest.schedule(digest: digests.1))
}

/// The images of a placed program, for another one that shares its memory.
struct Residents {
    /// By template; for look-up only.
    private var placers: [String: Placer] = [:]
    /// Offsets of each placement, by template and layer.
    private var slots: [Key: [SlotOffset]] = [:]

    private struct Key: Hashable {
        var template: String
        var chips: [ChipID]
        var layer: Int?
    }

    init(_ host: Assembly) throws(Infeasibility) {
        for placer in host.placers {
            if let placer { placers[placer.template.name] = placer }
        }
        for (instance, offsets) in zip(host.program.instances, try host.slotOffsets()) {
            let name = host.program.templates[instance.template].name
            slots[Key(template: name, chips: instance.chips, layer: instance.layer)] = offsets
        }
    }

    /// Tells a template that is to be placed where the images rest that it shares.
    func settle(_ placer: Placer) {
        placer.lendsRows = true
        guard let host = placers[placer.template.name] else { return }
        placer.isGuest = true
        let template = host.template
        var numbers: [String: Int] = [:]
        for (v, value) in template.values.enumerated() { numbers[value.name] = v }
        for (v, value) in placer.template.values.enumerated() {
            guard case .image = value.origin, let other = numbers[value.name],
                template.values[other].isSameImage(as: value)
            else { continue }
            placer.tilePlaces[v] = host.tilePlaces[other]
            placer.blockPlaces[v] = host.blockPlaces[other]
            for i in 0..<value.count {
                placer.copies[placer.vectorBase[v] + i] =
                    host.copies[host.vectorBase[other] + i].map {
                        Copy(planes: $0.planes, ready: 0)
                    }
            }
        }
    }

    /// Where the placement of an instance has its rows.
    func slots(of instance: Instance, in program: Program) -> [SlotOffset] {
        let name = program.templates[instance.template].name
        return slots[Key(template: name, chips: instance.chips, layer: instance.layer)] ?? []
    }

    /// Rows that move with a placement are those of the first program: no others can be told from
    /// those of its next one.
    func check(_ placer: Placer) throws(Infeasibility) {
        for slot in placer.ownSlots {
            let rows = placer.srams.map { $0.rows(ofSlot: slot) }.max() ?? 0
            guard rows > 0 else { continue }
            throw Infeasibility(
                at: "'\(placer.template.name)'", id: "shared-memory",
                unit: "rows of images that the first program does not have", demand: rows,
                capacity: 0, terms: [], remedies: ["a schedule of its own memory"])
        }
    }
}

extension Assembly {
    /// Rows taken by chip, those of all placements where they are.
    fileprivate func settledRows() throws(Infeasibility) -> [SRAM?] {
        var result = srams
        for (instance, offsets) in zip(program.instances, try slotOffsets()) {
            for (k, offset) in offsets.enumerated() {
                forEachChip(of: instance, withSlot: k + 1) { chip, sram in
                    result[chip.index]?.settle(sram, slot: k + 1, at: offset)
                }
            }
        }
        return result
    }
}

extension Value {
    /// `true` iff both are images that hold the same bytes in one instance.
    fileprivate func isSameImage(as other: Value) -> Bool {
        type == other.type && count == other.count && origin == other.origin && chip == other.chip
    }
}
