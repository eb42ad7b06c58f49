import LPUDataflow
import LPULowering
import LPUMachine
import LPUModel
import LPUPlanning
public import LPUSchedule
public import LPUSimulator
public import LPUSupport

/// Decodes greedily on the simulator: each step takes a token at the next position and gives the
/// next token. The caches stay in SRAM from step to step.
public struct Decoder {
    private let simulator: Simulator
    private let compilation: Compilation
    /// The parts of the logits, where they are looked at: the first token, and the issue.
    private let logitParts: [(first: Int, probe: Probe)]
    /// Chips that take the token in, with how many vectors each takes.
    private let hosts: [(chip: ChipID, count: Int)]
    /// Of each user, the position of the next token.
    public private(set) var positions: [Int]

    /// - Parameter looksAtLogits: `true` iff `logits` will be asked for.
    /// - Throws: as `Simulator.init`; `decode-logits` where the schedule does not say which issues
    ///   compute them.
    public init(
        _ compilation: Compilation, image: MemoryImage, threads: Int = 1,
        looksAtLogits: Bool = false
    ) throws(DiagnosticSet) {
        logitParts = try looksAtLogits ? compilation.logitParts() : []
        simulator = try Simulator(
            machine: compilation.machine, schedule: compilation.schedule,
            others: compilation.prefill.map { [$0.schedule] } ?? [], image: image,
            threads: threads, probes: logitParts.map(\.probe))
        self.compilation = compilation
        positions = Array(repeating: 0, count: compilation.plan.users)
        hosts = compilation.program.instances.flatMap { instance in
            let template = compilation.program.templates[instance.template]
            return template.ops.filter { $0.kind == .ingress }.map {
                (instance.chips[template.values[$0.result.index].chip], $0.count)
            }
        }
    }

    /// Takes a user's `token` in and gives the one that follows it, with what the step did.
    /// - Requires: the user is one of the plan's, the token is of the vocabulary, the user's
    ///   position is below the plan's context.
    /// - Throws: the simulator's `Fault`; `decode-egress` where no token leaves.
    public mutating func step(
        _ token: Int, of user: Int = 0
    ) throws -> (next: Int, statistics: Statistics) {
        let position = positions[user]
        precondition(position < compilation.plan.context, "the cache is full")
        let vector = HostVector.ingress(
            token: token, position: position, user: user, on: compilation.machine.chip)
        var ingress: [ChipID: [[UInt8]]] = [:]
        for (chip, count) in hosts {
            ingress[chip, default: []] += Array(repeating: vector, count: count)
        }
        let (egress, statistics) = try simulator.step(ingress: ingress)
        guard let answer = egress.first else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("step \(position)"), id: "decode-egress",
                    "the schedule gives no vector to the host, one is expected"))
        }
        positions[user] += 1
        return (HostVector.token(egress: answer.bytes), statistics)
    }

    /// How many of the next `count` tokens of user 0's prompt the prefill, which is his alone,
    /// reads at once: a chunk of it, or 0 where there is none, or fewer tokens or positions are
    /// left in the cache's block.
    public func chunk(of count: Int) -> Int {
        guard let prefill = compilation.prefill, prefill.tokens <= count else { return 0 }
        let (first, last) = (positions[0], positions[0] + prefill.tokens - 1)
        let lanes = compilation.machine.chip.lanes
        return last < compilation.plan.context && first / lanes == last / lanes
            ? prefill.tokens : 0
    }

    /// Reads a chunk of user 0's prompt into his caches, and says what that did.
    /// - Requires: the tokens are of the vocabulary.
    /// - Throws: the simulator's `Fault`; `decode-chunk` where `chunk` does not say that as many
    ///   tokens can be read.
    public mutating func prefill(_ tokens: [Int]) throws -> Statistics {
        guard !tokens.isEmpty, chunk(of: tokens.count) == tokens.count else {
            throw DiagnosticSet(
                Diagnostic(
                    at: Diagnostic.Place("position \(positions[0])"), id: "decode-chunk",
                    "no chunk of \(tokens.count) tokens is read here: ask 'chunk' for how many"))
        }
        let vectors = tokens.enumerated().map {
            HostVector.ingress(
                token: $1, position: positions[0] + $0, on: compilation.machine.chip)
        }
        let (_, statistics) = try simulator.step(of: 1, ingress: [hosts[0].chip: vectors])
        positions[0] += tokens.count
        return statistics
    }

    /// SHA-256 of all rows of the caches of all users, in the order of the schedule's map. Caches
    /// are told by what they begin as: the images whose formula is zero.
    /// - Complexity: O(bytes of the caches).
    public var cacheDigest: String {
        let (program, schedule) = (compilation.program, compilation.schedule)
        let bases = Numbering(program).valueBases
        var bytes: [UInt8] = []
        for placement in schedule.placements {
            guard let i = bases.firstIndex(of: placement.valueBase) else { continue }
            let values = program.templates[program.instances[i].template].values
            for (chip, member) in zip(
                placement.chips, schedule.templates[placement.template].chips)
            {
                for entry in member.allocations
                where values[entry.value.index].origin == .image(.zero) {
                    let base = placement.resolve(entry.base) ?? entry.base
                    for row in Int(base.row)..<Int(base.row) + Int(entry.rows) {
                        bytes +=
                            simulator.row(
                                row, bank: Int(base.bank), slice: Int(entry.slice),
                                entry.hemisphere,
                                of: chip) ?? []
                    }
                }
            }
        }
        return SHA256.hexDigest(of: bytes)
    }

    /// The logits of the last step, one a token of the vocabulary, as they passed the ALUs.
    ///
    /// - Requires: they are looked at, and there was a step.
    public var logits: [Float] {
        let ends = logitParts.dropFirst().map(\.first) + [compilation.model.vocabularySize]
        return zip(logitParts, ends).flatMap { part, end in
            let words = simulator.words(of: part.probe) ?? []
            return words.prefix(end - part.first).map { Float(bitPattern: $0) }
        }
    }
}
