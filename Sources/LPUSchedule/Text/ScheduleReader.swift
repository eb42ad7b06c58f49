public import LPUMachine
public import LPUSupport

/// The version of the schedule's text form.
let scheduleFormat = 1
/// Ids of the schedule file's diagnostics.
let scheduleSyntax = "schedule-syntax"
let scheduleValue = "schedule-value"

extension Schedule {
    /// The schedule that `text`, UTF-8, describes; bursts and rows may stand in any order.
    ///
    /// `file` names the text in diagnostics. Numbers are bounded so that no sum of them overflows;
    /// whether the schedule is right is for the verifier.
    /// - Throws: what cannot be read, line by line, up to 100 of it; that the schedule is for
    ///   another machine; placements that do not fit their template.
    /// - Complexity: O(text), and a sort of every chip program that is not in order.
    public init(parsing text: [UInt8], file: String, machine: Machine) throws(DiagnosticSet) {
        var reader = ScheduleReader(text, file: file, machine: machine)
        self = try reader.read()
    }
}

/// Reads the lines of a schedule.
struct ScheduleReader {
    let machine: Machine
    var scanner: LineScanner
    /// Looked up only.
    let queues: [String: QueueID]
    let units: [Unit]
    var schedule = Schedule(
        machine: "", program: "", templates: [], placements: [],
        claims: Claims(length: CycleCount(0), burstCount: 0, issueCount: 0))
    /// Header lines that were read, for duplicates and what is missing; looked up only.
    private var header: [String: Int] = [:]
    private var templates: [String: Int] = [:]
    /// The unit of the line above, if that was a burst.
    var lastQueue: QueueID?
    /// `true` from a template's line to the next placement: placements see whole templates.
    private var isInTemplate = false
    /// The highest row slot of each template.
    private var rowSlots: [Int] = []
    /// Issues of each template that was placed; looked up only.
    private var templateIssues: [Int: Int] = [:]
    /// Of all placements.
    private var issueCount = 0
    private var diagnostics = DiagnosticSet()

    init(_ text: [UInt8], file: String, machine: Machine) {
        self.machine = machine
        scanner = LineScanner(text, file: file)
        units = machine.chip.units
        queues = Dictionary(
            uniqueKeysWithValues: units.enumerated().map { ($1.description, QueueID($0)) })
    }

    mutating func read() throws(DiagnosticSet) -> Schedule {
        while scanner.nextLine(), diagnostics.diagnostics.count < 100 {
            do throws(DiagnosticSet) {
                if scanner.nextByte == UInt8(ascii: "@") { try burst() } else { try line() }
                try scanner.end(id: scheduleSyntax)
            } catch { diagnostics.formUnion(error) }
        }
        for key in ["schedule", "machine", "claims"] where header[key] == nil {
            diagnostics.insert(
                Diagnostic(
                    at: .init(scanner.file), id: scheduleSyntax,
                    "the line '\(key) …' is missing"))
        }
        try diagnostics.throwIfAny()
        for t in schedule.templates.indices {
            for c in schedule.templates[t].chips.indices { schedule.templates[t].chips[c].sort() }
        }
        return schedule
    }

    private mutating func line() throws(DiagnosticSet) {
        lastQueue = nil
        let word = String(try scanner.word("a line", id: scheduleSyntax))
        switch word {
        case "rows": try allocation()
        case "schedule":
            try once(word)
            _ = try integer("the format's version", in: scheduleFormat...scheduleFormat)
        case "machine":
            try once(word)
            schedule.machine = try name("a machine's name")
            guard schedule.machine == machine.name else {
                throw error(
                    "the schedule is for machine '\(schedule.machine)', it is read for "
                        + "'\(machine.name)'; name the other machine")
            }
        case "program":
            try once(word)
            schedule.program = try name("a digest")
        case "interval":
            try once(word)
            schedule.interval = CycleCount(try integer("the interval", in: 1...maxCycle))
        case "claims":
            try once(word)
            try claims()
        case "template": try template()
        case "chip":
            guard isInTemplate, let last = schedule.templates.indices.last else {
                throw error("'chip' stands outside a template")
            }
            let next = schedule.templates[last].chips.count
            _ = try integer("the next chip's number", in: next...next)
            schedule.templates[last].chips.append(ChipProgram())
        case "place": try placement()
        case _ where word.hasPrefix("map"): try laneMap(word)
        default:
            let known = [
                "schedule", "machine", "program", "interval", "claims", "template", "chip", "rows",
                "place",
            ]
            let hint = nearest(to: word, in: known).map { "; did you mean '\($0)'?" } ?? ""
            throw error("no line of a schedule begins with '\(word)'\(hint)")
        }
    }

    /// Throws if an earlier line began with `key`.
    private mutating func once(_ key: String) throws(DiagnosticSet) {
        if let line = header[key] {
            throw error("'\(key)' is given twice, in lines \(line) and \(scanner.line)")
        }
        header[key] = scanner.line
    }

