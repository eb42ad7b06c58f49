public import LPUDataflow
import LPULoading
public import LPUMachine
public import LPUModel
public import LPUPlanning
public import LPUSchedule
public import LPUSupport
public import LPUVerifier

/// What one compilation makes: each a value that can be dumped, read back and judged.
public struct Compilation: Sendable {
    public var model: ModelConfiguration
    public var plan: Plan
    public var machine: Machine
    public var program: Program
    public var schedule: Schedule
    /// What the verifier said; nil where it was not asked: what is read back is not trusted.
    public var verdict: Verdict?
    /// What reads a prompt in chunks, where it was asked for.
    public var prefill: Prefill?

    public init(
        model: ModelConfiguration, plan: Plan, machine: Machine, program: Program,
        schedule: Schedule
    ) {
        self.model = model
        self.plan = plan
        self.machine = machine
        self.program = program
        self.schedule = schedule
    }

    /// Judges the schedule against the program, laws 1-15, and the program against the model's
    /// graph, law 16; see `Verifier`.
    /// - Throws: what is illegal in the program.
    public mutating func verify(with verifier: Verifier = Verifier()) throws(DiagnosticSet) {
        try program.validate(threads: verifier.threads)
        if let prefill {
            self.prefill?.verdict = verifier.verify(
                machine: machine, schedule: prefill.schedule, program: prefill.program)
            self.prefill?.besideStep =
                verifier.violationsOfSharing(
                    on: machine, (schedule, program), (prefill.schedule, prefill.program))
                + verifier.violationsOfChunk(prefill.program, of: program, tokens: prefill.tokens)
        }
        verdict = verifier.verify(
            machine: machine, schedule: schedule, program: program, graph: ModelGraph(model),
            context: plan.context)
    }

    /// The rows that hold weights, tables and empty caches before the first step.
    /// - Throws: as `MemoryImage.init`.
    public func load(_ weights: any WeightSource) throws(DiagnosticSet) -> MemoryImage {
        var image = try MemoryImage(program, schedule, on: machine, weights: weights)
        if let prefill {
            try image.add(prefill.program, prefill.schedule, on: machine, weights: weights)
        }
        return image
    }
}
