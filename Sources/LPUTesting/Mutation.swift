public import LPUMachine
import LPUNumerics
public import LPUSchedule
public import LPUSupport

/// A small change to a schedule, after which it should no longer be lawful: what a verifier is
/// tried with (mutation testing: DeMillo, Lipton and Sayward, 1978).
public enum Mutation: String, CaseIterable, Hashable, Sendable {
    case laterIssue, earlierIssue
    case changedStream, changedRow, flippedBank
    case droppedInstruction, doubledInstruction
    /// Of an operation that is not commutative, or of a select.
    case swappedOperands
    /// An entry of a lane map, the way of a shift or rotation, a boundary.
    case changedLaneMap
    /// Two image rows change what they hold.
    case swappedWeights
    /// A working row is taken later, or given away earlier.
    case shortenedLife
    /// A scatter goes into a copy of the region that the image has beside it.
    case copiedRegion
    /// An accumulate that adds overwrites, and the other way round.
    case flippedAccumulate
    case changedActivation
    case replacedOperation, changedImmediate
    /// Of a gather or scatter.
    case movedWindow
    /// Two sends or two receives of a link.
    case swappedTransfers
    /// A send or receive of another link, or one to three cycles later.
    case reroutedTransfer, lateTransfer

    /// A mutant of `schedule`, with its claims counted anew and half of the time without any hint
    /// of the ops that bursts serve; nil where the schedule has nothing of this kind.
    ///
    /// Of a burst that repeats, half of the time one issue only is changed.
    /// - Complexity: O(bursts).
    public func mutant(
        of schedule: Schedule, on machine: Machine, using random: inout SeededGenerator
    ) -> Schedule? {
        var mutant = schedule
        let isChanged =
            switch self {
            case .changedLaneMap: mutant.changeLanes(on: machine, using: &random)
            case .swappedWeights: mutant.swapImages(using: &random)
            case .shortenedLife: mutant.shortenLife(using: &random)
            case .copiedRegion: mutant.copyRegion(on: machine, using: &random)
            case .swappedTransfers: mutant.swapTransfers(on: machine, using: &random)
            case .laterIssue, .earlierIssue, .changedStream, .changedRow, .flippedBank,
                .droppedInstruction, .doubledInstruction, .swappedOperands, .flippedAccumulate,
                .changedActivation, .replacedOperation, .changedImmediate, .movedWindow,
                .reroutedTransfer, .lateTransfer:
                mutant.changeBurst(on: machine, using: &random) { burst, random in
                    edited(burst, machine.chip, &random)
                }
            }
        guard isChanged, mutant != schedule else { return nil }
        if Bool.random(using: &random) { mutant.clearHints() }
        mutant.claims = mutant.recomputedClaims(on: machine)
        return mutant
    }

    /// What stands in the burst's place; nil where the mutation does not apply to it.
    private func edited(
        _ burst: Burst, _ chip: Chip, _ random: inout SeededGenerator
    ) -> [Burst]? {
        var result = burst
        switch self {
        case .laterIssue: result.start = Cycle(burst.start.index + 1)
        case .earlierIssue:
            guard burst.start.index > 0 else { return nil }
            result.start = Cycle(burst.start.index - 1)
        case .droppedInstruction: return []
        case .doubledInstruction:
            result.start = Cycle(burst.start.index + Int.random(in: 0...3, using: &random))
            return [burst, result]
        case .reroutedTransfer:
            guard burst.instruction.isTransfer, chip.linkCount > 1 else { return nil }
            let first = chip.queue(of: .link(LinkID(0))).index
            let by = Int.random(in: 1..<chip.linkCount, using: &random)
            result.queue = QueueID(first + (burst.queue.index - first + by) % chip.linkCount)
        case .lateTransfer:
            guard burst.instruction.isTransfer else { return nil }
            result.start = Cycle(burst.start.index + Int.random(in: 1...3, using: &random))
        case .changedStream, .changedRow, .flippedBank, .swappedOperands, .flippedAccumulate,
            .changedActivation, .replacedOperation, .changedImmediate, .movedWindow,
            .changedLaneMap, .swappedWeights, .shortenedLife, .copiedRegion, .swappedTransfers:
            guard let instruction = edited(burst.instruction, chip, &random) else { return nil }
            result.instruction = instruction
        }
        return [result]
    }