    /// Adds to the chip that was begun last.
    mutating func append(
        _ add: (inout ChipProgram) -> Void
    ) throws(DiagnosticSet) {
        guard isInTemplate, let t = schedule.templates.indices.last,
            let c = schedule.templates[t].chips.indices.last
        else { throw error("the line stands outside a template's chip; write 'chip 0' before it") }
        add(&schedule.templates[t].chips[c])
    }

    /// Keeps the highest row slot of the template.
    mutating func noteSlot(_ slot: Int) {
        guard let last = rowSlots.indices.last else { return }
        rowSlots[last] = max(rowSlots[last], slot)
    }

    private mutating func claims() throws(DiagnosticSet) {
        let length = try field("length", in: 0...maxClaim)
        let bursts = try field("bursts", in: 0...maxClaim)
        let issues = try field("issues", in: 0...maxClaim)
        let digest = scanner.take("digest") ? try name("a digest") : nil
        schedule.claims = Claims(
            length: CycleCount(length), burstCount: bursts, issueCount: issues, digest: digest)
    }

    private mutating func template() throws(DiagnosticSet) {
        let name = try name("a template's name")
        if templates[name] != nil { throw error("there is a template '\(name)' already") }
        templates[name] = schedule.templates.count
        schedule.templates.append(ScheduleTemplate(name: name, chips: []))
        rowSlots.append(0)
        isInTemplate = true
    }

    /// `map0 1 0 2`: a map of one superlane, or of all lanes and then a bijection.
    private mutating func laneMap(_ word: String) throws(DiagnosticSet) {
        guard word == "map\(schedule.laneMaps.count)" else {
            throw error("'\(word)' stands where 'map\(schedule.laneMaps.count)' is expected")
        }
        let lanes = machine.chip.lanes
        var map: [Int16] = []
        while !scanner.isAtEnd && map.count < lanes {
            map.append(Int16(try integer("a lane", in: -1...lanes - 1)))
        }
        let superlane = machine.chip.lanesPerSuperlane
        guard map.count == superlane || map.count == lanes else {
            throw error("a map has \(superlane) or \(lanes) lanes, here are \(map.count)")
        }
        if let lane = map.first(where: { $0 >= map.count }) {
            throw error("lane \(lane) is outside a map of \(map.count)")
        }
        if map.count == lanes && superlane < lanes && Set(map.filter { $0 >= 0 }).count < lanes {
            throw error("a map of all lanes names each lane once")
        }
        schedule.laneMaps.append(map)
    }

    private mutating func placement() throws(DiagnosticSet) {
        isInTemplate = false
        let name = try name("a template's name")
        guard let template = templates[name] else { throw error("there is no template '\(name)'") }
        var placement = Placement(template: template, start: try cycle(), chips: [])
        while scanner.nextByte == UInt8(ascii: "c") {
            try scanner.beginWord("a chip", id: scheduleSyntax)
            guard scanner.takePrefix("chip") else { throw unexpected("a chip such as 'chip17'") }
            let chip = try number("the chip", in: 0...machine.chipCount - 1)
            if placement.chips.contains(ChipID(chip)) { throw error("chip\(chip) is there twice") }
            placement.chips.append(ChipID(chip))
            try scanner.endWord(id: scheduleSyntax)
        }
        let needed = schedule.templates[template].chips.count
        guard placement.chips.count == needed else {
            throw error("template '\(name)' has \(needed) chips, here are \(placement.chips.count)")
        }
        if scanner.take("slots") {
            while let byte = scanner.nextByte, byte != UInt8(ascii: "o") {
                placement.slots.append(try slot())
            }
        }
        guard placement.slots.count >= rowSlots[template] else {
            throw error(
                "template '\(name)' has \(rowSlots[template]) row slots, here are "
                    + "\(placement.slots.count)")
        }
        try count(template)
        placement.opBase = try field("ops", in: 0...maxID)
        placement.valueBase = try field("values", in: 0...maxID)
        schedule.placements.append(placement)
    }

    /// Adds the issues of a template that is placed once more.
    private mutating func count(_ template: Int) throws(DiagnosticSet) {
        let issues =
            templateIssues[template]
            ?? schedule.templates[template].chips.map(\.issueCount).clampedSum()
        templateIssues[template] = issues
        issueCount = [issueCount, issues].clampedSum()
        guard issueCount <= maxIssues else {
            throw error(
                "there are more than \(maxIssues) issues up to here; lower counts of Repeats")
        }
    }

    /// `40` or `-3!`, the mark where the banks change places.
    private mutating func slot() throws(DiagnosticSet) -> SlotOffset {
        try scanner.beginWord("an offset", id: scheduleSyntax)
        let rows = try number("an offset", in: -maxRow...maxRow)
        let flips = scanner.takeByte(UInt8(ascii: "!"))
        guard !flips || machine.chip.banksPerSlice.isMultiple(of: 2) else {
            throw error("banks change places where a slice has \(machine.chip.banksPerSlice)")
        }
        try scanner.endWord(id: scheduleSyntax)
        return SlotOffset(rows: rows, flipsBank: flips)
    }
}
