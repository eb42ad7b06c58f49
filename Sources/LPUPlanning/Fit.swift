public import LPUMachine
import LPUModel
import LPUNumerics
import LPUSupport

/// A plan held against the SRAM of its chips.
struct Fit {
    let plan: Plan
    /// Of the chip and the part of its SRAM that have least to spare; of equal ones the first.
    let fullest: Demand
    let room: Room
    let stage: Int

    var fits: Bool { room.free >= 0 }

    /// - Parameter isLenient: `true` to see the banks filled as evenly as can be, which the
    ///   scheduler does not quite: what does not fit so fits in no way.
    init(
        _ model: ModelConfiguration, _ plan: Plan, on machine: Machine, isLenient: Bool = false
    ) {
        let places = plan.chipDemands(of: model, on: machine)
        let rooms = Rooms(plan, machine.chip, isLenient: isLenient)
        var tightest: (demand: Demand, room: Room, stage: Int)?
        for (stage, parts) in plan.stageParts(of: model, on: machine).enumerated() {
            for place in places {
                for room in rooms.of(place, parts) {
                    if let tightest, tightest.room.free <= room.free { continue }
                    tightest = (place.demand(parts), room, stage)
                }
            }
        }
        guard let tightest else { preconditionFailure("a plan has chips") }
        self.plan = plan
        (fullest, room, stage) = (tightest.demand, tightest.room, tightest.stage)
    }

    /// Users with whose rows the plan still fits.
    /// - Requires: it fits as it is.
    func mostUsers(_ model: ModelConfiguration, on machine: Machine) -> Int {
        func fits(_ users: Int) -> Bool {
            var plan = plan
            plan.users = users
            return Fit(model, plan, on: machine).fits
        }
        // Offsets of gathers and rows of a bank end somewhere below.
        var (low, high) = (plan.users, machine.chip.rowsPerBank)
        while high - low > 1 {
            let middle = (low + high) / 2
            if fits(middle) { low = middle } else { high = middle }
        }
        return low
    }
}

extension Fit {
    /// The plan with layers dealt out evenly, or by demand if only so it fits, or comes nearer; a
    /// stage is left without layers only where that alone helps.
    static func best(_ plan: Plan, _ model: ModelConfiguration, on machine: Machine) -> Fit {
        var best = Fit(model, plan, on: machine)
        for dealt in dealings(of: plan, model, on: machine) where !best.fits {
            let fit = Fit(model, dealt, on: machine)
            if fit.room.free > best.room.free { best = fit }
        }
        return best
    }

    /// The same, or nil where it does not fit: by its sums, or, where these leave it open and the
    /// plan is one of few, by `judge`.
    static func fitting(
        _ plan: Plan, _ model: ModelConfiguration, on machine: Machine, _ judge: CapacityJudge?
    ) -> Fit? {
        let best = best(plan, model, on: machine)
        guard !best.fits, let judge else { return best.fits ? best : nil }
        for dealt in [plan] + dealings(of: plan, model, on: machine) {
            let lenient = Fit(model, dealt, on: machine, isLenient: true)
            if lenient.fits, judge(dealt, machine) { return Fit(model, dealt, on: machine) }
        }
        return nil
    }

    private static func dealings(
        of plan: Plan, _ model: ModelConfiguration, on machine: Machine
    ) -> [Plan] {
        guard plan.pipelineStages > 1 else { return [] }
        return [1, 0].compactMap { plan.dealtByDemand(of: model, least: $0, on: machine) }
    }
}

/// Whether a plan's program finds room on a machine, as its scheduler would place it.
public typealias CapacityJudge = (Plan, Machine) -> Bool

extension PlanRequest {
    /// What the plan that comes nearest asks for, and what would mend it.
    func infeasibility(
        _ model: ModelConfiguration, _ machine: Machine, menu: [Plan], _ judge: CapacityJudge?
    ) -> Infeasibility {
        let fits = menu.map { Fit.best($0, model, on: machine) }
        guard let best = fits.min(by: { $0.room.free > $1.room.free }) else {
            preconditionFailure("a menu has a plan")
        }
        let plan = best.plan
        return Infeasibility(
            at: "\(machine.name), stage \(best.stage) of \(plan.pipelineStages), "
                + "\(plan.tensorParallel) chips a stage",
            id: "plan-capacity", unit: best.room.unit, demand: best.room.demand,
            capacity: best.room.capacity, terms: best.room.terms,
            remedies: remedies(model, machine, menu: menu, nearest: plan, judge))
    }

