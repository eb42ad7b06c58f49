public import LPUDataflow
public import LPUMachine
import LPUNumerics
public import LPUSchedule
import LPUSupport

extension Verifier {
    /// Judges whether two schedules may run on one memory, each on what the other left: laws 4 and
    /// 5 between them.
    ///
    /// - No row of the memory image of one is a working row of the other.
    /// - A row that is of both images holds the same vector of the same image: of one name in
    ///   templates of one name, with one layer and one formula.
    /// - Rows that the second scatters into are of the first's image too; images that are of both
    ///   are scattered into by both or by none.
    /// - All rows that either names fit beside the text of both.
    ///
    /// - Returns: violations, of each law and chip the first ones.
    /// - Requires: each is accepted by itself.
    /// - Complexity: O(rows).
    public func violationsOfSharing(
        on machine: Machine, _ first: (schedule: Schedule, program: Program),
        _ second: (schedule: Schedule, program: Program)
    ) -> [Violation] {
        let table = UnitTable(machine)
        var names = ImageNames()
        let programs = [first, second].map { names.values(of: $0.program) }
        let regions = zip([first, second], programs).map { $0.program.regions($1) }
        let indices = [first, second].map { PlacementIndex($0.schedule, on: machine) }
        var violations: [Violation] = []
        for chip in (0..<machine.chipCount).map({ ChipID($0) }) {
            let timelines = zip([first, second], indices).map {
                ChipTimeline(chip, $0.schedule, $1, table)
            }
            var rows = SharedRows(timelines[0], programs[0])
            violations += rows.problems(timelines[1], programs[1], regions[0], regions[1])
                .prefix(violationsPerLaw)
            let text = timelines.map(\.demand.text).reduce(0, +)
            if rows.count + text > machine.chip.rowCount {
                violations.append(
                    Violation(
                        .sramCapacity, chip: chip,
                        "the schedules name \(rows.count) rows, their text takes \(text), capacity "
                            + "\(machine.chip.rowCount)"))
            }
        }
        return violations
    }
}

/// Numbers for images, one for all that are the same.
struct ImageNames {
    private struct Name: Hashable {
        var template: String
        var value: String
        var layer: Int?
        var formula: Formula
        var type: ElementType
    }
    private var numbers: [Name: Int32] = [:]

    /// For each value of the program the number of the image that it stands for; 0 for others.
    mutating func values(of program: Program) -> [Int32] {
        let numbering = Numbering(program)
        var result: [Int32] = []
        for (i, instance) in program.instances.enumerated() {
            let template = program.templates[instance.template]
            for (v, value) in template.values.enumerated() {
                let home = numbering.value(ValueID(v), of: i).index
                guard home == result.count, case .image(let formula) = value.origin else {
                    result.append(home < result.count ? result[home] : 0)
                    continue
                }
                let name = Name(
                    template: template.name, value: value.name, layer: instance.layer,
                    formula: formula, type: value.type)
                let number = numbers[name] ?? Int32(numbers.count + 1)
                numbers[name] = number
                result.append(number)
            }
        }
        return result
    }
}

extension Program {
    /// The images that ops scatter into, by their numbers.
    fileprivate func regions(_ images: [Int32]) -> Set<Int32> {
        let numbering = Numbering(self)
        var result = Set<Int32>()
        for (i, instance) in instances.enumerated() {
            for op in templates[instance.template].ops {
                guard case .scatter(let region, _, _, _) = op.kind else { continue }
                result.insert(images[numbering.value(region.value, of: i).index])
            }
        }
        // Of a version, which is no image.
        result.remove(0)
        return result
    }
}

/// What the rows of a chip hold for the first schedule, and then for both.
private struct SharedRows {
    private static let working: Int32 = -1
    /// By row: 0 for nothing, `working`, or the number of an image.
    private var images: [Int32]
    /// Which byte plane of which vector of it.
    private var parts: [Int]
    private(set) var count = 0
    private let chip: Chip

    init(_ timeline: ChipTimeline, _ values: [Int32]) {
        chip = timeline.chip
        images = Array(repeating: 0, count: chip.rowCount)
        parts = Array(repeating: 0, count: chip.rowCount)
        for allocation in timeline.allocations { take(allocation, values) }
    }

    private static func part(_ allocation: Allocation, _ row: Int) -> Int {
        allocation.vector(ofRow: row) * 4 + Int(allocation.plane)
    }

    /// A row that a template keeps of another one's image is that image.
    private func number(_ allocation: Allocation, _ values: [Int32]) -> Int32 {
        let image = values[allocation.value.index]
        return image > 0 ? image : Self.working
    }

    private mutating func take(_ allocation: Allocation, _ values: [Int32]) {
        let number = number(allocation, values)
        for (i, row) in allocation.rows(on: chip).enumerated() {
            if images[row] == 0 { count += 1 }
            // A row of the image stays one: the other schedule still finds it there.
            if number == Self.working && images[row] > 0 { continue }
            images[row] = number
            parts[row] = Self.part(allocation, i)
        }
    }

    /// What the second schedule does not hold as the first one does, one an allocation; takes its
    /// rows.
    mutating func problems(
        _ timeline: ChipTimeline, _ values: [Int32], _ before: Set<Int32>, _ regions: Set<Int32>
    ) -> [Violation] {
        var result: [Violation] = []
        for allocation in timeline.allocations {
            let number = number(allocation, values)
            let isRegion = allocation.isImage && regions.contains(number)
            if isRegion != before.contains(number), allocation.isImage {
                result.append(
                    problem(allocation, timeline, "is scattered into by one schedule alone"))
                continue
            }
            for (i, row) in allocation.rows(on: chip).enumerated() {
                let isSame =
                    images[row] == number
                    && (number == Self.working || parts[row] == Self.part(allocation, i))
                if isSame || images[row] == 0 && !isRegion { continue }
                let holds =
                    images[row] == 0
                    ? "nothing" : images[row] == Self.working ? "a working value" : "an image"
                result.append(
                    problem(
                        allocation, timeline, row: i,
                        "holds \(holds) of the first schedule, and for the second "
                            + "\(allocation.isImage ? "its image" : "its working value") "
                            + "\(allocation.value)"))
                break
            }
        }
        for allocation in timeline.allocations { take(allocation, values) }
        return result
    }

    private func problem(
        _ allocation: Allocation, _ timeline: ChipTimeline, row: Int = 0, _ message: String
    ) -> Violation {
        Violation(
            .sramOverlap, chip: timeline.id,
            unit: .memory(allocation.hemisphere, slice: Int(allocation.slice)),
            "row \(Int(allocation.base.row) + row) of bank \(allocation.base.bank) \(message)")
    }
}
