import LPUMachine
import LPUModel
import LPUNumerics
import LPUSupport
import Testing

@testable import LPUPlanning

@Suite struct PlannerTests {
    private let model = ModelConfiguration(
        architecture: .llama, layerCount: 6, hiddenSize: 2048, intermediateSize: 6144,
        vocabularySize: 32_000, queryHeadCount: 16, keyValueHeadCount: 4, headDimension: 128,
        maximumPositions: 4096, normEpsilon: 1e-5,
        rotary: RotaryEmbedding(theta: 10_000, headDimension: 128))

    /// `lpx256` with less SRAM, so that the model is large for it.
    private func machine(rows: Int) throws -> Machine {
        var machine = try #require(Machine.preset(named: "lpx256"))
        machine.chip.rowsPerBank = rows
        return machine
    }

    @Test func candidatesFitAndAreSorted() throws {
        let machine = try machine(rows: 1000)
        for objective in PlanRequest.Objective.allCases {
            let request = PlanRequest(context: 1024, objective: objective)
            let candidates = try enumeratePlans(model, on: machine, request)
            let figures = candidates.map {
                objective == .length ? $0.estimate.length : $0.estimate.interval
            }
            #expect(figures == figures.sorted() && candidates.count > 20)
            for candidate in candidates {
                #expect(candidate.users >= 1)
                #expect(candidate.demand.total <= machine.chip.sramBytes)
                #expect(candidate.bound.cycles <= candidate.estimate.length)
                #expect(candidate.bound.stream <= candidate.bound.combined)
                #expect(candidate.bound.chain <= candidate.bound.combined)
                let stages = candidate.plan.pipelineStages
                let layers = (0..<stages).map { candidate.plan.layers(of: $0, count: 6).count }
                #expect(layers.reduce(0, +) == 6)
            }
            let best = try bestPlan(model, on: machine, request)
            #expect(best == candidates[0].plan)
        }
    }

    /// Also a stage before the layers, which remedies may name.
    @Test func menuHasAllStages() throws {
        let stages = try enumeratePlans(
            model, on: machine(rows: 1000), PlanRequest(context: 64, tensorParallel: 16)
        ).map(\.plan.pipelineStages)
        #expect(stages.max() == model.mostStages)
    }

    /// Each of the users that fit is one more user in the plan's own demand.
    @Test func usersThatFitAreTheMost() throws {
        let machine = try machine(rows: 1000)
        var request = PlanRequest(context: 1024)
        let best = try enumeratePlans(model, on: machine, request)[0]
        let most = best.users
        #expect(most > 1)
        request.tensorParallel = best.plan.tensorParallel
        request.pipelineStages = best.plan.pipelineStages
        for users in [2, most] {
            var some = request
            some.users = users
            let candidate = try enumeratePlans(model, on: machine, some)[0]
            #expect(candidate.plan.users == users && candidate.users == most)
            #expect(candidate.estimate.interval * users >= candidate.estimate.length)
        }
        var more = request
        more.users = most + 1
        #expect(throws: Infeasibility.self) { try enumeratePlans(model, on: machine, more) }
    }

    /// The judge is asked where the sums leave it open, and only there.
    @Test func judgeDecidesWhatSumsLeaveOpen() throws {
        let machine = try machine(rows: 540)
        var request = PlanRequest(context: 4096, tensorParallel: 16, pipelineStages: 3)
        /// The context that the refusal names.
        func longest(_ judge: CapacityJudge?) throws -> Int {
            do {
                _ = try enumeratePlans(model, on: machine, request, judge: judge)
                return request.context
            } catch let error as Infeasibility {
                let remedy = try #require(error.remedies.first { $0.hasPrefix("--context ") })
                return try #require(Int(remedy.split(separator: " ")[1]))
            }
        }
        var asked: [Plan] = []
        let strict = try longest { plan, _ in
            asked.append(plan)
            return false
        }
        #expect(try strict == longest(nil) && strict % 320 == 0)
        #expect(!asked.isEmpty)
        for plan in asked {
            #expect(!Fit.best(plan, model, on: machine).fits)
            #expect(Fit(model, plan, on: machine, isLenient: true).fits)
        }
        let lenient = try longest { _, _ in true }
        #expect(lenient > strict)
        // What is named fits, and a block more does not.
        request.context = lenient
        #expect(try longest { _, _ in true } == lenient)
        guard lenient < model.maximumPositions else { return }
        request.context = lenient + 1
        #expect(try longest { _, _ in true } == lenient)
    }

