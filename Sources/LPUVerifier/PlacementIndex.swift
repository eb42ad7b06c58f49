import LPUMachine
import LPUSchedule
import LPUSupport

/// Which placements use which chip, and which chips are equal but for their number.
struct PlacementIndex {
    /// One chip of a template in one placement.
    struct Use {
        var placement: Int
        var member: Int
    }

    /// Bursts start before it: a step is followed cycle by cycle.
    static let horizon = 1 << 30
    /// Most issues of a chip in a step, each of which is followed.
    static let maximumIssues = 1 << 30

    /// Sound uses, by chip, in the order of the placements.
    private(set) var uses: [[Use]]
    /// What is wrong with placements, in their order.
    private(set) var problems: [String] = []

    init(_ schedule: Schedule, on machine: Machine) {
        uses = Array(repeating: [], count: machine.chipCount)
        let lastValues = schedule.templates.map { template in
            template.chips.flatMap(\.allocations).map(\.value.index).max() ?? 0
        }
        for (p, placement) in schedule.placements.enumerated() {
            if let problem = Self.problem(placement, lastValues, schedule, machine) {
                problems.append("placement \(p) \(problem)")
                continue
            }
            for (member, chip) in placement.chips.enumerated() {
                uses[chip.index].append(Use(placement: p, member: member))
            }
        }
    }

    /// A chip that issues more than can be followed; nil if there is none.
    func overload(_ schedule: Schedule) -> ChipID? {
        let issues = schedule.templates.map { $0.chips.map(\.issueCount) }
        let counts = uses.map { uses in
            uses.lazy.map { issues[schedule.placements[$0.placement].template][$0.member] }
                .clampedSum()
        }
        return counts.firstIndex { $0 > Self.maximumIssues }.map { ChipID($0) }
    }

    private static func problem(
        _ placement: Placement, _ lastValues: [Int], _ schedule: Schedule, _ machine: Machine
    ) -> String? {
        guard schedule.templates.indices.contains(placement.template) else {
            return "names template \(placement.template), there are \(schedule.templates.count)"
        }
        let template = schedule.templates[placement.template]
        let chips = placement.chips.sorted()
        if chips.count != template.chips.count {
            return "names \(chips.count) chips, '\(template.name)' has \(template.chips.count)"
        }
        if let chip = chips.first(where: { !(0..<machine.chipCount).contains($0.index) }) {
            return "names \(chip), '\(machine.name)' has \(machine.chipCount) chips"
        }
        for (a, b) in zip(chips, chips.dropFirst()) where a == b { return "names \(a) twice" }
        if !(-horizon...horizon).contains(placement.start.index) {
            return "starts \(placement.start), outside of \(-horizon)...\(horizon)"
        }
        let room = Int(Int32.max) - lastValues[placement.template]
        if !(0...room).contains(placement.valueBase) {
            return "has value base \(placement.valueBase), outside of 0...\(room)"
        }
        return nil
    }
}

/// A chip that does the same as another one, so many cycles later.
struct Representative: Equatable {
    var chip: Int
    var delay: Int
}

extension PlacementIndex {
    /// For each chip the lowest one that does the same in the same rows, proved burst by burst:
    /// all of it so many cycles later, with values numbered so much higher. Links may lead
    /// elsewhere.
    /// - Complexity: O(bursts of all templates).
    func representatives(_ schedule: Schedule) -> [Representative] {
        let programs = equalPrograms(schedule)
        let canShift = schedule.templates.map { $0.chips.map(\.canShift) }
        var first: [[Key]: Int] = [:]
        func origin(_ chip: Int) -> (start: Int, values: Int) {
            guard let use = uses[chip].first else { return (0, 0) }
            let placement = schedule.placements[use.placement]
            return (placement.start.index, placement.valueBase)
        }
        return uses.indices.map { chip in
            let isRelative = uses[chip].allSatisfy {
                let placement = schedule.placements[$0.placement]
                return canShift[placement.template][$0.member]
                    && (0..<Self.horizon / 2).contains(placement.start.index)
            }
            let (start, values) = isRelative ? origin(chip) : (0, 0)
            let key = uses[chip].map { use in
                let placement = schedule.placements[use.placement]
                return Key(
                    program: programs[placement.template][use.member],
                    start: placement.start.index - start, slots: placement.slots,
                    valueBase: placement.valueBase - values, isRelative: isRelative)
            }
            if let found = first[key] {
                return Representative(
                    chip: found, delay: start - (isRelative ? origin(found).start : 0))
            }
            first[key] = chip
            return Representative(chip: chip, delay: 0)
        }
    }

    private struct Key: Hashable {
        var program: Int
        var start: Int
        var slots: [SlotOffset]
        var valueBase: Int
        var isRelative: Bool
    }

    /// A number for each chip of each template, equal iff the programs are.
    private func equalPrograms(_ schedule: Schedule) -> [[Int]] {
        /// Cheap to hash; programs that agree in it are compared in full.
        struct Sketch: Hashable {
            var bursts: Int
            var allocations: Int
            var sample: [Burst]
        }
        var known: [Sketch: [(number: Int, program: ChipProgram)]] = [:]
        var count = 0
        return schedule.templates.map { template in
            template.chips.map { program in
                let step = max(1, program.bursts.count / 8)
                let sketch = Sketch(
                    bursts: program.bursts.count, allocations: program.allocations.count,
                    sample: stride(from: 0, to: program.bursts.count, by: step).map {
                        program.bursts[$0]
                    })
                if let same = known[sketch]?.first(where: { $0.program == program }) {
                    return same.number
                }
                known[sketch, default: []].append((count, program))
                defer { count += 1 }
                return count
            }
        }
    }
}

extension ChipProgram {
    /// `true` iff no law sees where cycle 0 is when all of it starts later: nothing is before the
    /// placement's start, nothing far out, and rows of the image last beyond it. What is never
    /// live is so in all cycles.
    fileprivate var canShift: Bool {
        let cycles = 0..<PlacementIndex.horizon / 4
        return bursts.allSatisfy { cycles.contains($0.start.index) }
            && allocations.allSatisfy {
                let first = $0.isImage ? 1 : 0
                return cycles.contains($0.live.lowerBound.index)
                    && cycles.dropFirst(first).contains($0.live.upperBound.index)
            }
    }
}
