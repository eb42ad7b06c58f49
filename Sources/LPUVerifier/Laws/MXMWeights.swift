import LPUMachine
import LPUNumerics
import LPUSchedule
import LPUSupport

/// Law 7: weight rows buffer one vector; installs, matmuls and accumulates keep their order and
/// cadence; every sum is taken exactly when it is there; sums are added to sums.
enum MXMWeights: ChipLaw {
    static let law = Law.mxmWeights

    static func judge(_ timeline: ChipTimeline, _ report: inout LawReport) {
        for side in Hemisphere.allCases {
            for plane in 0..<timeline.chip.planesPerHemisphere {
                var judge = PlaneJudge(timeline, side, plane)
                judge.run(&report)
            }
        }
    }
}

/// One plane through time.
private struct PlaneJudge {
    let timeline: ChipTimeline
    let chip: Chip
    let side: Hemisphere
    let plane: Int

    init(_ timeline: ChipTimeline, _ side: Hemisphere, _ plane: Int) {
        self.timeline = timeline
        chip = timeline.chip
        self.side = side
        self.plane = plane
    }

    /// The even plane whose tandem instructions take this plane too.
    private var evenPlane: Int? { plane.isMultiple(of: 2) ? nil : plane - 1 }

    private func queue(_ unit: Unit) -> Int { chip.queue(of: unit).index }
    private func bursts(_ unit: Unit) -> ArraySlice<Burst> {
        timeline.bursts[timeline.queues[queue(unit)]]
    }

    private func add(_ unit: Unit, _ cycle: Int, _ message: String, _ report: inout LawReport) {
        report.add(chip: timeline.id, unit: unit, cycle: cycle, message)
    }

    /// Cycles that a matmul takes of its plane.
    private func cycles(_ type: ElementType) -> Int {
        type == .fp16 ? chip.tandemCadence : chip.matmulCadence
    }

    mutating func run(_ report: inout LawReport) {
        let load = Unit.loadWeights(side, plane: plane)
        let matmul = Unit.matmul(side, plane: plane)
        let sum = Unit.accumulate(side, plane: plane)
        report.count(timeline, queues: [load, matmul, sum].map(queue))
        var units = [load, matmul]
        if let even = evenPlane {
            units += [.loadWeights(side, plane: even), .matmul(side, plane: even)]
        }
        guard units.allSatisfy({ timeline.isOrdered[queue($0)] }) else { return }
        judgeOrder(matmul, &report)
        judgeLoads(load, &report)
        if timeline.isOrdered[queue(sum)] { judgeSums(matmul, sum, &report) }
    }

    private func cursor(_ unit: Unit) -> PlaneCursor {
        let even: Unit? =
            switch unit {
            case .loadWeights: evenPlane.map { .loadWeights(side, plane: $0) }
            case .matmul: evenPlane.map { .matmul(side, plane: $0) }
            case .memory, .alu, .accumulate, .distributor, .transposer, .permutor, .shifter, .link,
                .host:
                nil
            }
        return PlaneCursor(own: bursts(unit), evenPlane: even.map(bursts) ?? [])
    }

    /// Installs and matmuls: what is between two of them, and what a matmul finds installed.
    private func judgeOrder(_ unit: Unit, _ report: inout LawReport) {
        var installed: (cycle: Int, tandem: Bool, isMirrored: Bool)?
        var matmul: (cycle: Int, end: Int, isMirrored: Bool)?
        var before: PlaneEvent?
        var events = cursor(unit)
        while let event = events.next() {
            let cycle = event.cycle
            if let before, before.cycle == cycle, before.isMirrored {
                add(unit, cycle, "a tandem instruction takes this plane in the same cycle", &report)
            }
            before = event
            if let matmul, cycle < matmul.end, !(matmul.isMirrored && event.isMirrored),
                cycle != matmul.cycle
            {
                add(
                    unit, cycle,
                    "the matmul of @\(matmul.cycle) takes the plane until "
                        + "@\(matmul.end - 1)", &report)
            }
            switch event.instruction {
            case .install(let tandem):
                if let last = installed, cycle - last.cycle < chip.installCadence,
                    cycle != last.cycle, !(last.isMirrored && event.isMirrored)
                {
                    add(
                        unit, cycle,
                        "installs \(cycle - last.cycle) cycles after the install of "
                            + "@\(last.cycle), less than \(chip.installCadence)", &report)
                }
                installed = (cycle, tandem, event.isMirrored)
            case .matmul(_, let type):
                matmul = (cycle, cycle + cycles(type), event.isMirrored)
                if event.isMirrored { continue }
                if let problem = operandProblem(type, installed?.cycle, installed?.tandem) {
                    add(unit, cycle, problem, &report)
                }
            case .memory, .loadWeights, .accumulate, .alu, .distribute, .transpose, .permute,
                .shift, .rotate, .select, .send, .receive, .ingress, .egress:
                preconditionFailure("the queue is sound")
            }
        }
    }

    private func operandProblem(_ type: ElementType, _ install: Int?, _ tandem: Bool?) -> String? {
        guard let install, let tandem else { return "nothing was installed before the matmul" }
        if tandem == (type == .fp16) { return nil }
        return "a matmul of \(type.rawValue) meets the \(tandem ? "tandem" : "byte") weights "
            + "installed @\(install)"
    }

