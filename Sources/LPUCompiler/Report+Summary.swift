import LPUModel
import LPUSupport

extension Report {
    /// One screen for people; ends with a line feed.
    public var summary: String {
        let notes = excluded.enumerated().map { ($0 == 0 ? "excluded" : "", "- " + $1) }
        return (figures + [("", "")] + notes + [hypothesisRow]).map(lines).joined()
    }

    /// The label, then the text in lines of at most 100 columns.
    private func lines(_ label: String, _ text: String) -> String {
        let margin = 12
        var lines = [label + String(repeating: " ", count: max(0, margin - label.count))]
        var isFirst = true
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].count + word.count + 1 > 100 {
                lines.append(String(repeating: " ", count: margin))
                isFirst = true
            }
            lines[lines.count - 1] += (isFirst ? "" : " ") + word
            isFirst = false
        }
        return lines.map { $0.allSatisfy(\.isWhitespace) ? "\n" : $0 + "\n" }.joined()
    }

    private var figures: [(String, String)] {
        let grades = machine.grades.map { "\($0.numbers) \($0.grade)" }.joined(separator: ", ")
        return [
            (
                "model",
                "\(model.name): \(model.architecture), \(model.layers) layers, "
                    + "\(grouped(model.parameters)) parameters in \(model.weightType), "
                    + "context \(grouped(model.context))"
            ),
            (
                "machine",
                "\(machine.name): \(machine.chips) chip\(machine.chips == 1 ? "" : "s") at "
                    + "\(machine.clockMegahertz) MHz; grades of its numbers: \(grades)"
            ),
            ("plan", split.text),
            ("step", "\(grouped(step.cycles)) cycles, \(microseconds) us a \(unit)"),
            ("bound", boundText),
            ("efficiency", efficiencyText),
            ("rate", "\(grouped(step.tokensPerSecond)) \(unit)s/s for one user, batch 1"),
            ("interval", intervalText),
            (
                "schedule",
                "\(grouped(step.instructions)) instructions, \(grouped(step.issues)) issues "
                    + "(\(step.strategy))"
            ),
        ] + sramRows + [
            (
                "verdict",
                verdict.accepted
                    ? "accepted: \(verdict.holds.count) laws hold for every issue on every chip"
                    : "not accepted"
            )
        ]
            + (verdict.unchecked.isEmpty
                ? []
                : [("", "not looked at: " + verdict.unchecked.joined(separator: ", "))])
    }

    /// What a step takes in.
    private var unit: String {
        ModelConfiguration.Architecture(rawValue: model.architecture)?.isEncoder == true
            ? "text" : "token"
    }

    private var intervalText: String {
        "\(grouped(interval.cycles)) cycles from step to step with \(interval.users) "
            + "user\(interval.users == 1 ? "" : "s") in flight (ResMII "
            + "\(grouped(interval.resourceMinimum)), RecMII "
            + "\(grouped(interval.recurrenceMinimum))): "
            + "\(grouped(interval.tokensPerSecond)) \(unit)s/s, "
            + "\(grouped(interval.tokensPerSecondPerUser)) for each user"
    }

    private var boundText: String {
        let (whole, hundredths) = (bound.lengthPercent / 100, bound.lengthPercent % 100)
        let times = "\(whole).\(hundredths < 10 ? "0" : "")\(hundredths)"
        guard let estimate = bound.estimate else {
            return "\(grouped(bound.cycles)) cycles for the products of the planes; the step takes "
                + "\(times) times as long"
        }
        let causes = bound.causes.map { "\($0.cause) \(grouped($0.cycles))" }
        return "\(grouped(bound.cycles)) cycles (chain \(grouped(bound.chain)), stream "
            + "\(grouped(bound.stream)), both \(grouped(bound.combined))); the step takes \(times) "
            + "times as long; estimate \(grouped(estimate)), of it "
            + causes.joined(separator: ", ")
    }

    private var efficiencyText: String {
        let tenths = efficiency.streamThousandths
        return "a layer's weights fill \(tenths / 10).\(tenths % 10) % of the weight streams while "
            + "they pass; ops one after another would take "
            + "\(grouped(efficiency.trivialCycles)) cycles"
    }

    /// The fullest chip stands for all.
    private var sramRows: [(String, String)] {
        guard let most = sram.max(by: { ($0.bytes, $1.chip) < ($1.bytes, $0.chip) }) else {
            return []
        }
        let tenths = most.bytes * 1000 / max(1, machine.sramBytesPerChip)
        return [
            (
                "SRAM",
                "\(ChipID(most.chip)): \(formatted(bytes: most.bytes)) of "
                    + "\(formatted(bytes: machine.sramBytesPerChip)) "
                    + "(\(tenths / 10).\(tenths % 10) %), of it weights, tables and caches "
                    + formatted(bytes: most.imageBytes)
            )
        ]
    }

    private var hypothesisRow: (String, String) {
        let keys = machine.hypotheses
        return (
            "hypotheses",
            keys.isEmpty
                ? "no figure rests on any"
                : "step and rate may rest on numbers of grade H: "
                    + keys.joined(separator: ", ")
        )
    }

    private var microseconds: String {
        let tenths = (step.nanoseconds + 50) / 100
        return "\(grouped(tenths / 10)).\(tenths % 10)"
    }
}
