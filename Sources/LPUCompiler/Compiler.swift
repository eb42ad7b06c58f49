import LPUDataflow
import LPULowering
public import LPUMachine
public import LPUModel
public import LPUPlanning
import LPUSchedule
public import LPUScheduler
import LPUSupport

/// A phase of the pipeline, for progress and timing.
public enum Phase: String, Hashable, Sendable, CaseIterable {
    case lower, schedule, verify, load, simulate
}

/// The pipeline: a model and a plan become a program and a schedule.
public struct Compiler: Sendable {
    public var machine: Machine
    public var strategy: Strategy

    public init(machine: Machine, strategy: Strategy = .list) {
        self.machine = machine
        self.strategy = strategy
    }

    /// Lowers, checks and schedules; `progress` is told each phase before it begins.
    /// - Throws: `DiagnosticSet` for a bad input, `Infeasibility` where it does not fit.
    public func compile(
        _ model: ModelConfiguration, plan: Plan, progress: (Phase) -> Void = { _ in }
    ) throws -> Compilation {
        progress(.lower)
        let program = try lower(model, plan: plan, for: machine)
        try program.validate()
        progress(.schedule)
        let schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine, strategy: strategy)
        return Compilation(
            model: model, plan: plan, machine: machine, program: program, schedule: schedule)
    }
}
