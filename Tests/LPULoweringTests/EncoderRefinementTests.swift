import LPUDataflow
import LPUMachine
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSchedule
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// A mistake that a lowering of encoders could make, planted in the program that it made.
private enum EncoderFault: String, CaseIterable {
    case maskDropped, headsSwapped, meanDropped, otherPosition, noResidual, noValueBias, noSegment
    case otherNorm, noEpsilon, geluUnbounded, sumOfOthers, otherWord, egressByte, keysAsValues
    case otherChannel, noMaximum, paddingInMean, layersSwapped, lowTermElsewhere, noScale
    case termsAlike, copyForCast, wordWindow

    var type: ElementType {
        switch self {
        case .lowTermElsewhere, .noScale: .fp8
        case .termsAlike, .copyForCast: .int8
        case .maskDropped, .headsSwapped, .meanDropped, .otherPosition, .noResidual, .noValueBias,
            .noSegment, .otherNorm, .noEpsilon, .geluUnbounded, .sumOfOthers, .otherWord,
            .egressByte, .keysAsValues, .otherChannel, .noMaximum, .paddingInMean,
            .layersSwapped, .wordWindow:
            .fp16
        }
    }

    /// - Returns: how many places it changed.
    func plant(in program: inout Program, _ model: ModelConfiguration) -> Int {
        if self == .layersSwapped {
            let layers = program.instances.indices.filter { program.instances[$0].layer != nil }
            program.instances[layers[1]].layer = 2
            program.instances[layers[2]].layer = 1
            return 2
        }
        var places = 0
        for t in program.templates.indices {
            places += plantInOps(of: &program.templates[t])
            places += plantInImages(of: &program.templates[t], model)
        }
        return places
    }

    private func plantInOps(of template: inout ProgramTemplate) -> Int {
        let values = template.values
        func name(_ operand: ElementwiseOperand?) -> String {
            guard case .use(let use)? = operand else { return "" }
            return values[use.value.index].name
        }
        return template.changeOps { kind, result in
            switch (self, kind) {
            case (.maskDropped, .elementwise(.min, let a, let b)) where name(b) == "bounds":
                kind = .elementwise(.min, a, .immediate(Float(60_000).bitPattern))
            case (.meanDropped, .elementwise(.subtract, let a, let b))
            where name(b).hasSuffix(".mean"):
                kind = .elementwise(.subtract, a, .immediate(0))
            case (.noResidual, .elementwise(.add, let a, .some))
            where result.name.hasPrefix("layer.attended"):
                kind = .elementwise(.add, a, .immediate(0))
            case (.noValueBias, .elementwise(.add, let a, let b))
            where name(b).hasSuffix(".valueBias"):
                kind = .elementwise(.add, a, .immediate(0))
            case (.noSegment, .elementwise(.add, let a, .some))
            where result.name.hasPrefix("embedded"):
                kind = .elementwise(.add, a, .immediate(0))
            case (.noEpsilon, .elementwise(.add, let a, .immediate(Float(1e-12).bitPattern)?)):
                kind = .elementwise(.add, a, .immediate(0))
            case (.geluUnbounded, .elementwise(.min, let a, .immediate(Float(9).bitPattern)?)):
                kind = .elementwise(.min, a, .immediate(Float(16).bitPattern))
            case (.sumOfOthers, .elementwise(.add, let a, .use(let b)?))
            where result.name.contains(".pSum") && b.start > 0:
                kind = .elementwise(.add, a, .use(Use(b.value)))
            case (.egressByte, .byte(1, let use)) where name(.use(use)).hasPrefix("mean"):
                kind = .byte(2, use)
            case (.noMaximum, .elementwise(.subtract, let a, let b))
            where name(b).contains(".maximum"):
                kind = .elementwise(.subtract, a, .immediate(0))
            case (.paddingInMean, .elementwise(.mask, let a, _))
            where result.name.hasPrefix("real"):
                kind = .elementwise(.copy, a, nil)
            case (.otherChannel, .matmul(var terms))
            where name(.use(terms[0].activation)) == "identity":
                terms[0].activation.step = 0
                kind = .matmul(terms)
            case (.lowTermElsewhere, .matmul(var terms)) where terms.count == 4:
                terms[1].tile = terms[2].tile
                kind = .matmul(terms)
            case (.noScale, .elementwise(.multiply, let a, let b))
            where name(b).hasSuffix(".scales"):
                kind = .elementwise(.multiply, a, .immediate(Float(0.25).bitPattern))
            case (
                .termsAlike,
                .elementwise(.multiply, let a, .immediate(Float(0x1p-8).bitPattern)?)
            ):
                kind = .elementwise(.multiply, a, .immediate(Float(1).bitPattern))
            case (.copyForCast, .elementwise(.toFP32, let a, nil)):
                kind = .elementwise(.copy, a, nil)
            case (.wordWindow, .gather(let table, let rows, let address)) where rows > 9:
                kind = .gather(table: table, rows: 9, address: address)
            case _: break
            }
        }
    }

