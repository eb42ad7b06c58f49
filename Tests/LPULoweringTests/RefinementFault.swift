import LPUDataflow
import LPUNumerics
import LPUSupport

/// A mistake planted in a program, and what a violation must name.
enum RefinementFault: String, CaseIterable {
    case shardTwice, shardMissing, contractedTwice, swappedRows, otherLayer, layersSwapped
    case vocabularyMissing, tokenIndex, otherBias, lastTileRow, swappedOutputHeads, otherKeyHead
    case valueAsKey, gateForUp, wrongGate, cacheRowOffByOne, egressByte, halfScale
    case embeddingPart, softmaxOfOneBlock, rotaryFrequency, normOverPart
    case otherScale, otherScaleRow, noScale, lowTermElsewhere, embeddingScale
    case swappedBlocks, queryOfOtherBlock, blockTwice, scatterWindow, bytesAsFP8

    var place: RefinementTests.Case {
        switch self {
        case .shardTwice, .shardMissing:
            .init(name: "llama", keys: { ["num_hidden_layers": 2] }, machine: "node8", degree: 2)
        case .otherBias: .init(name: "biases", keys: { ["mlp_bias": true] })
        // Three blocks in two parts: one of these adds two.
        case .softmaxOfOneBlock, .swappedBlocks, .queryOfOtherBlock, .blockTwice:
            .init(name: "llama", keys: { [:] }, context: 700)
        case .otherLayer, .layersSwapped:
            .init(name: "llama", keys: { ["num_hidden_layers": 3] })
        case .otherScale, .otherScaleRow, .noScale, .lowTermElsewhere, .embeddingScale:
            .init(
                name: "fp8", keys: { ["hidden_size": 328, "intermediate_size": 700] }, weights: .fp8
            )
        case .embeddingPart: .init(name: "vocabulary", keys: { ["vocab_size": 5000] })
        case .vocabularyMissing, .tokenIndex:
            .init(name: "vocabulary", keys: { ["vocab_size": 700] })
        case .scatterWindow, .bytesAsFP8: .init(name: "llama", keys: { [:] })
        case .contractedTwice, .swappedRows, .lastTileRow, .swappedOutputHeads, .otherKeyHead,
            .valueAsKey, .gateForUp, .wrongGate, .cacheRowOffByOne, .egressByte, .halfScale,
            .rotaryFrequency, .normOverPart:
            .init(
                name: "wide", keys: { ["hidden_size": 328, "intermediate_size": 700] })
        }
    }

    /// Parts of messages, one of which must be there.
    var culprits: [String] {
        switch self {
        case .shardTwice, .shardMissing: ["layer.attended", "layer.output"]
        case .contractedTwice: ["2.0 times what it should be"]
        case .swappedRows, .lastTileRow: ["down_proj", "hidden.$next"]
        case .otherLayer: ["layer.values"]
        case .layersSwapped: ["attended", "nothing computes"]
        case .vocabularyMissing, .tokenIndex: ["egress", "logits"]
        case .otherBias: ["bias"]
        case .swappedOutputHeads: ["attended"]
        case .otherKeyHead, .valueAsKey: ["keys", "_proj"]
        case .gateForUp, .wrongGate: ["gate_proj", "up_proj"]
        case .cacheRowOffByOne: ["window", "past_", "row"]
        case .bytesAsFP8: ["names the row"]
        case .scatterWindow: ["is written in a window of 2"]
        case .egressByte: ["byte"]
        case .halfScale: ["times what it should be", "0.5"]
        case .embeddingPart: ["hidden.0", "column"]
        case .softmaxOfOneBlock, .swappedBlocks, .queryOfOtherBlock, .blockTwice: ["mixed"]
        case .rotaryFrequency: ["cos", "sin"]
        case .normOverPart: ["residual stream", "attended"]
        case .otherScale, .otherScaleRow, .noScale: ["scale["]
        case .embeddingScale: ["hidden.0"]
        case .lowTermElsewhere: ["rounding"]
        }
    }

    /// - Returns: how many places it changed.
    func plant(in program: inout Program) -> Int {
        if self == .layersSwapped {
            let layers = program.instances.indices.filter { program.instances[$0].layer != nil }
            guard layers.count > 2 else { return 0 }
            program.instances[layers[1]].layer = 2
            program.instances[layers[2]].layer = 1
            return 2
        }
        var places = 0
        for t in program.templates.indices {
            places += plant(in: &program.templates[t])
        }
        return places
    }

