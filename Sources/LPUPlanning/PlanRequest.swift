public import LPUMachine
public import LPUModel
public import LPUNumerics
import LPUSupport

/// What is asked of a plan; what is nil is for the planner to choose.
public struct PlanRequest: Hashable, Sendable {
    /// What the best plan has least of.
    public enum Objective: String, Hashable, Sendable, CaseIterable {
        /// Cycles of one step: what a user waits.
        case length
        /// Cycles between steps: what all users share.
        case interval
    }

    /// Token positions that the KV cache holds.
    public var context: Int
    /// Users in flight; nil for one, and to tell what all that fit would give.
    public var users: Int?
    public var weightType: ElementType
    public var kvType: ElementType
    public var tensorParallel: Int?
    public var pipelineStages: Int?
    public var objective: Objective

    public init(
        context: Int, users: Int? = nil, weightType: ElementType = .fp16,
        kvType: ElementType = .fp16, tensorParallel: Int? = nil, pipelineStages: Int? = nil,
        objective: Objective = .length
    ) {
        self.context = context
        self.users = users
        self.weightType = weightType
        self.kvType = kvType
        self.tensorParallel = tensorParallel
        self.pipelineStages = pipelineStages
        self.objective = objective
    }

    func plan(degree: Int, stages: Int) -> Plan {
        Plan(
            context: context, users: users ?? 1, weightType: weightType, kvType: kvType,
            tensorParallel: degree, pipelineStages: stages)
    }
}

/// A plan that fits, and its figures.
public struct Candidate: Hashable, Sendable {
    public var plan: Plan
    public var estimate: Estimate
    public var bound: Bound
    /// Of the chip that is asked for most.
    public var demand: Demand
    /// Users whose KV rows fit; at least those of the plan.
    public var users: Int
    /// `true` iff no other candidate has a shorter length and no longer interval, or the reverse.
    public var isParetoOptimal = false

    /// Chips that hold a part of the model.
    public var chips: Int { plan.tensorParallel * plan.pipelineStages }
}

/// Every plan that the wiring allows and that fits, the best by the request's objective first.
///
/// The whole menu is looked at, nothing is searched: degrees up to the first axis, stages up to one
/// more than the layers. Ties go to fewer chips, then to the smaller degree. For large models a
/// degree other than one chip or the whole first axis, whose chips the scheduler cannot treat
/// alike, has to be better by 3 %.
///
/// What fits is told by sums that leave the scheduler some room. Where more than that is asked for,
/// but not more than there is, `judge` is asked, of plans that share layers over as many chips as
/// the request says, over one, or over the whole first axis.
/// - Throws: `DiagnosticSet` where the request cannot be met by any size, `Infeasibility` where
///   nothing fits, with the smallest machine of the family on which something does.
/// - Complexity: O(plans x layers x degree squared): about a hundred plans and a tenth of a second
///   for a model of 80 layers on 256 chips; and what the judge takes.
public func enumeratePlans(
    _ model: ModelConfiguration, on machine: Machine, _ request: PlanRequest,
    judge: CapacityJudge? = nil
) throws -> [Candidate] {
    try request.check(model, machine)
    let menu = try request.menu(model, machine)
    var candidates = menu.compactMap { plan -> Candidate? in
        let isJudged = request.isJudged(plan.tensorParallel, machine)
        guard let fit = Fit.fitting(plan, model, on: machine, isJudged ? judge : nil) else {
            return nil
        }
        let users = fit.fits ? fit.mostUsers(model, on: machine) : fit.plan.users
        return Candidate(
            plan: fit.plan,
            estimate: Estimate(
                model, fit.plan, users: request.users ?? users, on: machine),
            bound: Bound(model, fit.plan, on: machine), demand: fit.fullest, users: users)
    }
    if candidates.isEmpty { throw request.infeasibility(model, machine, menu: menu, judge) }
    markParetoOptimal(&candidates)
    let isLarge = ModelGraph(model).parameterCount > 1_000_000_000
    func key(_ candidate: Candidate) -> PlanRequest.Key {
        let degrees = [1, machine.topology.axes.first?.size]
        let isEasy = !isLarge || degrees.contains(candidate.plan.tensorParallel)
        return request.key(candidate, isEasy: isEasy)
    }
    return candidates.sorted { key($0) < key($1) }
}

