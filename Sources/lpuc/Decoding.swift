import LPUCompiler
import LPUSimulator
import LPUSupport

/// What a decoding run on the simulator gave; the same on every host.
struct Decoding: Encodable {
    struct Step: Encodable {
        var position: Int
        var token: Int
        /// What the step answers.
        var next: Int
        var cycles: Int
        var multiplyAccumulates: Int
    }

    var steps: [Step] = []
    /// The tokens that were made, without the prompt.
    var tokens: [Int] = []
    let clockMegahertz: Int

    /// Feeds the prompt and then each made token back until `count` are made.
    /// - Requires: `prompt` is not empty and `count` positive.
    init(
        _ decoder: Decoder, prompt: [Int], of user: Int, count: Int, clockMegahertz: Int
    ) throws {
        self.clockMegahertz = clockMegahertz
        var decoder = decoder
        var token = prompt[0]
        for position in 0..<prompt.count + count - 1 {
            let (next, statistics) = try decoder.step(token, of: user)
            steps.append(
                Step(
                    position: position, token: token, next: next, cycles: statistics.cycles,
                    multiplyAccumulates: statistics.multiplyAccumulates))
            let isPrompt = position + 1 < prompt.count
            if !isPrompt { tokens.append(next) }
            token = isPrompt ? prompt[position + 1] : next
        }
    }

    /// A line a step, then the tokens; MAC/s are those of the chip at its clock.
    var text: String {
        var lines = steps.map { step in
            "position \(step.position): token \(step.token) gives \(step.next) in "
                + "\(step.cycles) cycles"
        }
        if let step = steps.last, step.cycles > 0 {
            let perSecond = step.multiplyAccumulates * clockMegahertz / step.cycles
            lines.append(
                "\(grouped(step.multiplyAccumulates)) MAC a step, \(grouped(perSecond)) million "
                    + "MAC/s at \(clockMegahertz) MHz")
        }
        lines.append("tokens " + tokens.map(String.init).joined(separator: " "))
        return lines.joined(separator: "\n") + "\n"
    }
}
