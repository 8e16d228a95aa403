"""The text encoders' tokenizers in the page's process: `tokenizers` alone, from the model's own files or the CLIP merges that the studio has.

Source: the byte-pair encoding of OpenAI's CLIP (Radford et al., 2021): lower case, words and single digits, "</w>" ends a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.image.checkpoint import END, START, clip_merges, clip_words, read_json

CLIP_LENGTH = 77
LONGEST = 10_000  # what transformers writes for "no limit" is far above
WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
WORD_END = "</w>"


@dataclass(frozen=True)
class Token:
    """`text` is what was written, `ends` whether a word ends with it."""

    number: int
    text: str
    ends: bool = True


@dataclass(frozen=True)
class Words:
    """A tokenizer and how many tokens its encoder takes, begin and end included."""

    tokenizer: Any
    length: int

    def tokens(self, text: str) -> list[Token]:
        told = self.tokenizer.encode(text, add_special_tokens=False)
        found, done = [], 0
        for number, name, (start, end) in zip(told.ids, told.tokens, told.offsets, strict=True):
            found.append(Token(number, text[max(start, done) : end], name.endswith(WORD_END) or name in (START, END)))  # bytes of one letter share its place
            done = end
        return found

    @property
    def comma(self) -> int:
        told = self.tokenizer.encode(",", add_special_tokens=False).ids
        return int(told[-1]) if told else -1


def words_of(folder: Path) -> Words | None:
    """Of one tokenizer's folder; None where its files are of a kind that is not read here."""
    stamps = tuple(path.stat().st_mtime_ns for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json") if (path := folder / name).is_file())
    return _read(folder, stamps) if stamps else None


@lru_cache(maxsize=16)
def _read(folder: Path, stamps: tuple[int, ...]) -> Words | None:
    from tokenizers import Tokenizer

    config = read_json(folder / "tokenizer_config.json")
    length = config.get("model_max_length")
    length = int(length) if isinstance(length, (int, float)) and length < LONGEST else CLIP_LENGTH
    if (folder / "tokenizer.json").is_file():
        made = Tokenizer.from_file(str(folder / "tokenizer.json"))
        made.no_truncation()
        made.no_padding()
        return Words(made, length)
    if not (folder / "vocab.json").is_file() or not (folder / "merges.txt").is_file():
        return None
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    return Words(clip_tokenizer(read_json(folder / "vocab.json"), [line for line in lines if line and not line.startswith("#version")]), length)


@lru_cache(maxsize=1)
def shipped() -> Words:
    """OpenAI's CLIP, for single-file checkpoints."""
    return Words(clip_tokenizer({word: number for number, word in enumerate(clip_words())}, clip_merges()), CLIP_LENGTH)


def clip_tokenizer(vocabulary: dict[str, int], merges: list[str]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    pairs = [(left, right) for left, right in (line.split() for line in merges)]
    made = Tokenizer(BPE(vocab=vocabulary, merges=pairs, unk_token=END, end_of_word_suffix=WORD_END, continuing_subword_prefix="", fuse_unk=False))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(WORDS), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in (START, END)])
    return made
