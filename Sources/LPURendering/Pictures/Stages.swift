import LPUMachine
import LPUSchedule
import LPUSupport

/// Chips that run templates together, and what they do.
struct Stage {
    /// What its chips do of a placement.
    struct Part {
        /// Index into the schedule's placements.
        var placement: Int
        /// From the first issue on a chip of the stage to the last one.
        var cycles: ClosedRange<Int>
    }
    var chips: [ChipID] = []
    /// By their first cycles.
    var parts: [Part] = []
}

/// The stages of a schedule with their traffic: chips that share a placement are of one stage. Of a
/// placement that passes from stage to stage each has a part.
struct Stages {
    private(set) var stages: [Stage] = []
    /// Vectors sent over links from stage a to stage b: at a * count + b.
    private var sent: [Int] = []
    /// Vectors that come from the host and go to it.
    private(set) var ingress: [Int] = []
    private(set) var egress: [Int] = []
    /// Stage of each chip; nil where a chip does nothing.
    private var stageOf: [Int?]

    /// O(placements, their chips and bursts).
    init(of pictures: Pictures) {
        stageOf = Array(repeating: nil, count: pictures.machine.chipCount)
        group(pictures.schedule)
        findParts(pictures.schedule)
        sent = Array(repeating: 0, count: stages.count * stages.count)
        ingress = Array(repeating: 0, count: stages.count)
        egress = ingress
        for (a, stage) in stages.enumerated() {
            for chip in stage.chips { count(chip, ofStage: a, pictures) }
        }
    }

    /// Vectors sent over links from stage `a` to stage `b`.
    func sent(from a: Int, to b: Int) -> Int { sent[a * stages.count + b] }

    /// Joins chips into stages by union-find, and numbers those as their last placements begin.
    private mutating func group(_ schedule: Schedule) {
        var parent = Array(stageOf.indices)
        func root(_ chip: Int) -> Int {
            var chip = chip
            while parent[chip] != chip {
                parent[chip] = parent[parent[chip]]
                chip = parent[chip]
            }
            return chip
        }
        // A template that only hands vectors from chip to chip makes no stage of them.
        let joins = schedule.templates.map { template in
            let bursts = template.chips.lazy.flatMap(\.bursts)
            return bursts.contains(where: \.computes) || !bursts.contains(where: \.passesLink)
        }
        // Nor does one whose chips are all of stages by smaller ones: it goes between stages.
        let joining = schedule.placements.filter { joins[$0.template] }
            .sorted { $0.chips.count < $1.chips.count }
        var size = parent.map { _ in Int.max }
        for placement in joining {
            let count = placement.chips.count
            guard let first = placement.chips.first,
                !placement.chips.allSatisfy({ size[$0.index] < count })
            else { continue }
            for chip in placement.chips {
                size[chip.index] = min(size[chip.index], count)
                parent[root(chip.index)] = root(first.index)
            }
        }
        let order = schedule.placements.indices.sorted {
            (schedule.placements[$0].start, $0) < (schedule.placements[$1].start, $1)
        }
        var stageOfRoot = [Int?](repeating: nil, count: parent.count)
        var last: [Int] = []
        for (position, p) in order.enumerated() {
            guard let first = schedule.placements[p].chips.first else { continue }
            let top = root(first.index)
            let stage = stageOfRoot[top] ?? last.count
            if stage == last.count { last.append(position) }
            stageOfRoot[top] = stage
            last[stage] = position
        }
        // Stages are numbered as the last placements that begin in them: all of them begin with
        // what every chip needs.
        let rank = last.indices.sorted { last[$0] < last[$1] }
        var number = [Int](repeating: 0, count: last.count)
        for (s, old) in rank.enumerated() { number[old] = s }
        stages = rank.map { _ in Stage() }
        for chip in parent.indices {
            guard let stage = stageOfRoot[root(chip)].map({ number[$0] }) else { continue }
            stageOf[chip] = stage
            stages[stage].chips.append(ChipID(chip))
        }
    }

    private mutating func findParts(_ schedule: Schedule) {
        let spans = schedule.templates.map { $0.chips.map(\.issues) }
        for (p, placement) in schedule.placements.enumerated() {
            for (chip, span) in zip(placement.chips, spans[placement.template]) {
                guard let stage = stageOf[chip.index], let span else { continue }
                let start = placement.start.index
                let cycles = start + span.lowerBound...start + span.upperBound
                if let part = stages[stage].parts.last, part.placement == p {
                    let first = min(part.cycles.lowerBound, cycles.lowerBound)
                    let last = max(part.cycles.upperBound, cycles.upperBound)
                    stages[stage].parts[stages[stage].parts.count - 1].cycles = first...last
                } else {
                    stages[stage].parts.append(Stage.Part(placement: p, cycles: cycles))
                }
            }
        }
        for s in stages.indices {
            stages[s].parts.sort {
                ($0.cycles.lowerBound, $0.placement) < ($1.cycles.lowerBound, $1.placement)
            }
        }
    }

    private mutating func count(_ chip: ChipID, ofStage a: Int, _ pictures: Pictures) {
        let topology = pictures.machine.topology
        pictures.schedule.forEachProgram(on: chip) { _, program in
            for burst in program.bursts {
                switch burst.instruction {
                case .send:
                    guard case .link(let link) = pictures.units[burst.queue.index],
                        let peer = topology.peer(of: LinkEnd(chip, link)),
                        let b = stageOf[peer.chip.index]
                    else { continue }
                    sent[a * stages.count + b] += burst.issueCount
                case .ingress: ingress[a] += burst.issueCount
                case .egress: egress[a] += burst.issueCount
                case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute,
                    .transpose, .permute, .shift, .rotate, .select, .receive:
                    break
                }
            }
        }
    }
}

extension ChipProgram {
    /// First to last issue in the template's time; nil where there is none.
    fileprivate var issues: ClosedRange<Int>? {
        guard let first = bursts.map(\.start.index).min(),
            let last = bursts.map(\.lastIssue.index).max()
        else { return nil }
        return first...last
    }
}

extension Burst {
    fileprivate var passesLink: Bool {
        switch instruction {
        case .send, .receive: true
        case .memory, .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose,
            .permute, .shift, .rotate, .select, .ingress, .egress:
            false
        }
    }

    /// `false` iff it only moves a vector between SRAM, links and the host.
    fileprivate var computes: Bool {
        switch instruction {
        case .memory, .send, .receive, .ingress, .egress: false
        case .loadWeights, .install, .matmul, .accumulate, .alu, .distribute, .transpose, .permute,
            .shift, .rotate, .select:
            true
        }
    }
}
