import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// When one chip of a template is busy, counted from the template's cycle 0, and whether it leaves
/// its planes as it finds them.
struct ChipExtent {
    /// Vectors at one outlet or inlet.
    struct Traffic {
        var first: Int
        var last: Int
        var count: Int
    }

    /// What vectors of two steps must not follow one another at too closely.
    enum Outlet: Hashable, Comparable {
        case link(LinkID)
        case ingress
        case egress

        var unit: Unit {
            switch self {
            case .link(let link): .link(link)
            case .ingress, .egress: .host
            }
        }

        func interval(on machine: Machine) -> Rational? {
            switch self {
            case .link(let link): machine.topology.axis(of: link)?.interval
            case .ingress, .egress: machine.chip.hostInterval
            }
        }
    }

    struct Problem {
        var unit: Unit
        var cycle: Int
        var message: String
    }

    /// From the first issue to when the last thing that is made is there; nil if nothing issues.
    private(set) var span: Range<Int>?
    private(set) var outlets: [Outlet: Traffic] = [:]
    private(set) var receives: [LinkID: Traffic] = [:]
    /// What it expects of a plane, or leaves there.
    private(set) var problem: Problem?

    var sends: [LinkID: Traffic] {
        var result: [LinkID: Traffic] = [:]
        for (outlet, traffic) in outlets {
            if case .link(let link) = outlet { result[link] = traffic }
        }
        return result
    }

    init(_ program: ChipProgram, _ chip: Chip) {
        let units = chip.units
        var planes = Array(
            repeating: PlaneUse(), count: 2 * chip.planesPerHemisphere)
        for burst in program.bursts {
            let (first, last) = (burst.start.index, burst.lastIssue.index)
            var latency = 1
            Production.forEach(of: burst.instruction, on: chip) {
                latency = max(latency, $0.latency)
            }
            if case .memory = burst.instruction { latency = max(latency, chip.writeToRead) }
            latency = max(latency, chip.cadence(of: burst.instruction))
            let end = max(span?.upperBound ?? Int.min, last + latency)
            span = min(span?.lowerBound ?? Int.max, first)..<end
            let traffic = Traffic(first: first, last: last, count: burst.issueCount)
            switch (burst.instruction, units[burst.queue.index]) {
            case (.send, .link(let link)): add(traffic, to: &outlets[.link(link)])
            case (.receive, .link(let link)): add(traffic, to: &receives[link])
            case (.ingress, _): add(traffic, to: &outlets[.ingress])
            case (.egress, _): add(traffic, to: &outlets[.egress])
            case (_, .loadWeights(let side, let p)), (_, .matmul(let side, let p)),
                (_, .accumulate(let side, let p)):
                let plane = Int(side.rawValue) * chip.planesPerHemisphere + p
                let held = burst.instruction.isTandem ? [plane, plane + 1] : [plane]
                for p in held where planes.indices.contains(p) { planes[p].note(burst) }
            case (_, _): break
            }
        }
        problem = planes.lazy.compactMap { $0.problem(chip) }.first
    }

    private func add(_ traffic: Traffic, to known: inout Traffic?) {
        known = Traffic(
            first: min(known?.first ?? Int.max, traffic.first),
            last: max(known?.last ?? Int.min, traffic.last),
            count: (known?.count ?? 0) + traffic.count)
    }
}

/// What a program does with one plane.
private struct PlaneUse {
    private var firstInstall: Int?
    private var lastInstall: Int?
    private var firstMatmul: Burst?
    private var lastLoad: Burst?
    private var sums: [Burst] = []

    mutating func note(_ burst: Burst) {
        let (first, last) = (burst.start.index, burst.lastIssue.index)
        switch burst.instruction {
        case .loadWeights:
            if last > lastLoad?.lastIssue.index ?? Int.min { lastLoad = burst }
        case .install:
            firstInstall = min(firstInstall ?? Int.max, first)
            lastInstall = max(lastInstall ?? Int.min, last)
        case .matmul:
            if first < firstMatmul?.start.index ?? Int.max { firstMatmul = burst }
        case .accumulate: sums.append(burst)
        case .memory, .alu, .distribute, .transpose, .permute, .shift, .rotate, .select, .send,
            .receive, .ingress, .egress:
            break
        }
    }

    /// Planes hold nothing before the step: each placement must bring what it uses, and take what
    /// it brings.
    func problem(_ chip: Chip) -> ChipExtent.Problem? {
        if let matmul = firstMatmul, matmul.start.index < firstInstall ?? Int.max {
            return problem(matmul, chip, "a matmul by what another placement installed")
        }
        if let load = lastLoad,
            load.lastIssue.index + chip.installLatency > lastInstall ?? Int.min
        {
            return problem(load, chip, "a load that no install of the placement takes")
        }
        // The first sum of each row, in the order of their cycles.
        var begun = RowSet(count: chip.accumulatorRows)
        for burst in sums.sorted(by: { $0.start < $1.start }) {
            guard case .accumulate(let row, let add, _) = burst.instruction else { continue }
            var unknown: Int?
            Self.forEachRow(burst, from: Int(row)) {
                if add, !begun.contains($0) { unknown = unknown ?? $0 }
                if !add { begun.insert($0) }
            }
            if let row = unknown {
                return problem(burst, chip, "adds to row \(row), which another placement began")
            }
        }
        return nil
    }

    /// In the order of the issues; where a Repeat does not step, once for all of it.
    private static func forEachRow(_ burst: Burst, from row: Int, _ body: (Int) -> Void) {
        for j in burst.outer.offsets {
            for i in burst.inner.offsets { body(row + i + j) }
        }
    }

    private func problem(_ burst: Burst, _ chip: Chip, _ message: String) -> ChipExtent.Problem {
        ChipExtent.Problem(
            unit: chip.units[burst.queue.index], cycle: burst.start.index,
            message: message + ": steps that overlap would meet there")
    }
}

extension Chip {
    /// For how long an issue keeps its plane.
    fileprivate func cadence(of instruction: Instruction) -> Int {
        switch instruction {
        case .install: installCadence
        case .matmul(_, let type): type == .fp16 ? tandemCadence : matmulCadence
        case .memory, .loadWeights, .accumulate, .alu, .distribute, .transpose, .permute, .shift,
            .rotate, .select, .send, .receive, .ingress, .egress:
            1
        }
    }
}