/// The best plan by the request's objective; of an encoder one chip, unless it says otherwise.
/// - Throws: as `enumeratePlans`.
public func bestPlan(
    _ model: ModelConfiguration, on machine: Machine, _ request: PlanRequest,
    judge: CapacityJudge? = nil
) throws -> Plan {
    // Nothing else to choose: the lowering then says what it lacks.
    if model.isEncoder {
        return request.plan(
            degree: request.tensorParallel ?? 1, stages: request.pipelineStages ?? 1)
    }
    return try enumeratePlans(model, on: machine, request, judge: judge)[0].plan
}

private func markParetoOptimal(_ candidates: inout [Candidate]) {
    for i in candidates.indices {
        let mine = candidates[i].estimate
        candidates[i].isParetoOptimal = !candidates.contains {
            let other = $0.estimate
            return other.length <= mine.length && other.interval <= mine.interval
                && (other.length, other.interval) != (mine.length, mine.interval)
        }
    }
}

extension PlanRequest {
    fileprivate typealias Key = (Int, Int, Int, Int, Int)

    fileprivate func key(_ candidate: Candidate, isEasy: Bool) -> Key {
        let estimate = candidate.estimate
        let (first, second) =
            switch objective {
            case .length: (estimate.length, estimate.interval)
            case .interval: (estimate.interval, estimate.length)
            }
        return (
            isEasy ? first : first + first / 32, candidate.chips, candidate.plan.tensorParallel,
            candidate.plan.pipelineStages, second
        )
    }

    /// What no number of chips mends.
    fileprivate func check(
        _ model: ModelConfiguration, _ machine: Machine
    ) throws(DiagnosticSet) {
        var errors = DiagnosticSet()
        func refuse(_ place: String, _ id: String, _ message: String) {
            errors.insert(Diagnostic(at: Diagnostic.Place(place), id: id, message))
        }
        if model.isEncoder {
            refuse(
                "plan", "plan-encoder",
                "\(model.architecture.rawValue) has one plan: one chip takes all of it")
        }
        func check(_ place: String, _ number: Int?, _ words: String, atMost most: Int) {
            guard let number, !(1...most).contains(number) else { return }
            refuse(
                "plan.\(place)", "plan-wiring",
                "\(number) \(words) are asked for, \(model.layerCount) layers on the "
                    + "\(machine.chipCount) chips of \(machine.name) take \(most) at most: ask "
                    + "for 1 to \(most)")
        }
        let chips = machine.chipCount
        check("tensorParallel", tensorParallel, "chips a layer", atMost: chips)
        check(
            "pipelineStages", pipelineStages, "stages", atMost: min(model.mostStages, chips))
        let least = plan(degree: tensorParallel ?? 1, stages: 1)
        for problem in least.unsupported(model, on: machine.chip) { errors.insert(problem) }
        try errors.throwIfAny()
    }

    /// The plans that the wiring allows.
    /// - Throws: why not, where both numbers are given, or none is left.
    fileprivate func menu(
        _ model: ModelConfiguration, _ machine: Machine
    ) throws(DiagnosticSet) -> [Plan] {
        var plans: [Plan] = []
        var problem = "\(machine.name) has \(machine.chipCount) chips"
        for plan in allPlans(model, machine) {
            if let found = wiringProblem(stageChips(plan, machine), machine) {
                problem = found
            } else {
                plans.append(plan)
            }
        }
        guard plans.isEmpty else { return plans }
        let asked = [
            tensorParallel.map { "\($0) chips a layer" }, pipelineStages.map { "\($0) stages" },
        ].compactMap { $0 }.joined(separator: ", ")
        throw DiagnosticSet(
            Diagnostic(
                at: Diagnostic.Place("plan"), id: "plan-wiring",
                "\(asked) cannot be placed on \(machine.name): \(problem)"))
    }

    /// Every degree and number of stages that the request leaves open, and the machine has chips
    /// for.
    func allPlans(_ model: ModelConfiguration, _ machine: Machine) -> [Plan] {
        let most = machine.topology.axes.map(\.size).max() ?? 1
        let degrees = tensorParallel.map { [$0] } ?? Array(1...most)
        let stages = pipelineStages.map { [$0] } ?? Array(1...model.mostStages)
        return degrees.flatMap { degree in
            stages.filter {
                degree <= model.intermediateSize && degree * $0 <= machine.chipCount
            }.map { plan(degree: degree, stages: $0) }
        }
    }
}
