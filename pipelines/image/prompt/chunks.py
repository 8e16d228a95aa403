"""From weighted pieces to the encoder's chunks of 75 tokens: worker and page cut with the same function. No torch.

Source: the behaviour that AUTOMATIC1111's documentation describes ("infinite prompt length", comma back-tracking).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.image.prompt.schedule import Piece

BACK_TRACK = 20
Token = TypeVar("Token")
Split = Callable[[str], Sequence[str | Sequence[Token]]]


def chunked(pieces: Sequence[Piece], tokens: Callable[[str], Sequence[Token]], is_comma: Callable[[Token], bool], size: int, split: Split[Token] = lambda text: (text,)) -> list[list[tuple[Token, float]]]:
    """Chunks of (token, weight) without begin and end, at least one. At a full chunk the words since a comma not far back go to the next one.

    `split` finds what stands for tokens of its own (an embedding's vectors) in a text: those are never cut in two.
    """
    chunks: list[list[tuple[Token, float]]] = [[]]
    for piece in pieces:
        if piece.breaks:
            chunks.append([])
        for part in split(piece.text):
            if not isinstance(part, str):
                if len(chunks[-1]) + len(part) > size:
                    chunks.append([])
                chunks[-1] += [(token, piece.weight) for token in part]
                continue
            for token in tokens(part):
                if len(chunks[-1]) == size:
                    chunks.append(_after_comma(chunks[-1], is_comma))
                chunks[-1].append((token, piece.weight))
    return chunks


def _after_comma(full: list[tuple[Token, float]], is_comma: Callable[[Token], bool]) -> list[tuple[Token, float]]:
    """Take what stands behind the last comma off a full chunk, if that is not far."""
    last = max((place for place, (token, _) in enumerate(full) if is_comma(token)), default=-1)
    if last < 0 or len(full) - 1 - last > BACK_TRACK or last == len(full) - 1:
        return []
    moved = full[last + 1 :]
    del full[last + 1 :]
    return moved