    private func edited(
        _ instruction: Instruction, _ chip: Chip, _ random: inout SeededGenerator
    ) -> Instruction? {
        switch self {
        case .changedStream: instruction.withOtherStream(chip, &random)
        case .changedRow: instruction.withOtherRow(chip, &random)
        case .flippedBank: instruction.withOtherBank(&random)
        case .swappedOperands: instruction.withSwappedOperands
        case .flippedAccumulate: instruction.withFlippedAccumulate
        case .changedActivation:
            if case .matmul = instruction {
                instruction.withOtherStream(chip, &random)
            } else {
                nil
            }
        case .replacedOperation: instruction.withOtherOperation(&random)
        case .changedImmediate: instruction.withOtherImmediate(&random)
        case .movedWindow: instruction.withOtherWindow(chip, &random)
        case .laterIssue, .earlierIssue, .droppedInstruction, .doubledInstruction,
            .changedLaneMap, .swappedWeights, .shortenedLife, .copiedRegion, .swappedTransfers,
            .reroutedTransfer, .lateTransfer:
            nil
        }
    }
}

extension Schedule {
    /// Puts what `edit` gives in the place of one burst, or of one issue of it.
    fileprivate mutating func changeBurst(
        on machine: Machine, using random: inout SeededGenerator,
        _ edit: (Burst, inout SeededGenerator) -> [Burst]?
    ) -> Bool {
        var sites: [(template: Int, chip: Int, burst: Int)] = []
        for (t, template) in templates.enumerated() {
            for (c, chip) in template.chips.enumerated() {
                for (b, burst) in chip.bursts.enumerated() {
                    var trial = random
                    if edit(burst, &trial) != nil { sites.append((t, c, b)) }
                }
            }
        }
        guard let site = sites.randomElement(using: &random) else { return false }
        var bursts = templates[site.template].chips[site.chip].bursts
        let burst = bursts.remove(at: site.burst)
        var parts = [burst]
        var k = 0
        if burst.issueCount > 1, Bool.random(using: &random) {
            parts = burst.issues
            k = Int.random(in: parts.indices, using: &random)
        }
        guard let changed = edit(parts[k], &random) else { return false }
        parts.replaceSubrange(k...k, with: changed)
        bursts += parts
        templates[site.template].chips[site.chip].bursts = bursts
        templates[site.template].chips[site.chip].sort()
        return true
    }

    fileprivate mutating func changeLanes(
        on machine: Machine, using random: inout SeededGenerator
    ) -> Bool {
        let amount = Bool.random(using: &random) || laneMaps.isEmpty
        if amount {
            return changeBurst(on: machine, using: &random) { burst, random in
                guard let changed = burst.instruction.withOtherAmount(&random) else { return nil }
                var result = burst
                result.instruction = changed
                return [result]
            }
        }
        let map = Int.random(in: laneMaps.indices, using: &random)
        let lane = Int.random(in: laneMaps[map].indices, using: &random)
        let other = Int.random(in: laneMaps[map].indices, using: &random)
        if laneMaps[map].count == machine.chip.lanes {
            laneMaps[map].swapAt(lane, other)
        } else {
            laneMaps[map][lane] = Int16(Int.random(in: -1..<laneMaps[map].count, using: &random))
        }
        return true
    }

    fileprivate mutating func swapImages(using random: inout SeededGenerator) -> Bool {
        guard let t = templates.indices.randomElement(using: &random) else { return false }
        let chips = templates[t].chips
        let chip = Int.random(in: chips.indices, using: &random)
        let images = chips[chip].allocations.indices.filter { chips[chip].allocations[$0].isImage }
        guard let a = images.randomElement(using: &random) else { return false }
        let one = chips[chip].allocations[a]
        let alike = images.filter {
            let other = chips[chip].allocations[$0]
            return other.rows == one.rows && other.run == one.run
                && (other.value, other.plane, other.first) != (one.value, one.plane, one.first)
        }
        guard let b = alike.randomElement(using: &random) else { return false }
        let two = chips[chip].allocations[b]
        func hold(_ k: Int, _ what: Allocation) {
            templates[t].chips[chip].allocations[k].value = what.value
            templates[t].chips[chip].allocations[k].plane = what.plane
            templates[t].chips[chip].allocations[k].first = what.first
            templates[t].chips[chip].allocations[k].innerStride = what.innerStride
        }
        hold(a, two)
        hold(b, one)
        return true
    }

