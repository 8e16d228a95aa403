"""What a model says of a picture whose words were left to it, told while it says it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from transformers.generation.streamers import BaseStreamer

MOST_TOLD = 60  # letters of it that stand beside the progress


class Spelled(BaseStreamer):
    """Hears the tokens one by one. `heard` is told all words so far."""

    def __init__(self, words: Any, heard: Callable[[str], None]) -> None:
        self.words, self.heard = words, heard
        self.tokens: list[int] | None = None

    def put(self, value: Any) -> None:
        if self.tokens is None:  # what it was asked comes first
            self.tokens = []
            return
        self.tokens += value.flatten().tolist()
        self.heard(str(self.words.decode(self.tokens, skip_special_tokens=True)))

    def end(self) -> None:
        """Nothing is kept back."""


def said_of(pipe: Any, seed: int, heard: Callable[[str], None], keep: Callable[[str], None], say: Callable[..., str]) -> Callable[..., str]:
    """`say`, the pipeline's own method, which draws lots for its words: the same for the same seed. `keep` gets all of them at the end."""

    @functools.wraps(say)
    def told(*args: Any, **named: Any) -> str:
        generate = pipe.text_encoder.generate
        heard("")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            pipe.text_encoder.generate = functools.partial(generate, streamer=Spelled(pipe.tokenizer, heard))
            try:
                said = say(*args, **named)
            finally:
                del pipe.text_encoder.generate
        keep(said)
        return said

    return told


def shortened(words: str) -> str:
    """Their end, where there are many."""
    told = " ".join(words.split())
    return told if len(told) <= MOST_TOLD else "…" + told[-MOST_TOLD:].partition(" ")[2]
