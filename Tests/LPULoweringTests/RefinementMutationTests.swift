import LPUDataflow
import LPULowering
import LPUModel
import LPUNumerics
import LPUSupport
import LPUVerifier
import Testing

/// What law 16 accepts gives the model's numbers: programs are changed at random, and those that
/// are still accepted are run on bytes, every element of them, and compared.
@Suite struct RefinementMutationTests {
    static let tokens = [3, 17, 39, 21]

    private func logits(_ decoder: Decoder, _ program: Program) throws -> [[Double]] {
        var run = try decoder.run(program)
        return try Self.tokens.enumerated().map { try run.step($1, at: $0).logits }
    }

    @Test(
        arguments: [
            [:], ["architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"],
            ["attention_bias": true, "mlp_bias": true],
        ] as [[String: any Sendable]])
    func acceptsOnlyTheModel(_ keys: [String: any Sendable]) throws {
        let decoder = try Decoder(keys)
        let graph = ModelGraph(decoder.configuration)
        let program = try decoder.program(context: 32)
        let expected = try logits(decoder, program)
        var random = SeededGenerator(seed: 16)
        var (refused, accepted) = (0, 0)
        for _ in 0..<250 {
            var mutant = program
            guard mutant.mutate(&random), (try? mutant.validate()) != nil else { continue }
            guard Verifier().refinement(mutant, graph, context: 32).isEmpty else {
                refused += 1
                continue
            }
            accepted += 1
            let found = try logits(decoder, mutant)
            for (a, b) in zip(found, expected) {
                #expect(deviation(a, from: b) < 0.02, "\(mutant.difference(from: program))")
            }
        }
        #expect(refused > 30 && accepted < refused, "\(refused) refused, \(accepted) accepted")
    }
}

extension Program {
    /// Changes one thing; `false` where nothing was found to change.
    fileprivate mutating func mutate(_ random: inout SeededGenerator) -> Bool {
        let t = templates.indices.randomElement(using: &random) ?? 0
        let old = templates[t]
        if Bool.random(using: &random), let o = old.ops.indices.randomElement(using: &random) {
            templates[t].ops[o].kind.mutate(&random)
        } else if let v = old.values.indices.randomElement(using: &random),
            case .image(var formula) = old.values[v].origin
        {
            formula.mutate(&random)
            templates[t].values[v].origin = .image(formula)
        }
        return templates[t] != old
    }

    /// The lines of the text that differ.
    fileprivate func difference(from other: Program) -> String {
        let lines = zip(text.split(separator: "\n"), other.text.split(separator: "\n"))
        return lines.filter { $0 != $1 }.map { "\($0.prefix(200)) for \($1.prefix(200))" }
            .prefix(2).joined(separator: "; ")
    }
}

extension OpKind {
    fileprivate mutating func mutate(_ random: inout SeededGenerator) {
        switch self {
        case .matmul(var terms):
            let i = terms.indices.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where terms.count > 1: terms.remove(at: i)
            case 1: terms.append(terms[i])
            case 2: terms[i].tile.sources[0].start += 1
            case _: terms[i].tile.sources.reverse()
            }
            self = .matmul(terms)
        case .elementwise(let operation, let a, let b):
            let others: [ALUOperation: ALUOperation] = [
                .add: .subtract, .subtract: .add, .multiply: .add, .max: .min, .min: .max,
                .less: .lessEqual, .mask: .maskNot, .tanh: .exp, .addInt: .subtractInt,
            ]
            if case .immediate(let bits)? = b, Bool.random(using: &random) {
                self = .elementwise(operation, a, .immediate(bits ^ 0x0080_0001))
            } else if let b, Bool.random(using: &random) {
                self = .elementwise(operation, b, a)
            } else {
                self = .elementwise(others[operation] ?? operation, a, b)
            }
        case .distribute(var map, let use):
            map.swapAt(0, 1)
            self = .distribute(map, use)
        case .permute(var map, let use):
            map.swapAt(0, Int.random(in: 1..<map.count, using: &random))
            self = .permute(map, use)
        case .gather(var table, let rows, let address):
            table.start += 1
            self = .gather(table: table, rows: rows - 1, address: address)
        case .scatter(var region, let rows, let address, let data) where rows > 1:
            region.start += 1
            self = .scatter(region: region, rows: rows - 1, address: address, data: data)
        case .shift(let by, let use): self = .shift(by: by + 1, use)
        case .rotate(let by, let use): self = .rotate(by: by + 1, use)
        case .select, .transpose, .scatter, .transfer, .ingress, .egress, .pack, .byte: break
        }
    }
}

extension Formula {
    fileprivate mutating func mutate(_ random: inout SeededGenerator) {
        switch self {
        case .weights(var layout, let factor, let scale):
            let i = layout.pieces.indices.randomElement(using: &random) ?? 0
            let k = layout.pieces[i].base.indices.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where layout.pieces[i].base[k] > 0: layout.pieces[i].base[k] -= 1
            case 1:
                self = .weights(layout, factor: factor * 2, columnScale: scale)
                return
            case 2 where scale != nil:
                self = .weights(layout, factor: factor, columnScale: nil)
                return
            case _: layout.pieces.remove(at: i)
            }
            self = .weights(layout, factor: factor, columnScale: scale)
        case .table(var bits, let stride, let run) where bits.count > 1:
            bits.swapAt(0, Int.random(in: 1..<bits.count, using: &random))
            self = .table(bits: bits, stride: stride, run: run)
        case .rotary(var rotary):
            rotary.positionStep += 1
            self = .rotary(rotary)
        case .constant(let bits, let vectors, let lanes):
            self = .constant(bits: bits, vectors: vectors, lanes: lanes.dropFirst().indices)
        case .diagonal(let bits, let offset, let period):
            self = .diagonal(bits: bits, offset: offset + 1, period: period)
        case .scales, .greatestScale, .table, .zero: break
        }
    }
}
