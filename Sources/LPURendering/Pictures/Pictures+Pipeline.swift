import LPUMachine
import LPUSchedule
import LPUSupport

extension Pictures {
    /// The stages of the schedule: a box each with its chips, what it runs and when, and the SRAM
    /// that its memory image takes; arrows with the bytes sent over links and through host ports.
    ///
    /// Chips are of one stage if a placement holds both that is no hand-over. Placements of one
    /// template that follow each other are one line. O(placements, their chips and bursts).
    public func pipeline() -> Drawing {
        let stages = Stages(of: self)
        let all = stages.stages.indices
        var edges: [Drawing.Edge] = []
        for a in all where stages.ingress[a] > 0 {
            edges.append(edge(from: "host in", to: "stage\(a)", stages.ingress[a]))
        }
        for a in all {
            for b in all where a != b {
                let sent = stages.sent(from: a, to: b)
                if sent > 0 {
                    edges.append(edge(from: "stage\(a)", to: "stage\(b)", sent))
                } else if b == a + 1 {
                    edges.append(Drawing.Edge(from: "stage\(a)", to: "stage\(b)", nil))
                }
            }
        }
        for a in all where stages.egress[a] > 0 {
            edges.append(edge(from: "stage\(a)", to: "host out", stages.egress[a]))
        }
        func host(_ name: String) -> Drawing.Node {
            let cell = Drawing.Cell(name, .strong, fill: UnitClass.link.colour)
            return Drawing.Node(name, table: Drawing.Table([[cell]]), outline: .solid)
        }
        let nodes = [host("host in")] + all.map { node(stages, $0) } + [host("host out")]
        var note = "step of \(lengthText)"
        if let interval = schedule.interval {
            note += "; a step every \(grouped(max(0, interval.count))) cycles"
        }
        return Drawing(
            "pipeline", layout: .layered,
            heading: heading("pipeline", [note + "; arrows: vectors and bytes sent"]),
            nodes: nodes, edges: edges)
    }

    private func edge(from: String, to: String, _ vectors: Int) -> Drawing.Edge {
        let word = vectors == 1 ? "vector" : "vectors"
        return Drawing.Edge(
            from: from, to: to, "\(grouped(vectors)) \(word), \(bytes(vectors: vectors))")
    }

    private func node(_ stages: Stages, _ s: Int) -> Drawing.Node {
        let stage = stages.stages[s]
        let chips = stage.chips.count == 1 ? "1 chip" : "\(grouped(stage.chips.count)) chips"
        var rows = [
            [Drawing.Cell("stage \(s)", .strong)],
            [Drawing.Cell("\(chips): \(ranges(stage.chips))")],
        ]
        for run in runs(stage.placements) {
            let times = run.count == 1 ? "" : " × \(run.count)"
            let name = schedule.templates[schedule.placements[run[0]].template].name
            let first = run.map { schedule.placements[$0].start.index }.min() ?? 0
            let last = run.map(lastIssue).max() ?? first
            rows.append([
                Drawing.Cell(
                    "\(name)\(times): cycles \(grouped(first))–\(grouped(last))",
                    fill: .pale)
            ])
        }
        let image = stage.chips.map(imageRows).max() ?? 0
        rows.append([
            Drawing.Cell(
                "weights and tables: \(bytes(vectors: image)) of "
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

    /// Placements of one template that follow each other.
    private func runs(_ placements: [Int]) -> [[Int]] {
        var runs: [[Int]] = []
        for p in placements {
            if let last = runs.last?.last,
                schedule.placements[last].template == schedule.placements[p].template
            {
                runs[runs.count - 1].append(p)
            } else {
                runs.append([p])
            }
        }
        return runs
    }

    private func lastIssue(ofPlacement p: Int) -> Int {
        let placement = schedule.placements[p]
        let bursts = schedule.templates[placement.template].chips.lazy.flatMap(\.bursts)
        return placement.start.index + (bursts.map(\.lastIssue.index).max() ?? 0)
    }

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