    fileprivate mutating func shortenLife(using random: inout SeededGenerator) -> Bool {
        var sites: [(template: Int, chip: Int, allocation: Int)] = []
        for (t, template) in templates.enumerated() {
            for (c, chip) in template.chips.enumerated() {
                for (a, allocation) in chip.allocations.enumerated()
                where !allocation.isImage
                    && allocation.live.lowerBound.index + 1 < allocation.live.upperBound.index
                {
                    sites.append((t, c, a))
                }
            }
        }
        guard let site = sites.randomElement(using: &random) else { return false }
        let live = templates[site.template].chips[site.chip].allocations[site.allocation].live
        let (first, end) = (live.lowerBound.index, live.upperBound.index)
        let border = Cycle(Int.random(in: first + 1..<end, using: &random))
        templates[site.template].chips[site.chip].allocations[site.allocation].live =
            Bool.random(using: &random) ? border..<live.upperBound : live.lowerBound..<border
        return true
    }

    fileprivate mutating func copyRegion(
        on machine: Machine, using random: inout SeededGenerator
    ) -> Bool {
        var sites: [(template: Int, chip: Int, burst: Int, region: Allocation)] = []
        for (t, template) in templates.enumerated() {
            for (c, chip) in template.chips.enumerated() {
                for (b, burst) in chip.bursts.enumerated() {
                    guard case .memory(_, .scatter(let window, _, _, _)) = burst.instruction
                    else { continue }
                    let region = chip.allocations.first {
                        let unit = Unit.memory($0.hemisphere, slice: Int($0.slice))
                        return $0.isImage && machine.chip.queue(of: unit) == burst.queue
                            && ($0.base.slot, $0.base.bank) == (window.slot, window.bank)
                            && ($0.base.row..<$0.base.row + $0.rows).contains(window.row)
                    }
                    if let region { sites.append((t, c, b, region)) }
                }
            }
        }
        guard let site = sites.randomElement(using: &random) else { return false }
        let (bank, row) = (Int(site.region.base.bank), site.region.base.row)
        // Images are at the ends of the banks.
        let place = machine.chip.rowsPerBank / 2
        guard
            case .memory(let read, .scatter(let window, let rows, let address, let from)) =
                templates[site.template].chips[site.chip].bursts[site.burst].instruction
        else { return false }
        var copy = site.region
        copy.base = RowAddress(bank: bank, row: place)
        templates[site.template].chips[site.chip].allocations.append(copy)
        let moved = RowAddress(bank: bank, row: place + Int(window.row - row))
        templates[site.template].chips[site.chip].bursts[site.burst].instruction = .memory(
            read, .scatter(window: moved, rows: rows, address: address, from))
        templates[site.template].chips[site.chip].sort()
        return true
    }

    fileprivate mutating func swapTransfers(
        on machine: Machine, using random: inout SeededGenerator
    ) -> Bool {
        var sites: [(chip: Int, first: Int, second: Int)] = []
        let t = Int.random(in: templates.indices, using: &random)
        for (c, chip) in templates[t].chips.enumerated() {
            for i in chip.bursts.indices where chip.bursts[i].instruction.isTransfer {
                for j in chip.bursts[(i + 1)...].indices
                where chip.bursts[j].queue == chip.bursts[i].queue
                    && chip.bursts[j].instruction != chip.bursts[i].instruction
                {
                    sites.append((c, i, j))
                }
            }
        }
        guard let site = sites.randomElement(using: &random) else { return false }
        let bursts = templates[t].chips[site.chip].bursts
        templates[t].chips[site.chip].bursts[site.first].instruction =
            bursts[site.second].instruction
        templates[t].chips[site.chip].bursts[site.second].instruction =
            bursts[site.first].instruction
        return true
    }

    fileprivate mutating func clearHints() {
        for t in templates.indices {
            for c in templates[t].chips.indices {
                for b in templates[t].chips[c].bursts.indices {
                    templates[t].chips[c].bursts[b].op = nil
                }
            }
        }
    }
}
