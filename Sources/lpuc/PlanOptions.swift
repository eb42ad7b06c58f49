import ArgumentParser
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// What `compile` and `plan` ask of a plan.
struct PlanOptions: ParsableArguments {
    enum WeightTypeName: String, ExpressibleByArgument, CaseIterable {
        case fp16, fp8, int8

        var type: ElementType {
            switch self {
            case .fp16: .fp16
            case .fp8: .fp8
            case .int8: .int8
            }
        }
    }

    enum CacheTypeName: String, ExpressibleByArgument, CaseIterable {
        case fp16, fp8

        var type: ElementType {
            switch self {
            case .fp16: .fp16
            case .fp8: .fp8
            }
        }
    }

    enum ObjectiveName: String, ExpressibleByArgument, CaseIterable {
        case length, interval

        var objective: PlanRequest.Objective {
            switch self {
            case .length: .length
            case .interval: .interval
            }
        }
    }

    @Option(
        help: "Token positions in the KV cache. (default: 128, or all the model has)")
    private var context: Int?

    @Option(help: "Users in flight, each with a KV cache. (default: 1)")
    private var users: Int?

    @Option(help: "Type of the weights. (default: fp16)")
    private var weights: WeightTypeName?

    @Option(help: "Type of the KV cache. (default: fp16)")
    private var kv: CacheTypeName?

    @Option(help: "Chips that share every layer: tensor parallel. (default: the best)")
    private var tp: Int?

    @Option(
        help: "Stages of the pipeline that the layers are dealt out to. (default: the best)")
    private var pp: Int?

    @Option(help: "As if the machine had so many chips, its last axis shorter or longer.")
    private var chips: Int?

    @Option(help: "What the best plan has least of. (default: length)")
    private var objective: ObjectiveName?

    /// `true` iff an option is given that a plan file gives too.
    var isGiven: Bool {
        [context, users, tp, pp].contains { $0 != nil } || weights != nil || kv != nil
            || objective != nil
    }

    /// - Parameter positions: the context has at least so many, where it is not given.
    func request(for model: ModelConfiguration, positions: Int = 0) -> PlanRequest {
        PlanRequest(
            context: context ?? max(positions, min(128, model.maximumPositions)), users: users,
            weightType: weights?.type ?? .fp16, kvType: kv?.type ?? .fp16, tensorParallel: tp,
            pipelineStages: pp, objective: objective?.objective ?? .length)
    }

    /// The machine with as many chips as asked for.
    /// - Throws: as `machine(named:chips:most:)`.
    func machine(
        named name: String, most: Int = Machine.mostChips
    ) throws(DiagnosticSet) -> Machine {
        try lpuc.machine(named: name, chips: chips, most: most)
    }
}
