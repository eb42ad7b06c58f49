#!/usr/bin/env python3
"""Regenerates the goldens of encoders beside this file: `python3 make_encoder_goldens.py`.

The states are those of `BertModel` of Hugging Face transformers, run in float64 on
Graphs/tiny-bert.json with weights hashed from their names, as make_goldens.py makes them. With
`--minilm DIRECTORY` it writes minilm.json instead: ids, by `tokenizers`, and mean-pooled, normalised
embeddings of the texts below by the trained model in that directory (Weights/all-MiniLM-L6-v2).
The packages of PINS are installed into a temporary virtual environment.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from make_goldens import GRAPHS, HERE, float64_mode

PINS = ["numpy==2.4.6", "torch==2.15.0", "transformers==5.24.0"]

# (ending of the name, offset, scale), as in make_goldens.py.
SPREADS = [(".bias", 0, 1 / 4), ("LayerNorm.weight", 1, 1 / 4), ("", 0, 1 / 8)]

# name: (keys replaced in tiny-bert.json, tokens of the first and of the second segment, padding)
GOLDENS = {
    "tiny-bert": ({}, 27, 0, 5),
    "tiny-bert-tanh": ({"hidden_act": "gelu_new"}, 9, 14, 0),
}

TEXTS = [
    "The capital of France is Paris.",
    "Paris is where the French government sits.",
    "A cat sleeps on the warm windowsill.",
    "Statically scheduled processors need no arbitration.",
    "Ein Satz auf Deutsch, mit Umlauten: Größe, Äpfel, Übung.",
    "x",
    "def softmax(x): return exp(x - max(x)) / sum(exp(x - max(x)))",
    "one two three four five six seven eight nine ten " * 11,
]


def hashed(name, shape):
    import make_goldens

    make_goldens.SPREADS = SPREADS
    return make_goldens.hashed(name, shape, False)


def versions():
    import numpy
    import torch
    import transformers

    found = [f"{m.__name__}=={m.__version__.split('+')[0]}" for m in (numpy, torch, transformers)]
    assert found == PINS, found
    return found


def states_of(model, tokens, types, mask):
    """The states of the last layer, and the attention weights of all."""
    import torch

    with torch.no_grad(), float64_mode():
        out = model(
            input_ids=torch.tensor([tokens]), token_type_ids=torch.tensor([types]),
            attention_mask=torch.tensor([mask]), output_attentions=True)
    assert out.last_hidden_state.dtype == torch.float64
    return out.last_hidden_state[0].numpy(), [a[0].numpy() for a in out.attentions]


def mean(states, mask):
    return states[[i for i, m in enumerate(mask) if m]].mean(0)


def make_tiny():
    import numpy as np
    import torch
    import transformers

    found = versions()
    torch.set_default_dtype(torch.float64)
    for name, (replaced, first, second, padding) in GOLDENS.items():
        values = json.loads((GRAPHS / "tiny-bert.json").read_text()) | replaced
        config = transformers.AutoConfig.for_model(**values)
        model = transformers.BertModel(config, add_pooling_layer=False)
        model.set_attn_implementation("eager")
        model = model.double().eval()
        for weight, parameter in model.named_parameters():
            parameter.data = torch.from_numpy(hashed(weight, tuple(parameter.shape)))
        real = first + second
        generator = np.random.default_rng(0)
        tokens = [int(t) for t in generator.integers(1, values["vocab_size"], real)] + [0] * padding
        types = [0] * first + [1] * second + [0] * padding
        mask = [1] * real + [0] * padding
        states, attentions = states_of(model, tokens, types, mask)
        sharp = np.array([layer[:, :real].max(-1).max() for layer in attentions])
        print(f"{name}: largest attention weight a layer {sharp}, "
              f"states' deviation {states[:real].std():.3f}")
        kept = list(range(0, real, 4))
        (HERE / f"{name}.json").write_text(
            json.dumps({
                "config": "tiny-bert", "replaced": replaced, "versions": found, "tokens": tokens,
                "types": types, "mask": mask, "kept": kept,
                "embedding": mean(states, mask).tolist(),
                "states": [states[i].tolist() for i in kept]}) + "\n")


def make_minilm(directory):
    import torch
    import transformers

    found = versions()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, use_fast=True)
    model = transformers.BertModel.from_pretrained(directory, attn_implementation="eager")
    model = model.double().eval()
    rows = []
    for text in TEXTS:
        ids = tokenizer(text, padding=False, truncation=False)["input_ids"]
        states, _ = states_of(model, ids, [0] * len(ids), [1] * len(ids))
        pooled = torch.from_numpy(mean(states, [1] * len(ids)))
        embedding = (pooled / pooled.norm()).tolist()
        rows.append({"text": text, "ids": ids, "embedding": [round(x, 9) for x in embedding]})
    (HERE / "minilm.json").write_text(
        json.dumps({"versions": found, "texts": rows}, ensure_ascii=False) + "\n")


def install_and_rerun():
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        python = str(Path(directory) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet"] + PINS, check=True)
        subprocess.run(
            [python, __file__] + sys.argv[1:], check=True, env=os.environ | {"IN_VENV": "1"})


if __name__ == "__main__":
    if "IN_VENV" not in os.environ:
        install_and_rerun()
    elif "--minilm" in sys.argv:
        make_minilm(sys.argv[sys.argv.index("--minilm") + 1])
    else:
        make_tiny()
