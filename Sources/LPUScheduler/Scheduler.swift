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

/// Schedules a legal program for the machine: each template once, its instances one after another.
/// - Throws: `Infeasibility` where SRAM or a unit is too small for it.
public func schedule(
    _ program: Program, digest: String, for machine: Machine, strategy: Strategy = .list
) throws(Infeasibility) -> Schedule {
    var assembly = Assembly(program: program, machine: machine, strategy: strategy)
    try assembly.placeTemplates()
    return try assembly.schedule(digest: digest)
}

/// The templates of a program as they are placed, and where their instances go.
private struct Assembly {
    let program: Program
    let machine: Machine
    let strategy: Strategy
    /// Of each template, once its first instance is reached.
    var placers: [Placer?]
    /// Rows taken so far, by chip.
    var srams: [SRAM?]
    var laneMaps: [[Int16]] = []

    init(program: Program, machine: Machine, strategy: Strategy) {
        self.program = program
        self.machine = machine
        self.strategy = strategy
        placers = program.templates.map { _ in nil }
        srams = Array(repeating: nil, count: machine.chipCount)
    }

    mutating func placeTemplates() throws(Infeasibility) {
        for (i, instance) in program.instances.enumerated() where placers[instance.template] == nil
        {
            let template = program.templates[instance.template]
            let bindings = template.values.indices.map { v in
                template.values[v].origin == .parameter
                    ? program.origin(of: ValueID(v), in: i) : nil
            }
            let choice: Choice =
                switch strategy {
                case .list: .list
                case .random(let seed): .random(seed: seed &+ UInt64(i))
                }
            let placer = Placer(
                machine: machine, template: template, chips: instance.chips, choice: choice,
                srams: instance.chips.indices.map { rows(taken: instance.template, at: $0) },
                bindings: bindings,
                repeats: repeats(instance.template))
            placer.laneMaps = laneMaps
            takeArguments(placer)
            pinResults(placer, template: instance.template)
            try placer.run()
            laneMaps = placer.laneMaps
            giveImages(placer)
            for other in program.instances where other.template == instance.template {
                for (place, chip) in other.chips.enumerated() {
                    var taken = srams[chip.index] ?? SRAM(chip: machine.chip)
                    taken.formUnion(placer.srams[place])
                    srams[chip.index] = taken
                }
            }
            placers[instance.template] = placer
        }
    }

    /// `true` iff some chips run the template more than once: each time with rows of its own.
    private func repeats(_ template: Int) -> Bool {
        let chips = program.instances.filter { $0.template == template }.map(\.chips)
        return chips.enumerated().contains { chips[..<$0].contains($1) }
    }

    /// Parameters rest where the values are that they are bound to.
    private func takeArguments(_ placer: Placer) {
        for (v, binding) in placer.bindings.enumerated() {
            guard let binding, let owner = owner(binding) else { continue }
            let count = placer.template.values[v].count
            for i in 0..<count {
                let slot = placer.vectorBase[v] + i
                placer.copies[slot] = owner.restingCopies(binding.value, i)
                placer.given[slot] = placer.copies[slot].count
            }
            placer.tilePlaces[v] = owner.tilePlaces[binding.value.index]
            placer.blockPlaces[v] = owner.blockPlaces[binding.value.index]
        }
    }

    /// Rows that no template has taken at that place on any chip that the template is placed on.
    private func rows(taken template: Int, at place: Int) -> SRAM {
        var result = SRAM(chip: machine.chip)
        for instance in program.instances where instance.template == template {
            if let taken = srams[instance.chips[place].index] { result.formUnion(taken) }
        }
        return result
    }

    /// A result that an instance of a placed template, or of the same, takes as a parameter is
    /// written where that parameter rests, so that all instances share one template.
    private func pinResults(_ placer: Placer, template: Int) {
        for instance in program.instances {
            guard let taker = instance.template == template ? placer : placers[instance.template]
            else { continue }
            let parameters = taker.template.values.indices.filter {
                taker.template.values[$0].origin == .parameter
            }
            for (parameter, argument) in zip(parameters, instance.arguments)
            where program.instances[argument.instance].template == template {
                for k in 0..<taker.template.values[parameter].count {
                    let home = taker.copies[taker.vectorBase[parameter] + k].first
                    placer.pins[placer.vectorBase[argument.value.index] + k] = home?.planes
                }
            }
        }
    }

