import LPUMachine
import LPUSupport

/// The boxes of a timing chart, in points, 800 of them wide.
struct TimingChart {
    let pictures: Pictures
    let chip: ChipID
    let activity: Activity
    let kernels: KernelLines
    private(set) var nodes: [Drawing.Node] = []

    private let plot = (left: 190.0, width: 560.0)
    private let row = (height: 24.0, gap: 5.0)
    /// Steps of a bar's height: neighbours on one step are one box.
    private let levels = 12

    init(pictures: Pictures, chip: ChipID, activity: Activity, kernels: KernelLines) {
        self.pictures = pictures
        self.chip = chip
        self.activity = activity
        self.kernels = kernels
    }

    private var rows: [TimingRow] {
        TimingRow.allCases.filter { $0.units(of: pictures.machine.chip).count > 0 }
    }

    private var bottom: Double { Double(rows.count) * (row.height + row.gap) }

    mutating func draw() {
        for (i, kind) in rows.enumerated() { ground(kind, y: Double(i) * (row.height + row.gap)) }
        let end = axis()
        for (i, kind) in rows.enumerated() { bars(kind, y: Double(i) * (row.height + row.gap)) }
        lines(below: end)
    }

    private func x(_ cycle: Int) -> Double {
        let share = Double(cycle - activity.range.lowerBound) / Double(activity.range.count)
        return rounded(plot.left + plot.width * share)
    }

    /// Hundredths of a point: short numbers in the text.
    private func rounded(_ points: Double) -> Double { (points * 100).rounded() / 100 }

    private mutating func text(
        _ id: String, _ lines: [String], _ alignment: Drawing.Cell.Alignment, _ frame: Drawing.Frame
    ) {
        let rows = lines.map { [Drawing.Cell($0, alignment: alignment)] }
        nodes.append(Drawing.Node(id, table: Drawing.Table(rows), frame: frame))
    }

    private mutating func ground(_ kind: TimingRow, y: Double) {
        let units = kind.units(of: pictures.machine.chip)
        nodes.append(
            Drawing.Node(
                "\(kind).ground", fill: .pale,
                frame: Drawing.Frame(x: plot.left, y: y, width: plot.width, height: row.height)))
        text(
            "\(kind).title", [kind.title, "\(units.count) \(units.name)"], .right,
            Drawing.Frame(x: 0, y: y, width: plot.left - 6, height: row.height))
        let capacity = units.count * activity.range.count
        let tenths = (activity.busy(kind) * 1000 + capacity / 2) / capacity
        text(
            "\(kind).share", ["\(tenths / 10).\(tenths % 10) %"], .right,
            Drawing.Frame(x: plot.left + plot.width + 4, y: y, width: 44, height: row.height))
    }

    private mutating func bars(_ kind: TimingRow, y: Double) {
        let units = kind.units(of: pictures.machine.chip).count
        func level(_ column: Int) -> Int {
            let capacity = units * activity.cycles(ofColumn: column).count
            let busy = activity.busy(kind, column: column)
            return min(levels, (busy * levels + capacity - 1) / capacity)
        }
        for run in runs((0..<activity.columns).map(level)) where run.level > 0 {
            let tall = row.height * Double(run.level) / Double(levels)
            bar(
                "\(kind).\(run.columns.lowerBound)", run.columns, kind.unitClass.colour,
                y: y + row.height - tall, height: tall)
        }
    }

    /// Grid lines with cycles and time under them; returns where it ends.
    private mutating func axis() -> Double {
        let step = tickStep(activity.range.count)
        let decimals = decimals(ofStep: step)
        var tick = (activity.range.lowerBound + step - 1) / step * step
        while tick <= activity.range.upperBound {
            nodes.append(
                Drawing.Node(
                    "tick\(tick)", fill: .grey,
                    frame: Drawing.Frame(x: x(tick), y: 0, width: 0.5, height: bottom)))
            let time = pictures.microseconds(tick, decimals: decimals)
            text(
                "tick\(tick).text", [grouped(tick), time], .center,
                Drawing.Frame(x: x(tick) - 35, y: bottom, width: 70, height: 28))
            tick += step
        }
        text(
            "axis", ["cycle", "time"], .right,
            Drawing.Frame(x: 0, y: bottom, width: plot.left - 40, height: 28))
        return bottom + 36
    }

    /// 1, 2 or 5 times a power of ten, so that there are 4 to 10 ticks.
    private func tickStep(_ count: Int) -> Int {
        var power = 1
        while power * 10 <= count { power *= 10 }
        for step in [power / 5, power / 2, power, power * 2] where step > 0 && count / step <= 8 {
            return step
        }
        return max(1, power)
    }

    /// So many of a microsecond that a step of the axis is two units of the last one at least.
    private func decimals(ofStep step: Int) -> Int {
        var (decimals, units) = (1, step * 10)
        while units < 2 * pictures.machine.chip.clockMegahertz {
            (decimals, units) = (decimals + 1, units * 10)
        }
        return decimals
    }

    /// A line a kernel with the columns in which it has instructions under way.
    private mutating func lines(below top: Double) {
        for (i, line) in kernels.shown.enumerated() {
            let y = top + Double(i) * 17
            text(
                "\(line.name).title", [shortened(line.label)], .right,
                Drawing.Frame(x: 0, y: y, width: plot.left - 6, height: 13))
            nodes.append(
                Drawing.Node(
                    "\(line.name).ground", fill: .pale,
                    frame: Drawing.Frame(x: plot.left, y: y, width: plot.width, height: 13)))
            for run in runs(line.isBusy.map { $0 ? 1 : 0 }) where run.level > 0 {
                bar("\(line.name).\(run.columns.lowerBound)", run.columns, .grey, y: y, height: 13)
            }
        }
    }

    /// What fits beside the plot; the end of a name tells more than its beginning.
    private func shortened(_ name: String) -> String {
        name.count <= 34 ? name : "…" + name.suffix(33)
    }

    /// A box over some columns.
    private mutating func bar(
        _ id: String, _ columns: Range<Int>, _ fill: Colour, y: Double, height: Double
    ) {
        let left = x(activity.cycles(ofColumn: columns.lowerBound).lowerBound)
        let right = x(activity.cycles(ofColumn: columns.upperBound - 1).upperBound)
        nodes.append(
            Drawing.Node(
                id, fill: fill,
                frame: Drawing.Frame(
                    x: left, y: y, width: rounded(right - left), height: height)))
    }

    /// Neighbours on one level.
    private func runs(_ levels: [Int]) -> [(columns: Range<Int>, level: Int)] {
        var runs: [(columns: Range<Int>, level: Int)] = []
        for (column, level) in levels.enumerated() {
            if let last = runs.last, last.level == level {
                runs[runs.count - 1].columns = last.columns.lowerBound..<column + 1
            } else {
                runs.append((column..<column + 1, level))
            }
        }
        return runs
    }
}
