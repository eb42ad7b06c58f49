import LPUMachine
import LPUSchedule
import LPUSupport

extension Pictures {
    /// The stages of the schedule: a box each with its chips, what it runs and when, and the SRAM
    /// that its memory image takes; arrows with the bytes sent over links and through host ports.
    ///
    /// Chips are of one stage if a placement holds both that is no hand-over. Placements of one
    /// template that follow each other are one line. Of three or more stages in a row that differ
    /// only in chips and cycles, those behind the first are one box.
    /// O(placements, their chips and bursts).
    public func pipeline() -> Drawing {
        let stages = Stages(of: self)
        let boxes = boxes(stages)
        var edges: [Drawing.Edge] = []
        func add(_ from: String, _ to: String, _ vectors: Int) {
            if vectors > 0 { edges.append(edge(from: from, to: to, vectors)) }
        }
        for a in boxes { add("host in", id(a), a.map { stages.ingress[$0] }.reduce(0, +)) }
        for (i, a) in boxes.enumerated() {
            for (j, b) in boxes.enumerated() where a != b {
                let sent = a.flatMap { s in b.map { stages.sent(from: s, to: $0) } }.reduce(0, +)
                add(id(a), id(b), sent)
                if sent == 0, j == i + 1 {
                    edges.append(Drawing.Edge(from: id(a), to: id(b), nil))
                }
            }
        }
        for a in boxes { add(id(a), "host out", a.map { stages.egress[$0] }.reduce(0, +)) }
        func host(_ name: String) -> Drawing.Node {
            let cell = Drawing.Cell(name, .strong, fill: UnitClass.link.colour)
            return Drawing.Node(name, table: Drawing.Table([[cell]]), outline: .solid)
        }
        let nodes =
            [host("host in")]
            + boxes.map { $0.count == 1 ? node(stages, $0.lowerBound) : folded(stages, $0) }
            + [host("host out")]
        var note = "step of \(lengthText)"
        if let interval = schedule.interval {
            note += "; a step every \(grouped(max(0, interval.count))) cycles"
        }
        let notes = [
            note,
            "boxes: first–last cycle of issue on the stage's chips; arrows: vectors and bytes sent",
        ]
        return Drawing(
            "pipeline", layout: .layered, heading: heading("pipeline", notes, of: nodes),
            nodes: nodes, edges: edges)
    }

    private func id(_ box: Range<Int>) -> String { "stage\(box.lowerBound)" }

    private func edge(from: String, to: String, _ vectors: Int) -> Drawing.Edge {
        let word = vectors == 1 ? "vector" : "vectors"
        return Drawing.Edge(
            from: from, to: to, "\(grouped(vectors)) \(word), \(bytes(vectors: vectors))")
    }

    /// The stages of each box: one, or all behind the first of at least three of one kind.
    private func boxes(_ stages: Stages) -> [Range<Int>] {
        let kinds = stages.stages.indices.map { kind(stages, $0) }
        var boxes: [Range<Int>] = []
        var first = 0
        while first < kinds.count {
            let end = kinds[first...].firstIndex { $0 != kinds[first] } ?? kinds.count
            let isFolded = end - first >= 3
            boxes += (first..<(isFolded ? first + 1 : end)).map { $0..<$0 + 1 }
            if isFolded { boxes.append(first + 1..<end) }
            first = end
        }
        return boxes
    }

    /// All that a box says of a stage and its traffic but chips and cycles.
    private func kind(_ stages: Stages, _ s: Int) -> [String] {
        let all = stages.stages.indices
        let sent = all.filter { stages.sent(from: s, to: $0) > 0 }.map {
            "\($0 - s): \(stages.sent(from: s, to: $0))"
        }
        let host = "\(stages.ingress[s]) \(stages.egress[s])"
        return runs(stages.stages[s].parts).map(\.title) + sent
            + [host, "\(stages.stages[s].chips.count) \(imageRows(stages.stages[s]))"]
    }