    private func plantInImages(
        of template: inout ProgramTemplate, _ model: ModelConfiguration
    ) -> Int {
        template.changeLayouts { name, layout, _ in
            switch self {
            case .headsSwapped where name == "layer.set0.queries":
                let d = model.headDimension
                for i in layout.pieces.indices {
                    layout.pieces[i].base[0] += layout.pieces[i].vectors.count - d
                    layout.pieces[i].vector[0] = DigitSum([
                        .init(radix: d, stride: 1), .init(radix: 0, stride: -d),
                    ])
                }
            case .otherPosition where name == "positions0":
                layout.pieces[0].base[0] += 1
            case .otherNorm where name == "layer.middle.weight":
                layout.tensor = "encoder.layer.$layer.output.LayerNorm.weight"
            case .otherWord where name.hasPrefix("word0."):
                layout.pieces[0].vectors = 2..<layout.pieces[0].vectors.upperBound
            case .keysAsValues where name == "layer.set0.values":
                layout.tensor = "encoder.layer.$layer.attention.self.key.weight"
            case _: break
            }
        }
    }
}

/// Law 16 of encoders.
@Suite struct EncoderRefinementTests {
    /// Two tiles of states, heads in groups of two sizes, three layers.
    private func encoder(_ keys: [String: any Sendable] = [:]) throws -> SmallEncoder {
        try SmallEncoder(
            [
                "hidden_size": 352, "num_attention_heads": 11, "intermediate_size": 400,
                "num_hidden_layers": 3,
            ].merging(keys) { $1 })
    }

    private func violations(
        _ program: Program, of encoder: SmallEncoder, context: Int
    ) throws -> [String] {
        try program.validate()
        let graph = ModelGraph(encoder.configuration)
        return Verifier(threads: 2).refinement(program, graph, context: context).map(\.message)
    }

    @Test(arguments: [ElementType.fp16, .fp8, .int8], ["gelu", "gelu_new", "relu"])
    func lowersTheGraph(_ type: ElementType, _ activation: String) throws {
        let encoder = try encoder(["hidden_act": activation])
        for context in [16, 128] {
            let program = try encoder.program(Plan(context: context, weightType: type))
            let found = try violations(program, of: encoder, context: context)
            #expect(found.isEmpty, "\(found)")
        }
    }

    /// A text has as many tokens as the program takes in.
    @Test func refusesAnotherContext() throws {
        let encoder = try encoder()
        let program = try encoder.program(Plan(context: 16))
        for context in [8, 32] {
            let found = try violations(program, of: encoder, context: context)
            #expect(
                found.count == 1 && found[0].contains("takes 16 vectors")
                    && found[0].contains("has \(context) tokens"), "\(found)")
        }
    }

    @Test(arguments: EncoderFault.allCases.map(\.rawValue))
    func finds(_ name: String) throws {
        let fault = try #require(EncoderFault(rawValue: name))
        let encoder = try encoder()
        var program = try encoder.program(Plan(context: 16, weightType: fault.type))
        #expect(fault.plant(in: &program, encoder.configuration) > 0, "it is planted")
        let found = try violations(program, of: encoder, context: 16)
        #expect(!found.isEmpty)
        print("\(fault): \(found.first ?? "not found")")
    }
}
