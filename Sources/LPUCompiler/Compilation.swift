public import LPUDataflow
public import LPUMachine
public import LPUModel
public import LPUPlanning
public import LPUSchedule

/// What one compilation makes: each a value that can be dumped, read back and judged.
public struct Compilation: Sendable {
    public var model: ModelConfiguration
    public var plan: Plan
    public var machine: Machine
    public var program: Program
    public var schedule: Schedule
}