    private func plant(in template: inout ProgramTemplate) -> Int {
        let values = template.values
        func name(_ use: Use) -> String { values[use.value.index].name }
        switch self {
        case .shardTwice, .shardMissing:
            // The first chip adds the other's part twice, or only its own.
            return template.changeOps { kind, result in
                guard case .elementwise(.add, let a, .use(let b)) = kind, result.chip == 0,
                    result.name == "layer.output.0" || result.name == "layer.attended.0",
                    case .use = a
                else { return }
                kind = .elementwise(
                    .add, a, self == .shardTwice ? a : .immediate(0))
                _ = b
            }
        case .contractedTwice:
            return template.changeOps { kind, _ in
                guard case .matmul(var terms) = kind, terms.count == 2,
                    name(terms[0].tile.sources[0]) == "layer.up"
                else { return }
                terms[1] = terms[0]
                kind = .matmul(terms)
            }
        case .swappedRows:
            return template.changeLayouts(named: "layer.down") { layout in
                layout.pieces[0].vector[0] = DigitSum([
                    .init(radix: 2, stride: 0), .init(radix: 0, stride: 2),
                ])
            }
        case .otherLayer:
            return template.changeLayouts(named: "layer.v") { layout in
                layout.tensor = layout.tensor.replacing("$layer", with: "1")
            }
        case .layersSwapped: return 0
        case .vocabularyMissing:
            return template.changeOps { kind, _ in
                guard case .elementwise(.min, let a, .use(let b)) = kind, name(b) == "limit.234"
                else { return }
                kind = .elementwise(
                    .min, a, .immediate((-Float.greatestFiniteMagnitude).bitPattern))
            }
        case .tokenIndex:
            return template.changeFormulas { name, formula in
                guard name == "token.234", case .table(var bits, let stride, let run) = formula
                else { return }
                bits.swapAt(3, 4)
                formula = .table(bits: bits, stride: stride, run: run)
            }
        case .otherBias:
            return template.changeLayouts(named: "layer.upBias") { layout in
                layout.tensor = layout.tensor.replacing("up_proj", with: "gate_proj")
            }
        case .lastTileRow:
            return template.changeLayouts(named: "layer.down") { layout in
                layout.pieces.removeLast()
            }
        case .swappedOutputHeads:
            return template.changeLayouts(named: "layer.o") { layout in
                for i in layout.pieces.indices where layout.pieces[i].base[1] < 16 {
                    layout.pieces[i].base[1] = 8 - layout.pieces[i].base[1]
                }
            }
        case .otherKeyHead:
            return template.changeLayouts(named: "layer.k") { layout in
                for i in layout.pieces.indices { layout.pieces[i].base[0] = 0 }
            }
        case .valueAsKey:
            return template.changeLayouts(named: "layer.k") { layout in
                layout.tensor = layout.tensor.replacing("k_proj", with: "v_proj")
            }
        case .gateForUp, .wrongGate, .cacheRowOffByOne, .egressByte, .halfScale,
            .embeddingPart, .softmaxOfOneBlock, .rotaryFrequency, .normOverPart, .otherScale,
            .otherScaleRow, .noScale, .lowTermElsewhere, .embeddingScale, .swappedBlocks,
            .queryOfOtherBlock, .blockTwice:
            return plantMore(in: &template)
        case .scatterWindow, .bytesAsFP8: return plantAddresses(in: &template)
        }
    }

    private func plantMore(in template: inout ProgramTemplate) -> Int {
        let values = template.values
        func name(_ use: Use) -> String { values[use.value.index].name }
        switch self {
        case .gateForUp:
            return template.changeLayouts(named: "layer.up") { layout in
                layout.tensor = layout.tensor.replacing("up_proj", with: "gate_proj")
            }
        case .wrongGate:
            return template.changeLayouts(named: "layer.gate") { layout in
                // Rows 0 and 1 of the first tile change places.
                for i in layout.pieces.indices where layout.pieces[i].base[0] == 0 {
                    layout.pieces[i].base[0] = 1
                    layout.pieces[i].vector[0] = DigitSum([
                        .init(radix: 2, stride: -1), .init(radix: 0, stride: 2),
                    ])
                }
            }
        case .cacheRowOffByOne:
            return template.changeOps { kind, _ in
                guard case .scatter(var region, let rows, let address, let data) = kind,
                    name(region) == "layer.keys3"
                else { return }
                region.start += 1
                kind = .scatter(region: region, rows: rows - 1, address: address, data: data)
            }
        case .egressByte:
            return template.changeFormulas { name, formula in
                guard name == "egressShifts", case .table(var bits, let stride, let run) = formula
                else { return }
                bits[2] = 8
                formula = .table(bits: bits, stride: stride, run: run)
            }
        case .halfScale:
            return template.changeFormulas { name, formula in
                guard name == "layer.o", case .weights(let layout, let factor, let scale) = formula
                else { return }
                formula = .weights(layout, factor: factor / 2, columnScale: scale)
            }
        case .embeddingPart:
            return template.changeLayouts(named: "embedding0.0") { layout in
                layout.pieces[0].vectors = 1..<layout.pieces[0].vectors.upperBound - 1
            }
        case .softmaxOfOneBlock:
            return template.changeOps { kind, result in
                guard result.name.hasSuffix(".pSum"), case .elementwise(.add, let sum, _) = kind
                else { return }
                kind = .elementwise(.add, sum, .immediate(0))
            }
        case .rotaryFrequency:
            return template.changeFormulas { _, formula in
                guard case .rotary(var rotary) = formula else { return }
                rotary.inverseFrequencies.swapAt(0, 1)
                formula = .rotary(rotary)
            }
        case .normOverPart:
            // Every tile's squares are those of the first.
            var first: ElementwiseOperand?
            return template.changeOps { kind, _ in
                guard case .elementwise(.multiply, let a, let b?) = kind, a == b else { return }
                first = first ?? a
                if let first { kind = .elementwise(.multiply, first, first) }
            }
        case .shardTwice, .shardMissing, .contractedTwice, .swappedRows, .otherLayer,
            .layersSwapped,
            .vocabularyMissing, .tokenIndex, .otherBias, .lastTileRow, .swappedOutputHeads,
            .otherKeyHead, .valueAsKey, .scatterWindow, .bytesAsFP8:
            return 0
        case .otherScale, .otherScaleRow, .noScale, .lowTermElsewhere, .embeddingScale:
            return plantScaled(in: &template)
        case .swappedBlocks, .queryOfOtherBlock, .blockTwice: return plantBlocks(in: &template)
        }
    }

