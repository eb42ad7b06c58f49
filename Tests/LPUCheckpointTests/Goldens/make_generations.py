#!/usr/bin/env python3
"""Regenerates smollm2-generations.json: `python3 make_generations.py MODEL.gguf`.

The greedy continuations of Hugging Face transformers in float32 on the weights of the GGUF
(`gguf_file=`, which dequantises them), token by token with a cache; an end token does not stop them.
Of each step the two largest logits are kept: where they are closer than the bound that lpuc's logits
hold, another winner is no error. `make weights` fetches the model. The packages of PINS were used,
with Python 3.11.
"""

import json
import sys
from pathlib import Path

PINS = ["numpy==2.4.6", "torch==2.15.0", "transformers==5.24.0", "gguf==0.19.0",
        "tokenizers==0.23.3", "accelerate==1.15.0"]
MADE = 64
CHAT = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face" \
    "<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "Water boils at",
    "def fibonacci(n):\n",
    "The three primary colours are",
    "1, 2, 4, 8, 16,",
    "In 1969, the first human",
    "To be, or not to be,",
    "Photosynthesis is the process by which",
    "A haiku about autumn:\n",
    "La capitale de l'Italie est",
    "for (int i = 0; i < 10; i++) {\n",
    "Dear Sir or Madam,\n\n",
    "The opposite of hot is",
    "Ingredients:\n- 2 eggs\n-",
    "The speed of light in vacuum is",
    CHAT.format("What is gravity?"),
    CHAT.format("Write one sentence about the moon."),
    CHAT.format("How many legs does a spider have?"),
    CHAT.format("Name a river in Africa."),
]


def tokenizer(path):
    from gguf import GGUFReader
    from make_tokenizers import byte_pairs_of
    return byte_pairs_of(GGUFReader(path))


def main():
    path = Path(sys.argv[1]).resolve()
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    tok = tokenizer(path)
    golden = {"model": path.name, "pins": PINS, "generations": []}
    with torch.no_grad():
        for prompt in PROMPTS:
            ids = tok.encode(prompt).ids
            made, tops, cache, spread = [], [], None, []
            step = torch.tensor([ids])
            for _ in range(MADE):
                out = model(input_ids=step, cache=cache, use_cache=True)
                cache = out.past_key_values
                logits = out.logits[0, -1]
                top = torch.topk(logits, 2)
                made.append(int(top.indices[0]))
                tops.append([int(top.indices[1]), round(float(top.values[0] - top.values[1]), 5)])
                spread.append(float(logits.std()))
                step = torch.tensor([[made[-1]]])
            golden["generations"].append({
                "prompt": prompt, "ids": ids, "made": made,
                "second": [t[0] for t in tops], "lead": [t[1] for t in tops],
                "deviation": round(sum(spread) / len(spread), 4),
                "text": tok.decode(made, skip_special_tokens=False)})
            print(repr(golden["generations"][-1]["text"][:70]), min(t[1] for t in tops), file=sys.stderr)
    lines = ",\n".join(json.dumps(g, ensure_ascii=False) for g in golden.pop("generations"))
    head = json.dumps(golden)[:-1]
    out = Path(__file__).resolve().parent / "smollm2-generations.json"
    out.write_text(head + ', "generations": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
