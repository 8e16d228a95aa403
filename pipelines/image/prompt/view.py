"""What a model's text encoder will read of a prompt: its tokens in chunks, their weights, what changes over the steps. For the page; no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.image.embeddings import Embedding, Vocabulary
from pipelines.image.families import Family, family_of
from pipelines.image.prompt.chunks import chunked
from pipelines.image.prompt.grammar import networks, parse
from pipelines.image.prompt.schedule import Side, Span, parted, plain, schedule, weighs
from pipelines.image.prompt.tokens import Token, Words, shipped, words_of
from studio.api import ModelEntry

READS = {"flux": 512, "sd3": 256}  # tokens that diffusers' pipelines give to these families' T5
ONE_TEXT = "This model's encoder reads the prompt as one text: weights, BREAK, AND and changes at a step are left out."
UNPARTED = "This model's encoder reads the prompt as one text: BREAK and AND are left out."
Weighted = list[tuple[Token, float]]


def encoder_view(prompt: str, entry: ModelEntry, vocabulary: Vocabulary) -> dict[str, Any]:
    """`tokens` and `limit` are those of the longest of the prompts that AND joins or steps change, `chunks` its words with their weights. `left_out` says what it holds that is not read. Raises BadInput."""
    family, tree = family_of(entry), parse(prompt)
    named = [str(network) for network in networks(tree)]
    spans = schedule(tree, family.steps)
    if not family.weights:
        runs = max((span.runs for span in spans), key=len) if family.weighs else [(plain(tree, family.steps), 1.0)]
        return _whole(runs, entry, family) | {"networks": named, "switches": _switches(spans, family) if family.weighs else [], "left_out": left_out(prompt, family, family.steps)}
    words = words_of(Path(entry.path, "tokenizer")) if entry.format == "diffusers" else shipped()
    sides = list(dict.fromkeys(side for span in spans for side in span.sides))
    cut = {side: _chunks(side, words, vocabulary) for side in sides} if words else {}
    longest: list[Weighted] = max(cut.values(), key=lambda chunks: sum(map(len, chunks)), default=[[]])
    return {
        "tokens": sum(map(len, longest)), "limit": (words.length - 2) * max((len(chunks) for chunks in cut.values()), default=1) if words else 0, "chunks": [_words(chunk) for chunk in longest],
        "sides": [[side.text, side.weight] for side in spans[0].sides], "networks": named, "words": "", "left_out": "",
        "switches": _switches(spans, family),
    }  # fmt: skip


def left_out(prompt: str, family: Family, steps: int, before: int = 0) -> str:
    """What of a prompt the family's encoder does not read, in a sentence; "" where it reads all."""
    if family.weights:
        return ""
    spans = schedule(parse(prompt), steps, before)
    if family.weighs:
        return UNPARTED if parted(spans) else ""
    return ONE_TEXT if weighs(spans) or parted(spans) else ""


def _switches(spans: list[Span], family: Family) -> list[str]:
    """Up to which share of the steps what is said."""
    return [f"{span.until / family.steps:.0%}: {' AND '.join(side.text for side in span.sides)}" for span in spans] if len(spans) > 1 else []


def _chunks(side: Side, words: Words, vocabulary: Vocabulary) -> list[Weighted]:
    comma = words.comma

    def split(text: str) -> list[str | list[Token]]:
        return [part if isinstance(part, str) else _vectors(part) for part in vocabulary.split(text)]

    return chunked(side.pieces, words.tokens, lambda token: token.number == comma, words.length - 2, split)


def _vectors(embedding: Embedding) -> list[Token]:
    """An embedding as the tokens that it takes the place of: its name at the first one."""
    last = embedding.vectors - 1
    return [Token(-1, embedding.entry.title if number == 0 else "", number == last) for number in range(embedding.vectors)]


def _words(chunk: Weighted) -> list[list[Any]]:
    """Tokens joined to the words they are parts of."""
    found: list[list[Any]] = []
    open_word = False
    for token, weight in chunk:
        if open_word:
            found[-1][0] += token.text
        else:
            found.append([token.text, weight])
        open_word = not token.ends
    return found


def _whole(runs: list[tuple[str, float]], entry: ModelEntry, family: Family) -> dict[str, Any]:
    """Families whose encoder is T5: one text without chunks, in stretches of one weight."""
    text = "".join(words for words, _ in runs)
    folders = [Path(entry.path, name) for name in ("tokenizer_3", "tokenizer_2", "tokenizer")]
    words = next((found for folder in folders if (found := words_of(folder))), None) if entry.format == "diffusers" else None
    return {
        "tokens": len(words.tokens(text)) if words else 0, "limit": READS.get(family.key, 0), "chunks": [[[stretch, weight] for stretch, weight in runs]], "sides": [[text, 1.0]],
        "words": UNPARTED if family.weighs else ONE_TEXT,
    }  # fmt: skip