    private func remedies(
        _ model: ModelConfiguration, _ machine: Machine, menu: [Plan], nearest: Plan,
        _ judge: CapacityJudge?
    ) -> [String] {
        /// Whether some plan of the menu fits, changed as the request is; the nearest by the judge.
        func fits(_ request: PlanRequest) -> Bool {
            func changed(_ plan: Plan) -> Plan {
                request.plan(degree: plan.tensorParallel, stages: plan.pipelineStages)
            }
            return menu.contains { Fit.best(changed($0), model, on: machine).fits }
                || Fit.fitting(
                    changed(nearest), model, on: machine,
                    isJudged(nearest.tensorParallel, machine) ? judge : nil) != nil
        }
        var remedies: [String] = []
        if let smallest = smallestMachine(model, machine, judge) {
            remedies.append(smallest.words(on: machine, keepsStages: true))
        } else if tensorParallel != nil, pipelineStages != nil {
            var free = self
            free.pipelineStages = nil
            if let smallest = free.smallestMachine(model, machine, judge) {
                remedies.append(smallest.words(on: machine, keepsStages: false))
            }
        }
        var changed = self
        if kvType != .fp8 {
            changed.kvType = .fp8
            if fits(changed) { remedies.append("--kv fp8") }
        }
        if weightType.byteCount > 1 {
            changed = self
            changed.weightType = .fp8
            if fits(changed) { remedies.append("--weights fp8") }
        }
        if let context = longestContext(block: machine.chip.lanes, fits) {
            remedies.append("--context \(context)")
        }
        return remedies
    }

    /// The longest context with which some plan fits, in whole blocks of keys, of which less than
    /// one takes as much; nil if even one position is too much.
    private func longestContext(block: Int, _ fits: (PlanRequest) -> Bool) -> Int? {
        func fitsAt(_ context: Int) -> Bool {
            var request = self
            request.context = context
            return fits(request)
        }
        // Of [low, high): low fits, high does not.
        var (low, high) = (0, (context + block - 1) / block)
        while high - low > 1 {
            let middle = (low + high) / 2
            if fitsAt(middle * block) { low = middle } else { high = middle }
        }
        if low > 0 { return low * block }
        return context > 1 && fitsAt(1) ? 1 : nil
    }

    /// The fewest chips of a machine of this family, its last axis longer or shorter, on which
    /// some plan fits; nil where none does.
    private func smallestMachine(
        _ model: ModelConfiguration, _ machine: Machine, _ judge: CapacityJudge?
    ) -> SmallestMachine? {
        guard let first = machine.topology.axes.first else { return nil }
        let unit = machine.chipsPerUnit
        let isLine = machine.topology.axes.count == 1
        var options: [SmallestMachine] = []
        let degrees = tensorParallel.map { [$0] } ?? Array(1...(isLine ? 64 : first.size))
        for degree in degrees where degree <= model.intermediateSize {
            for stages in pipelineStages.map({ [$0] }) ?? Array(1...model.mostStages) {
                let chips =
                    isLine || degree * stages <= first.size
                    ? degree * stages : (first.size * stages + unit - 1) / unit * unit
                guard let larger = machine.resized(chips: chips) else { continue }
                options.append(SmallestMachine(degree: degree, stages: stages, machine: larger))
            }
        }
        options.sort {
            ($0.machine.chipCount, $0.degree, $0.stages)
                < ($1.machine.chipCount, $1.degree, $1.stages)
        }
        return options.first {
            let plan = plan(degree: $0.degree, stages: $0.stages)
            return wiringProblem(stageChips(plan, $0.machine), $0.machine) == nil
                && Fit.fitting(
                    plan, model, on: $0.machine, isJudged($0.degree, machine) ? judge : nil) != nil
        }
    }

    /// `true` iff the judge is asked of plans with so many chips a stage: it takes its time, and
    /// most plans are none that anybody would take.
    func isJudged(_ degree: Int, _ machine: Machine) -> Bool {
        [tensorParallel, 1, machine.topology.axes.first?.size].contains(degree)
    }
}

/// A plan and the smallest machine of a family that it was found to fit.
private struct SmallestMachine {
    var degree: Int
    var stages: Int
    var machine: Machine

    /// The options that ask for it.
    func words(on asked: Machine, keepsStages: Bool) -> String {
        let missing = machine.topology.axes.isEmpty ? 0 : machine.linksOfAxes - asked.chip.linkCount
        let isTooLarge = machine.chipCount > Machine.mostChips
        return [
            keepsStages ? nil : "--pp \(stages)",
            keepsStages || machine.chipCount > asked.chipCount
                ? "--chips \(machine.chipCount)" : nil,
            missing > 0 ? "(\(missing) links a chip more than it has)" : nil,
            isTooLarge ? "(a machine file holds \(Machine.mostChips) chips at most)" : nil,
        ].compactMap { $0 }.joined(separator: " ")
    }
}
