import LPUModel
import LPUSupport
import Testing

@Suite struct ModelGraphTests {
    /// Published parameter counts.
    @Test(arguments: [
        ("llama-2-70b", 68_976_648_192), ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.1-70b", 70_553_706_496), ("llama-3.1-405b", 405_853_388_800),
        ("qwen3-32b", 32_762_123_264), ("smollm2-135m", 134_515_008),
        // Less the poolers, which no embedding takes: 147,840 and 590,592.
        ("all-minilm-l6-v2", 22_713_216 - 147_840), ("bert-base", 109_482_240 - 590_592),
    ])
    func parameterCounts(_ name: String, _ expected: Int) throws {
        #expect(ModelGraph(try GraphFiles.configuration(name)).parameterCount == expected)
    }

    @Test func weightsHaveTheirHuggingFaceNames() throws {
        let llama = ModelGraph(try GraphFiles.configuration("tiny-llama")).weights
        #expect(
            llama.filter { !$0.name.contains("layers.0") }.map(\.description) == [
                "model.embed_tokens.weight[1000, 336]",
                "model.layers.1.input_layernorm.weight[336]",
                "model.layers.1.self_attn.q_proj.weight[192, 336]",
                "model.layers.1.self_attn.k_proj.weight[64, 336]",
                "model.layers.1.self_attn.v_proj.weight[64, 336]",
                "model.layers.1.self_attn.o_proj.weight[336, 192]",
                "model.layers.1.post_attention_layernorm.weight[336]",
                "model.layers.1.mlp.gate_proj.weight[736, 336]",
                "model.layers.1.mlp.up_proj.weight[736, 336]",
                "model.layers.1.mlp.down_proj.weight[336, 736]",
                "model.norm.weight[336]",
                "lm_head.weight[1000, 336]",
            ])
        let qwen = ModelGraph(try GraphFiles.configuration("tiny-qwen3")).weights
        #expect(qwen.contains(WeightTensor("model.layers.2.self_attn.q_norm.weight", shape: [32])))
        #expect(qwen.contains(WeightTensor("model.layers.2.self_attn.k_norm.weight", shape: [32])))
        #expect(!qwen.contains { $0.name == "lm_head.weight" }, "tied")
    }

    @Test func biasesStandWhereTheyAreAskedFor() throws {
        var configuration = try GraphFiles.configuration("tiny-llama")
        configuration.hasAttentionBias = true
        configuration.hasFeedForwardBias = true
        let weights = ModelGraph(configuration).weights
        let biases = weights.filter { $0.name.hasSuffix(".bias") }
        #expect(biases.count == 7 * configuration.layerCount)
        for bias in biases {
            let matrix = bias.name.dropLast("bias".count) + "weight"
            #expect(weights.first { $0.name == matrix }?.shape.first == bias.shape.first)
        }
    }

    @Test func encodersHaveTheirHuggingFaceNames() throws {
        let bert = ModelGraph(try GraphFiles.configuration("tiny-bert")).weights
        #expect(
            bert.filter { !$0.name.contains("layer.0") }.map(\.description) == [
                "embeddings.word_embeddings.weight[1000, 352]",
                "embeddings.position_embeddings.weight[128, 352]",
                "embeddings.token_type_embeddings.weight[2, 352]",
                "embeddings.LayerNorm.weight[352]", "embeddings.LayerNorm.bias[352]",
                "encoder.layer.1.attention.self.query.weight[352, 352]",
                "encoder.layer.1.attention.self.query.bias[352]",
                "encoder.layer.1.attention.self.key.weight[352, 352]",
                "encoder.layer.1.attention.self.key.bias[352]",
                "encoder.layer.1.attention.self.value.weight[352, 352]",
                "encoder.layer.1.attention.self.value.bias[352]",
                "encoder.layer.1.attention.output.dense.weight[352, 352]",
                "encoder.layer.1.attention.output.dense.bias[352]",
                "encoder.layer.1.attention.output.LayerNorm.weight[352]",
                "encoder.layer.1.attention.output.LayerNorm.bias[352]",
                "encoder.layer.1.intermediate.dense.weight[736, 352]",
                "encoder.layer.1.intermediate.dense.bias[736]",
                "encoder.layer.1.output.dense.weight[352, 736]",
                "encoder.layer.1.output.dense.bias[352]",
                "encoder.layer.1.output.LayerNorm.weight[352]",
                "encoder.layer.1.output.LayerNorm.bias[352]",
            ])
    }

    @Test func instancesChainByName() throws {
        let graph = ModelGraph(try GraphFiles.configuration("tiny-qwen3"))
        #expect(graph.layers == [0, 0, 0])
        var made: Set<String> = ["token", "position"]
        for instance in graph.instances {
            for input in instance.block.inputs {
                #expect(made.contains(instance.name(of: input)))
            }
            for cache in instance.block.caches { made.insert(instance.name(of: cache.past)) }
            for node in instance.block.nodes {
                for input in node.inputs {
                    let name = instance.name(of: input)
                    #expect(made.contains(name), "'\(name)' is used before it is made")
                }
                let name = instance.name(of: node.output)
                #expect(made.insert(name).inserted, "'\(name)' is made twice")
                #expect(!name.contains("$"))
            }
        }
        #expect(graph.head.output.map { graph.head[$0].role } == .token)
    }

    @Test(arguments: GraphFiles.names)
    func everyNodeHasTheShapesOfItsOperation(_ name: String) throws {
        let graph = ModelGraph(try GraphFiles.configuration(name))
        for block in [graph.embedding] + graph.layerShapes + [graph.head] {
            for node in block.nodes {
                #expect(isWellShaped(node, in: block), "\(block[node.output].name)")
            }
            for cache in block.caches {
                #expect(block[cache.past].axes == block[cache.present].axes)
                #expect(block[cache.past].role == .cache && block[cache.present].role == .cache)
            }
        }
    }

    /// Whether the shapes of a node are those its operation's definition asks for.
    private func isWellShaped(_ node: Block.Node, in block: Block) -> Bool {
        let context = 7
        let inputs = node.inputs.map { block[$0] }
        let shapes = inputs.map { $0.shape(context: context) }
        let output = block[node.output].shape(context: context)
        func arity(_ n: Int) -> Bool { inputs.count == n }
        switch node.operation {
        case .gather(let table):
            return arity(1) && [.token, .tokenType].contains(inputs[0].role)
                && output == shapes[0] + table.shape.dropFirst()
        case .linear(let weight, let bias):
            // Of an encoder's tensors those of one token.
            let isOfTokens = output.first == context
            let outputs = output.dropFirst(isOfTokens ? 1 : 0).reduce(1, *)
            return arity(1)
                && weight.shape
                    == [outputs, shapes[0].dropFirst(isOfTokens ? 1 : 0).reduce(1, *)]
                && (bias.map { $0.shape == [outputs] } ?? true)
        case .rmsNormalization(let weight, let epsilon):
            return arity(1) && output == shapes[0] && weight.shape == [output.last] && epsilon > 0
        case .rotaryEmbedding(let rotary):
            return arity(2) && inputs[1].role == .position && output == shapes[0]
                && output.last == rotary.headDimension
        case .tensorScatter:
            return arity(3) && output == shapes[0] && inputs[2].role == .position
                && [output[0], output[2]] == shapes[1] && output[1] == context
        case .queryTimesKeys where shapes[0][0] == context:
            return arity(2) && shapes[0] == shapes[1] && output == [shapes[0][1], context, context]
        case .weightsTimesValues where shapes[1][0] == context:
            return arity(2) && output == shapes[1] && shapes[0] == [output[1], context, context]
        case .queryTimesKeys:
            return arity(2) && shapes[0][0] == shapes[1][0] && shapes[0][2] == shapes[1][2]
                && output == [shapes[0][0], shapes[0][1], shapes[1][1]]
        case .weightsTimesValues:
            return arity(2) && shapes[0][0] == shapes[1][0] && shapes[0][2] == shapes[1][1]
                && output == [shapes[0][0], shapes[0][1], shapes[1][2]]
        case .causalMask:
            return arity(2) && inputs[1].role == .position && output == shapes[0]
                && output.last == context
        case .scale, .softmax, .swish:
            return arity(1) && output == shapes[0]
        case .add, .multiply:
            return arity(2) && shapes == [output, output]
        case .argMax:
            return arity(1) && output == [] && block[node.output].role == .token
        case .layerNormalization(let weight, let bias, let epsilon):
            return arity(1) && output == shapes[0] && weight.shape == [output.last]
                && bias.shape == weight.shape && epsilon > 0
        case .activation:
            return arity(1) && output == shapes[0]
        case .rows(let table):
            return arity(0) && output == [context] + table.shape.dropFirst()
        case .paddingMask:
            return arity(2) && inputs[1].role == .mask && output == shapes[0]
                && shapes[1] == [context] && output.last == context
        case .maskedMean:
            return arity(2) && inputs[1].role == .mask && output == Array(shapes[0].dropFirst())
                && shapes[1] == [context]
        }
    }

    @Test func textIsStable() throws {
        var configuration = try GraphFiles.configuration("tiny-qwen3")
        configuration.layerCount = 2
        let expected = """
            model Qwen3ForCausalLM
            layers 2
            parameters 2268768
            positions 1024

            block embedding
              input token
              hidden.0 [hidden 352] = Gather(token, model.embed_tokens.weight[1000, 352])

            # layers 0..<2
            block layer
              input hidden.$layer [hidden 352]
              input position
              cache layers.$layer.past_keys [kv_head 2, context, channel 32] -> layers.$layer.keys
              cache layers.$layer.past_values [kv_head 2, context, channel 32] -> \
            layers.$layer.values
            """
        let text = ModelGraph(configuration).description
        #expect(text.hasPrefix(expected))
        #expect(
            text.hasSuffix(
                """
                # layer 2
                block head
                  input hidden.$layer [hidden 352]
                  norm [hidden 352] = RMSNormalization(hidden.$layer, model.norm.weight[352], \
                epsilon 1e-06)
                  logits [vocabulary 1000] = Gemm(norm, model.embed_tokens.weight[1000, 352])
                  next_token = ArgMax(logits)

                """))
        for line in [
            "  layers.$layer.q_turned [kv_head 2, group 3, channel 32] = "
                + "RotaryEmbedding(layers.$layer.q_norm, position, theta 1000000.0)",
            "  layers.$layer.keys [kv_head 2, context, channel 32] = "
                + "TensorScatter(layers.$layer.past_keys, layers.$layer.k_turned, position)",
            "  layers.$layer.scores [kv_head 2, group 3, context] = "
                + "MatMul(layers.$layer.q_turned, layers.$layer.keys)",
            "  hidden.$next [hidden 352] = Add(layers.$layer.attended, layers.$layer.down)",
        ] {
            #expect(text.split(separator: "\n").contains(Substring(line)))
        }
    }

    /// The dataflow of `Qwen3DecoderLayer` in Hugging Face transformers, op for op.
    @Test func layersAreWiredAsPublished() throws {
        let layer = try #require(
            ModelGraph(try GraphFiles.configuration("tiny-qwen3")).layerShapes.first)
        func short(_ id: TensorID) -> Substring {
            let name = layer[id].name
            return name.hasPrefix("layers.") ? name.dropFirst("layers.$layer.".count) : name[...]
        }
        let wiring = layer.nodes.map { node in
            "\(short(node.output)) = \(node.operation.onnxName) "
                + node.inputs.map(short).joined(separator: " ")
        }
        #expect(
            wiring == [
                "attention_norm = RMSNormalization hidden.$layer",
                "q = Gemm attention_norm",
                "q_norm = RMSNormalization q",
                "q_turned = RotaryEmbedding q_norm position",
                "k = Gemm attention_norm",
                "k_norm = RMSNormalization k",
                "k_turned = RotaryEmbedding k_norm position",
                "v = Gemm attention_norm",
                "keys = TensorScatter past_keys k_turned position",
                "values = TensorScatter past_values v position",
                "scores = MatMul q_turned keys",
                "scaled_scores = Mul scores",
                "masked_scores = Where scaled_scores position",
                "attention_weights = Softmax masked_scores",
                "mixed = MatMul attention_weights values",
                "o = Gemm mixed",
                "attended = Add hidden.$layer o",
                "feed_forward_norm = RMSNormalization attended",
                "gate = Gemm feed_forward_norm",
                "up = Gemm feed_forward_norm",
                "activated = Swish gate",
                "gated = Mul activated up",
                "down = Gemm gated",
                "hidden.$next = Add attended down",
            ])
    }

    /// Every weight by its name alone would pass if two ops exchanged theirs.
    @Test func weightsStandAtTheirOps() throws {
        let graph = ModelGraph(try GraphFiles.configuration("tiny-qwen3"))
        let layer = try #require(graph.layerShapes.first)
        let pairs = layer.nodes.flatMap { node in
            node.operation.weights.map { weight in
                layer[node.output].name.split(separator: ".").last.map(String.init).map {
                    "\($0) \(weight.name.split(separator: ".").dropLast().last ?? "")"
                }
            }
        }
        #expect(
            pairs == [
                "attention_norm input_layernorm", "q q_proj", "q_norm q_norm", "k k_proj",
                "k_norm k_norm", "v v_proj", "o o_proj",
                "feed_forward_norm post_attention_layernorm", "gate gate_proj", "up up_proj",
                "down down_proj",
            ])
    }

    @Test func cachesCountTheirElements() throws {
        let configuration = try GraphFiles.configuration("llama-3.1-8b")
        let layer = try #require(ModelGraph(configuration).layerShapes.first)
        let elements = layer.caches.map { layer[$0.present].elementCount(context: 100) }
        #expect(elements.reduce(0, +) * configuration.layerCount == 6_553_600)
    }
}
