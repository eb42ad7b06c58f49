import LPUDataflow
import LPUModel
import LPUNumerics
import LPUPlanning
import LPUSupport
import LPUVerifier
import Testing

@testable import LPULowering

/// The two int8 vectors of an activation: what law 16 takes of them and what it does not.
@Suite struct IntegerTests {
    /// A mistake in the terms, or in what is made of their sums.
    enum Fault: String, CaseIterable {
        case fineSumTwice, restDropped, wholeDropped, sumsAsBits, otherLength, noLength
    }

    private func lowered() throws -> (graph: ModelGraph, program: Program, decoder: Decoder) {
        let decoder = try Decoder(["hidden_size": 328, "intermediate_size": 700])
        let program = try decoder.program(Plan(context: 40, weightType: .int8))
        return (ModelGraph(decoder.configuration), program, decoder)
    }

    @Test(arguments: Fault.allCases) func finds(_ fault: Fault) throws {
        let (graph, program, _) = try lowered()
        #expect(Verifier().refinement(program, graph, context: 40).isEmpty)
        var faulty = program
        let places = faulty.templates.indices.reduce(0) {
            $0 + fault.plant(in: &faulty.templates[$1])
        }
        #expect(places > 0, "\(fault) finds no place")
        try faulty.validate()
        #expect(!Verifier().refinement(faulty, graph, context: 40).isEmpty, "\(fault)")
    }

    /// Terms that add nothing are as well as none, but for those by which int32 may overflow.
    @Test(arguments: [5, 410]) func knowsWhatInt32Holds(_ count: Int) throws {
        var (graph, program, _) = try lowered()
        for t in program.templates.indices {
            var template = program.templates[t]
            let zeros = Value(
                name: "zeros", chip: 0, type: .int8, count: 2,
                origin: .image(.constant(bits: 0, vectors: 0..<2, lanes: 0..<program.lanes)))
            template.values.append(zeros)
            let zero = Use(ValueID(template.values.count - 1))
            for o in template.ops.indices {
                guard case .matmul(let terms) = template.ops[o].kind,
                    template.values[template.ops[o].result.index].type == .int32
                else { continue }
                let more = Array(repeating: MatmulTerm(zero, terms[0].tile), count: count)
                template.ops[o].kind = .matmul(terms + more)
            }
            program.templates[t] = template
        }
        try program.validate()
        let found = Verifier().refinement(program, graph, context: 40)
        #expect(found.isEmpty == (count < 400), "\(found.prefix(3))")
    }

    /// Attention's outputs that are small or large: their length is taken, whatever it is.
    @Test(arguments: [Float(0x1p-10), 1, 0x1p8]) func keepsBitsOfAnyMagnitude(_ size: Float) throws
    {
        let decoder = try Decoder(["hidden_size": 32])
        var lowering = DecoderLowering(
            model: decoder.configuration, plan: Plan(context: 40, weightType: .int8),
            machine: .groqchip1)
        lowering.lowerPrologue(
            lowering.builder.ingress(count: 1, name: "ingress"), on: 0)
        let integers = try #require(lowering.shared[0].integers)
        let bits = (0..<lowering.lanes).map { (size * Float(($0 * 37) % 101 - 50)).bitPattern }
        let value = lowering.builder.image(
            "value", type: .fp32, count: 1, .table(bits: bits, stride: 0, run: 1))
        let (inverse, length) = lowering.inverseLength(of: [value], "test", on: 0)
        let terms = lowering.integerTerms(of: value, times: inverse, integers, "test.terms")[0]
        let back = lowering.builder.elementwise(.toFP32, Use(terms), count: 2)
        let fine = lowering.builder.elementwise(.multiply, back.at(1), 1 / 256)
        let sum = lowering.builder.elementwise(.add, fine.at(), back.at())
        _ = lowering.builder.elementwise(.multiply, sum.at(), length.at(), name: "again")
        let program = Program(
            name: "terms", lanes: lowering.lanes, lanesPerSuperlane: 16,
            templates: [lowering.builder.template],
            instances: [Instance(template: 0, chips: [ChipID(0)])])
        var run = try decoder.run(program)
        _ = try run.step(0, at: 0)
        let again = run.vectors("again")[0]
        for (number, expected) in zip(again, bits) {
            let exact = Double(Float(bitPattern: expected))
            // Half a unit of 256ths of 127ths of the length, which has the epsilon in it.
            #expect(abs(number - exact) < 600 * (Double(size) + 0.1) / 127 / 512)
        }
    }
}

extension IntegerTests.Fault {
    fileprivate func plant(in template: inout ProgramTemplate) -> Int {
        let (values, ops) = (template.values, template.ops)
        func maker(_ use: Use) -> Op? {
            guard case .op(let op) = values[use.value.index].origin else { return nil }
            return ops[op.index]
        }
        func isSum(_ use: Use) -> Bool {
            if case .matmul? = maker(use)?.kind {
                values[use.value.index].type == .int32
            } else {
                false
            }
        }
        var changed = 0
        for i in ops.indices {
            var kind = ops[i].kind
            let name = values[ops[i].result.index].name
            switch (self, kind) {
            case (.fineSumTwice, .elementwise(.multiply, let a, .immediate(let bits)?))
            where bits == Float(0x1p-8).bitPattern:
                kind = .elementwise(.multiply, a, .immediate(Float(0x1p-7).bitPattern))
            case (.sumsAsBits, .elementwise(.toFP32, .use(let sum), nil)) where isSum(sum):
                kind = .elementwise(.copy, .use(sum), nil)
            case (.otherLength, .elementwise(.multiply, let a, .immediate?))
            where name == "layer.inner.terms.inverse":
                kind = .elementwise(.multiply, a, .immediate(Float(2).bitPattern))
            case (.noLength, .elementwise(.multiply, let a, .immediate?))
            where name == "layer.attended.terms.length":
                kind = .elementwise(.multiply, a, .immediate(0))
            case _: break
            }
            if kind != ops[i].kind { changed += 1 }
            template.ops[i].kind = kind
        }
        for v in values.indices {
            guard case .image(let formula) = values[v].origin else { continue }
            var new = formula
            switch (self, formula) {
            case (.restDropped, .constant(let bits, _, let lanes))
            where values[v].name == "terms.isFine":
                // Both vectors are the number: their sum is twice it.
                new = .constant(bits: bits & 0, vectors: 1..<2, lanes: lanes)
            case (.wholeDropped, .table(let bits, let stride, let run))
            where values[v].name == "terms.factors":
                new = .table(bits: [0, bits[1]], stride: stride, run: run)
            case _: break
            }
            if new != formula { changed += 1 }
            template.values[v].origin = .image(new)
        }
        return changed
    }
}
