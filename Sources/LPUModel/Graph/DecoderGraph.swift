extension ModelGraph {
    /// The graph of a dense decoder in the Llama manner: pre-norm attention with grouped queries
    /// and a gated feed-forward, as the `modeling_llama` and `modeling_qwen3` files of Hugging
    /// Face transformers define them; O(1), whatever the number of layers.
    init(decoder configuration: ModelConfiguration) {
        let decoder = Decoder(configuration: configuration)
        self.init(
            configuration: configuration, embedding: decoder.embedding,
            layerShapes: [decoder.layer],
            layers: Array(repeating: 0, count: configuration.layerCount), head: decoder.head)
    }
}

/// Writes the three blocks of a decoder.
private struct Decoder {
    let configuration: ModelConfiguration

    private var hidden: [Axis] { [.hidden(configuration.hiddenSize)] }
    private var intermediate: [Axis] { [.intermediate(configuration.intermediateSize)] }
    private var keyValue: [Axis] {
        [.keyValueHead(configuration.keyValueHeadCount), .channel(configuration.headDimension)]
    }
    private var queries: [Axis] {
        [
            .keyValueHead(configuration.keyValueHeadCount), .group(configuration.groupSize),
            .channel(configuration.headDimension),
        ]
    }
    private var scores: [Axis] { queries.dropLast() + [.context] }
    private var cached: [Axis] { [keyValue[0], .context, keyValue[1]] }
    private var table: WeightTensor {
        WeightTensor(
            "model.embed_tokens.weight",
            shape: [configuration.vocabularySize, configuration.hiddenSize])
    }

    var embedding: Block {
        var block = Block("embedding")
        let token = block.input(Tensor("token", [], role: .token))
        _ = block.add(.gather(table: table), [token], to: Tensor("hidden.0", hidden))
        return block
    }

    var layer: Block {
        var block = Block("layer")
        let residual = block.input(Tensor("hidden.$layer", hidden))
        let position = block.input(Tensor("position", [], role: .position))
        let attended = attention(residual, position, in: &block)
        let middle = block.add(
            .add, [residual, attended], to: Tensor("layers.$layer.attended", hidden))
        let fed = feedForward(middle, in: &block)
        _ = block.add(.add, [middle, fed], to: Tensor("hidden.$next", hidden))
        return block
    }

    var head: Block {
        var block = Block("head")
        let residual = block.input(Tensor("hidden.$layer", hidden))
        let norm = normalised(residual, "model.norm", to: Tensor("norm", hidden), in: &block)
        let weight =
            configuration.tiesEmbeddings
            ? table : WeightTensor("lm_head.weight", shape: table.shape)
        let logits = block.add(
            .linear(weight: weight, bias: nil), [norm],
            to: Tensor("logits", [.vocabulary(configuration.vocabularySize)]))
        _ = block.add(.argMax, [logits], to: Tensor("next_token", [], role: .token))
        return block
    }

    /// Residual stream to the output projection, before it is added.
    private func attention(
        _ residual: TensorID, _ position: TensorID, in block: inout Block
    ) -> TensorID {
        let x = normalised(
            residual, "model.layers.$layer.input_layernorm",
            to: Tensor("layers.$layer.attention_norm", hidden), in: &block)
        func projected(_ name: String, _ axes: [Axis]) -> TensorID {
            linear(
                x, "self_attn.\(name)_proj", hasBias: configuration.hasAttentionBias,
                to: Tensor("layers.$layer.\(name)", axes), in: &block)
        }
        let query = turned(projected("q", queries), "q", position, in: &block)
        let key = turned(projected("k", keyValue), "k", position, in: &block)
        let value = projected("v", keyValue)
        func appended(_ update: TensorID, _ name: String) -> TensorID {
            block.cache(
                past: Tensor("layers.$layer.past_\(name)", cached, role: .cache),
                present: Tensor("layers.$layer.\(name)", cached, role: .cache), update: update,
                position: position)
        }
        let keys = appended(key, "keys")
        let values = appended(value, "values")
        let weights = attentionWeights(query, keys, position, in: &block)
        let mixed = block.add(
            .weightsTimesValues, [weights, values], to: Tensor("layers.$layer.mixed", queries))
        return linear(
            mixed, "self_attn.o_proj", hasBias: configuration.hasAttentionBias,
            to: Tensor("layers.$layer.o", hidden), in: &block)
    }

