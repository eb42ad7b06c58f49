import LPUMachine
import LPUSupport

/// Bounds of what is read: sums of two ids or rows fit 32 bits, those of cycles and issues 64.
let maxCycle = 1 << 40
let maxID = 1_000_000_000
let maxRow = (1 << 24) - 1
let maxClaim = 1 << 59
let maxIssues = 1 << 62

extension ScheduleReader {
    /// `@120 mem.e12 read b0:r40 s12e x20/1+1 op7`; without a unit it is that of the line above.
    mutating func burst() throws(DiagnosticSet) {
        let start = try cycle()
        var word = try name("a unit")
        let queue: QueueID
        if let last = lastQueue, isInstruction(word) {
            queue = last
        } else {
            queue = try self.queue(word)
            word = try name("an instruction")
        }
        lastQueue = queue
        let instruction = try instruction(word)
        var levels: [Repeat] = []
        while scanner.nextByte == UInt8(ascii: "x") { levels.append(try level()) }
        if levels.count > machine.chip.repeatDepth {
            throw error("\(levels.count) Repeats, repeatDepth is \(machine.chip.repeatDepth)")
        }
        let inner = levels.first ?? .once
        let outer = levels.count > 1 ? levels[1] : .once
        var op: OpID?
        if !scanner.isAtEnd { op = OpID(try entity("op", "an op such as 'op7'")) }
        let burst = Burst(
            start: start, queue: queue, instruction, inner: inner, outer: outer, op: op)
        try append { $0.bursts.append(burst) }
    }

    /// `rows v12.0 mem.e12 b0:r40 count 20 first 2 run 10 strides 1 320 @0 @900 image`
    mutating func allocation() throws(DiagnosticSet) {
        try scanner.beginWord("a value", id: scheduleSyntax)
        guard scanner.takePrefix("v") else { throw unexpected("a byte of a value such as 'v12.0'") }
        let value = try number("a value", in: 0...maxID)
        guard scanner.takeByte(UInt8(ascii: ".")) else {
            throw unexpected("a byte of a value such as 'v12.0'")
        }
        let plane = try number("a byte", in: 0...255)
        try scanner.endWord(id: scheduleSyntax)
        guard case .memory(let hemisphere, let slice) = units[try queue(name("a unit")).index]
        else {
            throw error("rows are of a MEM slice such as 'mem.e12'")
        }
        let base = try address()
        let count = try optional("count", in: 0...maxRow) ?? 1
        let first = try optional("first", in: 0...maxID) ?? 0
        let run = try optional("run", in: 1...maxID) ?? max(count, 1)
        let inner = try optional("strides", in: -maxID...maxID)
        let outer = inner == nil ? 0 : try integer("the outer stride", in: -maxID...maxID)
        let (from, to) = (try cycle(), try cycle())
        guard from <= to else { throw error("the rows live from \(from) to \(to)") }
        let isImage = scanner.take("image")
        let allocation = Allocation(
            value: ValueID(value), plane: plane, hemisphere: hemisphere, slice: slice, base: base,
            rows: count, first: first, run: run, innerStride: inner ?? 1, outerStride: outer,
            live: from..<to, isImage: isImage)
        try append { $0.allocations.append(allocation) }
    }

    private func queue(_ name: String) throws(DiagnosticSet) -> QueueID {
        guard let queue = queues[name] else {
            let hint = nearest(to: name, in: units.map(\.description))
            throw error(
                "machine '\(machine.name)' has no unit '\(name)'"
                    + (hint.map { "; did you mean '\($0)'?" } ?? ""))
        }
        return queue
    }

