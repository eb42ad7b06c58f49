import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Consecutive rows of one bank that hold one byte plane of an image value before cycle 0.
struct ImageRows {
    var chip: ChipID
    /// At its resolved bank and row; its value is numbered over the whole program.
    var allocation: Allocation
    /// Whose template declares the value.
    var instance: Int
    /// Its number in that template.
    var value: ValueID

    var row: Int { Int(allocation.base.row) }
    var bank: Int { Int(allocation.base.bank) }
    var rows: Int { Int(allocation.rows) }
    var plane: Int { Int(allocation.plane) }

    /// Hemisphere, slice and bank.
    private var bankKey: Int {
        (Int(allocation.hemisphere.rawValue) << 8 | Int(allocation.slice)) << 8 | bank
    }

    static func isBefore(_ a: ImageRows, _ b: ImageRows) -> Bool {
        (a.chip, a.bankKey, a.row) < (b.chip, b.bankKey, b.row)
    }

    func isSameBank(as other: ImageRows) -> Bool {
        chip == other.chip && bankKey == other.bankKey
    }
}

/// Finds the rows of every placement that the memory image fills, and what is wrong with them.
struct ImageRowsFinder {
    let program: Program
    let schedule: Schedule
    let machine: Machine
    private let numbering: Numbering
    private var found: [ImageRows] = []
    private var problems = DiagnosticSet()

