public import LPUDataflow
public import LPUSchedule
public import LPUVerifier

/// A second program and schedule on the memory of a decode step: it reads so many tokens of a
/// prompt into the step's caches at once.
public struct Prefill: Sendable {
    /// Tokens of a chunk.
    public let tokens: Int
    public let program: Program
    public let schedule: Schedule
    /// What the verifier said of the schedule and its program, laws 1-15.
    public internal(set) var verdict: Verdict?
    /// What stands against both schedules running on one memory, and against the program doing to
    /// the caches what as many steps do.
    public internal(set) var besideStep: [Violation] = []

    init(tokens: Int, program: Program, schedule: Schedule) {
        self.tokens = tokens
        self.program = program
        self.schedule = schedule
    }

    /// `true` iff it is lawful, alone and beside the step.
    public var isAccepted: Bool { verdict?.isAccepted == true && besideStep.isEmpty }

    /// What is wrong with it, a line each.
    public var complaint: String {
        let own = verdict.map { $0.isAccepted ? [] : [$0.description] } ?? ["not verified"]
        return (own + besideStep.map(\.description)).joined(separator: "\n")
    }
}
