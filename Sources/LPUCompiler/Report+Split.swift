public import LPUModel
public import LPUPlanning

extension Report {
    /// How a layer's heads are dealt out to the chips that share it.
    public struct Split: Hashable, Sendable, Codable {
        public var tensorParallel: Int
        public var pipelineStages: Int
        /// In the whole layer.
        public var queryHeads: Int
        public var keyValueHeads: Int
        /// Of each chip of a stage: a KV head that several keep is counted by each.
        public var queryHeadsOfChip: [Int]
        public var keyValueHeadsOfChip: [Int]
    }
}

extension Report.Split {
    /// Query heads are dealt out whole and in order, as evenly as can be; a KV head is kept by
    /// every chip that has a query head of its group: none is split and some are replicated.
    public init(_ plan: Plan, of model: ModelConfiguration) {
        tensorParallel = plan.tensorParallel
        pipelineStages = plan.pipelineStages
        queryHeads = model.queryHeadCount
        keyValueHeads = model.keyValueHeadCount
        let heads = plan.headsOfChips(model)
        queryHeadsOfChip = heads.map(\.queries)
        keyValueHeadsOfChip = heads.map(\.keyValues)
    }

    /// A sentence for people.
    public var text: String {
        func spread(_ counts: [Int]) -> String {
            let (least, most) = (counts.min() ?? 0, counts.max() ?? 0)
            return least == most ? "\(most)" : "\(least) to \(most)"
        }
        let plan = "TP \(tensorParallel) x PP \(pipelineStages)"
        if tensorParallel == 1 {
            return "\(plan): every stage has all \(queryHeads) query and \(keyValueHeads) KV heads"
        }
        let copies = keyValueHeadsOfChip.reduce(0, +)
        return "\(plan): \(queryHeads) query heads are dealt out whole, "
            + "\(spread(queryHeadsOfChip)) a chip; the \(keyValueHeads) KV heads rest where "
            + "their queries are, "
            + "\(spread(keyValueHeadsOfChip)) a chip, "
            + (copies == keyValueHeads ? "each once" : "replicated to \(copies) in all")
    }
}
