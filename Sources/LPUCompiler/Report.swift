import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
public import LPUScheduler
import LPUSupport
import LPUVerifier

/// The figures of a compilation that a verifier accepted; what `report.json` holds.
public struct Report: Hashable, Sendable, Codable {
    /// The model as it was compiled.
    public struct Model: Hashable, Sendable, Codable {
        public var name: String
        public var architecture: String
        public var layers: Int
        public var parameters: Int
        public var weightType: String
        public var context: Int
    }

    /// The machine, and what its numbers rest on.
    public struct Target: Hashable, Sendable, Codable {
        public var name: String
        public var chips: Int
        public var clockMegahertz: Int
        /// How many numbers have each grade, in the order of `Grade`.
        public var grades: [GradeCount]
        /// Keys of the numbers that are hypotheses of ours.
        public var hypotheses: [String]
        public var sramBytesPerChip: Int
    }

    public struct GradeCount: Hashable, Sendable, Codable {
        public var grade: String
        public var numbers: Int
    }

    /// One decode step, which makes one token.
    public struct Step: Hashable, Sendable, Codable {
        public var cycles: Int
        public var nanoseconds: Int
        /// For one user at batch 1, steps one after the other; rounded down.
        public var tokensPerSecond: Int
        public var instructions: Int
        public var issues: Int
        /// How it was scheduled.
        public var strategy: String
    }

    /// What no schedule of the plan is shorter than, and what the step spends its time with.
    public struct Limit: Hashable, Sendable, Codable {
        /// Cycles; the greatest of the next three, which `Documentation/Bounds.md` proves.
        public var cycles: Int
        public var chain: Int
        public var stream: Int
        public var combined: Int
        /// The step's cycles in hundredths of the bound's, rounded up.
        public var lengthPercent: Int
        /// The planner's estimate of the step, and what is missing of it where a cause is free; of
        /// encoders there is none.
        public var estimate: Int?
        public var causes: [CauseShare]
    }

    public struct CauseShare: Hashable, Sendable, Codable {
        public var cause: String
        public var cycles: Int
    }

    /// Which laws hold for every issue, and which were not looked at.
    public struct Verdict: Hashable, Sendable, Codable {
        public var accepted: Bool
        public var holds: [String]
        public var unchecked: [String]
    }

    public var model: Model
    public var machine: Target
    public var split: Split
    public var step: Step
    public var interval: Interval
    public var bound: Limit
    public var efficiency: Efficiency
    public var sram: [SRAMUse]
    public var verdict: Verdict
    /// What no figure holds.
    public var excluded: [String]
    /// SHA-256 of the other files, by name.
    public var digests: [String: String] = [:]
}

extension Report {
    /// - Requires: the verifier accepted the compilation.
    public init(_ compilation: Compilation, named name: String, strategy: Strategy) {
        guard let certificate = compilation.verdict?.certificate else {
            preconditionFailure("a report is of a schedule that the verifier accepted")
        }
        let claims = compilation.schedule.claims
        model = Model(compilation, named: name)
        machine = Target(compilation.machine)
        split = Split(compilation.plan, of: compilation.model)
        let (cycles, megahertz) = (claims.length.count, compilation.machine.chip.clockMegahertz)
        step = Step(
            cycles: cycles, nanoseconds: (cycles * 1000 + megahertz / 2) / megahertz,
            tokensPerSecond: cycles > 0 ? megahertz * 1_000_000 / cycles : 0,
            instructions: claims.burstCount, issues: claims.issueCount,
            strategy: strategy.description)
        interval = Interval(compilation)
        bound = Limit(compilation)
        efficiency = Efficiency(compilation)
        sram = SRAMUse.perChip(compilation.schedule, on: compilation.machine)
        verdict = Verdict(
            accepted: true, holds: certificate.scopes.map(\.law.rawValue),
            unchecked: certificate.unchecked.map(\.rawValue))
        excluded = Self.exclusions
    }

    /// What the contract leaves out, and what this version does not do yet.
    private static let exclusions = [
        "the host and its link beyond the ports, sampling other than greedy, the loading of "
            + "weights, throttling",
        "links are modelled as exact, instruction fetch ports are not modelled",
        "that the graph is the model is shown by comparing numbers, not by a law",
    ]
}

extension Report.Model {
    fileprivate init(_ compilation: Compilation, named name: String) {
        self.name = name
        architecture = compilation.model.architecture.rawValue
        layers = compilation.model.layerCount
        parameters = ModelGraph(compilation.model).parameterCount
        weightType = compilation.plan.weightType.rawValue
        context = compilation.plan.context
    }
}

extension Report.Limit {
    fileprivate init(_ compilation: Compilation) {
        let (model, plan, machine) = (compilation.model, compilation.plan, compilation.machine)
        let bound = LPUPlanning.Bound(model, plan, on: machine)
        (cycles, chain, stream) = (bound.cycles, bound.chain, bound.stream)
        combined = bound.combined
        let length = compilation.schedule.claims.length.count
        lengthPercent = (length * 100 + cycles - 1) / max(1, cycles)
        estimate =
            model.isEncoder ? nil : Estimate(model, plan, users: 1, on: machine).length
        let named = model.isEncoder ? [] : Estimate.Cause.allCases
        causes = named.map {
            Report.CauseShare(
                cause: $0.rawValue, cycles: Estimate.share(of: $0, model, plan, on: machine))
        }
    }
}

extension Report.Target {
    fileprivate init(_ machine: Machine) {
        name = machine.name
        chips = machine.chipCount
        clockMegahertz = machine.chip.clockMegahertz
        grades = Grade.allCases.map { grade in
            Report.GradeCount(
                grade: grade.rawValue,
                numbers: machine.sources.count { $0.grade == grade })
        }
        hypotheses = machine.sources.filter { $0.grade == .hypothesis }.map(\.key)
        sramBytesPerChip = machine.chip.sramBytes
    }
}

extension Strategy: CustomStringConvertible {
    /// `list`, or `random` with its seed.
    public var description: String {
        switch self {
        case .list: "list"
        case .random(let seed): "random, seed \(seed)"
        }
    }
}
