"""Counts tokens where the page is made: from the tokenizer in a model's header, without torch and without loading it.

Exact for byte-level BPE with a known splitter and for tokenizer.json; elsewhere near. The job's stats are always exact.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.text.gguf_header import GgufHeader, read_header
from studio.api import ModelBroken, ModelEntry

LETTERS_PER_TOKEN = 4
SPACE = "▁"
_CONTROL, _USER_DEFINED = 3, 4
_LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_SPLITS = {"llama-bpe": _LLAMA3, "llama3": _LLAMA3, "llama-v3": _LLAMA3, "dbrx": _LLAMA3, "smaug-bpe": _LLAMA3, "qwen2": _QWEN2, "deepseek-r1-qwen": _QWEN2, "stablelm2": _QWEN2}
_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell"}


def count_tokens(entry: ModelEntry, text: str) -> int:
    """Cached; about one token in four bytes where the tokenizer can't be read (a remote model)."""
    if not text:
        return 0
    counter = _counter(entry.path, _stamp(entry), entry.format)
    return _count(counter, text) if counter else -(-len(text.encode()) // LETTERS_PER_TOKEN)


def count_chat(entry: ModelEntry, messages: list[dict[str, str]]) -> int:
    """Tokens of a conversation as the model will see it, its template included."""
    return count_tokens(entry, render_chat(entry, messages))


def render_chat(entry: ModelEntry, messages: list[dict[str, str]], *, answer: bool = True) -> str:
    """The prompt that the chat template makes; a plain one where there is none, or it refuses."""
    from jinja2 import TemplateError

    plain = "\n".join(f"{message['role']}: {message['content']}\n" for message in messages)
    template = _template(entry.path, _stamp(entry), entry.format)
    if not template:
        return plain
    try:
        return _compiled(template)(messages=messages, add_generation_prompt=answer)
    except (TemplateError, TypeError, KeyError):  # a template is foreign code: it may refuse anything
        return plain


def _stamp(entry: ModelEntry) -> int:
    path = Path(entry.path)
    return path.stat().st_mtime_ns if entry.format != "remote" and path.exists() else 0


@lru_cache(maxsize=2048)
def _count(counter: Callable[[str], int], text: str) -> int:
    return counter(text)


@lru_cache(maxsize=4)
def _counter(path: str, stamp: int, kind: str) -> Callable[[str], int] | None:
    if not stamp:
        return None
    if kind != "gguf":
        return _from_folder(Path(path))
    try:
        header = read_header(path)
    except ModelBroken:
        return None
    model = header.values.get("tokenizer.ggml.model")
    if model == "gpt2" and "tokenizer.ggml.merges" in header.values:
        return _byte_level(header)
    return SentencePiece(header).count if model == "llama" else None


def _from_folder(path: Path) -> Callable[[str], int] | None:
    from tokenizers import Tokenizer

    file = (path if path.is_dir() else path.parent) / "tokenizer.json"
    if not file.exists():
        return None
    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _byte_level(header: GgufHeader) -> Callable[[str], int]:
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

    tokens = header.values["tokenizer.ggml.tokens"]
    kinds = header.values.get("tokenizer.ggml.token_type") or [1] * len(tokens)
    merges = [tuple(pair.split(" ", 1)) for pair in header.values["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    split = header.values.get("tokenizer.ggml.pre", "")
    parts: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split not in _SPLITS)]
    if split in _SPLITS:
        parts.insert(0, pre_tokenizers.Split(Regex(_SPLITS[split]), behavior="isolated"))
    if split in _DIGITS:
        parts.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    whole = [token for token, kind in zip(tokens, kinds, strict=True) if kind in (_CONTROL, _USER_DEFINED)]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in whole])
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


class SentencePiece:
    """llama.cpp's SPM: neighbours are merged, the best score first; unknown characters become bytes."""

    def __init__(self, header: GgufHeader) -> None:
        tokens, scores = header.values["tokenizer.ggml.tokens"], header.values["tokenizer.ggml.scores"]
        self._scores: dict[str, float] = dict(zip(tokens, scores, strict=True))

    def count(self, text: str) -> int:
        pieces: list[str] = list(SPACE + text.replace(" ", SPACE))
        after = [*range(1, len(pieces)), -1]
        before = list(range(-1, len(pieces) - 1))
        queue: list[tuple[float, int, str]] = []

        def offer(left: int) -> None:
            right = after[left]
            both = pieces[left] + pieces[right] if right >= 0 else ""
            if both in self._scores:
                heapq.heappush(queue, (-self._scores[both], left, both))

        for place in range(len(pieces)):
            offer(place)
        while queue:
            _, left, both = heapq.heappop(queue)
            right = after[left]
            if not pieces[left] or right < 0 or pieces[left] + pieces[right] != both:
                continue  # one half was merged elsewhere meanwhile
            pieces[left], pieces[right] = both, ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            offer(left)
            if before[left] >= 0:
                offer(before[left])
        return sum(1 if piece in self._scores else len(piece.encode()) for piece in pieces if piece)


@lru_cache(maxsize=8)
def _template(path: str, stamp: int, kind: str) -> str:
    if not stamp:
        return ""
    if kind == "gguf":
        try:
            return str(read_header(path).values.get("tokenizer.chat_template", ""))
        except ModelBroken:
            return ""
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    own = folder / "chat_template.jinja"
    if own.exists():
        return own.read_text(encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    try:
        found = json.loads(settings.read_text(encoding="utf-8")).get("chat_template", "") if settings.exists() else ""
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


@lru_cache(maxsize=8)
def _compiled(template: str) -> Callable[..., str]:
    """Templates come with models from anywhere: sandboxed."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.globals |= {"raise_exception": refuse, "strftime_now": lambda form: ""}
    return environment.from_string(template).render