    private func node(_ stages: Stages, _ s: Int) -> Drawing.Node {
        let stage = stages.stages[s]
        var rows = [[Drawing.Cell("stage \(s)", .strong)], [Drawing.Cell(text(of: stage.chips))]]
        for run in runs(stage.parts) {
            rows.append([Drawing.Cell("\(run.title): \(text(of: run.cycles))", fill: .pale)])
        }
        rows.append([
            Drawing.Cell(
                "weights, tables and caches: \(bytes(vectors: imageRows(stage))) of "
                    + "\(formatted(bytes: machine.chip.sramBytes)) a chip",
                fill: UnitClass.memory.colour)
        ])
        if stages.sent(from: s, to: s) > 0 {
            rows.append([
                Drawing.Cell(
                    "links inside: \(bytes(vectors: stages.sent(from: s, to: s)))",
                    fill: UnitClass.link.colour)
            ])
        }
        return Drawing.Node("stage\(s)", table: Drawing.Table(rows), outline: .solid)
    }

    /// Stages like the one before them.
    private func folded(_ stages: Stages, _ box: Range<Int>) -> Drawing.Node {
        let cycles = stages.stages[box].flatMap(\.parts).map(\.cycles)
        let first = cycles.map(\.lowerBound).min() ?? 0
        let last = cycles.map(\.upperBound).max() ?? first
        let like = "stages \(box.lowerBound)–\(box.upperBound - 1): each like stage "
        return Drawing.Node(
            id(box),
            table: Drawing.Table([
                [Drawing.Cell(like + "\(box.lowerBound - 1)", .strong)],
                [Drawing.Cell(text(of: stages.stages[box].flatMap(\.chips).sorted()))],
                [Drawing.Cell(text(of: first...last), fill: .pale)],
            ]), outline: .solid)
    }

    private func text(of chips: [ChipID]) -> String {
        let count = chips.count == 1 ? "1 chip" : "\(grouped(chips.count)) chips"
        return "\(count): \(ranges(chips))"
    }

    private func text(of cycles: ClosedRange<Int>) -> String {
        "cycles \(grouped(cycles.lowerBound))–\(grouped(cycles.upperBound))"
    }

    /// Parts that follow each other and are of one template, as `layer × 4`.
    private func runs(_ parts: [Stage.Part]) -> [(title: String, cycles: ClosedRange<Int>)] {
        func template(_ part: Stage.Part) -> Int { schedule.placements[part.placement].template }
        var runs: [ArraySlice<Stage.Part>] = []
        var rest = parts[...]
        while let first = rest.first {
            let run = rest.prefix { template($0) == template(first) }
            runs.append(run)
            rest = rest.dropFirst(run.count)
        }
        return runs.map { run in
            let first = run.map(\.cycles.lowerBound).min() ?? 0
            let last = run.map(\.cycles.upperBound).max() ?? first
            let name = run.first.map { schedule.templates[template($0)].name } ?? ""
            return (run.count == 1 ? name : "\(name) × \(run.count)", first...last)
        }
    }

    /// Rows of the memory image on the stage's fullest chip.
    private func imageRows(_ stage: Stage) -> Int { stage.chips.map(imageRows).max() ?? 0 }

    /// Rows of the memory image on a chip.
    private func imageRows(_ chip: ChipID) -> Int {
        var rows = 0
        schedule.forEachProgram(on: chip) { _, program in
            for allocation in program.allocations where allocation.isImage {
                rows += Int(allocation.rows)
            }
        }
        return rows
    }
}

/// `chip0–chip7, chip16`: runs of consecutive numbers. - Requires: ascending.
private func ranges(_ chips: [ChipID]) -> String {
    var runs: [ClosedRange<Int>] = []
    for chip in chips.map(\.index) {
        if let last = runs.last, last.upperBound + 1 == chip {
            runs[runs.count - 1] = last.lowerBound...chip
        } else {
            runs.append(chip...chip)
        }
    }
    return runs.map { run in
        let (first, last) = (ChipID(run.lowerBound), ChipID(run.upperBound))
        return first == last ? "\(first)" : "\(first)–\(last)"
    }
    .joined(separator: ", ")
}
