import LPUMachine
import LPUModel
import LPUNumerics
import LPUSupport

/// A plan held against the SRAM of its chips.
struct Fit {
    let plan: Plan
    /// Of the chip that is asked for most; of equal ones the first.
    let fullest: Demand
    let stage: Int
    let capacity: Int
    /// Users whose rows fit every chip; 0 where the first does not fit.
    let users: Int

    var total: Int { fullest.total + reserve }
    let reserve: Int
    var fits: Bool { total <= capacity }

    init(_ model: ModelConfiguration, _ plan: Plan, on machine: Machine) {
        let demands = plan.demands(of: model, on: machine)
        self.plan = plan
        capacity = machine.chip.sramBytes
        reserve = machine.chip.reservedBytes
        var (fullest, stage, users) = (demands[0][0], 0, Int.max)
        for (number, chips) in demands.enumerated() {
            for demand in chips {
                if demand.total > fullest.total { (fullest, stage) = (demand, number) }
                let free = capacity - reserve - demand.total
                if demand.cache > 0 {
                    users = min(users, free < 0 ? 0 : 1 + free / demand.cache)
                }
            }
        }
        (self.fullest, self.stage, self.users) = (fullest, stage, users)
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
            if fit.total < best.total { best = fit }
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
        guard let best = fits.min(by: { $0.total < $1.total }) else {
            preconditionFailure("a menu has a plan")
        }
        let plan = best.plan
        return Infeasibility(
            at: "\(machine.name), stage \(best.stage) of \(plan.pipelineStages), "
                + "\(plan.tensorParallel) chips a stage",
            id: "plan-capacity", unit: "bytes of SRAM a chip", demand: best.total,
            capacity: best.capacity,
            terms: best.fullest.terms + [.init("reserve (2 %)", best.reserve)],
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
