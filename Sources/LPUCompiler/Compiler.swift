public import LPUDataflow
import LPULowering
public import LPUMachine
public import LPUModel
public import LPUPlanning
public import LPUSchedule
public import LPUScheduler
public import LPUSupport
public import LPUVerifier

/// A phase of the pipeline, for progress and timing.
public enum Phase: String, Hashable, Sendable, CaseIterable {
    case lower, schedule, verify
}

/// The pipeline: a model and a plan become a program and a schedule, and the schedule is judged.
///
/// Before it stands `ModelConfiguration(huggingFace:file:)`, after it `Compilation.load`, which
/// makes the memory image, and `Compilation.files`, which makes the files.
public struct Compiler: Sendable {
    public var machine: Machine
    public var strategy: Strategy
    /// What judges the schedule.
    public var verifier: Verifier

    public init(machine: Machine, strategy: Strategy = .list, verifier: Verifier = Verifier()) {
        self.machine = machine
        self.strategy = strategy
        self.verifier = verifier
    }

    /// Lowers, schedules and verifies; `progress` is told each phase before it begins. The verdict
    /// stands in the result: a schedule that breaks a law is returned too.
    /// - Parameter tokens: a chunk of a prompt, for which there is to be a schedule on the same
    ///   memory; 0 for none.
    /// - Throws: `DiagnosticSet` for a bad input, `Infeasibility` where it does not fit.
    public func compile(
        _ model: ModelConfiguration, plan: Plan, prefill tokens: Int = 0,
        progress: (Phase) -> Void = { _ in }
    ) throws -> Compilation {
        progress(.lower)
        let program = try lower(model, plan: plan)
        let chunk = tokens > 0 ? try lowerPrefill(of: program, tokens: tokens) : nil
        try chunk?.validate()
        progress(.schedule)
        var compilation: Compilation
        if let chunk {
            let (step, prefill) = try schedule(program, with: chunk)
            compilation = Compilation(
                model: model, plan: plan, machine: machine, program: program, schedule: step)
            compilation.prefill = Prefill(tokens: tokens, program: chunk, schedule: prefill)
        } else {
            compilation = Compilation(
                model: model, plan: plan, machine: machine, program: program,
                schedule: try schedule(program))
        }
        progress(.verify)
        try compilation.verify(with: verifier)
        return compilation
    }

    /// The first phase alone: the dataflow program of a decode step.
    public func lower(
        _ model: ModelConfiguration, plan: Plan
    ) throws(DiagnosticSet) -> Program {
        let program = try LPULowering.lower(model, plan: plan, for: machine)
        try program.validate()
        return program
    }

    /// The second phase alone; the schedule claims its digest.
    /// - Requires: `program` is legal.
    public func schedule(_ program: Program) throws(Infeasibility) -> Schedule {
        var schedule = try LPUScheduler.schedule(
            program, digest: program.digest, for: machine, strategy: strategy,
            threads: verifier.threads)
        schedule.claims.digest = schedule.digest(on: machine)
        return schedule
    }

    /// The second phase of two programs on one memory.
    private func schedule(
        _ step: Program, with prefill: Program
    ) throws(Infeasibility) -> (Schedule, Schedule) {
        var schedules = try LPUScheduler.schedule(
            step, with: prefill, digests: (step.digest, prefill.digest), for: machine,
            strategy: strategy, threads: verifier.threads)
        schedules.0.claims.digest = schedules.0.digest(on: machine)
        schedules.1.claims.digest = schedules.1.digest(on: machine)
        return schedules
    }

    /// Places weights and caches of a model's plan as the scheduler does, without timing them, and
    /// answers whether there is room: what the planner asks where its sums leave it open.
    public static func judge(_ model: ModelConfiguration) -> CapacityJudge {
        { plan, machine in
            guard let program = try? Compiler(machine: machine).lower(model, plan: plan) else {
                return false
            }
            return (try? checkCapacity(of: program, on: machine)) != nil
        }
    }
}
