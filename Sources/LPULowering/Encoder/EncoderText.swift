import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport

/// A text as templates: the embedding, a layer as often as the model has one, and the mean.
extension EncoderLowering {
    mutating func lowerText() -> Program {
        var program = ProgramBuilder()
        let home = [ChipID(0)]
        let (constants, embedded) = lowerEmbedding()
        let first = program.place(close(&program), on: home)

        let layer = open("layer", constants, embedded, made: first, program)
        let output = lowerLayer(layer.states, layer.constants)
        let template = close(&program)
        var (states, maker) = (embedded, first)
        for number in 0..<model.layerCount {
            maker = program.place(
                template, on: home, layer: number,
                layer.bindings.map { program.made($0, by: first) }
                    + states.all.map { program.made($0, by: maker) })
            states = output
        }

        let head = open("head", constants, states, made: maker, constantsBy: first, program)
        lowerMean(head.states, head.constants)
        _ = program.place(
            close(&program), on: home,
            head.bindings.map { program.made($0, by: first) }
                + states.all.map { program.made($0, by: maker) })
        return Program(
            name: model.architecture.rawValue, lanes: lanes,
            lanesPerSuperlane: chip.lanesPerSuperlane, templates: program.templates,
            instances: program.instances)
    }

    private mutating func close(_ program: inout ProgramBuilder) -> Int {
        program.templates.append(builder.template)
        return program.templates.count - 1
    }

    /// Opens a template that takes the constants and the states as parameters. Returns what stands
    /// for them, and the constants to bind in their order, before the states.
    private mutating func open(
        _ name: String, _ constants: EncoderConstants, _ states: EncoderStates, made maker: Int,
        constantsBy first: Int? = nil, _ program: ProgramBuilder
    ) -> (constants: EncoderConstants, states: EncoderStates, bindings: [ValueID]) {
        builder = TemplateBuilder(
            name, chipCount: 1, lanesPerSuperlane: chip.lanesPerSuperlane)
        func parameter(_ value: ValueID, by instance: Int) -> ValueID {
            let value = program.made(value, by: instance).value
            return builder.parameter(value.name, type: value.type, count: value.count)
        }
        var bindings: [ValueID] = []
        let own = constants.mapped { value in
            bindings.append(value)
            return parameter(value, by: first ?? maker)
        }
        let taken = EncoderStates(
            values: states.values.map { parameter($0, by: maker) },
            terms: states.terms.map { $0.map { parameter($0, by: maker) } })
        return (own, taken, bindings)
    }

    // MARK: Mean

    /// The mean of the real tokens' states, byte by byte to the host.
    private mutating func lowerMean(_ x: EncoderStates, _ constants: EncoderConstants) {
        let flags = chained { l -> ValueID in
            let one = l.builder.elementwise(.notEqualInt, Use(constants.isReal), integer: 0)
            return l.builder.elementwise(.toFP32, Use(one), name: "isReal.fp32")
        }
        let count = reduced(flags, by: .add, "count")
        let share = chained { l in l.reciprocal(count, name: "share") }
        for (tile, states) in x.values.enumerated() {
            let real = builder.elementwise(
                .mask, Use(states), Use(constants.isReal), name: "real\(tile)")
            let sum = reduced(real, by: .add, "sum\(tile)")
            let mean = builder.elementwise(
                .multiply, sum.at(), share.at(), name: "mean\(tile)")
            for plane in 0..<ElementType.fp32.byteCount {
                let byte = builder.byte(plane, of: mean.at(), name: "mean\(tile).byte\(plane)")
                builder.egress(byte.at(), name: "egress\(tile).\(plane)")
            }
        }
    }

    /// One vector: all vectors of a value taken together by an operation, a few one after another,
    /// then halves.
    /// - Requires: they are a multiple of 16.
    mutating func reduced(
        _ value: ValueID, by operation: ALUOperation, _ name: String
    ) -> ValueID {
        let count = builder[value].count
        var width = chip.weightStreamsPerPlane
        // Long chains read many vectors in cycles that are fixed to each other.
        while count % (2 * width) == 0, count / width > 4 { width *= 2 }
        var all = chained { l in
            stride(from: width, to: count, by: width).reduce(value) { all, first in
                l.builder.elementwise(
                    operation, Use(all), Use(value, start: first), count: width, name: name)
            }
        }
        while width > 1 {
            width /= 2
            all = builder.elementwise(
                operation, Use(all), Use(all, start: width), count: width, name: name)
        }
        return all
    }
}

extension EncoderStates {
    /// In the order of a template's parameters.
    fileprivate var all: [ValueID] { values + terms.flatMap(\.self) }
}
