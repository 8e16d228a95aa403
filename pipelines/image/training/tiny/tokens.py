"""A small byte-level BPE tokenizer in CLIP's format, trained on the captions of both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZE, TOKENS = 3072, 24
START, END = "<|startoftext|>", "<|endoftext|>"
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def train_tokenizer(captions: list[str], folder: Path, first: Path | None = None) -> None:
    """vocab.json and merges.txt in folder/tokenizer: bytes, bytes that end a word, merges, then the two marks.

    `first` is a model whose tokens and merges are kept, in their order, before those that the captions add.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix="", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=SIZE - 260, end_of_word_suffix="</w>", initial_alphabet=alphabet, special_tokens=[], min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator(captions, trainer)
    known, merges = earlier(first) if first else (alphabet + [letter + "</w>" for letter in alphabet], [])
    seen = set(known)
    for pair in json.loads(tokenizer.to_str())["model"]["merges"]:
        left, right = pair if isinstance(pair, list) else pair.split(" ")
        if len(known) >= SIZE - 2:
            break
        if left in seen and right in seen and left + right not in seen:
            merges.append(f"{left} {right}")
            seen.add(left + right)
            known.append(left + right)
    target = folder / "tokenizer"
    target.mkdir(parents=True, exist_ok=True)
    (target / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate([*known, START, END])}, ensure_ascii=False), encoding="utf-8")
    (target / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS, "do_lower_case": True, "errors": "replace", "add_prefix_space": False}
    (target / "tokenizer_config.json").write_text(json.dumps(about | marks, indent=1), encoding="utf-8")
    (target / "special_tokens_map.json").write_text(json.dumps(marks), encoding="utf-8")


def earlier(model: Path) -> tuple[list[str], list[str]]:
    """(tokens in their order without the two marks, merges) of a model's tokenizer."""
    told = json.loads((model / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    tokens = sorted(told["vocab"], key=lambda token: int(told["vocab"][token]))
    return [token for token in tokens if token not in (START, END)], [pair if isinstance(pair, str) else " ".join(pair) for pair in told["merges"]]


def load_tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder / "tokenizer")