    private func attentionWeights(
        _ query: TensorID, _ keys: TensorID, _ position: TensorID, in block: inout Block
    ) -> TensorID {
        let raw = block.add(
            .queryTimesKeys, [query, keys], to: Tensor("layers.$layer.scores", scores))
        let scaled = block.add(
            .scale(1 / Double(configuration.headDimension).squareRoot()), [raw],
            to: Tensor("layers.$layer.scaled_scores", scores))
        let masked = block.add(
            .causalMask, [scaled, position], to: Tensor("layers.$layer.masked_scores", scores))
        return block.add(
            .softmax, [masked], to: Tensor("layers.$layer.attention_weights", scores))
    }

    /// Residual stream to the down projection, before it is added.
    private func feedForward(_ residual: TensorID, in block: inout Block) -> TensorID {
        let x = normalised(
            residual, "model.layers.$layer.post_attention_layernorm",
            to: Tensor("layers.$layer.feed_forward_norm", hidden), in: &block)
        func projected(_ x: TensorID, _ name: String, _ axes: [Axis]) -> TensorID {
            linear(
                x, "mlp.\(name)_proj", hasBias: configuration.hasFeedForwardBias,
                to: Tensor("layers.$layer.\(name)", axes), in: &block)
        }
        let gate = projected(x, "gate", intermediate)
        let up = projected(x, "up", intermediate)
        let activated = block.add(
            .swish, [gate], to: Tensor("layers.$layer.activated", intermediate))
        let gated = block.add(
            .multiply, [activated, up], to: Tensor("layers.$layer.gated", intermediate))
        return projected(gated, "down", hidden)
    }

    /// Heads normalised where the model does that, then turned by their position.
    private func turned(
        _ heads: TensorID, _ name: String, _ position: TensorID, in block: inout Block
    ) -> TensorID {
        var heads = heads
        let axes = block[heads].axes
        if configuration.hasQueryKeyNorm {
            heads = normalised(
                heads, "model.layers.$layer.self_attn.\(name)_norm",
                to: Tensor("layers.$layer.\(name)_norm", axes), in: &block)
        }
        guard let rotary = configuration.rotary else { return heads }
        return block.add(
            .rotaryEmbedding(rotary), [heads, position],
            to: Tensor("layers.$layer.\(name)_turned", axes))
    }

    private func normalised(
        _ x: TensorID, _ weight: String, to tensor: Tensor, in block: inout Block
    ) -> TensorID {
        // Weights have no context axis: its extent is never asked.
        let width = tensor.shape(context: 0).suffix(1)
        return block.add(
            .rmsNormalization(
                weight: WeightTensor(weight + ".weight", shape: Array(width)),
                epsilon: configuration.normEpsilon), [x], to: tensor)
    }

    /// A linear layer by the end of its Hugging Face name.
    private func linear(
        _ x: TensorID, _ name: String, hasBias: Bool, to tensor: Tensor, in block: inout Block
    ) -> TensorID {
        let outputs = tensor.elementCount(context: 0)
        let prefix = "model.layers.$layer.\(name)"
        return block.add(
            .linear(
                weight: WeightTensor(
                    prefix + ".weight", shape: [outputs, block[x].elementCount(context: 0)]),
                bias: hasBias ? WeightTensor(prefix + ".bias", shape: [outputs]) : nil),
            [x], to: tensor)
    }
}