    /// In the order of `isBefore`, without overlaps; rows named alike twice stand once.
    ///
    /// Throws `image-machine`, `image-placement`, `image-value`, `image-rows`, `image-overlap`.
    /// - Requires: `program.problems()` holds no error. O(n log n) in allocations of placements.
    static func rows(
        _ program: Program, _ schedule: Schedule, on machine: Machine
    ) throws(DiagnosticSet) -> [ImageRows] {
        var finder = ImageRowsFinder(program, schedule, machine)
        let chip = machine.chip
        guard program.lanes == chip.lanes, program.lanesPerSuperlane == chip.lanesPerSuperlane,
            schedule.machine == machine.name
        else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place(program.name), id: "image-machine",
                    "the program has \(program.lanes) lanes in superlanes of "
                        + "\(program.lanesPerSuperlane), the schedule is for "
                        + "'\(schedule.machine)', and '\(machine.name)' has \(chip.lanes) lanes in "
                        + "superlanes of \(chip.lanesPerSuperlane): give the machine that both "
                        + "were made for"))
        }
        for p in schedule.placements.indices { finder.find(p) }
        let rows = finder.withoutRepeats()
        try finder.problems.throwIfAny()
        return rows
    }

    private init(_ program: Program, _ schedule: Schedule, _ machine: Machine) {
        self.program = program
        self.schedule = schedule
        self.machine = machine
        numbering = Numbering(program)
    }

    private mutating func report(_ place: String, _ id: String, _ message: String) {
        problems.insert(Diagnostic(at: Diagnostic.Place(place), id: id, message))
    }

    private mutating func find(_ p: Int) {
        let placement = schedule.placements[p]
        guard schedule.templates.indices.contains(placement.template),
            case let chips = schedule.templates[placement.template].chips,
            chips.count == placement.chips.count,
            placement.chips.allSatisfy({ (0..<machine.chipCount).contains($0.index) }),
            (0...Int(Int32.max)).contains(placement.valueBase)
        else {
            report(
                "placement \(p)", "image-placement",
                "it names no template of the schedule, another number of chips than the template "
                    + "has, a chip beyond the machine's \(machine.chipCount), or value base "
                    + "\(placement.valueBase) outside of 0...\(Int32.max): schedule anew")
            return
        }
        for (chip, member) in zip(placement.chips, chips) {
            for allocation in member.allocations where allocation.isImage {
                add(allocation, of: placement, on: chip, at: "placement \(p) \(allocation.value)")
            }
        }
    }

    private mutating func add(
        _ allocation: Allocation, of placement: Placement, on chip: ChipID, at place: String
    ) {
        let number = allocation.value.index + placement.valueBase
        guard let (instance, value) = image(number) else {
            report(
                place, "image-value",
                "value \(number) of the program's \(numbering.valueCount) is no image: schedule "
                    + "this program")
            return
        }
        let template = program.templates[program.instances[instance].template]
        let declared = template.values[value.index]
        let home = program.instances[instance].chips[declared.chip]
        if home != chip {
            report(
                place, "image-value",
                "rows on \(chip) hold i\(instance).\(value), which is on \(home): schedule this "
                    + "program")
            return
        }
        guard let address = resolve(allocation, of: placement) else {
            report(
                place, "image-rows",
                "\(allocation.rows) rows of slice \(allocation.slice) from row "
                    + "\(allocation.base.row) on are outside of the \(chip) of '\(machine.name)', "
                    + "whose banks have \(machine.chip.rowsPerBank) rows: schedule anew")
            return
        }
        guard allocation.plane < declared.type.byteCount, allocation.holdsOnly(0..<declared.count)
        else {
            report(
                place, "image-rows",
                "rows hold plane \(allocation.plane) of vectors beyond i\(instance).\(value), "
                    + "which has \(declared.type.byteCount) planes of \(declared.count) vectors: "
                    + "schedule this program")
            return
        }
        var resolved = allocation
        resolved.base = address
        resolved.value = numbering.value(value, of: instance)
        resolved.live = Cycle(0)..<Cycle(0)
        found.append(
            ImageRows(chip: chip, allocation: resolved, instance: instance, value: value))
    }

    /// The instance and number of the image value that is `number` in the whole program.
    private func image(_ number: Int) -> (instance: Int, value: ValueID)? {
        guard (0..<numbering.valueCount).contains(number) else { return nil }
        var (instance, value) = declaration(number)
        // A parameter stands for what it is bound to.
        (instance, value) = declaration(numbering.value(value, of: instance).index)
        let template = program.templates[program.instances[instance].template]
        guard case .image = template.values[value.index].origin else { return nil }
        return (instance, value)
    }

    private func declaration(_ number: Int) -> (instance: Int, value: ValueID) {
        let bases = numbering.valueBases
        var (low, high) = (0, bases.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if bases[middle] <= number { low = middle } else { high = middle }
        }
        return (low, ValueID(number - bases[low]))
    }

    /// The first row in the placement; nil if a row is outside of the chip.
    private func resolve(_ allocation: Allocation, of placement: Placement) -> RowAddress? {
        let chip = machine.chip
        guard let place = placement.resolve(allocation.base), allocation.rows > 0,
            allocation.slice < chip.memSlicesPerHemisphere, place.bank < chip.banksPerSlice,
            place.row >= 0, Int(place.row) <= chip.rowsPerBank - Int(allocation.rows)
        else { return nil }
        return place
    }

    /// The found rows, sorted; reports those that overlap.
    private mutating func withoutRepeats() -> [ImageRows] {
        var rows: [ImageRows] = []
        for next in found.sorted(by: ImageRows.isBefore) {
            guard let last = rows.last, next.isSameBank(as: last), next.row < last.row + last.rows
            else {
                rows.append(next)
                continue
            }
            if next.allocation == last.allocation { continue }
            report(
                "\(next.chip) mem.\(next.allocation.hemisphere.letter)\(next.allocation.slice)",
                "image-overlap",
                "bank \(next.bank) row \(next.row) is to hold i\(next.instance).\(next.value), but "
                    + "rows \(last.row)..<\(last.row + last.rows) hold "
                    + "i\(last.instance).\(last.value): schedule anew")
        }
        return rows
    }
}

extension Allocation {
    /// `true` iff each row holds one of the vectors. O(rows). - Requires: rows fit a bank.
    fileprivate func holdsOnly(_ vectors: Range<Int>) -> Bool {
        run > 0 && (0..<Int(rows)).allSatisfy { vectors.contains(vector(ofRow: $0)) }
    }
}
