import LPUMachine
import LPUSchedule
import LPUSupport

/// Chips that run templates together, and what they do.
struct Stage {
    var chips: [ChipID] = []
    /// Indices into the schedule's placements, by start.
    var placements: [Int] = []
}

/// The stages of a schedule with their traffic: chips that share a placement are of one stage. A
/// placement that passes from stage to stage is of the one that it begins in.
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
        for p in order {
            guard let first = schedule.placements[p].chips.first else { continue }
            let top = root(first.index)
            let stage = stageOfRoot[top] ?? stages.count
            if stage == stages.count { stages.append(Stage()) }
            stageOfRoot[top] = stage
            stages[stage].placements.append(p)
        }
        // Stages are numbered as they end: all of them begin with what every chip needs.
        let rank = stages.indices.sorted {
            (stages[$0].placements.last ?? 0, $0) < (stages[$1].placements.last ?? 0, $1)
        }
        var number = [Int](repeating: 0, count: stages.count)
        for (s, old) in rank.enumerated() { number[old] = s }
        stages = rank.map { stages[$0] }
        for chip in parent.indices {
            guard let stage = stageOfRoot[root(chip)].map({ number[$0] }) else { continue }
            stageOf[chip] = stage
            stages[stage].chips.append(ChipID(chip))
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