    /// Rows that a template chose for images of others belong to their owners' map.
    private func giveImages(_ placer: Placer) {
        for (v, binding) in placer.bindings.enumerated() {
            guard let binding, binding.isImage, let owner = owner(binding) else { continue }
            for i in 0..<placer.template.values[v].count {
                owner.copies[owner.vectorBase[binding.value.index] + i] =
                    placer.copies[placer.vectorBase[v] + i].map {
                        Copy(planes: $0.planes, ready: 0)
                    }
            }
            owner.tilePlaces[binding.value.index] = placer.tilePlaces[v]
            owner.blockPlaces[binding.value.index] = placer.blockPlaces[v]
        }
    }

    private func owner(_ binding: Binding) -> Placer? {
        placers[program.instances[binding.instance].template]
    }

    // MARK: The schedule

    func schedule(digest: String) throws(Infeasibility) -> Schedule {
        let starts = starts()
        let ends = ends(starts)
        let placed = zip(placers, ends).compactMap { placer, ends in
            placer.map { ScheduleTemplate(name: $0.template.name, chips: $0.programs(ends: ends)) }
        }
        var placements: [Placement] = []
        var (opBase, valueBase) = (0, 0)
        for (i, instance) in program.instances.enumerated() {
            placements.append(
                Placement(
                    template: instance.template, start: Cycle(starts[i]), chips: instance.chips,
                    slots: try slots(of: i), opBase: opBase, valueBase: valueBase))
            opBase += program.templates[instance.template].ops.count
            valueBase += program.templates[instance.template].values.count
        }
        var result = Schedule(
            machine: machine.name, program: digest, laneMaps: laneMaps, templates: placed,
            placements: placements,
            claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
        result.claims = result.recomputedClaims(on: machine)
        return result
    }

    /// Each instance when its chips are free and its arguments made.
    private func starts() -> [Int] {
        var free = Array(repeating: 0, count: machine.chipCount)
        var ends: [Int] = []
        return program.instances.map { instance in
            let start = max(
                instance.chips.map { free[$0.index] }.max() ?? 0,
                instance.arguments.map { ends[$0.instance] }.max() ?? 0)
            let end = start + (placers[instance.template]?.length ?? 0)
            ends.append(end)
            for chip in instance.chips { free[chip.index] = end }
            return start
        }
    }

    /// For each template and value, the last cycle, from the start of the instance that makes it,
    /// at which a later instance reads it; -1 if none does.
    private func ends(_ starts: [Int]) -> [[Int]] {
        let total =
            zip(starts, program.instances).map {
                $0 + (placers[$1.template]?.length ?? 0)
            }.max() ?? 0
        // Constants rest as long as the step takes.
        var ends = program.templates.enumerated().map { t, template in
            template.values.map { value in
                if case .image = value.origin, placers[t]?.repeats == false {
                    total - 1
                } else {
                    -1
                }
            }
        }
        for (i, instance) in program.instances.enumerated() {
            guard let placer = placers[instance.template] else { continue }
            let reads = placer.lastReads
            for (v, value) in placer.template.values.enumerated() where value.origin == .parameter {
                let origin = program.origin(of: ValueID(v), in: i)
                let template = program.instances[origin.instance].template
                let end = starts[i] + reads[v] - starts[origin.instance]
                for base in placers[template]?.restingValues(of: origin.value) ?? [] {
                    ends[template][base.index] = max(ends[template][base.index], end)
                }
            }
        }
        return ends
    }

    /// Rows of slot 1: the placements of a repeated template one after another in each bank.
    private func slots(of i: Int) throws(Infeasibility) -> [SlotOffset] {
        let instance = program.instances[i]
        guard let placer = placers[instance.template], placer.repeats else { return [] }
        let stride = placer.srams.map(\.slotRows).max() ?? 0
        let base =
            zip(instance.chips, placer.srams).map { chip, placed in
                srams[chip.index]?.slotBase(of: placed) ?? 0
            }.max() ?? 0
        let before = program.instances[..<i].count {
            $0.template == instance.template && $0.chips == instance.chips
        }
        let end = base + (before + 1) * stride
        guard end <= machine.chip.rowsPerBank else {
            throw Infeasibility(
                at: "\(instance.chips[0])", id: "sram-capacity", unit: "rows of a bank",
                demand: end, capacity: machine.chip.rowsPerBank,
                terms: [
                    .init("constants, tables and scratch", base),
                    .init("\(before + 1) layers of \(stride)", (before + 1) * stride),
                ],
                remedies: ["more chips", "a smaller context"])
        }
        return [SlotOffset(rows: base + before * stride)]
    }
}
