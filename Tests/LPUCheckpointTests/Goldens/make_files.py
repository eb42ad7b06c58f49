#!/usr/bin/env python3
"""Regenerates the weight files beside this file and what is in them: `python3 make_files.py`.

- blocks.json: random blocks of each type of GGUF and the numbers that the package `gguf` gives,
- tiny.gguf, tiny/, tiny-sharded/: one tiny Llama in three forms, and
- tiny.json: the first and last row of each tensor in each form, as float32 bits: of safetensors by
  torch, of GGUF by `gguf`, its pairs of rows undone here; and the ids that transformers, in float64
  with the weights of the GGUF, makes greedily of a prompt.
The packages of PINS were used, with Python 3.11.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

PINS = ["gguf==0.19.0", "numpy==2.4.6", "safetensors==0.8.0", "torch==2.15.0",
        "transformers==5.24.0"]
HERE = Path(__file__).resolve().parent
HIDDEN, INNER, VOCABULARY, LAYERS, HEADS, KV, CONTEXT = 64, 96, 40, 2, 4, 2, 32
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"]
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": KV, "head_dim": HIDDEN // HEADS,
    "hidden_act": "silu", "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-05,
    "rope_theta": 100000.0, "tie_word_embeddings": True, "attention_bias": False,
    "eos_token_id": 2,
}
rng = np.random.default_rng(1)


def hexed(array):
    return np.ascontiguousarray(array, dtype="<f4").tobytes().hex()


def blocks():
    out = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        length, size = gguf.GGML_QUANT_SIZES[kind]
        raw = rng.integers(0, 256, (6, size if length > 1 else 64), dtype=np.uint8)
        if length > 1:  # Scales are fp16: keep them finite.
            for at in {"Q4_1": [1, 3], "Q4_K": [1, 3], "Q6_K": [209]}.get(name, [1]):
                raw[:, at] &= 0xBB
        if name == "F32":
            values = raw.view("<f4")
        elif name == "F16":
            values = raw.view("<f2").astype("<f4")
        else:
            values = gguf.quants.dequantize(raw, kind)
        keep = np.isfinite(values).all(axis=1)
        out[name] = {"bytes": raw[keep].tobytes().hex(), "floats": hexed(values[keep])}
    codes = np.array([c for c in range(256) if c & 127 != 127], dtype=np.uint8)
    floats = torch.tensor(codes).view(torch.float8_e4m3fn).float().numpy()
    out["F8_E4M3"] = {"bytes": codes.tobytes().hex(), "floats": hexed(floats)}
    (HERE / "blocks.json").write_text(json.dumps({"pins": PINS, "types": out}) + "\n")


def tensors():
    d = HIDDEN // HEADS
    out = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        out |= {
            p + "input_layernorm.weight": (HIDDEN,), p + "post_attention_layernorm.weight": (HIDDEN,),
            p + "self_attn.q_proj.weight": (HEADS * d, HIDDEN),
            p + "self_attn.k_proj.weight": (KV * d, HIDDEN),
            p + "self_attn.v_proj.weight": (KV * d, HIDDEN),
            p + "self_attn.o_proj.weight": (HIDDEN, HEADS * d),
            p + "mlp.gate_proj.weight": (INNER, HIDDEN), p + "mlp.up_proj.weight": (INNER, HIDDEN),
            p + "mlp.down_proj.weight": (HIDDEN, INNER),
        }
    return {n: rng.standard_normal(s).astype("<f4") / 8 for n, s in out.items()}


GGUF_NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    layer, rest = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"


def permute(w, heads):
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def heads_of(name):
    return HEADS if ".q_proj." in name else KV if ".k_proj." in name else 0


def generation(weights):
    """Greedy ids of a prompt, and how far the first logit is ahead of the second at least."""
    from transformers import LlamaConfig, LlamaForCausalLM

    keys = {k: v for k, v in CONFIG.items() if k != "architectures"}
    model = LlamaForCausalLM(LlamaConfig(**keys, attn_implementation="eager")).double().eval()
    state = {n: torch.tensor(w).double() for n, w in weights.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    ids, leads = [5, 30, 17, 2, 39], []
    with torch.no_grad():
        for _ in range(12):
            logits = model(torch.tensor([ids])).logits[0, -1]
            top = torch.topk(logits, 2)
            leads.append(float((top.values[0] - top.values[1]) / logits.std()))
            ids.append(int(top.indices[0]))
    return {"prompt": ids[:5], "made": ids[5:], "lead": round(min(leads), 4)}


def write_gguf(weights, expected):
    writer = gguf.GGUFWriter(HERE / "tiny.gguf", "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    alphabet = [c for c in "abcdefghijklmnopqrstuvwxyz"] + ["Ġ", "he", "ll", "hell", "hello", "Ġhe", "<|end|>"]
    alphabet += [f"<{i}>" for i in range(VOCABULARY - len(alphabet))]
    writer.add_token_list(alphabet)
    writer.add_token_types([3 if t.startswith("<") else 1 for t in alphabet])
    writer.add_token_merges(["h e", "l l", "he ll", "hell o", "Ġ he"])
    writer.add_eos_token_id(alphabet.index("<|end|>"))
    kinds, read = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "F32"], {}
    for i, (name, w) in enumerate(weights.items()):
        kind = gguf.GGMLQuantizationType["F32" if w.ndim == 1 else kinds[i % len(kinds)]]
        if w.ndim > 1 and w.shape[1] % gguf.GGML_QUANT_SIZES[kind][0]:
            kind = gguf.GGMLQuantizationType.F16
        heads = heads_of(name)
        raw = gguf.quants.quantize(permute(w, heads) if heads else w, kind)
        writer.add_tensor(gguf_name(name), raw, raw_dtype=kind)
        back = gguf.quants.dequantize(raw, kind)
        read[name] = unpermute(back, heads) if heads else back
        note(expected, "tiny.gguf", name, read[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return generation(read)


def note(expected, form, name, values):
    values = np.atleast_2d(np.asarray(values, dtype="<f4"))
    expected.setdefault(form, {})[name] = [hexed(values[0]), hexed(values[-1])]


def write_safetensors(weights, expected):
    kinds = [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
    stored = {n: torch.tensor(w).to(kinds[i % 4]) for i, (n, w) in enumerate(weights.items())}
    names = list(stored)
    shards = {"tiny": {"model.safetensors": names},
              "tiny-sharded": {"model-00001-of-00002.safetensors": names[:9],
                               "model-00002-of-00002.safetensors": names[9:]}}
    for form, files in shards.items():
        (HERE / form).mkdir(exist_ok=True)
        (HERE / form / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
        for file, part in files.items():
            save_file({n: stored[n] for n in part}, HERE / form / file, metadata={"format": "pt"})
            with safe_open(HERE / form / file, framework="pt") as opened:
                for n in part:
                    note(expected, form, n, opened.get_tensor(n).float().numpy())
    index = {"metadata": {}, "weight_map": {n: f for f, p in shards["tiny-sharded"].items() for n in p}}
    (HERE / "tiny-sharded" / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


if __name__ == "__main__":
    blocks()
    weights, expected = tensors(), {}
    made = write_gguf(weights, expected)
    write_safetensors(weights, expected)
    (HERE / "tiny.json").write_text(json.dumps({"pins": PINS, "rows": expected, "generation": made}) + "\n")