    /// `x20/1+3`
    private mutating func level() throws(DiagnosticSet) -> Repeat {
        try scanner.beginWord("a Repeat", id: scheduleSyntax)
        _ = scanner.takeByte(UInt8(ascii: "x"))
        let count = try number("a Repeat's count", in: 1...machine.chip.maxRepeatCount)
        guard scanner.takeByte(UInt8(ascii: "/")) else { throw unexpected("'/' and a distance") }
        let distance = try number("its distance", in: 1...machine.chip.maxRepeatDistance)
        var step = 0
        if scanner.takeByte(UInt8(ascii: "+")) {
            step = try number("its step", in: 0...maxRow)
        } else if scanner.nextByte == UInt8(ascii: "-") {
            step = try number("its step", in: -maxRow...0)
        }
        try scanner.endWord(id: scheduleSyntax)
        return Repeat(count: count, distance: distance, step: step)
    }

    /// `b0:r40` or `$1.b0:r40`
    mutating func address() throws(DiagnosticSet) -> RowAddress {
        try scanner.beginWord("rows such as 'b0:r40'", id: scheduleSyntax)
        var slot = 0
        if scanner.takeByte(UInt8(ascii: "$")) {
            slot = try number("a row slot", in: 1...255)
            guard scanner.takeByte(UInt8(ascii: ".")) else { throw unexpected("'.' and a bank") }
        }
        guard scanner.takeByte(UInt8(ascii: "b")) else { throw unexpected("rows such as 'b0:r40'") }
        let bank = try number("the bank", in: 0...machine.chip.banksPerSlice - 1)
        guard scanner.takePrefix(":r") else { throw unexpected("':r' and a row") }
        let row = try number("the row", in: 0...maxRow)
        try scanner.endWord(id: scheduleSyntax)
        noteSlot(slot)
        return RowAddress(slot: slot, bank: bank, row: row)
    }
}

// MARK: Words

extension ScheduleReader {
    /// An error at the word that was read last.
    func error(_ message: String) -> DiagnosticSet { scanner.error(scheduleSyntax, message) }

    func unexpected(_ expected: String) -> DiagnosticSet {
        error("'\(scanner.currentWord)' stands where \(expected) is expected")
    }

    mutating func name(_ what: String) throws(DiagnosticSet) -> String {
        String(try scanner.word(what, id: scheduleSyntax))
    }

    /// A number inside a word.
    @inline(__always)
    mutating func number(
        _ what: @autoclosure () -> String, in range: ClosedRange<Int>
    ) throws(DiagnosticSet) -> Int {
        try scanner.number(what(), in: range, id: scheduleValue)
    }

    /// A word that is a number.
    mutating func integer(
        _ what: String, in range: ClosedRange<Int>
    ) throws(DiagnosticSet) -> Int {
        try scanner.integer(what, in: range, id: scheduleValue)
    }

    /// `name` and a number.
    mutating func field(_ name: String, in range: ClosedRange<Int>) throws(DiagnosticSet) -> Int {
        try scanner.expect(name, id: scheduleSyntax)
        return try scanner.integer(name, in: range, id: scheduleValue)
    }

    /// `name` and a number, if the next word is `name`.
    private mutating func optional(
        _ name: String, in range: ClosedRange<Int>
    ) throws(DiagnosticSet) -> Int? {
        scanner.take(name) ? try scanner.integer(name, in: range, id: scheduleValue) : nil
    }

    /// `prefix` and a number as one word.
    mutating func entity(
        _ prefix: StaticString, _ what: @autoclosure () -> String, below end: Int = maxID + 1
    ) throws(DiagnosticSet) -> Int {
        try scanner.beginWord(what(), id: scheduleSyntax)
        guard scanner.takePrefix(prefix) else { throw unexpected(what()) }
        let index = try number(what(), in: 0...maxID)
        guard index < end else {
            throw error("there is no '\(scanner.currentWord)', only \(end) of them")
        }
        try scanner.endWord(id: scheduleSyntax)
        return index
    }

    /// `@120`
    mutating func cycle() throws(DiagnosticSet) -> Cycle {
        try scanner.beginWord("a cycle such as '@120'", id: scheduleSyntax)
        guard scanner.takeByte(UInt8(ascii: "@")) else {
            throw unexpected("a cycle such as '@120'")
        }
        let index = try number("the cycle", in: 0...maxCycle)
        try scanner.endWord(id: scheduleSyntax)
        return Cycle(index)
    }
}
