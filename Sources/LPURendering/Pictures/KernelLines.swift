import LPUDataflow
import LPUMachine
import LPUSupport

/// In which columns of a chart the kernels of a chip are under way.
struct KernelLines {
    struct Line {
        /// Unique: with the template's name where there are several templates.
        var name: String
        /// The name without what the chart says elsewhere.
        var label: String
        /// Whether one of the ops is between its first and its last issue in one of the instances.
        var isBusy: [Bool]
        fileprivate var template: Int
        fileprivate var kernel: String
        fileprivate var ops: Int
        fileprivate var first: Int
    }
    /// By first issue.
    private(set) var shown: [Line] = []
    /// What a legend says of those that are not shown and of what the labels lack.
    private(set) var note = ""

    static let maximumLines = 12

    /// O(bursts of the chip + kernels · columns).
    init(of pictures: Pictures, on chip: ChipID, _ activity: Activity) {
        let lines = Self.all(of: pictures, on: chip, activity)
        shown = Self.filling(lines).sorted { ($0.first, $0.name) < ($1.first, $1.name) }
        if shown.count < lines.count {
            note = ": of \(lines.count) the \(shown.count) that fill most of the time"
        }
        shorten(pictures)
    }

    /// Of the templates' kernels those that are under way in some column.
    private static func all(
        of pictures: Pictures, on chip: ChipID, _ activity: Activity
    ) -> [Line] {
        let program = pictures.program
        var lines: [Line] = []
        for (t, template) in program.templates.enumerated() {
            let instances = program.instances.indices.filter {
                program.instances[$0].template == t && program.instances[$0].chips.contains(chip)
            }
            let spans = instances.map { pictures.opSpans(of: $0, on: chip) }
            for kernel in Kernels(of: template, in: nil, limit: 40).inside {
                let known = spans.flatMap { spans in kernel.ops.compactMap { spans[$0] } }
                var isBusy = [Bool](repeating: false, count: activity.columns)
                for span in known {
                    for column in activity.columns(of: span) { isBusy[column] = true }
                }
                guard let first = known.map(\.lowerBound).min(), isBusy.contains(true) else {
                    continue
                }
                let isWhole = program.templates.count == 1
                let name = isWhole ? kernel.name : "\(template.name): \(kernel.name)"
                lines.append(
                    Line(
                        name: name, label: name, isBusy: isBusy, template: t, kernel: kernel.name,
                        ops: kernel.ops.count, first: first))
            }
        }
        return lines
    }

    /// One after another that which is under way in most columns in which no other one is, of
    /// equal ones that which is in most columns: no stretch stays blank that has kernels.
    private static func filling(_ lines: [Line]) -> [Line] {
        var rest = lines
        var chosen: [Line] = []
        var isBlank = [Bool](repeating: true, count: lines.first?.isBusy.count ?? 0)
        while chosen.count < maximumLines, !rest.isEmpty {
            let gains = rest.map { line in
                (
                    zip(line.isBusy, isBlank).count { $0 && $1 }, line.isBusy.count { $0 },
                    line.ops, -line.first
                )
            }
            guard let best = rest.indices.max(by: { gains[$0] < gains[$1] }) else { break }
            let line = rest.remove(at: best)
            chosen.append(line)
            isBlank = zip(isBlank, line.isBusy).map { $0 && !$1 }
        }
        return chosen
    }

    /// Takes out of the labels a template that is everyone's and the words that all begin with,
    /// else the template's name where the kernel's begins with it.
    private mutating func shorten(_ pictures: Pictures) {
        guard let first = shown.first, shown.count > 1 else { return }
        if shown.contains(where: { $0.template != first.template }) {
            for i in shown.indices {
                let template = pictures.program.templates[shown[i].template].name
                let kernel = shown[i].kernel.trimmingPrefix("\(template).")
                shown[i].label = "\(template): \(kernel)"
            }
            return
        }
        let words = shown.map { $0.kernel.split(separator: ".") }
        let most = (words.map(\.count).min() ?? 1) - 1
        let shared = (0..<most).prefix { k in words.allSatisfy { $0[k] == words[0][k] } }.count
        for (i, words) in words.enumerated() {
            shown[i].label = words.dropFirst(shared).joined(separator: ".")
        }
        if shared > 0 {
            let words = words[0].prefix(shared).joined(separator: ".")
            note += "; left out before each name: '\(words).'"
        }
    }
}
