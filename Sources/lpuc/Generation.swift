import Foundation
import LPUCompiler
import LPUMachine
import LPUSchedule
import LPUSimulator
import LPUSupport

/// A text that is being made on the simulated machine.
struct Generation {
    /// What it gave; all but the simulator's rates is the same on every host.
    struct Figures: Encodable {
        var prompt: [Int]
        /// The tokens that were made.
        var tokens: [Int] = []
        var text: String?
        /// Of every step, as the schedule says.
        var cyclesPerToken: Int
        var microsecondsPerToken: Double
        var tokensPerSecond: Double
        var isInterrupted = false
        /// SHA-256 of the caches' rows in the end.
        var caches = ""
        /// Tokens of the prompt that one step of the prefill reads, and the cycles of each; nil
        /// where there is none.
        var prefillTokens: Int?
        var prefillCycles: Int?
        /// Steps of the prefill.
        var chunks = 0
        /// Steps of the simulator one token each, and what all took on this host.
        var steps = 0
        var seconds = 0.0
        var multiplyAccumulates = 0
        var issues = 0
    }

    private var decoder: Decoder
    private let cycles: Int
    private(set) var megahertz: Int
    private let split: Report.Split
    var figures: Figures

    /// - Requires: the prompt is not empty.
    init(_ decoder: Decoder, _ compilation: Compilation, prompt: [Int]) {
        self.decoder = decoder
        cycles = compilation.schedule.claims.length.count
        megahertz = compilation.machine.chip.clockMegahertz
        split = Report.Split(compilation.plan, of: compilation.model)
        figures = Figures(
            prompt: prompt, cyclesPerToken: cycles,
            microsecondsPerToken: Double(cycles) / Double(megahertz),
            tokensPerSecond: Double(megahertz) * 1e6 / Double(cycles),
            prefillTokens: compilation.prefill?.tokens,
            prefillCycles: compilation.prefill?.schedule.claims.length.count)
    }

    /// Reads the prompt and makes up to `count` tokens; an end token and Control-C end it.
    /// - Throws: what a step throws, and `run-cycles` for one that is not as long as the schedule.
    mutating func run(count: Int, endTokens: [Int], made: (Int) -> Void) throws {
        let clock = ContinuousClock()
        let start = clock.now
        Interruption.begin()
        defer { Interruption.end() }
        var token = figures.prompt[0]
        var position = 0
        func note(_ statistics: Statistics, cycles: Int) throws {
            guard statistics.cycles == cycles else {
                throw DiagnosticSet(
                    Diagnostic(
                        at: Diagnostic.Place("step \(position)"), id: "run-cycles",
                        "it took \(statistics.cycles) cycles, the schedule says \(cycles)"))
            }
            figures.multiplyAccumulates += statistics.multiplyAccumulates
            figures.issues += statistics.issues
            figures.seconds = (clock.now - start) / .seconds(1)
        }
        defer { figures.caches = decoder.cacheDigest }
        while position < figures.prompt.count + count - 1 {
            if Interruption.isAsked {
                figures.isInterrupted = true
                break
            }
            // The last token's step gives the first one that is made.
            let chunk = decoder.chunk(of: figures.prompt.count - 1 - position)
            if chunk > 0 {
                let tokens = Array(figures.prompt[position..<position + chunk])
                try note(try decoder.prefill(tokens), cycles: figures.prefillCycles ?? 0)
                figures.chunks += 1
                position += chunk
                token = figures.prompt[position]
                continue
            }
            let (next, statistics) = try decoder.step(token)
            try note(statistics, cycles: cycles)
            figures.steps += 1
            defer { position += 1 }
            if position + 1 < figures.prompt.count {
                token = figures.prompt[position + 1]
                continue
            }
            figures.tokens.append(next)
            if endTokens.contains(next) { break }
            made(next)
            token = next
        }
    }

    private var tokensTaken: Int {
        figures.steps + figures.chunks * (figures.prefillTokens ?? 0)
    }

    /// A line for the prefill's cycles beside those of as many steps; empty where there is none.
    private var prefillText: String {
        guard let tokens = figures.prefillTokens, let prefill = figures.prefillCycles else {
            return ""
        }
        let steps = tokens * cycles
        let ratio = String(format: "%.1f", Double(steps) / Double(prefill))
        return "\nprefill     \(grouped(prefill)) cycles for \(tokens) tokens, as steps "
            + "\(grouped(steps)): \(ratio) times as many; "
            + "\(figures.chunks) chunk\(figures.chunks == 1 ? "" : "s") read"
    }

    /// A line for the machine and one for the simulator.
    var summary: String {
        let seconds = max(figures.seconds, 1e-9)
        func rate(_ number: Int, _ unit: String) -> String {
            let perSecond = Double(number) / seconds
            return perSecond < 1e9
                ? "\(String(format: "%.1f", perSecond / 1e6)) M \(unit)/s"
                : "\(String(format: "%.2f", perSecond / 1e9)) G \(unit)/s"
        }
        let machine =
            "plan        \(split.text)\n"
            + "machine     \(grouped(cycles)) cycles a token, every one: "
            + "\(String(format: "%.1f", figures.microsecondsPerToken)) us, "
            + "\(grouped(Int(figures.tokensPerSecond))) tokens/s at \(megahertz) MHz"
            + prefillText
        let simulator =
            "simulator   \(figures.prompt.count) tokens read, \(figures.tokens.count) made in "
            + "\(String(format: "%.1f", seconds)) s: "
            + "\(String(format: "%.1f", Double(tokensTaken) / seconds)) tokens/s, "
            + rate(figures.multiplyAccumulates, "MAC") + ", " + rate(figures.issues, "issues")
        let end = figures.isInterrupted ? "\ninterrupted" : ""
        return machine + "\n" + simulator + end
    }
}

/// Set by Control-C while a text is made; a handler of signals can capture nothing else.
nonisolated(unsafe) private var interruptionIsAsked: sig_atomic_t = 0

/// Control-C while a text is made: it is asked after between steps.
enum Interruption {
    static var isAsked: Bool { interruptionIsAsked != 0 }

    static func begin() {
        interruptionIsAsked = 0
        signal(SIGINT) { _ in interruptionIsAsked = 1 }
    }

    static func end() { signal(SIGINT, SIG_DFL) }
}
