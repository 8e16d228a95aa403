"""The vectors of embeddings, set in the place of words while an encoder reads them, and gone afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.image.embeddings import Embedding

PARTS = ("clip_l", "clip_g")  # by the number of their encoder


@dataclass(frozen=True)
class Vector:
    """One row of an embedding: a token that no tokenizer knows."""

    embedding: Embedding
    row: int


def read_vectors(embedding: Embedding, encoder: int) -> Any:
    """[vectors, width] for the encoder of that number: Stable Diffusion XL's first is clip_l, its second clip_g."""
    from safetensors import safe_open

    with safe_open(embedding.entry.path, "pt") as file:
        names = list(file.keys())
        alone = next((name for name in PARTS if name in names), names[0])  # other tensors may stand beside it
        found = file.get_tensor(PARTS[encoder] if len(embedding.widths) > 1 else alone)
    return found.reshape(-1, found.shape[-1])


@contextlib.contextmanager
def in_place(encoder: Any, tokens: list[int | Vector], number: int) -> Iterator[list[int]]:
    """Gives token numbers, 0 where a vector stands; while open, the encoder's table answers with the vectors there."""
    places = [(place, token) for place, token in enumerate(tokens) if isinstance(token, Vector)]
    if not places:
        yield [token for token in tokens if isinstance(token, int)]
        return
    tables = {token.embedding: read_vectors(token.embedding, number) for _, token in places}

    def replace(module: Any, given: Any, states: Any) -> Any:
        states = states.clone()  # [1, tokens, width]
        for place, token in places:
            states[:, place] = tables[token.embedding][token.row].to(states.device, states.dtype)
        return states

    hook = encoder.get_input_embeddings().register_forward_hook(replace)
    try:
        yield [0 if isinstance(token, Vector) else token for token in tokens]
    finally:
        hook.remove()


def vectors_of(embedding: Embedding) -> list[Vector]:
    return [Vector(embedding, row) for row in range(embedding.vectors)]
