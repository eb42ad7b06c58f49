import LPUMachine
import LPUSchedule
import LPUSupport

/// Steps of several users under way at once: the smallest interval at which nothing that a step
/// has to itself is wanted by another one then.
///
/// Of a chip that is the time from a placement's start to when its last results have appeared, and
/// of a row the life of a value that passes from placement to placement. Both are lists of spans,
/// which must not overlap modulo the interval (Rau, MICRO-27 1994, with chips and rows for units).
struct StepSpans {
    /// From 0 on; lists that differ in their first cycle only are one.
    private var lists = Set<[Range<Int>]>()

    init(_ schedule: Schedule, on machine: Machine) {
        let chip = machine.chip
        let programs = schedule.templates.map { template in
            template.chips.map { Work($0, chip) }
        }
        var uses: [[(placement: Placement, work: Work)]] = Array(
            repeating: [], count: machine.chipCount)
        let hop = machine.topology.axes.map(\.latency).min() ?? 0
        for placement in schedule.placements {
            let works = programs[placement.template]
            // What is sent first arrives no sooner than over the shortest link.
            let arrival = hop + (works.compactMap(\.firstSend).min() ?? 0)
            for (place, id) in placement.chips.enumerated() {
                var work = works[place]
                if work.receives { work.first = min(work.first, arrival) }
                uses[id.index].append((placement, work))
            }
        }
        for uses in uses {
            insert(
                Self.merged(
                    uses.compactMap { use in
                        let start = use.placement.start.index
                        return use.work.settled.map { start + use.work.first..<start + $0 }
                    }))
            insertRows(uses, chip)
            insertOutlets(uses, machine)
        }
    }

    /// What one chip of a template takes.
    private struct Work {
        /// Its first issue, or 0.
        var first: Int
        var firstSend: Int?
        var receives = false
        /// When all that it makes is there; nil if it issues nothing.
        var settled: Int?
        /// By queue, when vectors are sent or pass the host port.
        var outlets: [QueueID: Range<Int>] = [:]
        /// Working rows, and whether they are live when nothing issues.
        var rows: [(allocation: Allocation, isKept: Bool)] = []

        init(_ program: ChipProgram, _ chip: Chip) {
            first = program.bursts.lazy.map(\.start.index).min() ?? 0
            var end = 0
            for burst in program.bursts {
                let last = burst.lastIssue.index
                end = max(end, last + 1)
                settled = max(settled ?? 0, last + chip.settling(burst.instruction))
                if case .receive = burst.instruction { receives = true }
                if case .send = burst.instruction {
                    firstSend = min(firstSend ?? Int.max, burst.start.index)
                }
                guard chip.isOutlet(burst.instruction) else { continue }
                let known = outlets[burst.queue]
                outlets[burst.queue] =
                    min(
                        known?.lowerBound ?? Int.max, burst.start.index)..<max(
                        known?.upperBound ?? 0, last + 1)
            }
            for allocation in program.allocations
            where !allocation.isImage && !allocation.live.isEmpty {
                let isKept =
                    allocation.live.lowerBound.index < first
                    || allocation.live.upperBound.index > end
                rows.append((allocation, isKept))
            }
        }
    }

    private static func merged(_ spans: [Range<Int>]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, span.lowerBound <= last.upperBound {
                result[result.count - 1] =
                    last.lowerBound..<max(last.upperBound, span.upperBound)
            } else {
                result.append(span)
            }
        }
        return result
    }

    private mutating func insertRows(
        _ uses: [(placement: Placement, work: Work)], _ chip: Chip
    ) {
        func forEachRow(_ body: (Int, Range<Int>, _ isKept: Bool) -> Void) {
            for (placement, work) in uses {
                for (allocation, isKept) in work.rows {
                    let start = placement.start.index
                    let life =
                        start + allocation.live.lowerBound.index..<start
                        + allocation.live.upperBound.index
                    for row in allocation.rows(in: placement, on: chip) { body(row, life, isKept) }
                }
            }
        }
        var lives: [Int: [Range<Int>]] = [:]
        forEachRow { row, _, isKept in if isKept { lives[row] = [] } }
        forEachRow { row, life, _ in lives[row]?.append(life) }
        for lives in lives.values {
            insert(lives.sorted { $0.lowerBound < $1.lowerBound })
        }
    }

    /// Vectors of two steps on one link, or at the host port, are as far apart as any.
    private mutating func insertOutlets(
        _ uses: [(placement: Placement, work: Work)], _ machine: Machine
    ) {
        var spans: [QueueID: [Range<Int>]] = [:]
        for (placement, work) in uses {
            let start = placement.start.index
            for (queue, span) in work.outlets {
                spans[queue, default: []].append(
                    start + span.lowerBound..<start + span.upperBound)
            }
        }
        for (queue, spans) in spans {
            var interval = machine.chip.hostInterval
            if case .link(let link) = machine.chip.units[queue.index] {
                interval = machine.topology.axis(of: link)?.interval ?? interval
            }
            insert(
                spans.sorted { $0.lowerBound < $1.lowerBound }.map {
                    $0.lowerBound..<$0.upperBound + interval.widestGap - 1
                })
        }
    }

    private mutating func insert(_ spans: [Range<Int>]) {
        guard let first = spans.first?.lowerBound else { return }
        lists.insert(spans.map { $0.lowerBound - first..<$0.upperBound - first })
    }

    /// The least interval from `least` on at which no spans of a list meet when each is repeated.
    /// - Complexity: O(intervals tried): one list refuses most of them.
    func smallestInterval(from least: Int) -> Int {
        var order = lists.sorted(by: Self.isTriedBefore)
        var interval = max(least, 1)
        while let k = order.firstIndex(where: { Self.meet($0, modulo: interval) }) {
            order.swapAt(0, k)
            interval += 1
        }
        return interval
    }

    /// Long lists first; of equal length what is longer from its first span on.
    private static func isTriedBefore(_ a: [Range<Int>], _ b: [Range<Int>]) -> Bool {
        if a.count != b.count { return a.count > b.count }
        return b.lexicographicallyPrecedes(a) {
            ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound)
        }
    }

    private static func meet(_ spans: [Range<Int>], modulo interval: Int) -> Bool {
        let residues = spans.map { ($0.lowerBound % interval, $0.count) }.sorted { $0 < $1 }
        return residues.indices.contains { k in
            let next =
                k + 1 < residues.count ? residues[k + 1].0 : residues[0].0 + interval
            return residues[k].0 + residues[k].1 > next
        }
    }
}

extension Chip {
    /// Cycles from an issue until all that it makes is there.
    fileprivate func settling(_ instruction: Instruction) -> Int {
        switch instruction {
        case .memory(.gather, _): max(gatherLatency, writeToRead)
        case .memory: max(readLatency, writeToRead)
        case .accumulate: accumulateLatency
        case .alu: aluResultLatency
        case .distribute: distributeLatency
        case .transpose: transposeLatency
        case .permute: permuteLatency
        case .shift: shiftLatency
        case .rotate: rotateLatency
        case .select: selectLatency
        case .receive: receiveLatency
        case .ingress: ingressLatency
        case .install: installCadence
        case .loadWeights, .matmul, .send, .egress: 1
        }
    }

    fileprivate func isOutlet(_ instruction: Instruction) -> Bool {
        switch instruction {
        case .send, .ingress, .egress: true
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select, .receive:
            false
        }
    }
}
