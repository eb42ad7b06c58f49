import ArgumentParser
import LPUCompiler
import LPURendering
import LPUSupport

struct Draw: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw a part of a compilation: SVG, PNG or DOT, as the output's name ends.")

    @Argument(help: "Directory that 'lpuc compile' wrote.")
    var directory: String

    @Argument(help: "What to draw.")
    var picture: Picture

    @Option(name: .shortAndLong, help: "File to write, ending in .svg, .png or .dot.")
    var output: String

    @Option(
        help: "Of the layer: the instance of the program, such as i4. (default: a layer)",
        transform: instanceNumber)
    var instance: Int?

    @Option(
        help: "Of the layer: the name of which to draw the parts. (default: all)")
    var focus: String?

    @Option(help: "Of the layer: how many kernels to draw at most. (default: 28)")
    var limit: Int?

    @Option(help: "Of the timing: the chip. (default: 0)")
    var chip: Int?

    @Option(help: "Of the timing: first cycle. (default: 0)")
    var from: Int?

    @Option(help: "Of the timing: one past the last cycle. (default: the step's end)")
    var to: Int?

    func validate() throws {
        if ending == nil {
            throw ValidationError("'\(output)' ends in none of .svg, .png, .dot")
        }
        for option in options where option.isGiven && option.picture != picture {
            throw ValidationError(
                "\(option.name) is for the \(option.picture), not for the \(picture)")
        }
        if let limit, !(1...1000).contains(limit) {
            throw ValidationError("--limit is \(limit), it may be 1 to 1000")
        }
        if let chip, !(0...Int(Int32.max)).contains(chip) {
            throw ValidationError("--chip is \(chip), it is 0 or more")
        }
        if let from, from < 0 {
            throw ValidationError("--from is \(from), it is 0 or more")
        }
        if let to, to <= from ?? 0 {
            throw ValidationError("--from is \(from ?? 0), --to \(to): the range holds no cycle")
        }
    }

    /// Those that one picture alone has.
    private var options: [(name: String, isGiven: Bool, picture: Picture)] {
        [
            ("--instance", instance != nil, .layer), ("--focus", focus != nil, .layer),
            ("--limit", limit != nil, .layer), ("--chip", chip != nil, .timing),
            ("--from", from != nil, .timing), ("--to", to != nil, .timing),
        ]
    }

    func run() throws {
        let (compilation, report) = try readCompilation(directory)
        let pictures = try Pictures(
            of: report.model.name, compilation.program, compilation.schedule,
            on: compilation.machine)
        let drawing = try drawing(of: pictures)
        let bytes =
            if let format = ending.flatMap(Drawing.Format.init(rawValue:)) {
                try drawing.rendered(as: format)
            } else {
                Array(drawing.dot.utf8)
            }
        try Output(output).write(bytes)
    }

    private var ending: String? {
        ["svg", "png", "dot"].first { output.hasSuffix(".\($0)") }
    }

    private func drawing(of pictures: Pictures) throws(DiagnosticSet) -> Drawing {
        switch picture {
        case .layer:
            let instance = instance ?? pictures.layerInstance ?? 0
            return try pictures.layer(instance: instance, focus: focus, limit: limit ?? 28)
        case .timing:
            let from = from ?? 0
            let end = max(from, to ?? pictures.length.count)
            return try pictures.timing(of: ChipID(chip ?? 0), cycles: Cycle(from)..<Cycle(end))
        case .pipeline: return pictures.pipeline()
        }
    }
}

/// The number of an instance that is named as in the program's text, `i4`, or by its number alone.
@Sendable private func instanceNumber(_ name: String) throws -> Int {
    guard let number = Int(name.trimmingPrefix("i")) else {
        throw ValidationError("'\(name)' is not a name such as i4")
    }
    return number
}
