#!/usr/bin/env python3
"""Regenerates the goldens beside this file: `python3 make_goldens.py`.

The logits are those of Hugging Face transformers, run in float64 on Graphs/tiny-*.json with
weights hashed from their names. The packages of PINS are installed into a temporary virtual
environment (Python 3.11 was used), so a clean checkout needs nothing first.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PINS = ["numpy==2.4.6", "torch==2.13.0+cpu", "transformers==5.23.0"]
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

HERE = Path(__file__).resolve().parent
GRAPHS = HERE.parents[2] / "Graphs"
GENERATED = 16

# (config, keys replaced in it, wide, prompt). Of 448 random prompts (numpy's default_rng, seeds
# 0 to 447) the one whose two largest logits stay furthest apart, so rounding keeps the winner.
BIASED = {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}
GOLDENS = {
    "tiny-llama": ("tiny-llama", {}, False, [732, 418, 190, 915, 87, 518, 186, 837]),
    "tiny-llama-biased": ("tiny-llama", BIASED, False, [650, 411, 284, 853, 5, 953, 624, 592]),
    "tiny-llama-wide": ("tiny-llama", {}, True, [741, 536, 896, 811, 212, 618, 603, 224]),
    "tiny-qwen3": ("tiny-qwen3", {}, False, [796, 787, 624, 958, 301, 859, 314, 964]),
}

# (ending of the name, offset, scale): elements lie evenly in offset - scale ..< offset + scale.
# The first row whose ending fits holds. Every number is a short binary fraction: exact anywhere.
SPREADS = [
    (".bias", 0, 1 / 4),
    ("q_norm.weight", 3 / 2, 1 / 4),
    ("k_norm.weight", 3 / 2, 1 / 4),
    ("norm.weight", 1, 1 / 4),
    ("down_proj.weight", 0, 1 / 16),
    ("", 0, 1 / 8),
]
# Replaces the scale of q_proj and k_proj: scores of one query then spread over more than 200.
WIDE_SCALE = 9 / 16


def hashed(name, shape, wide):
    """The float32 weights of tensor `name`, as float64."""
    import numpy as np

    offset, scale = next((o, s) for ending, o, s in SPREADS if name.endswith(ending))
    if wide and name.endswith(("q_proj.weight", "k_proj.weight")):
        scale = WIDE_SCALE
    fnv = 0xCBF29CE484222325
    for byte in name.encode():
        fnv = (fnv ^ byte) * 0x100000001B3 % 2**64
    u64 = np.uint64
    with np.errstate(over="ignore"):
        z = u64(fnv) + np.arange(np.prod(shape), dtype=u64) + u64(0x9E3779B97F4A7C15)
        z = (z ^ z >> u64(30)) * u64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> u64(27)) * u64(0x94D049BB133111EB)
        z ^= z >> u64(31)
    centred = (z >> u64(40)).astype(np.int64) - 2**23
    value = offset + centred / 2**23 * scale
    return value.astype(np.float32).astype(np.float64).reshape(shape)


def float64_mode():
    """Turns every request for float32 into one for float64.

    transformers computes norms, softmax and the rotary cosines in float32 whatever the model's
    type is; here its own code runs unchanged, but in float64.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Float64(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            def widen(x):
                return torch.float64 if x is torch.float32 else x

            if function is torch.Tensor.float:
                function = torch.Tensor.double
            args = tuple(widen(a) for a in args)
            kwargs = {key: widen(value) for key, value in (kwargs or {}).items()}
            return function(*args, **kwargs)

    return Float64()


def make_model(config_name, replaced, wide):
    import torch
    import transformers

    values = json.loads((GRAPHS / f"{config_name}.json").read_text()) | replaced
    config = transformers.AutoConfig.for_model(**values)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model = model.double().eval()
    for name, parameter in model.named_parameters():  # names a tied tensor once, as the embedding
        parameter.data = torch.from_numpy(hashed(name, tuple(parameter.shape), wide))
    return model


def run(model, tokens):
    """The logits of every position and the attention weights, one forward pass, no cache."""
    import torch

    with torch.no_grad():
        out = model(torch.tensor([tokens]), output_attentions=True, use_cache=False)
    assert all(t.dtype == torch.float64 for t in (out.logits, *out.attentions))
    return out.logits[0].numpy(), [a[0].numpy() for a in out.attentions]


def golden(model, prompt):
    tokens = list(prompt)
    for _ in range(GENERATED):
        tokens.append(int(run(model, tokens)[0][-1].argmax()))
    logits, attentions = run(model, tokens[:-1])
    assert list(logits.argmax(1)[len(prompt) - 1 :]) == tokens[len(prompt) :]
    return tokens, logits, attentions


def report(name, tokens, logits, attentions):
    """What makes a golden telling: spread logits, sharp attention, a clear winner every step."""
    import numpy as np

    top = np.sort(logits, 1)
    gap = (top[:, -1] - top[:, -2]) / logits.std(1)
    rows = [
        head[query, : query + 1]
        for layer in attentions for head in layer for query in range(8, len(tokens) - 1)
    ]
    sharp = np.array([row.max() for row in rows])
    # A query's scores differ from each other as the logarithms of its weights do.
    spread = max(np.ptp(np.log(row)) for row in rows)
    print(
        f"{name}: logits std {logits.std(1).min():.2f}...{logits.std(1).max():.2f}, "
        f"gap of the top two {gap.min():.3f} std or more; from position 8 on the largest "
        f"attention weight is {np.median(sharp):.3f} in the median, {sharp.max():.3f} at most, "
        f"over 0.5 in {(sharp > 0.5).mean():.1%}, and a query's scores spread over {spread:.1f}"
    )


def make_all():
    import numpy
    import torch
    import transformers

    found = [f"{m.__name__}=={m.__version__}" for m in (numpy, torch, transformers)]
    assert found == PINS, found
    torch.set_default_dtype(torch.float64)
    for name, (config, replaced, wide, prompt) in GOLDENS.items():
        with float64_mode():
            tokens, logits, attentions = golden(make_model(config, replaced, wide), prompt)
        report(name, tokens, logits, attentions)
        lines = ",\n".join(json.dumps(row) for row in logits.tolist())
        head = json.dumps(
            {"config": config, "replaced": replaced, "wide": wide, "versions": PINS,
             "promptLength": len(prompt), "tokens": tokens})
        (HERE / f"{name}.json").write_text(f'{head[:-1]}, "logits": [\n{lines}\n]}}\n')


def install_and_rerun():
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        python = str(Path(directory) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--quiet"]
        # Its own index holds the +cpu build; everything else comes from PyPI.
        torch = next(pin for pin in PINS if pin.startswith("torch=="))
        subprocess.run(pip + ["--no-deps", "--extra-index-url", TORCH_INDEX, torch], check=True)
        subprocess.run(pip + PINS, check=True)
        subprocess.run([python, __file__], check=True, env=os.environ | {"IN_VENV": "1"})


if __name__ == "__main__":
    make_all() if "IN_VENV" in os.environ else install_and_rerun()
