import LPUDataflow
import LPULowering
import LPUMachine
import LPUModel
import LPUPlanning
public import LPUSchedule
public import LPUSimulator
public import LPUSupport

/// Runs an encoder on the simulator: each step takes the tokens of a text and gives its embedding.
public struct Embedder {
    private let simulator: Simulator
    private let compilation: Compilation

    /// - Requires: the compilation is of an encoder.
    /// - Throws: as `Simulator.init`.
    public init(
        _ compilation: Compilation, image: MemoryImage, threads: Int = 1
    ) throws(DiagnosticSet) {
        precondition(compilation.model.isEncoder, "a decoder makes tokens, not embeddings")
        simulator = try Simulator(
            machine: compilation.machine, schedule: compilation.schedule, image: image,
            threads: threads)
        self.compilation = compilation
    }

    /// The mean of the tokens' states behind the last layer, and what the step did.
    /// - Parameter types: the segment of each token; nil where all are of the first.
    /// - Requires: there is a token and no more than the plan's context; ids and types are in their
    ///   tables.
    /// - Throws: the simulator's `Fault`; `embed-egress` where less leaves than an embedding.
    public func embed(
        _ tokens: [Int], types: [Int]? = nil
    ) throws -> (embedding: [Float], statistics: Statistics) {
        let (context, chip) = (compilation.plan.context, compilation.machine.chip)
        precondition((1...context).contains(tokens.count), "a text is as long as the context")
        let vectors = (0..<context).map { i in
            i < tokens.count
                ? HostVector.ingress(
                    token: tokens[i], type: types?[i] ?? 0, isReal: true, on: chip)
                : HostVector.ingress(token: 0, type: 0, isReal: false, on: chip)
        }
        let home = compilation.program.instances[0].chips[0]
        let (egress, statistics) = try simulator.step(ingress: [home: vectors])
        let size = compilation.model.hiddenSize
        guard egress.count == HostVector.embeddingVectors(size: size, on: chip) else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("embed"), id: "embed-egress",
                    "the schedule gives \(egress.count) vectors to the host, an embedding takes "
                        + "\(HostVector.embeddingVectors(size: size, on: chip))"))
        }
        let bytes = egress.map(\.bytes)
        return (HostVector.embedding(egress: bytes, size: size, on: chip), statistics)
    }
}
