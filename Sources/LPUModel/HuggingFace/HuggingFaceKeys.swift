/// What this importer knows of Hugging Face configurations beside the keys it reads.
enum HuggingFaceKeys {
    /// Keys that say nothing about the computation of a step, each with the reason.
    static let harmless = [
        "_attn_implementation",  // which kernel computes the same attention
        "_flash_attn_2_enabled",  // as above
        "_name_or_path",  // where the file was saved
        "attention_dropout",  // training only
        "bos_token_id",  // the host puts it into the prompt
        "chunk_size_feed_forward",  // how the Python code splits the same work
        "do_sample",  // the host samples; a decode step takes the maximum
        "dtype",  // the type of the weight file; a plan chooses the type in SRAM
        "eos_token_id",  // the host decides when to stop
        "id2label",  // names of classes, for classifiers
        "initializer_range",  // training only
        "is_llama_config",  // a mark of a conversion tool
        "label2id",  // names of classes, for classifiers
        "max_length",  // the host decides when to stop
        "max_window_layers",  // read only with use_sliding_window, which is refused
        "output_attentions",  // what the Python call returns
        "output_hidden_states",  // as above
        "pad_token_id",  // batches of the host, and its embedding row is a row like others
        "problem_type",  // for classifiers
        "return_dict",  // what the Python call returns
        "sep_token_id",  // the tokenizer's
        "task_specific_params",  // sampling, by the host
        "temperature",  // as above
        "tokenizer_class",  // the tokenizer's
        "top_k",  // sampling, by the host
        "top_p",  // as above
        "torch_dtype",  // the older name of dtype
        "transformers.js_config",  // for another runtime
        "transformers_version",  // which library wrote the file
        "unk_token_id",  // the tokenizer's
        "use_cache",  // a decode step always does
    ]

    /// The same of encoders alone.
    static let harmlessInEncoders = [
        "attention_probs_dropout_prob",  // training only
        "classifier_dropout",  // training only
        "gradient_checkpointing",  // training only
        "hidden_dropout_prob",  // training only
        "tie_word_embeddings",  // of a language model's head, which BertModel has not
    ]

    /// Known families that are not built, and what each needs that is missing.
    static let unsupported: [(architecture: String, missing: String)] = [
        ("BertForMaskedLM", "the head of a masked language model"),
        ("BertForSequenceClassification", "a classifier's head"),
        ("BloomForCausalLM", "ALiBi positions, LayerNorm and GELU"),
        ("DeepseekV2ForCausalLM", "latent attention (MLA) and a mixture of experts"),
        ("DeepseekV3ForCausalLM", "latent attention (MLA) and a mixture of experts"),
        ("FalconForCausalLM", "fused query-key-value weights, parallel blocks and GELU"),
        ("GPT2LMHeadModel", "learned positions, LayerNorm and GELU"),
        ("Gemma2ForCausalLM", gemma + ", soft-capped scores and sliding windows"),
        ("Gemma3ForCausalLM", gemma + " and sliding windows"),
        ("Gemma3ForConditionalGeneration", gemma + ", sliding windows and images"),
        ("GemmaForCausalLM", gemma),
        ("GptOssForCausalLM", "a mixture of experts, attention sinks, sliding windows and YaRN"),
        ("Llama4ForCausalLM", "a mixture of experts and chunked attention"),
        ("Llama4ForConditionalGeneration", "a mixture of experts, chunked attention and images"),
        ("MistralForCausalLM", "sliding windows"),
        ("MixtralForCausalLM", "a mixture of experts"),
        ("OPTForCausalLM", "learned positions, LayerNorm and ReLU"),
        ("Phi3ForCausalLM", "fused query-key-value weights and LongRoPE"),
        ("Qwen2ForCausalLM", "biases on q, k and v alone"),
        ("Qwen2MoeForCausalLM", "a mixture of experts"),
        ("Qwen3MoeForCausalLM", "a mixture of experts"),
    ]

    private static let gemma = "GELU, norms by (1 + weight) and a scaled embedding"
}
