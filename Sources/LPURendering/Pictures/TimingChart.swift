import LPUDataflow
import LPUMachine

/// The boxes of a timing chart, in points, 800 of them wide.
struct TimingChart {
    let pictures: Pictures
    let activity: Activity
    private(set) var nodes: [Drawing.Node] = []

    private let plot = (left: 150.0, width: 590.0)
    private let row = (height: 24.0, gap: 5.0)
    /// Steps of a bar's height: neighbours on one step are one box.
    private let levels = 12

    init(pictures: Pictures, activity: Activity) {
        self.pictures = pictures
        self.activity = activity
    }

    private var rows: [TimingRow] {
        TimingRow.allCases.filter { $0.units(of: pictures.machine.chip).count > 0 }
    }

    private var bottom: Double { Double(rows.count) * (row.height + row.gap) }

    mutating func draw() {
        for (i, kind) in rows.enumerated() { ground(kind, y: Double(i) * (row.height + row.gap)) }
        let end = axis()
        for (i, kind) in rows.enumerated() { bars(kind, y: Double(i) * (row.height + row.gap)) }
        kernels(below: end)
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
            Drawing.Frame(x: plot.left + plot.width, y: y, width: 54, height: row.height))
    }

    private mutating func bars(_ kind: TimingRow, y: Double) {
        let units = kind.units(of: pictures.machine.chip).count
        func level(_ column: Int) -> Int {
            let capacity = units * activity.cycles(ofColumn: column).count
            let busy = activity.busy(kind, column: column)
            return min(levels, (busy * levels + capacity - 1) / capacity)
        }
        var first = 0
        while first < activity.columns {
            let height = level(first)
            var next = first + 1
            while next < activity.columns, level(next) == height { next += 1 }
            if height > 0 {
                let left = x(activity.cycles(ofColumn: first).lowerBound)
                let right = x(activity.cycles(ofColumn: next - 1).upperBound)
                let tall = row.height * Double(height) / Double(levels)
                nodes.append(
                    Drawing.Node(
                        "\(kind).\(activity.cycles(ofColumn: first).lowerBound)",
                        fill: kind.unitClass.colour,
                        frame: Drawing.Frame(
                            x: left, y: y + row.height - tall, width: rounded(right - left),
                            height: tall)))
            }
            first = next
        }
    }

    /// Grid lines with cycles and time under them; returns where it ends.
    private mutating func axis() -> Double {
        let step = tickStep(activity.range.count)
        var tick = (activity.range.lowerBound + step - 1) / step * step
        while tick <= activity.range.upperBound {
            nodes.append(
                Drawing.Node(
                    "tick\(tick)", fill: .grey,
                    frame: Drawing.Frame(x: x(tick), y: 0, width: 0.5, height: bottom)))
            text(
                "tick\(tick).text", [grouped(tick), pictures.microseconds(tick)], .center,
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

    private mutating func kernels(below top: Double) {
    }
}
