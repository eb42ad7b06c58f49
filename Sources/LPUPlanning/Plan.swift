public import LPUMachine
public import LPUNumerics

/// How a decode step is cut over the machine, and for whom it is made.
public struct Plan: Hashable, Sendable {
    /// Token positions that the KV cache holds.
    public var context: Int
    /// Users in flight, each with KV rows of their own; a step is of one of them.
    public var users: Int
    /// In which the weights rest and the linear layers run.
    public var weightType: ElementType
    /// In which keys and values are cached, and attention runs.
    public var kvType: ElementType
    /// Chips that share every layer: heads, columns and vocabulary are split over them, and they
    /// must be wired all to all.
    public var tensorParallel: Int
    /// Stages that the layers are dealt out to, one after another.
    public var pipelineStages: Int
    /// How many layers each stage has, where they are not dealt out evenly; else empty.
    public var stageLayers: [Int]

    public init(
        context: Int, users: Int = 1, weightType: ElementType = .fp16,
        kvType: ElementType = .fp16,
        tensorParallel: Int = 1, pipelineStages: Int = 1, stageLayers: [Int] = []
    ) {
        self.context = context
        self.users = users
        self.weightType = weightType
        self.kvType = kvType
        self.tensorParallel = tensorParallel
        self.pipelineStages = pipelineStages
        self.stageLayers = stageLayers
    }

    /// The layers of a stage, of `count` in all: as evenly as can be unless the plan says how many.
    /// Where stages cross (`stagesCross`), the attention of its first one is the stage's before.
    public func layers(of stage: Int, count: Int) -> Range<Int> {
        if !stageLayers.isEmpty {
            let first = stageLayers[..<stage].reduce(0, +)
            return first..<first + stageLayers[stage]
        }
        return stage * count / pipelineStages..<(stage + 1) * count / pipelineStages
    }

    /// `true` iff angles are added up from two short tables, of every 256th position and of 256:
    /// one of all positions would take more than half of a bank, in each of eight slices.
    public func splitsRotaryTables(on chip: Chip) -> Bool { context > chip.rowsPerBank / 2 }
}
