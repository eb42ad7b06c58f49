import LPUMachine
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

    init(_ model: ModelConfiguration, _ plan: Plan, on machine: Machine) {
        let places = plan.chipDemands(of: model, on: machine)
        let rooms = Rooms(plan, machine.chip)
        var tightest: (demand: Demand, room: Room, stage: Int)?
        for stage in 0..<plan.pipelineStages {
            let layers = plan.layers(of: stage, count: model.layerCount).count
            let (isFirst, isLast) = (stage == 0, stage == plan.pipelineStages - 1)
            for place in places {
                for room in rooms.of(place, layers: layers, isFirst: isFirst, isLast: isLast) {
                    if let tightest, tightest.room.free <= room.free { continue }
                    let demand = place.demand(layers: layers, isFirst: isFirst, isLast: isLast)
                    tightest = (demand, room, stage)
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
    /// - Requires: no more stages than layers.
    static func best(_ plan: Plan, _ model: ModelConfiguration, on machine: Machine) -> Fit {
        var best = Fit(model, plan, on: machine)
        for least in [1, 0] where !best.fits && plan.pipelineStages > 1 {
            let dealt = plan.dealtByDemand(of: model, least: least, on: machine)
            let fit = Fit(model, dealt, on: machine)
            if fit.room.free > best.room.free { best = fit }
        }
        return best
    }
}

extension PlanRequest {
    /// What the plan that comes nearest asks for, and what would mend it.
    func infeasibility(
        _ model: ModelConfiguration, _ machine: Machine, menu: [Plan]
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
            remedies: remedies(model, machine, menu: menu))
    }

    private func remedies(
        _ model: ModelConfiguration, _ machine: Machine, menu: [Plan]
    ) -> [String] {
        func fits(_ request: PlanRequest) -> Bool {
            menu.contains {
                let plan = request.plan(degree: $0.tensorParallel, stages: $0.pipelineStages)
                return Fit.best(plan, model, on: machine).fits
            }
        }
        var remedies: [String] = []
        if let chips = smallestMachine(model, machine) {
            let links = machine.resized(chips: chips)?.linksOfAxes ?? 0
            let missing = links - machine.chip.linkCount
            remedies.append(
                "--chips \(chips)"
                    + (missing > 0 ? " (\(missing) links a chip more than it has)" : ""))
        }
        var changed = self
        if kvType != .fp8 {
            changed.kvType = .fp8
            if fits(changed) { remedies.append("--kv fp8") }
        }
        if weightType != .fp8 {
            changed = self
            changed.weightType = .fp8
            if fits(changed) { remedies.append("--weights fp8") }
        }
        if let context = longestContext(fits) { remedies.append("--context \(context)") }
        return remedies
    }

    /// The longest context, in blocks of keys, with which some plan fits; nil if even one block is
    /// too much.
    private func longestContext(_ fits: (PlanRequest) -> Bool) -> Int? {
        func fitsAt(_ context: Int) -> Bool {
            var request = self
            request.context = context
            return fits(request)
        }
        // Of [low, high): low fits, high does not.
        var (low, high) = (1, context)
        guard fitsAt(low) else { return nil }
        while high - low > 1 {
            let middle = (low + high) / 2
            if fitsAt(middle) { low = middle } else { high = middle }
        }
        return low
    }

    /// The fewest chips of a machine of this family, its last axis longer or shorter, on which
    /// some plan fits; nil where none does.
    private func smallestMachine(_ model: ModelConfiguration, _ machine: Machine) -> Int? {
        guard let first = machine.topology.axes.first else { return nil }
        let unit = machine.chipsPerUnit
        let isLine = machine.topology.axes.count == 1
        var smallest: Int?
        let degrees = tensorParallel.map { [$0] } ?? Array(1...(isLine ? 64 : first.size))
        for degree in degrees where degree > 0 {
            for stages in pipelineStages.map({ [$0] }) ?? Array(1...model.layerCount)
            where (1...model.layerCount).contains(stages) {
                let plan = plan(degree: degree, stages: stages)
                let chips =
                    isLine || degree * stages <= first.size
                    ? degree * stages : (first.size * stages + unit - 1) / unit * unit
                if chips >= smallest ?? Int.max { continue }
                guard Fit.best(plan, model, on: machine).fits,
                    let larger = machine.resized(chips: chips),
                    wiringProblem(stageChips(plan, larger), larger) == nil
                else { continue }
                smallest = chips
            }
        }
        return smallest
    }
}
