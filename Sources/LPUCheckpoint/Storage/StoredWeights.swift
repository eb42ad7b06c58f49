public import LPUModel
import LPUSupport

/// The weights of a checkpoint, read from its files when they are asked for.
public struct StoredWeights: WeightSource {
    /// By the name that the model graph has.
    let tensors: [String: StoredTensor]
    /// What the checkpoint is called in diagnostics.
    let name: String

    public func shape(of tensor: String) -> [Int]? { tensors[tensor]?.shape }

    public func readRow(_ index: Int, of tensor: String, into row: inout [Float]) {
        guard let stored = tensors[tensor] else { preconditionFailure("no weight '\(tensor)'") }
        precondition((0..<stored.rowCount).contains(index), "'\(tensor)' has no row \(index)")
        stored.readRow(index, into: &row)
    }

    /// Lists every weight of the graph that is missing or has another shape, and every tensor that
    /// the graph does not read; O(tensors).
    ///
    /// - Parameter tied: the LM head is the embedding table: a copy of its own may stand, unread.
    /// - Throws: `weights-missing`, `weights-shape` and `weights-surplus`, a diagnostic a tensor.
    func check(against weights: [WeightTensor], tied: Bool) throws(DiagnosticSet) {
        var problems = DiagnosticSet()
        func report(_ id: String, _ message: String) {
            problems.insert(Diagnostic(at: Diagnostic.Place(name), id: id, message))
        }
        var known = Set(weights.map(\.name))
        if tied { known.insert("lm_head.weight") }
        for weight in weights {
            guard let stored = tensors[weight.name] else {
                report("weights-missing", "the model needs '\(weight.name)' \(weight.shape)")
                continue
            }
            if stored.shape != weight.shape {
                report(
                    "weights-shape",
                    "'\(weight.name)' has shape \(stored.shape), the model needs \(weight.shape)")
            }
        }
        for surplus in tensors.keys.filter({ !known.contains($0) }).sorted() {
            report("weights-surplus", "the model has no use for '\(shown(surplus))'")
        }
        try problems.throwIfAny()
    }
}
