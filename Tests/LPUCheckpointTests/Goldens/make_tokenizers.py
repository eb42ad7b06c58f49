#!/usr/bin/env python3
"""Regenerates the tokenizer goldens beside this file: `python3 make_tokenizers.py MODEL.gguf`.

The reference is Hugging Face's `tokenizers`. Written are
- smollm2-tokens.json: ids of texts by the vocabulary of the GGUF, with the pre-tokenizers of
  SmolLM2's own tokenizer.json (Digits, then ByteLevel); needs the GGUF to be tested,
- small-{gpt2,llama3,qwen2,bert}.tokenizer.json: small tokenizers trained here on the texts, and
- small-tokens.json: their ids.
The packages of PINS were used, with Python 3.11.
"""

import json
import sys
from pathlib import Path

PINS = ["tokenizers==0.23.3", "gguf==0.19.0", "numpy==2.4.6"]
HERE = Path(__file__).resolve().parent

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

TEXTS = [
    "", " ", "  ", "\n", "a", "Hello, world!", "Hello  world", "  leading and trailing  ",
    "tabs\tand\nnewlines\r\n\r\n  mixed \t \n", "I'm sure they'll say it's DON'T, you'VE 'S 'll",
    "x=1234567890, y=3.14159e-10; 1,000,000 ½ ² Ⅷ ٣٤٥ 一二三", "snake_case camelCase kebab-case __init__",
    "The quick brown fox jumps over the lazy dog.", "naïve café résumé Ångström Straße ŒUVRE",
    "Ελληνικά και κυριλλικά: Привет, мир! Съешь ещё этих мягких французских булок",
    "中文字符没有空格。日本語のテキスト、カタカナ。한국어 문장입니다.",
    "עברית מימין לשמאל العربية من اليمين إلى اليسار", "हिन्दी में पाठ ไทยไม่มีช่องว่าง தமிழ்",
    "emoji: 😀😃 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ❤️ ©®™", "math: ∀x∈ℝ ∃y: x² ≤ y ∧ ∑_{i=0}^{n} √i ≈ ∞",
    "odd\u00a0spaces\u2003here\u200bzero\u3000wide\u2028line\u0085next\u180emongol",
    "combining: e\u0301 a\u0308\u0323 \u0301alone n\u0303", "control\u0001chars\u007f and \ufeffBOM \ufffd",
    "!!!???...---***///\\\\\\'''\"\"\"```", "a'b 'c' ''d'' 's's 't", "   \n   \n  x\n\n\n", "\t\t\tindented\n\t\tcode",
    "def f(x):\n    return x ** 2  # comment\n\n\nclass A:\n    pass\n",
    "https://example.org/path?q=1&r=%20#frag user@example.com",
    "<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n", "<|im_start|<|im_end|>", "[CLS] [MASK] [SEP]",
    "𝒜𝓁𝓅𝒽𝒶 𐍈 𠮷野家", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ǅ ǈ ﬁ ﬀ ㎏ Ⅻ ①②③", "1a2b3c 12ab34 ab12",
    "\U0001F9D1\u200d\U0001F680 rocket \u20e3 1\ufe0f\u20e3", " \u00a0 \u00a0x", "don’t “quote” – dash — em … dots",
    "I'LL we'Re THEY'D", "\r\r\n\n\r", "word\n", "word \n word", "word  \nword", "ſtraße İstanbul ıx K'ſ",
]


def byte_pairs_of(reader):
    """The tokenizer of a GGUF whose tokenizer.ggml.pre is `smollm`."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    def strings(key):
        field = reader.fields[key]
        return [bytes(field.parts[i]).decode() for i in field.data]

    tokens = strings("tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in strings("tokenizer.ggml.merges")]
    field = reader.fields["tokenizer.ggml.token_type"]
    types = [int(field.parts[i][0]) for i in field.data]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k == 3])
    return tokenizer


def small(kind):
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    if kind == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(
            vocab_size=420, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
        texts = [t for t in TEXTS if t.isascii()] + ["naïve café résumé", "Привет мир"]
    else:
        tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind == "gpt2")
        if kind == "gpt2":
            tokenizer.pre_tokenizer = byte_level
        else:
            split = pre_tokenizers.Split(Regex(LLAMA3 if kind == "llama3" else QWEN2), "isolated")
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
        if kind == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=600, special_tokens=["<|im_start|>", "<|im_end|>"], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        texts = TEXTS
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main():
    from gguf import GGUFReader

    ids = {}
    for kind in ["gpt2", "llama3", "qwen2", "bert"]:
        tokenizer = small(kind)
        path = HERE / f"small-{kind}.tokenizer.json"
        path.write_text(tokenizer.to_str(pretty=False) + "\n")
        ids[kind] = [tokenizer.encode(t, add_special_tokens=False).ids for t in TEXTS]
    write("small-tokens.json", {"pins": PINS, "texts": TEXTS, "ids": ids})
    if len(sys.argv) > 1:
        tokenizer = byte_pairs_of(GGUFReader(sys.argv[1]))
        encoded = [tokenizer.encode(t).ids for t in TEXTS]
        texts = [tokenizer.decode(e, skip_special_tokens=False) for e in encoded]
        assert texts == TEXTS, [t for t in zip(texts, TEXTS) if t[0] != t[1]]
        write("smollm2-tokens.json", {"pins": PINS, "ids": encoded})


def write(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