    @Test func starsAreTheFrontier() throws {
        let candidates = try enumeratePlans(
            model, on: machine(rows: 1000), PlanRequest(context: 1024))
        for a in candidates {
            let isBeaten = candidates.contains {
                ($0.estimate.length < a.estimate.length
                    && $0.estimate.interval <= a.estimate.interval)
                    || ($0.estimate.length <= a.estimate.length
                        && $0.estimate.interval < a.estimate.interval)
            }
            #expect(a.isParetoOptimal == !isBeaten)
        }
    }

    /// On the smallest machine it names something fits, on one node less nothing does.
    @Test func smallestMachineIsTheSmallest() throws {
        let machine = try #require(try machine(rows: 500).resized(chips: 16))
        let request = PlanRequest(context: 1024)
        var asked: Infeasibility?
        do {
            _ = try enumeratePlans(model, on: machine, request)
        } catch let error as Infeasibility {
            asked = error
        }
        let infeasibility = try #require(asked)
        #expect(infeasibility.demand == infeasibility.terms.reduce(0) { $0 + $1.amount })
        #expect(infeasibility.demand > infeasibility.capacity)
        let rack = try self.machine(rows: 500).resized(chips: 32)
        #expect(throws: Infeasibility.self) {
            try enumeratePlans(model, on: try #require(rack), request)
        }
        do {
            _ = try enumeratePlans(model, on: try #require(rack), request)
        } catch let error as Infeasibility {
            let remedy = try #require(error.remedies.first { $0.hasPrefix("--chips ") })
            let chips = try #require(Int(remedy.split(separator: " ")[1]))
            let larger = try #require(try self.machine(rows: 500).resized(chips: chips))
            let smaller = try #require(try self.machine(rows: 500).resized(chips: chips - 16))
            #expect(try !enumeratePlans(model, on: larger, request).isEmpty)
            #expect(throws: Infeasibility.self) {
                try enumeratePlans(model, on: smaller, request)
            }
        }
    }

    /// The LM head takes the place of layers.
    @Test func layersAreDealtByDemand() throws {
        var model = model
        model.layerCount = 8
        let plan = Plan(context: 256, tensorParallel: 4, pipelineStages: 3)
        let machine = try machine(rows: 4880)
        let dealt = try #require(plan.dealtByDemand(of: model, least: 1, on: machine))
        #expect(dealt.stageLayers.reduce(0, +) == 8 && dealt.stageLayers.allSatisfy { $0 > 0 })
        #expect(dealt.stageLayers[1] > dealt.stageLayers[2])
        let even = Fit(model, plan, on: machine)
        #expect(Fit(model, dealt, on: machine).room.free > even.room.free)
    }

    /// More of anything is never bounded lower.
    @Test func boundGrowsWithWhatIsAsked() throws {
        let machine = try machine(rows: 4880)
        func bound(_ plan: Plan, layers: Int = 6) -> Int {
            var model = model
            model.layerCount = layers
            return Bound(model, plan, on: machine).cycles
        }
        let plan = Plan(context: 512, weightType: .fp8, kvType: .fp8)
        var (wide, long) = (plan, plan)
        wide.weightType = .fp16
        long.context = 4096
        #expect(bound(plan) < bound(wide))
        #expect(bound(plan) < bound(long))
        #expect(bound(plan) < bound(plan, layers: 7))
        // A stage on other nodes is a hop further, with layers or without.
        let near = Plan(context: 512, tensorParallel: 16)
        var far = near
        far.pipelineStages = 2
        #expect(bound(near) < bound(far))
        far.stageLayers = [0, 6]
        #expect(bound(near) < bound(far))
    }
}
