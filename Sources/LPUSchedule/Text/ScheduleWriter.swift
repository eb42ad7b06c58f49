public import LPUMachine
import LPUSupport

extension Schedule {
    /// The schedule as text, which `Schedule(parsing:file:machine:)` reads back to an equal value;
    /// see Documentation/Schedule.md.
    /// - Requires: the schedule is for `machine` and has no `nameProblem`.
    /// - Complexity: O(text).
    public func text(on machine: Machine) -> [UInt8] { written(on: machine, withClaims: true) }

    /// SHA-256, in hexadecimal, of the text without its line of claims.
    /// - Complexity: O(text).
    public func digest(on machine: Machine) -> String {
        var hash = SHA256()
        hash.update(written(on: machine, withClaims: false))
        return hash.hexDigest()
    }

    /// Why names of the schedule make no text; nil where they do.
    public var nameProblem: String? {
        let names = templates.map(\.name)
        let words = [machine] + (program.isEmpty ? [] : [program]) + names
        if let name = (words + [claims.digest].compactMap(\.self)).first(where: {
            !LineScanner.isWord($0)
        }) {
            return "'\(name)' is no word of the schedule's text"
        }
        let sorted = names.sorted()
        return zip(sorted, sorted.dropFirst()).first { $0 == $1 }.map {
            "two templates are named '\($0.0)'"
        }
    }

    private func written(on machine: Machine, withClaims: Bool) -> [UInt8] {
        if let problem = nameProblem { preconditionFailure(problem) }
        let names = templates.map(\.name)
        var writer = ScheduleWriter(machine.chip)
        // Lines are about so long.
        writer.lines.bytes.reserveCapacity(
            templates.reduce(0) { size, template in
                template.chips.reduce(size) { $0 + 48 * ($1.bursts.count + $1.allocations.count) }
            })
        writer.header(self, withClaims: withClaims)
        for (i, map) in laneMaps.enumerated() { writer.laneMap(i, map) }
        for template in templates { writer.template(template) }
        for placement in placements { writer.placement(placement, names) }
        return writer.lines.bytes
    }
}

/// Writes the lines of a schedule.
struct ScheduleWriter {
    var lines = LineWriter()
    /// Names of the units in queue order.
    private let units: [String]

    init(_ chip: Chip) { units = chip.units.map(\.description) }

    mutating func header(_ schedule: Schedule, withClaims: Bool) {
        lines.line("schedule \(scheduleFormat)")
        lines.line("machine \(schedule.machine)")
        if !schedule.program.isEmpty { lines.line("program \(schedule.program)") }
        if let interval = schedule.interval { lines.line("interval \(interval.count)") }
        guard withClaims else { return }
        let claims = schedule.claims
        let digest = claims.digest.map { " digest \($0)" } ?? ""
        lines.line(
            "claims length \(claims.length.count) bursts \(claims.burstCount)"
                + " issues \(claims.issueCount)" + digest)
    }

    mutating func laneMap(_ index: Int, _ map: [Int16]) {
        lines.put("map\(index)")
        for lane in map { number(Int(lane)) }
        lines.endLine()
    }

    mutating func template(_ template: ScheduleTemplate) {
        lines.line("template \(template.name)")
        for (i, chip) in template.chips.enumerated() {
            lines.line("chip \(i)")
            for allocation in chip.allocations { self.allocation(allocation) }
            var queue: QueueID?
            for burst in chip.bursts {
                self.burst(burst, isSame: burst.queue == queue)
                queue = burst.queue
            }
        }
    }

    mutating func placement(_ placement: Placement, _ names: [String]) {
        lines.put("place \(names[placement.template]) \(placement.start)")
        for chip in placement.chips { word(chip.description) }
        if !placement.slots.isEmpty { lines.put(" slots") }
        for slot in placement.slots {
            number(Int(slot.rows))
            if slot.flipsBank { lines.put("!") }
        }
        lines.line(" ops \(placement.opBase) values \(placement.valueBase)")
    }

    /// What is as in one run of consecutive vectors from 0 on is not written.
    private mutating func allocation(_ a: Allocation) {
        lines.put("rows v")
        lines.put(a.value.index)
        lines.put(".")
        lines.put(Int(a.plane))
        lines.put(a.hemisphere == .west ? " mem.w" : " mem.e")
        lines.put(Int(a.slice))
        address(a.base)
        if a.rows != 1 { field("count", Int(a.rows)) }
        if a.first != 0 { field("first", Int(a.first)) }
        if a.run != max(a.rows, 1) { field("run", Int(a.run)) }
        if a.innerStride != 1 || a.outerStride != 0 {
            field("strides", Int(a.innerStride))
            number(Int(a.outerStride))
        }
        lines.put(" @")
        lines.put(a.live.lowerBound.index)
        lines.put(" @")
        lines.put(a.live.upperBound.index)
        lines.line(a.isImage ? " image" : "")
    }

    /// A unit is written in the first of its lines.
    private mutating func burst(_ burst: Burst, isSame: Bool) {
        lines.put(byte: UInt8(ascii: "@"))
        lines.put(burst.start.index)
        if !isSame { word(units[burst.queue.index]) }
        instruction(burst.instruction)
        if burst.inner != .once || burst.outer != .once { self.repeat(burst.inner) }
        if burst.outer != .once { self.repeat(burst.outer) }
        if let op = burst.op {
            lines.put(" op")
            lines.put(op.index)
        }
        lines.endLine()
    }

    /// `x20/1+3`: count, distance, step; a step of 0 is not written.
    private mutating func `repeat`(_ level: Repeat) {
        lines.put(" x")
        lines.put(Int(level.count))
        lines.put("/")
        lines.put(Int(level.distance))
        if level.step > 0 { lines.put("+") }
        if level.step != 0 { lines.put(Int(level.step)) }
    }
}

// MARK: Words

extension ScheduleWriter {
    mutating func word(_ text: String) {
        lines.blank()
        lines.put(text)
    }

    mutating func number(_ value: Int) {
        lines.blank()
        lines.put(value)
    }

    mutating func stream(_ stream: Stream) {
        lines.put(" s")
        lines.put(stream.id)
        lines.put(byte: stream.direction == .west ? UInt8(ascii: "w") : UInt8(ascii: "e"))
    }

    /// `b0:r40`, in a row slot `$1.b0:r40`.
    mutating func address(_ address: RowAddress) {
        lines.blank()
        if address.slot > 0 {
            lines.put("$")
            lines.put(Int(address.slot))
            lines.put(".")
        }
        lines.put("b")
        lines.put(Int(address.bank))
        lines.put(":r")
        lines.put(Int(address.row))
    }
}
