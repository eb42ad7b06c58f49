import LPUDataflow
import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

extension Report {
    /// How well a layer streams its weights, and what overlap is worth.
    public struct Efficiency: Hashable, Sendable, Codable {
        /// Bytes of all layers' linear weights, without padding.
        public var linearBytes: Int
        /// Cycles in which a chip loads or multiplies by their tiles, over all chips.
        public var linearCycles: Int
        /// The bytes in thousandths of what all weight streams carry in those cycles.
        public var streamThousandths: Int
        /// Cycles of the trivial plan: the same ops, each with the cycles that it takes here from
        /// first issue to last, on each chip one after another.
        public var trivialCycles: Int
    }
}

extension Report.Efficiency {
    init(_ compilation: Compilation) {
        let (program, schedule) = (compilation.program, compilation.schedule)
        let chip = compilation.machine.chip
        linearBytes = 0
        linearCycles = 0
        for (t, template) in program.templates.enumerated() {
            let count = program.instances.count { $0.template == t && $0.layer != nil }
            guard count > 0 else { continue }
            linearBytes += count * template.linearBytes
            let linear = template.linearOps
            linearCycles += schedule.templates[t].chips.reduce(0) {
                $0 + count * $1.cycles(of: linear, on: chip)
            }
        }
        let streams = 2 * chip.planesPerHemisphere * chip.weightStreamsPerPlane
        streamThousandths =
            linearCycles == 0 ? 0 : linearBytes * 1000 / (streams * chip.lanes * linearCycles)
        trivialCycles = schedule.trivialLength(program, chips: compilation.machine.chipCount)
    }
}

extension ProgramTemplate {
    /// The tensor that an image takes its weights from, with their number and the bytes of one.
    private func weights(_ value: ValueID) -> Int? {
        guard case .image(.weights(let layout, _, _)) = values[value.index].origin else {
            return nil
        }
        let elements = layout.pieces.reduce(0) { $0 + $1.vectors.count * $1.lanes.count }
        return elements * values[value.index].type.byteCount
    }

    /// For each op whether it is a matmul by weights.
    fileprivate var linearOps: [Bool] {
        ops.map { op in
            guard case .matmul(let terms) = op.kind else { return false }
            return terms.contains { weights($0.tile.sources[0].value) != nil }
        }
    }

    /// Bytes of the weights that matmuls take, without padding.
    fileprivate var linearBytes: Int {
        var isTaken = values.map { _ in false }
        for op in ops {
            guard case .matmul(let terms) = op.kind else { continue }
            for term in terms { isTaken[term.tile.sources[0].value.index] = true }
        }
        return isTaken.indices.reduce(0) { sum, v in
            isTaken[v] ? sum + (weights(ValueID(v)) ?? 0) : sum
        }
    }
}

extension ChipProgram {
    /// Cycles in which a plane loads or multiplies for one of the ops.
    /// - Complexity: O(issues of the planes' queues).
    fileprivate func cycles(of ops: [Bool], on chip: Chip) -> Int {
        let length = (bursts.lazy.map(\.lastIssue.index).max() ?? -1) + 1
        var isBusy = Array(repeating: false, count: length)
        let units = chip.units
        for burst in bursts {
            guard let op = burst.op, op.index < ops.count, ops[op.index] else { continue }
            switch units[burst.queue.index] {
            case .loadWeights, .matmul: break
            case .memory, .alu, .accumulate, .distributor, .transposer, .permutor, .shifter, .link,
                .host:
                continue
            }
            for j in 0..<Int(burst.outer.count) {
                for i in 0..<Int(burst.inner.count) {
                    let offset = i * Int(burst.inner.distance) + j * Int(burst.outer.distance)
                    isBusy[burst.start.index + offset] = true
                }
            }
        }
        return isBusy.count { $0 }
    }
}

extension Schedule {
    /// The length of the step if on every chip ops followed one another, and placements as they do.
    fileprivate func trivialLength(_ program: Program, chips: Int) -> Int {
        let lengths = zip(templates, program.templates).map { $0.trivialLengths($1) }
        var free = Array(repeating: 0, count: chips)
        for placement in placements {
            let start = placement.chips.map { free[$0.index] }.max() ?? 0
            for (place, chip) in placement.chips.enumerated() {
                free[chip.index] = start + lengths[placement.template][place]
            }
        }
        return free.max() ?? 0
    }
}

extension ScheduleTemplate {
    /// Of each chip the sum over its results of the cycles in which their ops issue, on whatever
    /// chip.
    fileprivate func trivialLengths(_ template: ProgramTemplate) -> [Int] {
        var spans = template.ops.map { _ in (first: Int.max, last: Int.min) }
        for burst in chips.lazy.flatMap(\.bursts) {
            guard let op = burst.op?.index, op < spans.count else { continue }
            spans[op] = (
                min(spans[op].first, burst.start.index), max(spans[op].last, burst.lastIssue.index)
            )
        }
        var lengths = chips.map { _ in 0 }
        for (op, span) in zip(template.ops, spans) where span.last >= span.first {
            lengths[template.values[op.result.index].chip] += span.last - span.first + 1
        }
        return lengths
    }
}