    /// The next install of this plane in each call with ascending cycles.
    private struct InstallLookup {
        var events: PlaneCursor
        var current: PlaneEvent?
        var isTandem = false

        init(_ events: PlaneCursor) {
            self.events = events
            advance()
        }

        mutating func advance() {
            while let event = events.next() {
                guard case .install(let tandem) = event.instruction else { continue }
                (current, isTandem) = (event, tandem)
                return
            }
            current = nil
        }

        /// The first install in `cycle` or later.
        mutating func first(from cycle: Int) -> PlaneEvent? {
            while let event = current, event.cycle < cycle { advance() }
            return current
        }
    }

    /// Installs before `cycle` that no load is for; goes on to those from then on.
    private func judgeEmpty(
        _ installs: inout InstallLookup, before cycle: Int, _ report: inout LawReport
    ) {
        while let install = installs.current, install.cycle < cycle {
            installs.advance()
            if install.isMirrored { continue }
            add(
                .matmul(side, plane: plane), install.cycle,
                "installs nothing: no load since the install before is there by "
                    + "@\(install.cycle - chip.installLatency)", &report)
        }
    }

    /// Loads: none overwrites a vector that still waits for its install, and no install is without.
    private func judgeLoads(_ unit: Unit, _ report: inout LawReport) {
        var installs = InstallLookup(cursor(.matmul(side, plane: plane)))
        var others = installs
        var buffered: [(cycle: Int, install: Int?, isMirrored: Bool)?] = Array(
            repeating: nil, count: chip.loadCycles)
        var before: PlaneEvent?
        var events = cursor(unit)
        while let event = events.next() {
            guard case .loadWeights(let column, let tandem) = event.instruction else {
                preconditionFailure("the queue is sound")
            }
            let cycle = event.cycle
            if let before, before.cycle == cycle, before.isMirrored {
                add(unit, cycle, "a tandem load takes this plane in the same cycle", &report)
            }
            before = event
            let index = Int(column) + event.step
            if let held = buffered[index], !(held.isMirrored && event.isMirrored),
                held.install.map({ cycle < $0 - chip.loadBeforeInstall }) ?? true
            {
                let taker =
                    held.install.map {
                        "the install of @\($0) takes; load no earlier than "
                            + "@\($0 - chip.loadBeforeInstall)"
                    } ?? "no install takes"
                add(
                    unit, cycle,
                    "column \(index) still buffers the load of @\(held.cycle), which "
                        + taker, &report)
            }
            let taker = installs.first(from: cycle + chip.installLatency)
            buffered[index] = (cycle, taker?.cycle, event.isMirrored)
            judgeEmpty(&others, before: taker?.cycle ?? .max, &report)
            if let taker, others.current?.cycle == taker.cycle { others.advance() }
            if let taker, installs.isTandem != tandem, !(taker.isMirrored && event.isMirrored) {
                let kinds = tandem ? ("tandem", "byte") : ("byte", "tandem")
                add(
                    unit, cycle,
                    "a \(kinds.0) load is taken by the \(kinds.1) install of "
                        + "@\(taker.cycle)", &report)
            }
        }
        judgeEmpty(&others, before: .max, &report)
    }

    /// Sums: each matmul's is taken exactly `matmulToAccumulate` later, and added to one of its
    /// kind.
    private func judgeSums(_ matmul: Unit, _ unit: Unit, _ report: inout LawReport) {
        let delay = chip.matmulToAccumulate
        var rows: [ElementType?] = Array(repeating: nil, count: chip.accumulatorRows)
        var matmuls = PlaneCursor(own: bursts(matmul))
        var sums = PlaneCursor(own: bursts(unit))
        func nextMatmul() -> (cycle: Int, type: ElementType)? {
            while let event = matmuls.next() {
                if case .matmul(_, let type) = event.instruction { return (event.cycle, type) }
            }
            return nil
        }
        var product = nextMatmul()
        while let event = sums.next() {
            guard case .accumulate(let row, let isAdded, _) = event.instruction else {
                preconditionFailure("the queue is sound")
            }
            while let early = product, early.cycle + delay < event.cycle {
                add(
                    matmul, early.cycle, "no accumulate takes the sum @\(early.cycle + delay)",
                    &report)
                product = nextMatmul()
            }
            guard let operand = product, operand.cycle + delay == event.cycle else {
                add(
                    unit, event.cycle,
                    "there is no sum: no matmul issues @\(event.cycle - delay), "
                        + "\(delay) cycles before", &report)
                continue
            }
            product = nextMatmul()
            let index = Int(row) + event.step
            let type: ElementType = operand.type == .int8 ? .int32 : .fp32
            if isAdded && rows[index] != type {
                let held = rows[index].map { "holds \($0.rawValue)" } ?? "holds no sum"
                add(
                    unit, event.cycle,
                    "adds \(type.rawValue) to accumulator row \(index), which "
                        + held, &report)
            }
            rows[index] = type
        }
        while let late = product {
            add(matmul, late.cycle, "no accumulate takes the sum @\(late.cycle + delay)", &report)
            product = nextMatmul()
        }
    }
}
