extension ModelGraph {
    /// The graph of a dense encoder in the BERT manner: learned positions, attention of all tokens
    /// to all others, norms behind each half of a layer, as `modeling_bert` of Hugging Face
    /// transformers defines them; and the mean over the text's tokens, as sentence-transformers
    /// takes it.
    init(encoder configuration: ModelConfiguration) {
        let encoder = Encoder(configuration: configuration)
        self.init(
            configuration: configuration, embedding: encoder.embedding,
            layerShapes: [encoder.layer],
            layers: Array(repeating: 0, count: configuration.layerCount), head: encoder.head)
    }
}

/// Writes the three blocks of an encoder.
private struct Encoder {
    let configuration: ModelConfiguration

    private var hidden: [Axis] { [.context, .hidden(configuration.hiddenSize)] }
    private var heads: [Axis] {
        [
            .context, .keyValueHead(configuration.keyValueHeadCount),
            .channel(configuration.headDimension),
        ]
    }
    /// A query's head, the query, the token that it looks at.
    private var scores: [Axis] {
        [.keyValueHead(configuration.keyValueHeadCount), .context, .context]
    }

    private func table(_ name: String, _ rows: Int) -> WeightTensor {
        WeightTensor("embeddings.\(name).weight", shape: [rows, configuration.hiddenSize])
    }

    var embedding: Block {
        var block = Block("embedding")
        let token = block.input(Tensor("tokens", [.context], role: .token))
        let type = block.input(Tensor("token_types", [.context], role: .tokenType))
        let words = block.add(
            .gather(table: table("word_embeddings", configuration.vocabularySize)), [token],
            to: Tensor("words", hidden))
        let positions = block.add(
            .rows(table: table("position_embeddings", configuration.maximumPositions)), [],
            to: Tensor("positions", hidden))
        let types = block.add(
            .gather(table: table("token_type_embeddings", configuration.tokenTypeCount)), [type],
            to: Tensor("types", hidden))
        let placed = block.add(.add, [words, positions], to: Tensor("placed", hidden))
        let sum = block.add(.add, [placed, types], to: Tensor("embedded", hidden))
        _ = normalised(
            sum, "embeddings.LayerNorm", to: Tensor("hidden.0", hidden), in: &block)
        return block
    }

    var layer: Block {
        var block = Block("layer")
        let x = block.input(Tensor("hidden.$layer", hidden))
        let mask = block.input(Tensor("mask", [.context], role: .mask))
        let attended = attention(x, mask, in: &block)
        let middle = normalised(
            block.add(.add, [attended, x], to: Tensor("layers.$layer.attended", hidden)),
            "encoder.layer.$layer.attention.output.LayerNorm",
            to: Tensor("layers.$layer.middle", hidden), in: &block)
        let fed = feedForward(middle, in: &block)
        _ = normalised(
            block.add(.add, [fed, middle], to: Tensor("layers.$layer.fed", hidden)),
            "encoder.layer.$layer.output.LayerNorm", to: Tensor("hidden.$next", hidden),
            in: &block)
        return block
    }

    var head: Block {
        var block = Block("head")
        let x = block.input(Tensor("hidden.$layer", hidden))
        let mask = block.input(Tensor("mask", [.context], role: .mask))
        _ = block.add(
            .maskedMean, [x, mask],
            to: Tensor("text_embedding", [.hidden(configuration.hiddenSize)]))
        return block
    }

    private func attention(
        _ x: TensorID, _ mask: TensorID, in block: inout Block
    ) -> TensorID {
        func projected(_ name: String) -> TensorID {
            linear(
                x, "attention.self.\(name)", to: Tensor("layers.$layer.\(name)", heads),
                in: &block)
        }
        let (query, key, value) = (projected("query"), projected("key"), projected("value"))
        let raw = block.add(
            .queryTimesKeys, [query, key], to: Tensor("layers.$layer.scores", scores))
        let scaled = block.add(
            .scale(1 / Double(configuration.headDimension).squareRoot()), [raw],
            to: Tensor("layers.$layer.scaled_scores", scores))
        let masked = block.add(
            .paddingMask, [scaled, mask], to: Tensor("layers.$layer.masked_scores", scores))
        let weights = block.add(
            .softmax, [masked], to: Tensor("layers.$layer.attention_weights", scores))
        let mixed = block.add(
            .weightsTimesValues, [weights, value], to: Tensor("layers.$layer.mixed", heads))
        return linear(
            mixed, "attention.output.dense", to: Tensor("layers.$layer.o", hidden), in: &block)
    }

    private func feedForward(_ x: TensorID, in block: inout Block) -> TensorID {
        let intermediate: [Axis] = [.context, .intermediate(configuration.intermediateSize)]
        let up = linear(
            x, "intermediate.dense", to: Tensor("layers.$layer.up", intermediate), in: &block)
        let activated = block.add(
            .activation(configuration.activation), [up],
            to: Tensor("layers.$layer.activated", intermediate))
        return linear(
            activated, "output.dense", to: Tensor("layers.$layer.down", hidden), in: &block)
    }

    private func normalised(
        _ x: TensorID, _ name: String, to tensor: Tensor, in block: inout Block
    ) -> TensorID {
        func vector(_ ending: String) -> WeightTensor {
            WeightTensor("\(name).\(ending)", shape: [configuration.hiddenSize])
        }
        return block.add(
            .layerNormalization(
                weight: vector("weight"), bias: vector("bias"),
                epsilon: configuration.normEpsilon), [x], to: tensor)
    }

    /// A linear layer of every token, with a bias.
    private func linear(
        _ x: TensorID, _ name: String, to tensor: Tensor, in block: inout Block
    ) -> TensorID {
        // The elements of one token.
        let outputs = tensor.elementCount(context: 1)
        let prefix = "encoder.layer.$layer.\(name)"
        return block.add(
            .linear(
                weight: WeightTensor(
                    prefix + ".weight", shape: [outputs, block[x].elementCount(context: 1)]),
                bias: WeightTensor(prefix + ".bias", shape: [outputs])), [x], to: tensor)
    }
}