    /// In the bytes of addresses, and where they lead.
    private func plantAddresses(in template: inout ProgramTemplate) -> Int {
        guard self == .bytesAsFP8 else {
            return template.changeOps { kind, _ in
                guard case .scatter(let region, let rows, let address, let data) = kind, rows > 2
                else { return }
                kind = .scatter(region: region, rows: 2, address: address, data: data)
            }
        }
        // What enters is packed as if its bytes were small floats.
        let bytes = template.values.indices.filter { i in
            ["token.byte", "position.byte", "ingress"].contains {
                template.values[i].name.hasPrefix($0)
            }
        }
        for i in bytes { template.values[i].type = .fp8 }
        return bytes.count
    }

    /// In tiles that hold blocks of keys side by side.
    private func plantBlocks(in template: inout ProgramTemplate) -> Int {
        template.changeFormulas { name, formula in
            guard case .table(var bits, let stride, let run) = formula else { return }
            if self == .queryOfOtherBlock {
                // The query stands where the first block's keys do.
                guard name.hasSuffix(".side1") else { return }
                bits = bits.indices.map { bits[($0 + 2) % bits.count] }
            } else {
                guard name == "sides" else { return }
                // A block is written where the other one is looked for, or all over.
                bits = bits.map { $0 > 1 ? $0 : self == .blockTwice ? 0 : 1 - $0 }
            }
            formula = .table(bits: bits, stride: stride, run: run)
        }
    }
}

extension RefinementFault {
    /// In fp8 weights, their scales, and the terms of an activation.
    private func plantScaled(in template: inout ProgramTemplate) -> Int {
        let values = template.values
        func name(_ use: Use) -> String { values[use.value.index].name }
        switch self {
        case .otherScale:
            return template.changeFormulas { name, formula in
                guard name == "layer.up.scales",
                    case .scales(var layout, let factor, let scale) = formula
                else { return }
                layout.tensor = layout.tensor.replacing("up_proj", with: "gate_proj")
                formula = .scales(layout, factor: factor, columnScale: scale)
            }
        case .otherScaleRow:
            return template.changeFormulas { name, formula in
                guard name == "layer.v.scales",
                    case .scales(var layout, let factor, let scale) = formula
                else { return }
                layout.pieces[0].base[0] += 1
                formula = .scales(layout, factor: factor, columnScale: scale)
            }
        case .noScale:
            return template.changeFormulas { name, formula in
                guard name == "layer.down.scales" else { return }
                formula = .constant(
                    bits: Float(1).bitPattern, vectors: 0..<1, lanes: 0..<164)
            }
        case .lowTermElsewhere:
            return template.changeOps { kind, _ in
                guard case .matmul(var terms) = kind, terms.count == 4,
                    name(terms[0].tile.sources[0]) == "layer.gate"
                else { return }
                (terms[1].tile, terms[3].tile) = (terms[3].tile, terms[1].tile)
                kind = .matmul(terms)
            }
        case .embeddingScale:
            return template.changeOps { kind, result in
                guard result.name.hasPrefix("x.embedding.0") || result.name.hasPrefix("multiply"),
                    case .elementwise(.multiply, let row, .use(let scale)) = kind,
                    values.contains(where: { $0.name.hasPrefix("embeddingScales") })
                else { return }
                _ = scale
                kind = .elementwise(.multiply, row, .immediate(Float(1).bitPattern))
            }
        case .shardTwice, .shardMissing, .contractedTwice, .swappedRows, .otherLayer,
            .layersSwapped,
            .vocabularyMissing, .tokenIndex, .otherBias, .lastTileRow, .swappedOutputHeads,
            .otherKeyHead, .valueAsKey, .gateForUp, .wrongGate, .cacheRowOffByOne, .egressByte,
            .halfScale, .embeddingPart, .softmaxOfOneBlock, .rotaryFrequency,
            .normOverPart, .swappedBlocks, .queryOfOtherBlock, .blockTwice, .scatterWindow,
            .bytesAsFP8:
            return 0
        }
    }
}

extension ProgramTemplate {
    fileprivate mutating func changeLayouts(
        named wanted: String, _ change: (inout Layout) -> Void
    ) -> Int {
        changeLayouts { name, layout, _ in if name == wanted { change(&layout) } }
    }
}
