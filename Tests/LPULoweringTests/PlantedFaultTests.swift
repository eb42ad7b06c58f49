import LPUDataflow
import LPUModel
import LPUNumerics
import LPUSupport
import Testing

/// Mistakes a lowering could make, planted in the program that it made: each must show.
enum PlantedFault: String, CaseIterable {
    case rotaryOffByOne, otherPairing, maskOffByOne, swappedHeads, keysInWrongOrder, noResidual
    case noEpsilon, noNormWeight, otherNormWeight, noPartialTile, noMaximum

    /// Changes the template. - Returns: how many places it changed.
    func plant(in template: inout ProgramTemplate) -> Int {
        let values = template.values
        switch self {
        case .rotaryOffByOne:
            return template.changeOps { kind, _ in
                guard case .gather(let table, let rows, let address) = kind,
                    values[table.value.index].name.contains("sines.")
                else { return }
                kind = .gather(
                    table: Use(table.value, start: 1, step: 0), rows: rows - 1, address: address)
            }
        case .otherPairing:
            return template.changeLayouts(of: ["layer.k", "layer.q"]) { layout, _ in
                for i in layout.pieces.indices { layout.pieces[i].vector[0] = .linear(1) }
            }
        case .maskOffByOne:
            return template.changeOps { kind, _ in
                guard case .elementwise(.less, let a, let b) = kind, case .use(let lane) = a,
                    values[lane.value.index].name.hasPrefix("tokens")
                else { return }
                kind = .elementwise(.lessEqual, a, b)
            }
        case .swappedHeads:
            return template.changeLayouts(of: ["layer.k", "layer.v"]) { layout, _ in
                let bases = layout.pieces.map(\.base[0])
                let (first, last) = (bases.min() ?? 0, bases.max() ?? 0)
                for i in bases.indices { layout.pieces[i].base[0] = first + last - bases[i] }
            }
        case .keysInWrongOrder:
            return template.changeOps { kind, _ in
                guard case .matmul(var terms) = kind, terms[0].tile.sources.count == 16,
                    let source = terms[0].tile.sources.first,
                    values[source.value.index].name.contains(".keys")
                else { return }
                terms[0].tile.sources.reverse()
                kind = .matmul(terms)
            }
        case .noResidual:
            return template.changeOps { kind, result in
                guard case .elementwise(.add, let a, .some) = kind,
                    result.name == "layer.attended.0"
                else { return }
                kind = .elementwise(.add, a, .immediate(0))
            }
        case .noEpsilon:
            return template.changeOps { kind, _ in
                guard case .elementwise(.add, let a, .immediate(Float(1e-2).bitPattern)) = kind
                else { return }
                kind = .elementwise(.add, a, .immediate(0))
            }
        case .noNormWeight:
            return template.changeLayouts(of: ["layer.gate"]) { _, scale in scale = nil }
        case .otherNormWeight:
            return template.changeLayouts(of: ["layer.v"]) { _, scale in
                scale = "model.layers.$layer.post_attention_layernorm.weight"
            }
        case .noPartialTile:
            return template.changeOps { kind, result in
                guard case .matmul(let terms) = kind, result.type == .fp32, terms.count == 2,
                    case let tile = terms[1].tile.sources[0],
                    values[tile.value.index].name == "layer.up"
                else { return }
                kind = .matmul([terms[0]])
            }
        case .noMaximum:
            return template.changeOps { kind, _ in
                guard case .elementwise(.subtract, let a, .use(let maximum)?) = kind,
                    values[maximum.value.index].name.contains(".greatest")
                else { return }
                kind = .elementwise(.subtract, a, .immediate(0))
            }
        }
    }
}

extension ProgramTemplate {
    /// Weights whose name begins with one of `names`, a query vector's number aside.
    fileprivate mutating func changeLayouts(
        of names: [String], _ change: (inout Layout, inout String?) -> Void
    ) -> Int {
        changeLayouts { name, layout, scale in
            let name = name.reversed().drop { $0.isNumber }.reversed()
            if names.contains(String(name)) { change(&layout, &scale) }
        }
    }
}

@Suite struct PlantedFaultTests {
    private func decoder(_ fault: PlantedFault) throws -> Decoder {
        try Decoder(["hidden_size": 328], isWide: fault == .noMaximum)
    }

    /// The comparison accepts the program and refuses it with any of the faults.
    @Test(arguments: PlantedFault.allCases)
    func shows(_ fault: PlantedFault) throws {
        let decoder = try decoder(fault)
        var program = try decoder.program(context: 32)
        let run = ReferenceRun(decoder, tokens: [3, 17, 9, 21])
        let places = program.templates.indices.reduce(0) {
            $0 + fault.plant(in: &program.templates[$1])
        }
        #expect(places > 0)
        let comparison = try run.compare(program, context: 32)
        #expect(!comparison.isClose, "\(comparison)")
        // All but a uniform turn, which only the cache shows, change the logits.
        if fault != .rotaryOffByOne { #expect(comparison.deviation > 0.02) }
    }

    @Test func nothingPlantedNothingShows() throws {
        for fault in [PlantedFault.noEpsilon, .noMaximum] {
            let decoder = try decoder(fault)
            let run = ReferenceRun(decoder, tokens: [3, 17, 9, 21])
            let comparison = try run.compare(try decoder.program(context: 32), context: 32)
            #expect(comparison.isClose, "\(comparison)")
        }
    }
}
