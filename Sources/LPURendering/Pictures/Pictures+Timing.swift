import LPUDataflow
import LPUMachine
import LPUSchedule
public import LPUSupport

extension Pictures {
    /// The instance to look at for a layer: where layers are cut into several templates, the first
    /// of the one that is placed most often, of several the one with most ops; nil where the
    /// program names no layer.
    public var layerInstance: Int? {
        func ops(_ i: Int) -> Int { program.templates[program.instances[i].template].ops.count }
        let layers = program.instances.indices.filter { program.instances[$0].layer != nil }
        func uses(_ i: Int) -> Int {
            layers.count { program.instances[$0].template == program.instances[i].template }
        }
        let most = layers.lazy.map { (uses($0), ops($0)) }.max(by: <)
        return layers.first { (uses($0), ops($0)) == most ?? (0, 0) }
    }

    /// The cycles of that instance on its first chip.
    public func layerCycles() -> Range<Cycle>? {
        guard let i = layerInstance, schedule.placements.indices.contains(i)
        else { return nil }
        let placement = schedule.placements[i]
        let bursts = schedule.templates[placement.template].chips.first?.bursts ?? []
        let end = bursts.map(\.lastIssue.index).max() ?? 0
        return placement.start..<Cycle(placement.start.index + end + 1)
    }

    /// How busy each kind of unit of a chip is over some cycles: a row a kind, columns of equally
    /// many cycles, the height of a bar the share of the kind's units that is busy, and at the end
    /// of the row the share over all cycles drawn.
    ///
    /// Under the axis, when kernels are under way: of many those that fill most of the time. Never
    /// more than 3000 boxes.
    /// - Parameters:
    ///   - chip: one of the machine.
    ///   - cycles: part of the step; nil for all of it.
    /// - Throws: `drawing-cycles` where nothing of the step is in the range, `drawing-chip`.
    /// - Complexity: O(issues of the chip in the range + its bursts).
    public func timing(
        of chip: ChipID = ChipID(0), cycles: Range<Cycle>? = nil
    ) throws(DiagnosticSet) -> Drawing {
        let step = 0..<length.count
        let asked = cycles.map { $0.lowerBound.index..<$0.upperBound.index } ?? step
        let range = asked.clamped(to: step)
        guard !range.isEmpty else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("cycles"), id: "drawing-cycles",
                    "no cycle of the step, \(step), is in \(asked)"))
        }
        guard (0..<machine.chipCount).contains(chip.index) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("chip"), id: "drawing-chip",
                    "\(chip) is asked for, the machine has \(machine.chipCount) chips"))
        }
        let activity = Activity(of: self, chip: chip, range: range)
        let kernels = KernelLines(of: self, on: chip, activity)
        var chart = TimingChart(pictures: self, chip: chip, activity: activity, kernels: kernels)
        chart.draw()
        let column = activity.columnCycles == 1 ? "cycle" : "cycles"
        let notes = [
            "cycles \(grouped(range.lowerBound))–\(grouped(range.upperBound - 1)) of a step of "
                + lengthText,
            "full height: all units of the row busy; a column: "
                + "\(grouped(activity.columnCycles)) \(column); right: busy share",
            "below: when kernels, ops of one name, are under way" + kernels.note,
        ]
        return Drawing(
            "timing of \(chip)", layout: .placed,
            heading: heading("timing of \(chip)", notes, of: chart.nodes), nodes: chart.nodes)
    }
}

/// Busy unit-cycles of each row in each column of a chart.
struct Activity {
    let range: Range<Int>
    /// Cycles a column; the last may be shorter.
    let columnCycles: Int
    let columns: Int
    /// Row by row.
    private var busy: [Int]

    /// Every column may be a bar in each row of units and every other one in each line of kernels:
    /// so many keep a chart below 3000 boxes.
    static let maximumColumns = 140

    init(of pictures: Pictures, chip: ChipID, range: Range<Int>) {
        self.range = range
        columnCycles = (range.count + Self.maximumColumns - 1) / Self.maximumColumns
        columns = (range.count + columnCycles - 1) / columnCycles
        busy = Array(repeating: 0, count: TimingRow.allCases.count * columns)
        let (units, model) = (pictures.units, pictures.machine.chip)
        pictures.schedule.forEachProgram(on: chip) { placement, program in
            for burst in program.bursts {
                let start = placement.start.index + burst.start.index
                guard start < range.upperBound else { continue }
                let unit = units[burst.queue.index]
                for occupation in Occupation.of(burst.instruction, on: unit, chip: model) {
                    add(occupation, of: burst, at: start)
                }
            }
        }
    }

    private mutating func add(_ occupation: Occupation, of burst: Burst, at start: Int) {
        let row = occupation.row.rawValue * columns
        for outer in 0..<Int(burst.outer.count) {
            let first = start + outer * Int(burst.outer.distance)
            for inner in 0..<Int(burst.inner.count) {
                let issue = first + inner * Int(burst.inner.distance)
                for cycle in (issue..<issue + occupation.cycles).clamped(to: range) {
                    busy[row + (cycle - range.lowerBound) / columnCycles] += occupation.units
                }
            }
        }
    }

    func cycles(ofColumn column: Int) -> Range<Int> {
        let first = range.lowerBound + column * columnCycles
        return first..<min(first + columnCycles, range.upperBound)
    }

    /// Those that hold a cycle of `span`.
    func columns(of span: ClosedRange<Int>) -> Range<Int> {
        let part = (span.lowerBound..<span.upperBound + 1).clamped(to: range)
        if part.isEmpty { return 0..<0 }
        let first = (part.lowerBound - range.lowerBound) / columnCycles
        return first..<(part.upperBound - 1 - range.lowerBound) / columnCycles + 1
    }

    func busy(_ row: TimingRow, column: Int) -> Int { busy[row.rawValue * columns + column] }

    func busy(_ row: TimingRow) -> Int {
        busy[row.rawValue * columns..<(row.rawValue + 1) * columns].reduce(0, +)
    }
}
